//! What requests and responses have in common: a header, then batch items, as many as the header says.

use crate::ttlv::{BrokenItem, DecodeError, DecodeErrorKind, HEADER_BYTES, Limits, Reader, Tag, Unexpected};
use crate::version::ProtocolVersion;

/// The shortest batch item: its own head, an operation and an empty payload.
const SHORTEST_ITEM_BYTES: usize = HEADER_BYTES + 16 + HEADER_BYTES;

/// One of the two kinds of message.
pub(super) trait Batch {
    /// The tag of the message.
    const TAG: Tag;
    /// The tag of its header.
    const HEADER: Tag;
    /// What to do with unknown fields.
    const UNEXPECTED: Unexpected;
    /// Its header.
    type Header;
    /// Its batch item.
    type Item;

    /// Reads the header and the Batch Count in it. `version` is filled in as soon as it is read, so that an error further on can
    /// carry it.
    fn decode_header(
        reader: &mut Reader<'_>,
        version: &mut Option<ProtocolVersion>,
    ) -> Result<(Self::Header, u32), DecodeError>;

    /// Reads a batch item, filling in `broken` on the way.
    fn decode_item(reader: &mut Reader<'_>, broken: &mut BrokenItem) -> Result<Self::Item, DecodeError>;
}

/// Decodes a whole message.
pub(super) fn decode<M: Batch>(
    message: &[u8],
    limits: &Limits,
) -> Result<(M::Header, Vec<M::Item>), DecodeError> {
    let mut version = None;
    let mut broken = None;
    let mut decode = || {
        let mut reader = Reader::new(message, M::UNEXPECTED, limits)?;
        let whole = reader.structure(M::TAG, const { &[M::HEADER, Tag::BatchItem] }, |reader| {
            let (header, declared) = M::decode_header(reader, &mut version)?;
            let declared = declared as usize;
            let offset = reader.offset();
            let fail = |kind| DecodeError::new(offset, kind).within(Tag::BatchCount).within(M::HEADER);
            if declared > limits.batch_items {
                return Err(fail(DecodeErrorKind::BatchTooLong { limit: limits.batch_items }));
            }
            // Room for what is declared, but never for more than the bytes that have arrived can hold.
            let mut items = Vec::with_capacity(declared.min((message.len() - offset) / SHORTEST_ITEM_BYTES));
            while reader.at(Tag::BatchItem) {
                if items.len() == declared {
                    return Err(fail(DecodeErrorKind::BatchCount { declared, found: declared + 1 }));
                }
                items.push(M::decode_item(reader, broken.insert(BrokenItem::default()))?);
                broken = None;
            }
            if items.len() != declared {
                return Err(fail(DecodeErrorKind::BatchCount { declared, found: items.len() }));
            }
            Ok((header, items))
        })?;
        reader.finish().map(|()| whole)
    };
    let result = decode();
    result.map_err(|error| DecodeError { version, item: broken.map(Box::new), ..error })
}

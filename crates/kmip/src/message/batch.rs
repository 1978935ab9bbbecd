//! What requests and responses have in common: a header, then batch items, as many as the header says.

use crate::ttlv::Unexpected;
use crate::ttlv::{BrokenItem, DecodeError, DecodeErrorKind, HEADER_BYTES, Limits, Reader, Tag};
use crate::version::ProtocolVersion;

/// The shortest batch item: its own head, an operation and an empty payload.
const SHORTEST_ITEM_BYTES: usize = HEADER_BYTES + 16 + HEADER_BYTES;

/// What was read before an error, so that the error can carry it.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) version: Option<ProtocolVersion>,
    pub(super) item: Option<BrokenItem>,
}

/// Decodes a whole message: its header (which yields Batch Count too), then its items.
pub(super) fn decode<Header, BatchItem>(
    message: &[u8],
    (tag, header_tag, unexpected): (Tag, Tag, Unexpected),
    limits: &Limits,
    decode_header: fn(&mut Reader<'_>, &mut Option<ProtocolVersion>) -> Result<(Header, u32), DecodeError>,
    decode_item: fn(&mut Reader<'_>, &mut BrokenItem) -> Result<BatchItem, DecodeError>,
    known: &'static [Tag],
) -> Result<(Header, Vec<BatchItem>), DecodeError> {
    let mut progress = Progress::default();
    let mut decode = || {
        let mut reader = Reader::new(message, unexpected, limits)?;
        let whole = reader.structure(tag, known, |reader| {
            let (header, declared) = decode_header(reader, &mut progress.version)?;
            let declared = declared as usize;
            let offset = reader.offset();
            let fail = |kind| DecodeError::new(offset, kind).within(Tag::BatchCount).within(header_tag);
            if declared > limits.batch_items {
                return Err(fail(DecodeErrorKind::BatchTooLong { limit: limits.batch_items }));
            }
            // Room for what is declared, but never for more than the bytes that have arrived can hold.
            let mut items = Vec::with_capacity(declared.min((message.len() - offset) / SHORTEST_ITEM_BYTES));
            while reader.at(Tag::BatchItem) {
                if items.len() == declared {
                    return Err(fail(DecodeErrorKind::BatchCount { declared, found: declared + 1 }));
                }
                let broken = progress.item.insert(BrokenItem::default());
                items.push(decode_item(reader, broken)?);
                progress.item = None;
            }
            if items.len() != declared {
                return Err(fail(DecodeErrorKind::BatchCount { declared, found: items.len() }));
            }
            Ok((header, items))
        })?;
        reader.finish()?;
        Ok(whole)
    };
    decode().map_err(|error: DecodeError| DecodeError {
        version: progress.version,
        item: progress.item.map(Box::new),
        ..error
    })
}

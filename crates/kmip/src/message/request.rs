//! Requests.

use super::{MessageExtension, RequestHeader, RequestPayload, batch, batch::Batch};
use crate::ttlv::{
    BrokenItem, DecodeError, EncodeError, Limits, MessageBytes, Reader, Tag, Unexpected, Wire, Writer,
};
use crate::types::Operation;
use crate::version::{ClientException, ProtocolVersion};

/// A request: a header and a batch (KMIP 1.4 §7.1).
#[derive(Debug, PartialEq)]
pub struct RequestMessage {
    /// Its header.
    pub header: RequestHeader,
    /// Its batch, in order. Batch Count is their number.
    pub items: Vec<RequestItem>,
}

/// An item of a request's batch.
#[derive(Debug, PartialEq)]
pub struct RequestItem {
    /// Unique Batch Item ID: required where the batch has several items, and repeated in the answer.
    pub batch_id: Option<Vec<u8>>,
    /// What is asked for.
    pub payload: RequestPayload,
    /// What vendors add.
    pub extensions: Vec<MessageExtension>,
}

impl From<RequestPayload> for RequestItem {
    fn from(payload: RequestPayload) -> Self {
        Self { batch_id: None, payload, extensions: Vec::new() }
    }
}

impl RequestMessage {
    /// A request for one thing.
    pub fn single(version: ProtocolVersion, payload: impl Into<RequestPayload>) -> Self {
        Self { header: RequestHeader::new(version), items: vec![payload.into().into()] }
    }

    /// Decodes a request, which must be all of `message`.
    ///
    /// An unknown field is refused: to ignore it could do something else than was asked.
    ///
    /// # Errors
    /// A [`DecodeError`] with everything a server needs to answer in the right version, if that could be read.
    pub fn decode(message: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let (header, items) = batch::decode::<Self>(message, limits)?;
        Ok(Self { header, items })
    }

    /// Encodes the request for its header's version.
    ///
    /// # Errors
    /// When the version lacks something in it.
    pub fn encode(&self) -> Result<MessageBytes, EncodeError> {
        self.encode_allowing(&[])
    }

    /// The same, with fields that the version lacks and that this request may have all the same.
    ///
    /// # Errors
    /// When the version lacks something else in it.
    pub fn encode_allowing(&self, exceptions: &[ClientException]) -> Result<MessageBytes, EncodeError> {
        let mut writer = Writer::allowing(self.header.version, exceptions);
        writer.structure(Tag::RequestMessage, |writer| {
            self.header.encode(self.items.len(), writer)?;
            self.items.iter().try_for_each(|item| item.encode(writer))
        })?;
        Ok(writer.into_bytes())
    }
}

impl Batch for RequestMessage {
    const TAG: Tag = Tag::RequestMessage;
    const HEADER: Tag = Tag::RequestHeader;
    const UNEXPECTED: Unexpected = Unexpected::Refuse;
    type Header = RequestHeader;
    type Item = RequestItem;

    fn decode_header(
        reader: &mut Reader<'_>,
        version: &mut Option<ProtocolVersion>,
    ) -> Result<(RequestHeader, u32), DecodeError> {
        RequestHeader::decode(reader, version)
    }

    fn decode_item(reader: &mut Reader<'_>, broken: &mut BrokenItem) -> Result<RequestItem, DecodeError> {
        reader.structure(Tag::BatchItem, RequestItem::TAGS, |reader| {
            let operation = *broken.operation.insert(Operation::decode(Tag::Operation, reader)?);
            broken.batch_id = Wire::decode(Tag::UniqueBatchItemID, reader)?;
            let payload = RequestPayload::decode(operation, reader)?;
            let extensions = Wire::decode(Tag::MessageExtension, reader)?;
            Ok(RequestItem { batch_id: broken.batch_id.take(), payload, extensions })
        })
    }
}

impl RequestItem {
    const TAGS: &[Tag] =
        &[Tag::Operation, Tag::UniqueBatchItemID, Tag::RequestPayload, Tag::MessageExtension];

    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.structure(Tag::BatchItem, |writer| {
            self.payload.operation().encode(Tag::Operation, writer)?;
            self.batch_id.encode(Tag::UniqueBatchItemID, writer)?;
            self.payload.encode(writer)?;
            self.extensions.encode(Tag::MessageExtension, writer)
        })
    }
}

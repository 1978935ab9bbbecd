//! Responses.

use std::fmt;

use super::{MessageExtension, ResponseHeader, ResponsePayload, batch, batch::Batch};
use crate::ttlv::{
    BrokenItem, DateTime, DecodeError, EncodeError, Limits, MessageBytes, Reader, Tag, Unexpected, Wire,
    Writer,
};
use crate::types::{Operation, ResultReason, ResultStatus};
use crate::version::{ClientException, ProtocolVersion};

/// A response: a header and the answers to a batch (KMIP 1.4 §7.1).
#[derive(Debug, PartialEq)]
pub struct ResponseMessage {
    /// Its header.
    pub header: ResponseHeader,
    /// The answers, in the order of the request's batch. Batch Count is their number.
    pub items: Vec<ResponseItem>,
}

/// The answer to one item of a batch.
#[derive(Debug, PartialEq)]
pub struct ResponseItem {
    /// The operation that was asked for; absent where the request could not be read so far.
    pub operation: Option<Operation>,
    /// The request item's Unique Batch Item ID.
    pub batch_id: Option<Vec<u8>>,
    /// How it went.
    pub result: Result<ResponsePayload, Failure>,
    /// What names the answer that is still to come, where the status is Pending.
    pub asynchronous_correlation_value: Option<Vec<u8>>,
    /// What vendors add.
    pub extensions: Vec<MessageExtension>,
}

/// An answer other than success: failed, pending or undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Operation Failed, Operation Pending or Operation Undone; or what a vendor sends.
    pub status: ResultStatus,
    /// Why. A reply that does not say is read as General Failure: a failed operation must name its reason and not every server does,
    /// and a pending one need not, so that General Failure is written for failed ones only.
    pub reason: ResultReason,
    /// Words about it.
    pub message: Option<String>,
}

impl Failure {
    /// A failed operation.
    pub fn new(reason: ResultReason, message: impl Into<String>) -> Self {
        Self { status: ResultStatus::OperationFailed, reason, message: Some(message.into()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.reason)?;
        match &self.message {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl ResponseItem {
    /// A success.
    pub fn success(batch_id: Option<Vec<u8>>, payload: impl Into<ResponsePayload>) -> Self {
        let payload = payload.into();
        let operation = Some(payload.operation());
        Self {
            operation,
            batch_id,
            result: Ok(payload),
            asynchronous_correlation_value: None,
            extensions: Vec::new(),
        }
    }

    /// A failure.
    pub fn failure(operation: Option<Operation>, batch_id: Option<Vec<u8>>, failure: Failure) -> Self {
        Self {
            operation,
            batch_id,
            result: Err(failure),
            asynchronous_correlation_value: None,
            extensions: Vec::new(),
        }
    }
}

impl ResponseMessage {
    /// A response to a batch of one.
    pub fn single(version: ProtocolVersion, time_stamp: DateTime, item: ResponseItem) -> Self {
        Self { header: ResponseHeader::new(version, time_stamp), items: vec![item] }
    }

    /// Decodes a response, which must be all of `message`.
    ///
    /// Unknown fields are passed over: servers answer old clients with fields of newer versions.
    ///
    /// # Errors
    /// When the bytes are not a response, or exceed the limits.
    pub fn decode(message: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let (header, items) = batch::decode::<Self>(message, limits)?;
        Ok(Self { header, items })
    }

    /// Encodes the response for its header's version, which is the request's.
    ///
    /// # Errors
    /// When the version lacks something in it: a server must leave that out first, so that nothing is dropped unawares.
    pub fn encode(&self) -> Result<MessageBytes, EncodeError> {
        self.encode_allowing(&[])
    }

    /// The same, with fields that the version lacks and that the client is known to need.
    ///
    /// # Errors
    /// When the version lacks something else in it.
    pub fn encode_allowing(&self, exceptions: &[ClientException]) -> Result<MessageBytes, EncodeError> {
        let mut writer = Writer::allowing(self.header.version, exceptions);
        writer.structure(Tag::ResponseMessage, |writer| {
            self.header.encode(self.items.len(), writer)?;
            self.items.iter().try_for_each(|item| item.encode(writer))
        })?;
        Ok(writer.into_bytes())
    }
}

impl Batch for ResponseMessage {
    const TAG: Tag = Tag::ResponseMessage;
    const HEADER: Tag = Tag::ResponseHeader;
    const UNEXPECTED: Unexpected = Unexpected::Skip;
    type Header = ResponseHeader;
    type Item = ResponseItem;

    fn decode_header(
        reader: &mut Reader<'_>,
        version: &mut Option<ProtocolVersion>,
    ) -> Result<(ResponseHeader, u32), DecodeError> {
        ResponseHeader::decode(reader, version)
    }

    fn decode_item(reader: &mut Reader<'_>, broken: &mut BrokenItem) -> Result<ResponseItem, DecodeError> {
        reader.structure(Tag::BatchItem, ResponseItem::TAGS, |reader| {
            let operation: Option<Operation> = Wire::decode(Tag::Operation, reader)?;
            broken.operation = operation;
            broken.batch_id = Wire::decode(Tag::UniqueBatchItemID, reader)?;
            let status = ResultStatus::decode(Tag::ResultStatus, reader)?;
            let reason: Option<ResultReason> = Wire::decode(Tag::ResultReason, reader)?;
            let message = Wire::decode(Tag::ResultMessage, reader)?;
            let asynchronous_correlation_value = Wire::decode(Tag::AsynchronousCorrelationValue, reader)?;
            let result = match (status, operation) {
                (ResultStatus::Success, Some(operation)) => Ok(ResponsePayload::decode(operation, reader)?),
                // Without its operation a payload cannot be read.
                (ResultStatus::Success, None) => return Err(reader.missing(Tag::Operation)),
                _ => {
                    reader.pass_over(Tag::ResponsePayload)?;
                    Err(Failure { status, reason: reason.unwrap_or(ResultReason::GeneralFailure), message })
                }
            };
            let extensions = Wire::decode(Tag::MessageExtension, reader)?;
            let batch_id = broken.batch_id.take();
            Ok(ResponseItem { operation, batch_id, result, asynchronous_correlation_value, extensions })
        })
    }
}

impl ResponseItem {
    const TAGS: &[Tag] = &[
        Tag::Operation,
        Tag::UniqueBatchItemID,
        Tag::ResultStatus,
        Tag::ResultReason,
        Tag::ResultMessage,
        Tag::AsynchronousCorrelationValue,
        Tag::ResponsePayload,
        Tag::MessageExtension,
    ];

    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.structure(Tag::BatchItem, |writer| {
            match &self.result {
                Ok(_) => self.operation.encode(Tag::Operation, writer)?,
                // A failure repeats what was asked for, known to the version or not.
                Err(_) => writer.ungated(|writer| self.operation.encode(Tag::Operation, writer))?,
            }
            self.batch_id.encode(Tag::UniqueBatchItemID, writer)?;
            match &self.result {
                Ok(payload) => {
                    ResultStatus::Success.encode(Tag::ResultStatus, writer)?;
                    self.asynchronous_correlation_value.encode(Tag::AsynchronousCorrelationValue, writer)?;
                    payload.encode(writer)?;
                }
                Err(failure) => {
                    failure.status.encode(Tag::ResultStatus, writer)?;
                    if failure.status == ResultStatus::OperationFailed
                        || failure.reason != ResultReason::GeneralFailure
                    {
                        failure.reason.encode(Tag::ResultReason, writer)?;
                    }
                    failure.message.encode(Tag::ResultMessage, writer)?;
                    self.asynchronous_correlation_value.encode(Tag::AsynchronousCorrelationValue, writer)?;
                }
            }
            self.extensions.encode(Tag::MessageExtension, writer)
        })
    }
}

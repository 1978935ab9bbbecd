//! What a server answered, checked against what was asked.

use std::fmt;

use strongroom_kmip::attribute::Attributes;
use strongroom_kmip::message::{RequestMessage, ResponseMessage};
use strongroom_kmip::object::KeyBlock;
use strongroom_kmip::types::ResultReason;
use strongroom_kmip::{DecodeError, Failure, ManagedObject, Operation, ProtocolVersion, ResponsePayload};

use crate::address::ServerAddress;
use crate::error::Error;

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerFault {
    /// It is no KMIP message.
    Malformed(DecodeError),
    /// It is written in another version than the request.
    Version {
        /// The request's version.
        asked: ProtocolVersion,
        /// The answer's.
        got: ProtocolVersion,
    },
    /// It has another number of items than the request.
    Items {
        /// Items of the request.
        asked: usize,
        /// Items of the answer.
        got: usize,
    },
    /// It answers another operation. Holds that operation.
    Operation(Operation),
    /// Its items are not in the request's order.
    Order,
    /// It is about another object. Holds the identifier that was asked for.
    Identifier {
        /// The identifier asked for.
        asked: String,
        /// The identifier of the answer.
        got: String,
    },
    /// It lists more objects than are taken.
    TooMany {
        /// The most that are.
        limit: usize,
    },
    /// Another number of random bytes than asked for.
    RandomLength {
        /// Bytes asked for.
        asked: usize,
        /// Bytes in the answer.
        got: usize,
    },
    /// A key has another length than it says.
    KeyLength {
        /// Cryptographic Length, in bits.
        declared_bits: u32,
        /// The bytes that are there.
        bytes: usize,
    },
}

impl fmt::Display for AnswerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "the answer is no KMIP message ({error})"),
            Self::Version { asked, got } => {
                write!(f, "the answer is of KMIP {got}, and the request was of {asked}")
            }
            Self::Items { asked, got } => write!(f, "{asked} things were asked and {got} answered"),
            Self::Operation(operation) => write!(f, "the answer is to another operation, {operation}"),
            Self::Order => f.write_str("the answers are not in the order of the questions"),
            Self::Identifier { asked, got } => {
                write!(f, "object {asked:?} was asked for, and the answer is about {got:?}")
            }
            Self::TooMany { limit } => write!(f, "the answer goes on after {limit} objects"),
            Self::RandomLength { asked, got } => {
                write!(f, "{asked} random bytes were asked for, and {got} came")
            }
            Self::KeyLength { declared_bits, bytes } => {
                write!(f, "a key of {declared_bits} bits came with {bytes} bytes")
            }
        }
    }
}

/// One successful answer.
pub(super) struct Answer {
    pub(super) server: ServerAddress,
    pub(super) payload: ResponsePayload,
}

/// The results of a batch, each for its item, or what is wrong with the answer as a whole.
pub(super) fn results(
    request: &RequestMessage,
    response: ResponseMessage,
) -> Result<Vec<Result<ResponsePayload, Failure>>, AnswerFault> {
    let (asked, got) = (request.items.len(), response.items.len());
    // A server that cannot read the request answers it as one, without an operation, and in whatever version it can.
    if let [item] = response.items.as_slice()
        && let (None, Err(failure)) = (item.operation, &item.result)
    {
        return Ok((0..asked).map(|_| Err(failure.clone())).collect());
    }
    if response.header.version != request.header.version {
        return Err(AnswerFault::Version { asked: request.header.version, got: response.header.version });
    }
    // With Stop, which is what some servers do whatever they are told, the rest of a batch is not answered.
    let stopped = got > 0 && got < asked && response.items.last().is_some_and(|item| item.result.is_err());
    if got != asked && !stopped {
        return Err(AnswerFault::Items { asked, got });
    }
    let mut results = Vec::with_capacity(asked);
    for (item, question) in response.items.into_iter().zip(&request.items) {
        let operation = question.payload.operation();
        if let Some(other) = item.operation.filter(|&other| other != operation) {
            return Err(AnswerFault::Operation(other));
        }
        if asked > 1 && item.batch_id != question.batch_id {
            return Err(AnswerFault::Order);
        }
        results.push(item.result);
    }
    if stopped {
        let unanswered = Failure::new(ResultReason::OperationCanceledByRequester, "not tried");
        results.resize_with(asked, || Err(unanswered.clone()));
    }
    Ok(results)
}

/// Whether a failure says that there is no such object. An archived object is there, and is not among these.
pub(super) fn is_absent(failure: &Failure) -> bool {
    matches!(
        failure.reason,
        ResultReason::ItemNotFound | ResultReason::ObjectNotFound | ResultReason::ObjectDestroyed
    )
}

/// An answer whose payload is not that of its operation; only a fault of this crate could make one.
pub(super) fn unexpected(server: ServerAddress, operation: Operation, payload: &ResponsePayload) -> Error {
    Error::Answer { server, operation, fault: AnswerFault::Operation(payload.operation()) }
}

impl Answer {
    /// The object of a Get.
    pub(super) fn object(self, id: &str) -> Result<ManagedObject, Error> {
        let fault = |server, fault| Err(Error::Answer { server, operation: Operation::Get, fault });
        match self.payload {
            ResponsePayload::Get(got) if got.unique_identifier != id => {
                fault(self.server, AnswerFault::Identifier { asked: id.into(), got: got.unique_identifier })
            }
            ResponsePayload::Get(got) => match got.object.key_block().and_then(wrong_length) {
                Some(wrong) => fault(self.server, wrong),
                None => Ok(got.object),
            },
            other => Err(unexpected(self.server, Operation::Get, &other)),
        }
    }

    /// The attributes of a Get Attributes.
    pub(super) fn attributes(self, id: &str) -> Result<Attributes, Error> {
        match self.payload {
            ResponsePayload::GetAttributes(got) if got.unique_identifier != id => Err(Error::Answer {
                server: self.server,
                operation: Operation::GetAttributes,
                fault: AnswerFault::Identifier { asked: id.into(), got: got.unique_identifier },
            }),
            ResponsePayload::GetAttributes(got) => Ok(got.attributes),
            other => Err(unexpected(self.server, Operation::GetAttributes, &other)),
        }
    }
}

/// A plain key is as long as its Cryptographic Length says; a wrapped one is longer, and rightly so.
fn wrong_length(block: &KeyBlock) -> Option<AnswerFault> {
    let (declared_bits, material) = (block.length?, block.material()?);
    let fits = block.wrapping.is_some()
        || u64::from(declared_bits).div_ceil(8) == u64::try_from(material.len()).unwrap_or(u64::MAX);
    (!fits).then(|| AnswerFault::KeyLength { declared_bits, bytes: material.len() })
}

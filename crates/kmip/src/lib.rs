//! KMIP as values: encoding, messages, attributes, objects and one file per operation, for versions 1.0 to 2.1.
//!
//! No input or output, no clock, no cryptography. Bytes come in and values go out, or the other way round.
//!
//! - [`ttlv`]: the binary encoding, bounded, and its errors with offset and tag path;
//! - [`version`]: versions, and the exceptions that named clients need;
//! - [`types`]: enumerations and masks; unknown values survive;
//! - [`attribute`]: attributes, typed, in the encodings of 1.x and 2.x, and the table of what may be done with them;
//! - [`object`]: managed objects and key blocks;
//! - [`message`]: requests and responses;
//! - [`operation`]: the payloads;
//! - [`fragment`]: attributes and objects on their own, for who keeps them.
//!
//! Two rules hold everywhere. Decoding accepts what any version knows, in the specification's order. Encoding writes for the version
//! in the message's header, and what that version lacks is an [`EncodeError`] that names it, never a silent
//! omission.
#![forbid(unsafe_code)]

pub mod attribute;
pub mod fragment;
pub mod message;
pub mod object;
pub mod operation;
pub mod ttlv;
pub mod types;
pub mod version;

pub use attribute::{Attribute, AttributeKind, AttributeName, Attributes};
pub use message::{Failure, RequestMessage, RequestPayload, ResponseMessage, ResponsePayload};
pub use object::ManagedObject;
pub use ttlv::{DateTime, DecodeError, EncodeError, Limits, MessageBytes};
pub use types::Operation;
pub use version::ProtocolVersion;

//! Messages: a header and a batch of items (KMIP 1.4 §6 and §7).

mod batch;
mod credential;
mod extension;
mod header;
mod payload;
mod request;
mod response;

pub use credential::{Credential, DeviceCredential, Password};
pub use extension::MessageExtension;
pub use header::{RequestHeader, ResponseHeader};
pub use payload::{RequestPayload, ResponsePayload};
pub use request::{RequestItem, RequestMessage};
pub use response::{Failure, ResponseItem, ResponseMessage};

//! Endpoints: who may connect. An endpoint has an id of its own; certificates map to it.

mod directory;
mod record;
mod registry;

pub use directory::{Fingerprint, Identity, IdentityMap, NotAFingerprint};
pub use record::{BadEndpointRecord, Endpoint, EndpointState, Enrolment, Invitation, IssuedCertificate};
pub use registry::{EndpointError, NAME_LEN_MAX};

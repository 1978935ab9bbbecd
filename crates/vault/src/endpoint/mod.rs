//! Endpoints: who may connect. An endpoint has an id of its own; certificates map to it.

mod directory;

pub use directory::{Fingerprint, Identity, IdentityMap};

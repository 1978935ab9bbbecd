//! Blocking KMIP sessions over mutual TLS.
pub mod address;
pub mod error;
pub use address::ServerAddress;
pub use error::{Error, ServerFailure};

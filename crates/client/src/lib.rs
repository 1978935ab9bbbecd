//! Blocking KMIP sessions over mutual TLS.
pub mod address;
pub mod connect;
pub mod endpoint_dir;
pub mod error;
pub mod key_file;
pub use address::ServerAddress;
pub use endpoint_dir::Endpoint;
pub use error::{Error, ServerFailure};

//! Blocking KMIP sessions over mutual TLS, for processes that must not be disturbed: databases.
//!
//! No async runtime, and no thread that outlives a call but the one that [`connect::Resolution`] permits. Everything that waits has a
//! deadline. Safe after `fork`. What the crate must not know: what a key is for.
//!
//! - [`endpoint_dir`]: who we are and where the servers are, on disk;
//! - [`key_file`]: private keys in PEM files;
//! - [`connect`]: name, TCP and TLS, step by step under one deadline;
//! - [`session`]: typed calls over the list of servers;
//! - [`probe`]: the connection test behind `strongroom ping`;
//! - [`error`]: why a call failed: which server, which step, what happened, what to do.

pub mod address;
pub mod connect;
pub mod endpoint_dir;
pub mod error;
pub mod key_file;
pub mod probe;
pub mod session;

pub use address::ServerAddress;
pub use endpoint_dir::Endpoint;
pub use error::{Error, ServerFailure};
pub use session::{Effect, Options, Session};

//! From a server's address to a TLS session, in steps that each can fail and be told apart.
//!
//! `resolve`, `tcp::open` and `Stream::handshake` are the steps. Each takes the [`Deadline`] of the whole call, so
//! that time lost in one step is missing in the next, and a peer that sends one byte a second gains nothing. No step leaves a
//! thread behind, but for the one that [`Resolution::HelperThread`] permits.

mod deadline;
mod resolve;
mod stream;
mod tcp;
mod tls;

pub use deadline::Deadline;
pub use resolve::Resolution;
pub use tls::{ServerTrust, TlsConfigError};

pub(crate) use resolve::resolve;
pub(crate) use stream::{ReceiveFault, Stream};
pub(crate) use tcp::open as open_tcp;
pub(crate) use tls::configure;

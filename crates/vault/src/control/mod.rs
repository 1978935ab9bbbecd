//! The control socket: administrative commands from the vault's own machine, until administrators and roles exist.
//!
//! A Unix socket in the vault's directory, mode 0600; the peer must have the server's user id, or be root. One line of JSON
//! asks ([`Request`]), one line answers ([`Response`]). [`Client`] is the other side, blocking, for the command.

mod client;
mod protocol;
mod socket;

pub use client::{Client, ControlError};
pub use protocol::{
    AuditReport, CertificateInfo, EndpointInfo, IssuedToken, Refusal, RefusalKind, Request, Response,
    SealState, Status,
};
pub(crate) use socket::{LINE_LEN_MAX, bind, read_line};

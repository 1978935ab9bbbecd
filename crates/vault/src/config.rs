//! The configuration: limits so far.

use std::time::Duration;

/// What a peer may cost the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request message at most.
    pub message_bytes_max: usize,
    /// Connections to the KMIP port at the same time.
    pub connections_max: usize,
    /// From the connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the first byte of a message's header to its last.
    pub header_timeout: Duration,
    /// From the header to the end of the message, and for writing the reply.
    pub body_timeout: Duration,
    /// Between two messages.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1024 * 1024,
            connections_max: 4096,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(600),
        }
    }
}

//! Why a server could not start or run.

use std::fmt;
use std::io;

use crate::Error;

/// Why a server could not start or run.
#[derive(Debug)]
pub enum ServeError {
    /// The vault itself.
    Vault(Error),
    /// The caller: an address that cannot be listened on.
    Address {
        /// Which port: `kmip` or `admin`.
        name: String,
        /// What was given.
        address: String,
        /// Why not.
        detail: String,
    },
    /// A port could not be opened.
    Listen {
        /// Which port: `kmip`, `admin` or `control`.
        name: String,
        /// Its address.
        address: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The passphrase could not be read from where the configuration says.
    Passphrase {
        /// From where.
        from: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Threads or signal handlers could not be set up.
    Runtime {
        /// The system's answer.
        source: io::Error,
    },
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(error) => error.fmt(f),
            Self::Address { name, address, detail } => {
                write!(f, "{address:?} is no address for --{name} ({detail}); use ADDRESS:PORT")
            }
            Self::Listen { name, address, source } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "{address} is in use by another process; stop it, or choose another address with --{name}"
                )
            }
            Self::Listen { name, address, source } => {
                write!(f, "cannot listen on {address} (--{name}): {source}")
            }
            Self::Passphrase { from, source } => write!(f, "reading the passphrase from {from}: {source}"),
            Self::Runtime { source } => write!(f, "the server could not be set up: {source}"),
        }
    }
}

impl std::error::Error for ServeError {}

impl From<Error> for ServeError {
    fn from(error: Error) -> Self {
        Self::Vault(error)
    }
}

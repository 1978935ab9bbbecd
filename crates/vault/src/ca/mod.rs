//! The vault's own certificate authority: ECDSA P-256, its key sealed in the store.
//!
//! It signs the server's certificate and those of endpoints, and nothing else. Of a certificate request only the public key
//! is taken; the subject, the usage and the validity are the vault's.

mod authority;
mod server;
mod tls;

use std::fmt;

pub(crate) use self::authority::request_der;
pub use self::authority::{Authority, ENDPOINT_VALIDITY, EndpointCertificate};
pub(crate) use self::server::pem;
pub use self::server::{ServerCertificate, default_names};
pub use self::tls::{ServerIdentity, admin_config, kmip_config};

/// Why a certificate could not be made or used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaError {
    /// The caller: the request is not a PEM or DER certificate request, or asks for extensions that are not understood.
    RequestMalformed,
    /// The caller: the request is not signed by the key that it asks a certificate for.
    RequestSignature,
    /// The caller: the key is too weak.
    RequestKey,
    /// The caller: this cannot be a server's name.
    ServerName {
        /// The name.
        name: String,
    },
    /// Integrity: the authority's own record, or the server's certificate or key, is damaged.
    Damaged {
        /// Which part.
        what: &'static str,
    },
    /// A certificate could not be put together or signed.
    Signing {
        /// The library's words.
        detail: String,
    },
}

impl fmt::Display for CaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestMalformed => {
                write!(
                    f,
                    "the certificate request cannot be read; send a PKCS#10 request with no unusual extensions"
                )
            }
            Self::RequestSignature => {
                write!(f, "the certificate request is not signed by its own key; make a new one")
            }
            Self::RequestKey => {
                write!(
                    f,
                    "the key of the certificate request is too weak; use ECDSA P-256 or RSA with 2048 bits"
                )
            }
            Self::ServerName { name } => {
                write!(f, "{name:?} cannot be in a certificate; use a DNS name or an IP address")
            }
            Self::Damaged { what } => write!(f, "the {what} is damaged; restore it from a backup"),
            Self::Signing { detail } => write!(f, "the certificate could not be made: {detail}"),
        }
    }
}

impl std::error::Error for CaError {}

impl From<rcgen::Error> for CaError {
    fn from(error: rcgen::Error) -> Self {
        Self::Signing { detail: error.to_string() }
    }
}

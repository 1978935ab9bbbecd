//! Who a script is to the server.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::certificates::Certificates;

/// How a server is reached as a client.
#[derive(Debug, Clone)]
pub struct Client {
    /// The server's KMIP port.
    pub address: SocketAddr,
    /// The authority that issued the server's certificate, PEM.
    pub ca: PathBuf,
    /// The client's certificate, PEM.
    pub certificate: PathBuf,
    /// The client's key, PEM.
    pub key: PathBuf,
}

impl Client {
    /// The client of `certificates`, at the server at `address`.
    #[must_use]
    pub fn with(certificates: &Certificates, address: SocketAddr) -> Self {
        Self {
            address,
            ca: certificates.ca(),
            certificate: certificates.client(),
            key: certificates.client_key(),
        }
    }

    /// The endpoint whose directory is `directory`, at the server at `address`.
    #[must_use]
    pub fn of_endpoint(directory: &Path, address: SocketAddr) -> Self {
        let ssl = directory.join("ssl");
        Self { address, ca: ssl.join("CA.pem"), certificate: ssl.join("cert.pem"), key: ssl.join("key.pem") }
    }

    pub(super) fn args(&self) -> [OsString; 5] {
        [
            self.address.ip().to_string().into(),
            self.address.port().to_string().into(),
            self.ca.clone().into(),
            self.certificate.clone().into(),
            self.key.clone().into(),
        ]
    }
}

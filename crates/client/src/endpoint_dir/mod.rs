//! The endpoint directory: everything one database server needs to reach its keys.
//!
//! ```text
//! DIR/                 0750 or tighter
//!   okvclient.ora      where the servers are
//!   ssl/
//!     CA.pem           the authority whose servers are trusted
//!     cert.pem         this endpoint's certificate, then any intermediates
//!     key.pem          its private key, which others cannot read
//!     password.txt     the key's password in one line, where it has one
//! ```
//!
//! It is the layout of Oracle Key Vault's clients, so that one directory serves MySQL, MariaDB, the command and others.
//! `docs/endpoint-directory.md` describes it for the people who fill it.

mod error;
mod file;
mod okvclient;
mod write;

use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::address::ServerAddress;
use crate::key_file::{KeyFileError, PrivateKey};

pub use error::{EndpointDirError, Fault, Warning};
pub use okvclient::{MAX_SERVERS, MAX_STANDBY_SERVERS, OkvClientError, parse_servers};
pub use write::{Contents, Existing, WriteError, is_enrolled, write};

/// The file that names the servers.
pub const OKVCLIENT_ORA: &str = "okvclient.ora";
/// The directory of certificates and key, under the endpoint directory.
pub const SSL_DIR: &str = "ssl";
/// The authority's certificates, under [`SSL_DIR`].
pub const CA_PEM: &str = "CA.pem";
/// The endpoint's certificate chain, under [`SSL_DIR`].
pub const CERT_PEM: &str = "cert.pem";
/// The endpoint's private key, under [`SSL_DIR`].
pub const KEY_PEM: &str = "key.pem";
/// The private key's password, under [`SSL_DIR`]; only where it has one.
pub const PASSWORD_TXT: &str = "password.txt";

/// An endpoint: who we are to the servers, and where they are.
#[derive(Debug)]
pub struct Endpoint {
    /// The servers in the order in which they are tried; never empty.
    pub servers: Vec<ServerAddress>,
    /// The certificates of the authority whose servers are trusted; never empty.
    pub authority: Vec<CertificateDer<'static>>,
    /// Our certificate, then its intermediates; never empty.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The private key of our certificate.
    pub key: PrivateKey,
    /// What is not as it should be, yet no reason to refuse the directory.
    pub warnings: Vec<Warning>,
}

impl Endpoint {
    /// Reads an endpoint directory.
    ///
    /// # Errors
    /// [`EndpointDirError`] names the file and what is wrong with it.
    pub fn open(dir: &Path) -> Result<Self, EndpointDirError> {
        let mut warnings = file::check_directory(dir)?;
        let path = dir.join(OKVCLIENT_ORA);
        let text = file::read(&path)?;
        let servers =
            parse_servers(&text).map_err(|fault| EndpointDirError::new(&path, Fault::Servers(fault)))?;
        let mut endpoint = Self::open_ssl(dir, servers)?;
        warnings.append(&mut endpoint.warnings);
        endpoint.warnings = warnings;
        Ok(endpoint)
    }

    /// Reads a directory whose `okvclient.ora` is not to be used, because the servers are configured elsewhere
    /// (as in MySQL's `component_keyring_kmip.cnf`).
    ///
    /// # Errors
    /// [`EndpointDirError`], as for [`open`](Self::open). [`OkvClientError::NoServer`] when `servers` is empty.
    pub fn open_with_servers(dir: &Path, servers: Vec<ServerAddress>) -> Result<Self, EndpointDirError> {
        if servers.is_empty() {
            return Err(EndpointDirError::new(dir, Fault::Servers(OkvClientError::NoServer)));
        }
        let mut warnings = file::check_directory(dir)?;
        let mut endpoint = Self::open_ssl(dir, servers)?;
        warnings.append(&mut endpoint.warnings);
        endpoint.warnings = warnings;
        Ok(endpoint)
    }

    /// The Subject of our certificate, in DER (RFC 5280 §4.1.2.6). It stays the same when the certificate is renewed.
    #[must_use]
    pub fn subject(&self) -> Vec<u8> {
        // `open` has parsed every certificate and refuses a file without one.
        self.certificates
            .first()
            .and_then(|certificate| x509_parser::parse_x509_certificate(certificate).ok())
            .map(|(_, certificate)| certificate.subject().as_raw().to_vec())
            .unwrap_or_default()
    }

    /// Reads the files of an endpoint from wherever they are, as in Percona's `component_keyring_kmip.cnf`. The key has no password.
    ///
    /// # Errors
    /// [`EndpointDirError`], as for [`open`](Self::open). [`OkvClientError::NoServer`] when `servers` is empty.
    pub fn open_files(
        servers: Vec<ServerAddress>,
        authority: &Path,
        certificates: &Path,
        key: &Path,
    ) -> Result<Self, EndpointDirError> {
        if servers.is_empty() {
            return Err(EndpointDirError::new(authority, Fault::Servers(OkvClientError::NoServer)));
        }
        Self::read(servers, [authority, certificates, key], None)
    }

    fn open_ssl(dir: &Path, servers: Vec<ServerAddress>) -> Result<Self, EndpointDirError> {
        let ssl = dir.join(SSL_DIR);
        let warnings = file::check_directory(&ssl)?;
        let paths = [CA_PEM, CERT_PEM, KEY_PEM].map(|name| ssl.join(name));
        let endpoint =
            Self::read(servers, paths.each_ref().map(PathBuf::as_path), Some(&ssl.join(PASSWORD_TXT)))?;
        Ok(Self { warnings, ..endpoint })
    }

    fn read(
        servers: Vec<ServerAddress>,
        [authority, certificates, key_path]: [&Path; 3],
        password_path: Option<&Path>,
    ) -> Result<Self, EndpointDirError> {
        let authority = self::certificates(authority)?;
        let certificates = self::certificates(certificates)?;
        let pem = file::read_secret(key_path)?
            .ok_or_else(|| EndpointDirError::new(key_path, Fault::io(std::io::ErrorKind::NotFound)))?;
        let password = password_path.map(file::read_secret).transpose()?.flatten();
        let line = password.as_ref().map(first_line);
        let key = PrivateKey::from_pem(&pem, line).map_err(|fault| match (fault, password_path) {
            (fault @ KeyFileError::WrongPassword, Some(path)) => {
                EndpointDirError::new(path, Fault::Key(fault))
            }
            (fault, _) => EndpointDirError::new(key_path, Fault::Key(fault)),
        })?;
        Ok(Self { servers, authority, certificates, key, warnings: vec![] })
    }
}

/// The directory that `--conf` named, or else the one in `STRONGROOM_CONF`.
#[must_use]
pub fn configured(conf: Option<PathBuf>) -> Option<PathBuf> {
    conf.or_else(|| std::env::var_os("STRONGROOM_CONF").filter(|dir| !dir.is_empty()).map(PathBuf::from))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, EndpointDirError> {
    let pem = file::read(path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| EndpointDirError::new(path, Fault::BadCertificate))?;
    if certificates.is_empty() {
        return Err(EndpointDirError::new(path, Fault::NoCertificate));
    }
    for certificate in &certificates {
        x509_parser::parse_x509_certificate(certificate)
            .map_err(|_| EndpointDirError::new(path, Fault::BadCertificate))?;
    }
    Ok(certificates)
}

/// The password is the first line, without its end; blanks belong to it.
fn first_line(text: &Zeroizing<Vec<u8>>) -> &[u8] {
    let line = text.split(|&b| b == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests;

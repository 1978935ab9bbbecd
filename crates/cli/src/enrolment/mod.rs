//! Enrolling this host: a key made here, a certificate from the vault, an endpoint directory.
//!
//! - [`pin`]: the vault is the one that the token names, or nothing is sent;
//! - [`request`]: the exchange of token and certificate request for a certificate, over HTTPS;
//! - [`pending`]: the key and the request wait on disk until it has succeeded.

mod pending;
mod pin;
mod request;

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use strongroom_client::ServerAddress;
use strongroom_client::endpoint_dir::{self, Contents, Existing, WriteError};
use strongroom_client::key_file;
use strongroom_vault::enrolment::Token;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use pending::Pending;
use pin::PinError;

/// A host that has been enrolled.
#[derive(Debug)]
pub(crate) struct Enrolled {
    /// The endpoint's name in the vault.
    pub(crate) name: String,
    /// The servers that the endpoint directory names.
    pub(crate) servers: Vec<ServerAddress>,
}

/// What became of one address of a token.
#[derive(Debug)]
pub(crate) struct AddressFault {
    /// The enrolment port.
    pub(crate) server: ServerAddress,
    /// What happened there.
    pub(crate) fault: EnrolFault,
}

/// Why an address gave no certificate.
#[derive(Debug)]
pub(crate) enum EnrolFault {
    /// Nobody there was believed.
    Pin(PinError),
    /// The exchange broke off. Holds the HTTP library's words.
    Http(String),
    /// The vault refused.
    Refused {
        /// Its word for programs, such as `token-used`.
        reason: String,
        /// Its sentence for people.
        message: String,
    },
    /// The certificate is not one for our key by the pinned authority. Holds what is wrong.
    BadCertificate(String),
}

impl EnrolFault {
    /// Another address cannot do better: the vault has judged the token or the request.
    fn is_final(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => !matches!(reason.as_str(), "sealed" | "busy" | "failed"),
            Self::BadCertificate(_) => true,
            Self::Pin(_) | Self::Http(_) => false,
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Pin(PinError::OtherAuthority) | Self::BadCertificate(_) => Exit::Integrity,
            Self::Pin(_) | Self::Http(_) | Self::Refused { .. } => Exit::OtherSide,
        }
    }
}

/// Enrols this host with a token and writes the endpoint directory `out`. With a password, the key is encrypted.
///
/// It may be repeated with the same token after any failure.
///
/// # Errors
/// [`Error::WriteEndpoint`] when `out` is in use, before anything is sent; [`Error::Enrol`] when no address of the token
/// gave a certificate; [`Error::Read`] and [`Error::Write`] for files.
pub(crate) fn enrol(
    token: &Token,
    out: &Path,
    password: Option<&str>,
    output: Output,
) -> Result<Enrolled, Error> {
    let out = &std::path::absolute(out).map_err(|source| Error::Write { path: out.into(), source })?;
    check_free(out)?;
    let admin = addresses(&token.addresses().admin)?;
    let servers = addresses(&token.addresses().kmip)?;
    let pending = Pending::open(out)?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(pending.key_pem.as_bytes())
        .map_err(|error| Error::Generate(error.to_string()))?;
    let certified = certify(&admin, token, &key, &pending.request_pem)?;
    let encrypted: Zeroizing<String>;
    let key_pem = match password {
        Some(password) => {
            encrypted = key_file::encrypt(key.secret_pkcs8_der(), password.as_bytes())
                .map_err(|error| Error::Generate(error.to_string()))?;
            &encrypted
        }
        None => &pending.key_pem,
    };
    let contents = Contents {
        servers: &servers,
        ca_pem: &pem(&certified.authority),
        cert_pem: &certified.certificate_pem,
        key_pem,
        password,
    };
    endpoint_dir::write(out, contents, Existing::Keep).map_err(Error::WriteEndpoint)?;
    if let Err(error) = pending.finish() {
        output.warn(format!("{error}; remove it by hand, it holds a copy of the private key"));
    }
    Ok(Enrolled { name: certified.name, servers })
}

/// Asks each address in turn until one has judged.
fn certify(
    addresses: &[ServerAddress],
    token: &Token,
    key: &PrivatePkcs8KeyDer<'_>,
    request_pem: &str,
) -> Result<request::Certified, Error> {
    let mut faults = Vec::new();
    for server in addresses {
        match request::certify(server, token, key, request_pem) {
            Ok(certified) => return Ok(certified),
            Err(fault) => {
                let last = fault.is_final();
                faults.push(AddressFault { server: server.clone(), fault });
                if last {
                    break;
                }
            }
        }
    }
    Err(Error::Enrol(faults))
}

/// The token must not be spent on a directory that cannot be written.
fn check_free(out: &Path) -> Result<(), Error> {
    let fault = match fs::read_dir(out).map(|mut entries| entries.next().is_some()) {
        Ok(false) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(_) if endpoint_dir::is_enrolled(out) => WriteError::AlreadyEnrolled(out.into()),
        Ok(_) => WriteError::NotEmpty(out.into()),
        Err(error) => WriteError::Io(out.into(), error),
    };
    Err(Error::WriteEndpoint(fault))
}

fn addresses(texts: &[String]) -> Result<Vec<ServerAddress>, Error> {
    let addresses: Vec<ServerAddress> =
        texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(|_| Error::TokenAddresses)?;
    if addresses.is_empty() { Err(Error::TokenAddresses) } else { Ok(addresses) }
}

/// A certificate as PEM text (RFC 7468).
fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.server, self.fault)
    }
}

impl fmt::Display for EnrolFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(fault) => fault.fmt(f),
            Self::Http(detail) => {
                write!(f, "the exchange broke off: {detail}; run it again with the same token")
            }
            Self::Refused { message, .. } => f.write_str(message),
            Self::BadCertificate(detail) => write!(f, "the vault's answer cannot be used: {detail}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateDer;

    use super::*;

    #[test]
    fn a_certificate_survives_its_pem() {
        for length in [0, 1, 47, 48, 49, 500] {
            let der = vec![7; length];
            let again = CertificateDer::from_pem_slice(pem(&der).as_bytes()).unwrap();
            assert_eq!(again.as_ref(), der);
        }
    }

    #[test]
    fn what_another_vault_could_do_better_is_not_final() {
        let refused =
            |reason: &str| EnrolFault::Refused { reason: reason.to_owned(), message: String::new() };
        for (fault, last, exit) in [
            (refused("token-used"), true, Exit::OtherSide),
            (refused("token-expired"), true, Exit::OtherSide),
            (refused("sealed"), false, Exit::OtherSide),
            (refused("busy"), false, Exit::OtherSide),
            (EnrolFault::Http(String::new()), false, Exit::OtherSide),
            (EnrolFault::Pin(PinError::OtherAuthority), false, Exit::Integrity),
            (EnrolFault::BadCertificate(String::new()), true, Exit::Integrity),
        ] {
            assert_eq!((fault.is_final(), fault.exit()), (last, exit), "{fault:?}");
        }
    }
}

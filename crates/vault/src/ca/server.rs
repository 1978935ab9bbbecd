//! The server's certificate and key.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use zeroize::Zeroizing;

use super::authority::{Authority, params, subject};
use super::{CaError, ServerIdentity};
use crate::Error;
use crate::layout::{Layout, rename_file, replace_file};

const DAY: i64 = 24 * 60 * 60;
const VALIDITY: SignedDuration = SignedDuration::from_secs(398 * DAY);
/// When less than this is left, a new certificate is made.
const RENEW_BEFORE_END: SignedDuration = SignedDuration::from_secs(133 * DAY);

const DAMAGED_CERTIFICATE: CaError = CaError::Damaged { what: "server certificate (tls/server.pem)" };
const DAMAGED_KEY: CaError = CaError::Damaged { what: "server key (tls/server.key)" };

/// Names that a server certificate carries when none are given: this machine, as it calls itself.
pub fn default_names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    if !host.is_empty() && !names.contains(&host) && CertificateParams::new(vec![host.clone()]).is_ok() {
        names.push(host);
    }
    names.push(IpAddr::V4(Ipv4Addr::LOCALHOST).to_string());
    names.push(IpAddr::V6(Ipv6Addr::LOCALHOST).to_string());
    names
}

/// The server's certificate with its authority's, and its key.
pub struct ServerCertificate {
    /// The server's, then the authority's: who enrols pins the latter.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
}

impl ServerCertificate {
    /// A new certificate for these DNS names and IP addresses, with a new key.
    ///
    /// # Errors
    /// [`CaError::ServerName`], [`CaError::Signing`].
    pub fn issue(authority: &Authority, names: &[String], now: Timestamp) -> Result<Self, CaError> {
        let mut params = params(now, VALIDITY)?;
        for name in names {
            let one = CertificateParams::new(vec![name.clone()])
                .map_err(|_| CaError::ServerName { name: name.clone() })?;
            params.subject_alt_names.extend(one.subject_alt_names);
        }
        params.distinguished_name = subject(names.first().map_or("strongroom", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = authority.sign(&params, &key)?;
        let der = key.serialize_der();
        let key =
            PrivateKeyDer::try_from(der).map_err(|detail| CaError::Signing { detail: detail.to_owned() })?;
        Ok(Self { chain: vec![certificate, authority.certificate().clone()], key })
    }

    /// Reads it from the vault's directory, and ends a [`ServerCertificate::write`] that was cut off.
    ///
    /// # Errors
    /// [`CaError::Damaged`], [`Error::File`].
    pub fn read(layout: &Layout) -> Result<Self, Error> {
        let path = layout.server_certificate();
        let pem = std::fs::read(&path).map_err(|source| Error::File { doing: "reading", path, source })?;
        let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| chain.len() == 2).ok_or(DAMAGED_CERTIFICATE)?;
        let present = Self { chain, key: read_key(layout.server_key())? };
        if !present.is_pair()
            && let Ok(key) = read_key(layout.next_server_key())
        {
            let next = Self { chain: present.chain.clone(), key };
            if next.is_pair() {
                rename_file(&layout.next_server_key(), &layout.server_key())?;
                return Ok(next);
            }
        }
        Ok(present)
    }

    /// Writes it to the vault's directory. The certificate is what counts: until it is replaced the old key belongs to it,
    /// afterwards the next one, whichever name that has when this is cut off.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn write(&self, layout: &Layout) -> Result<(), Error> {
        let key = Zeroizing::new(pem("PRIVATE KEY", self.key.secret_der()));
        replace_file(&layout.next_server_key(), 0o600, key.as_bytes())?;
        let chain: String = self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect();
        replace_file(&layout.server_certificate(), 0o600, chain.as_bytes())?;
        rename_file(&layout.next_server_key(), &layout.server_key())
    }

    /// Whether the key is the certificate's.
    fn is_pair(&self) -> bool {
        ServerIdentity::new(self).is_ok()
    }

    /// The names in the certificate, when it should be replaced by a new one soon.
    ///
    /// # Errors
    /// [`CaError::Damaged`].
    pub fn names_to_renew(&self, now: Timestamp) -> Result<Option<Vec<String>>, CaError> {
        let leaf = self.chain.first().ok_or(DAMAGED_CERTIFICATE)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(leaf).map_err(|_| DAMAGED_CERTIFICATE)?;
        let validity = parsed.validity();
        // One from the future was made while the clock was wrong, and nobody accepts it.
        let has_begun = validity.not_before.timestamp() <= now.as_second();
        if has_begun && validity.not_after.timestamp() > (now + RENEW_BEFORE_END).as_second() {
            return Ok(None);
        }
        names_in(leaf).map(Some)
    }
}

fn read_key(path: PathBuf) -> Result<PrivateKeyDer<'static>, Error> {
    let pem = std::fs::read(&path).map_err(|source| Error::File { doing: "reading", path, source })?;
    Ok(PrivateKeyDer::from_pem_slice(&Zeroizing::new(pem)).map_err(|_| DAMAGED_KEY)?)
}

/// The DNS names and IP addresses in a server certificate, in its order.
pub(super) fn names_in(leaf: &CertificateDer<'_>) -> Result<Vec<String>, CaError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).map_err(|_| DAMAGED_CERTIFICATE)?;
    let names = parsed.subject_alternative_name().map_err(|_| DAMAGED_CERTIFICATE)?;
    let names = names.map(|names| names.value.general_names.iter().filter_map(name_text).collect());
    Ok(names.unwrap_or_default())
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    }
}

/// RFC 7468 text of one object.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(der));
    let mut text = String::with_capacity(body.len() + body.len() / 64 + 64);
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

//! The authority itself.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData as _, SerialNumber,
};
use rustls_pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer, pem::PemObject as _,
};
use x509_parser::time::ASN1Time;
use zeroize::Zeroizing;

use super::CaError;
use crate::barrier::{Opened, random};
use crate::endpoint::Fingerprint;

const DAY: i64 = 24 * 60 * 60;
/// Long, because every endpoint pins it: it is replaced with a ceremony, not by a timer.
const AUTHORITY_VALIDITY: SignedDuration = SignedDuration::from_secs(20 * 365 * DAY);
/// How long an endpoint's certificate is valid unless the configuration says otherwise.
pub const ENDPOINT_VALIDITY: SignedDuration = SignedDuration::from_secs(365 * DAY);
/// Certificates begin to be valid a little in the past, for peers whose clock is behind.
const BACKDATE: SignedDuration = SignedDuration::from_secs(60 * 60);
/// Bytes of a certificate request at most; one with an RSA-16384 key is smaller.
const REQUEST_LEN_MAX: usize = 16 * 1024;
/// An RSA public key of 2048 bits is at least this long in DER (PKCS#1).
const RSA_2048_DER_LEN: usize = 268;

/// First byte of the authority's record: format (1), length of the certificate (4), certificate, PKCS#8 key.
const FORMAT: u8 = 1;

/// The certificate authority, able to sign.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate for an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointCertificate {
    /// The certificate.
    pub der: Vec<u8>,
    /// Its SHA-256.
    pub fingerprint: Fingerprint,
    /// Its last second.
    pub not_after: Timestamp,
}

impl Authority {
    /// A new authority with a new key.
    ///
    /// # Errors
    /// [`CaError::Signing`].
    pub fn generate(now: Timestamp) -> Result<Self, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut serial = [0; 4];
        random(&mut serial);
        let mut params = params(now, AUTHORITY_VALIDITY)?;
        // Names of different vaults differ, so that a person who holds several files can tell them apart.
        params.distinguished_name = subject(&format!("Strongroom vault {:08x}", u32::from_be_bytes(serial)));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// The record of the authority, for the barrier.
    pub fn encode(&self) -> Opened {
        let key = self.issuer.key().serialized_der();
        let mut bytes = Zeroizing::new(Vec::with_capacity(5 + self.certificate.len() + key.len()));
        bytes.push(FORMAT);
        bytes.extend_from_slice(&(self.certificate.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&self.certificate);
        bytes.extend_from_slice(key);
        Opened::new(bytes)
    }

    /// The reverse of [`Authority::encode`].
    ///
    /// # Errors
    /// [`CaError::Damaged`].
    pub fn decode(opened: &Opened) -> Result<Self, CaError> {
        const DAMAGED: CaError = CaError::Damaged { what: "record of the certificate authority" };
        let bytes = opened.as_bytes().strip_prefix(&[FORMAT]).ok_or(DAMAGED)?;
        let (len, rest) = bytes.split_first_chunk::<4>().ok_or(DAMAGED)?;
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| DAMAGED)?;
        let (certificate, key) = rest.split_at_checked(len).ok_or(DAMAGED)?;
        let certificate = CertificateDer::from(certificate.to_vec());
        let key =
            KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(key), &PKCS_ECDSA_P256_SHA256)
                .map_err(|_| DAMAGED)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| DAMAGED)?;
        Ok(Self { certificate, issuer })
    }

    /// The authority's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the authority's certificate; tokens carry it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// Signs a certificate for the key of `request` (DER).
    ///
    /// # Errors
    /// [`CaError`]: the request is no good, or signing failed.
    pub fn sign_endpoint(
        &self,
        request: &[u8],
        name: &str,
        validity: SignedDuration,
        now: Timestamp,
    ) -> Result<EndpointCertificate, CaError> {
        let request = CertificateSigningRequestDer::from(request);
        let request = CertificateSigningRequestParams::from_der(&request).map_err(|error| match error {
            rcgen::Error::InvalidCertificationRequestSignature => CaError::RequestSignature,
            _ => CaError::RequestMalformed,
        })?;
        let key = &request.public_key;
        let rsa = [&rcgen::PKCS_RSA_SHA256, &rcgen::PKCS_RSA_SHA384, &rcgen::PKCS_RSA_SHA512];
        if rsa.contains(&key.algorithm()) && key.der_bytes().len() < RSA_2048_DER_LEN {
            return Err(CaError::RequestKey);
        }
        let mut params = params(now, validity)?;
        params.distinguished_name = subject(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let der = params.signed_by(key, &self.issuer)?.der().to_vec();
        Ok(EndpointCertificate { fingerprint: Fingerprint::of(&der), der, not_after: now + validity })
    }

    /// Signs `params` for `key`.
    pub(super) fn sign(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> Result<CertificateDer<'static>, CaError> {
        Ok(params.signed_by(key, &self.issuer)?.der().clone())
    }
}

/// The DER of a PEM certificate request.
///
/// # Errors
/// [`CaError::RequestMalformed`].
pub(crate) fn request_der(pem: &[u8]) -> Result<Vec<u8>, CaError> {
    if pem.len() > REQUEST_LEN_MAX {
        return Err(CaError::RequestMalformed);
    }
    let request = CertificateSigningRequestDer::from_pem_slice(pem).map_err(|_| CaError::RequestMalformed)?;
    Ok(request.to_vec())
}

/// A random serial number (RFC 5280 §4.1.2.2) and the validity.
pub(super) fn params(now: Timestamp, validity: SignedDuration) -> Result<CertificateParams, CaError> {
    let mut serial = [0; 16];
    random(&mut serial);
    // Positive, and never shorter than it looks.
    serial[0] = serial[0] & 0x7f | 0x40;
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let date = |at: Timestamp| {
        ASN1Time::from_timestamp(at.as_second())
            .map(|time| time.to_datetime())
            .map_err(|error| CaError::Signing { detail: error.to_string() })
    };
    params.not_before = date(now - BACKDATE)?;
    params.not_after = date(now + validity)?;
    Ok(params)
}

/// A subject with this common name; X.520 allows 64 characters.
pub(super) fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    subject
}

//! The exchange of a token and a certificate request for a certificate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use strongroom_client::ServerAddress;
use strongroom_vault::enrolment::{EnrolRefusal, EnrolReply, EnrolRequest, Token};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use super::{EnrolFault, pin};

/// How long one address is given, from its name to the certificate.
const ADDRESS_TIME_MAX: Duration = Duration::from_secs(20);
/// Larger than any answer, in bytes.
const ANSWER_MAX: u64 = 64 * 1024;

/// What an enrolment gives.
pub(super) struct Certified {
    /// The endpoint's name.
    pub(super) name: String,
    /// Our certificate, PEM.
    pub(super) certificate_pem: String,
    /// The pinned authority's certificate, DER.
    pub(super) authority: CertificateDer<'static>,
}

/// Has the vault behind `server` certify our key.
///
/// # Errors
/// [`EnrolFault`].
pub(super) fn certify(
    server: &ServerAddress,
    token: &Token,
    key: &PrivatePkcs8KeyDer<'_>,
    request_pem: &str,
) -> Result<Certified, EnrolFault> {
    let deadline = Instant::now() + ADDRESS_TIME_MAX;
    let authority = pin::authority(server, &token.authority().0, deadline).map_err(EnrolFault::Pin)?;
    let body = EnrolRequest {
        endpoint: token.endpoint().to_string(),
        secret: token.secret().to_text(),
        request: request_pem.to_owned(),
    };
    let http = |error: ureq::Error| EnrolFault::Http(error.to_string());
    let mut answer = agent(&authority, deadline)
        .post(format!("https://{server}/v1/enroll"))
        .send_json(&body)
        .map_err(http)?;
    let status = answer.status();
    let reader = answer.body_mut().with_config().limit(ANSWER_MAX);
    if status != 200 {
        return Err(match reader.read_json::<EnrolRefusal>() {
            Ok(EnrolRefusal { reason, message }) => EnrolFault::Refused { reason, message },
            Err(_) => EnrolFault::Http(format!("it answered with status {}", status.as_u16())),
        });
    }
    let reply: EnrolReply = reader.read_json().map_err(http)?;
    check(&reply.certificate, key, &authority).map_err(EnrolFault::BadCertificate)?;
    Ok(Certified { name: reply.name, certificate_pem: reply.certificate, authority })
}

/// An HTTPS client that trusts one authority, goes nowhere else and asks no proxy.
fn agent(authority: &CertificateDer<'_>, deadline: Instant) -> ureq::Agent {
    let root = Certificate::from_der(authority).to_owned();
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
        .root_certs(RootCerts::new_with_certs(&[root]))
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .https_only(true)
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(deadline.saturating_duration_since(Instant::now())))
        .build()
        .new_agent()
}

/// Is this a certificate for our key, for clients, by the pinned authority?
fn check(
    certificate_pem: &str,
    key: &PrivatePkcs8KeyDer<'_>,
    authority: &CertificateDer<'static>,
) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let certificate =
        CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|error| words(&error))?;
    let provider = Arc::new(default_provider());
    let own = PrivateKeyDer::Pkcs8(key.clone_key());
    CertifiedKey::from_der(vec![certificate.clone()], own, &provider).map_err(|error| words(&error))?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).map_err(|error| words(&error))?;
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| words(&error))?
        .verify_client_cert(&certificate, &[], UnixTime::now())
        .map(drop)
        .map_err(|error| words(&error))
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

    use super::*;

    fn authority() -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.self_signed(&key).unwrap().der().clone(), Issuer::new(params, key))
    }

    fn leaf(key: &KeyPair, issuer: &Issuer<'_, KeyPair>) -> String {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.signed_by(key, issuer).unwrap().pem()
    }

    #[test]
    fn only_a_certificate_for_our_key_by_the_pinned_authority_is_taken() {
        let (key, other_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let ((pinned, issuer), (_, other_issuer)) = (authority(), authority());
        let own = PrivatePkcs8KeyDer::from(key.serialize_der());
        assert_eq!(check(&leaf(&key, &issuer), &own, &pinned), Ok(()));
        assert!(check(&leaf(&other_key, &issuer), &own, &pinned).is_err(), "another key");
        assert!(check(&leaf(&key, &other_issuer), &own, &pinned).is_err(), "another authority");
        assert!(check("no certificate", &own, &pinned).is_err(), "no certificate");
    }
}

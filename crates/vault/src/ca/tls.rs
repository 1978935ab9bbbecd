//! TLS as the vault speaks it: 1.2 and 1.3, suites with forward secrecy and authenticated encryption only (rustls has no
//! others).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;

use super::server::names_in;
use super::{CaError, ServerCertificate};

const DAMAGED_PAIR: CaError = CaError::Damaged { what: "pair of server certificate and key (tls/)" };

/// The certificate that the server shows; it can be replaced while connections are open.
pub struct ServerIdentity {
    current: RwLock<Arc<CertifiedKey>>,
    provider: Arc<CryptoProvider>,
}

impl ServerIdentity {
    /// Shows this certificate.
    ///
    /// # Errors
    /// [`CaError::Damaged`] when the key does not fit the certificate.
    pub fn new(certificate: &ServerCertificate) -> Result<Self, CaError> {
        let provider = Arc::new(default_provider());
        let current = certified(certificate, &provider)?;
        Ok(Self { current: RwLock::new(Arc::new(current)), provider })
    }

    /// The DNS names and IP addresses under which clients accept this server, in the certificate's order.
    ///
    /// # Errors
    /// [`CaError::Damaged`].
    pub fn names(&self) -> Result<Vec<String>, CaError> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        current.end_entity_cert().map_err(|_| DAMAGED_PAIR).and_then(names_in)
    }

    /// Shows another certificate from now on.
    ///
    /// # Errors
    /// As [`ServerIdentity::new`]; the old one stays.
    pub fn replace(&self, certificate: &ServerCertificate) -> Result<(), CaError> {
        let next = Arc::new(certified(certificate, &self.provider)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }
}

fn certified(certificate: &ServerCertificate, provider: &CryptoProvider) -> Result<CertifiedKey, CaError> {
    CertifiedKey::from_der(certificate.chain.clone(), certificate.key.clone_key(), provider)
        .map_err(|_| DAMAGED_PAIR)
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerIdentity")
    }
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// For the KMIP port: the peer must show a certificate of `authority`.
///
/// # Errors
/// [`CaError::Signing`] when the authority cannot be used as a trust anchor.
pub fn kmip_config(
    identity: &Arc<ServerIdentity>,
    authority: &CertificateDer<'static>,
) -> Result<Arc<ServerConfig>, CaError> {
    let unusable = |detail: String| CaError::Signing { detail };
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).map_err(|error| unusable(error.to_string()))?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&identity.provider))
            .build()
            .map_err(|error| unusable(error.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::clone(&identity.provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::clone(identity) as Arc<dyn ResolvesServerCert>);
    Ok(Arc::new(config))
}

/// For the enrolment port: the peer proves itself with a token, not with a certificate.
///
/// # Errors
/// [`CaError::Signing`].
pub fn admin_config(identity: &Arc<ServerIdentity>) -> Result<Arc<ServerConfig>, CaError> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&identity.provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| CaError::Signing { detail: error.to_string() })?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(identity) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

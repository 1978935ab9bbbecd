//! Both sides' TLS.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::certificates::{Authority, Issued};

/// A server that shows this certificate and demands one of the authority's from its clients.
pub(super) fn server(shown: &Issued, authority: &Authority) -> Arc<ServerConfig> {
    let roots = Arc::new(roots(authority.certificate().as_bytes()));
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::new(default_provider()))
        .build()
        .expect("an authority verifies its clients");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(shown.certificate.as_bytes()), key(shown.key.as_bytes()))
        .expect("certificate and key go together");
    Arc::new(config)
}

/// The client that an endpoint directory describes.
pub(super) fn client(endpoint: &Path) -> Arc<ClientConfig> {
    let read = |name: &str| {
        std::fs::read(endpoint.join("ssl").join(name)).expect("a file of the endpoint directory can be read")
    };
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(roots(&read("CA.pem")))
        .with_client_auth_cert(chain(&read("cert.pem")), key(&read("key.pem")))
        .expect("certificate and key go together");
    Arc::new(config)
}

fn roots(pem: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in chain(pem) {
        roots.add(certificate).expect("an authority's certificate is one");
    }
    roots
}

fn chain(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .map(|certificate| certificate.expect("a certificate in PEM"))
        .collect()
}

fn key(pem: &[u8]) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem).expect("a private key in PEM")
}

//! TLS: which servers are trusted, who we are, and what a failed handshake means.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::deadline::Deadline;
use crate::endpoint_dir::Endpoint;
use crate::error::{Cause, CertificateFault, IoFault};

/// What a server must show to be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerTrust {
    /// A certificate of our authority that carries the name or address we connect to (RFC 9525).
    #[default]
    AuthorityAndName,
    /// Any server certificate of our authority, whatever names it carries. For appliances whose certificates have no SAN; every
    /// holder of a server certificate of that authority can then stand in for the server, so the choice is to be made in the open.
    AuthorityAlone,
}

/// Why the files of an endpoint directory make no TLS configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// No certificate in `CA.pem` can be an authority. Holds the TLS library's words.
    Authority(String),
    /// `key.pem` is not the key of `cert.pem`.
    KeyMismatch,
    /// `key.pem` is of a kind that TLS cannot use here.
    Key(String),
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority(detail) => write!(f, "ssl/CA.pem is not usable as an authority: {detail}"),
            Self::KeyMismatch => f.write_str(
                "ssl/key.pem is not the key of ssl/cert.pem; put the two of one enrolment there, or enrol again",
            ),
            Self::Key(detail) => write!(f, "ssl/key.pem cannot be used: {detail}"),
        }
    }
}

impl std::error::Error for TlsConfigError {}

/// The TLS configuration of an endpoint: TLS 1.2 and 1.3, our certificate, and trust as asked.
///
/// Sessions are not resumed: a database connects rarely, and a full handshake has both certificates judged each time.
pub(crate) fn configure(
    endpoint: &Endpoint,
    trust: ServerTrust,
) -> Result<Arc<ClientConfig>, TlsConfigError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in &endpoint.authority {
        roots.add(certificate.clone()).map_err(|error| TlsConfigError::Authority(error.to_string()))?;
    }
    let roots = Arc::new(roots);
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        ServerTrust::AuthorityAndName => {
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(|error| TlsConfigError::Authority(error.to_string()))?
        }
        ServerTrust::AuthorityAlone => {
            Arc::new(AuthorityVerifier { roots, algorithms: provider.signature_verification_algorithms })
        }
    };
    let mut config = with_versions(provider)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(endpoint.certificates.clone(), endpoint.key.der().clone_key())
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsConfigError::KeyMismatch,
            other => TlsConfigError::Key(other.to_string()),
        })?;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn with_versions(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsConfigError> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsConfigError::Key(error.to_string()))
}

/// Trusts every server certificate of the authority, whatever its names: [`ServerTrust::AuthorityAlone`].
#[derive(Debug)]
struct AuthorityVerifier {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AuthorityVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What an error of the socket or of TLS means.
pub(super) fn cause(error: &io::Error, deadline: Deadline) -> Cause {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return tls_cause(tls);
    }
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Cause::TimedOut(deadline.allowed()),
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Cause::Closed,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Cause::Unreachable,
        _ => Cause::Io(IoFault::from(error)),
    }
}

/// What an error of TLS means.
pub(super) fn tls_cause(error: &rustls::Error) -> Cause {
    match error {
        rustls::Error::InvalidCertificate(fault) => Cause::ServerCertificate(certificate_fault(fault)),
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => Cause::OurCertificateRefused(format!("{alert:?}")),
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity => Cause::NoCommonTls(format!("{alert:?}")),
            _ => Cause::Tls(error.to_string()),
        },
        rustls::Error::PeerIncompatible(detail) => Cause::NoCommonTls(format!("{detail:?}")),
        rustls::Error::InvalidMessage(_) => Cause::NotTls,
        _ => Cause::Tls(error.to_string()),
    }
}

fn certificate_fault(fault: &CertificateError) -> CertificateFault {
    match fault {
        CertificateError::Expired => CertificateFault::Expired { not_after: None },
        CertificateError::ExpiredContext { not_after, .. } => {
            CertificateFault::Expired { not_after: Some(not_after.as_secs()) }
        }
        CertificateError::NotValidYet => CertificateFault::NotYetValid { not_before: None },
        CertificateError::NotValidYetContext { not_before, .. } => {
            CertificateFault::NotYetValid { not_before: Some(not_before.as_secs()) }
        }
        // A forgery has our authority's name and another's signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => CertificateFault::UnknownIssuer,
        CertificateError::NotValidForName => CertificateFault::WrongName { presented: vec![] },
        CertificateError::NotValidForNameContext { presented, .. } => {
            CertificateFault::WrongName { presented: presented.clone() }
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            CertificateFault::WrongPurpose
        }
        other => CertificateFault::Unacceptable(other.to_string()),
    }
}

//! The first contact with a vault: is the one who answers the one that the token names?
//!
//! The token carries the SHA-256 of the authority's certificate, so nothing is trusted on first use. A server is believed
//! when its chain contains the certificate of that fingerprint and its own certificate, issued by it, is valid for the name
//! we called. Nothing is sent to anybody else.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs::default_provider};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use strongroom_client::ServerAddress;

/// Why a vault was not believed, or not reached.
#[derive(Debug)]
pub(crate) enum PinError {
    /// It could not be reached.
    Unreachable(io::Error),
    /// What answered does not speak TLS as we do.
    NotTls(io::Error),
    /// The one who answered does not hold the authority that the token names.
    OtherAuthority,
    /// The authority is right, but the server's certificate is not valid for this name or now.
    Certificate(String),
}

/// Connects to `server` and returns the certificate of the authority whose SHA-256 is `fingerprint`.
///
/// # Errors
/// [`PinError`]; in none of the cases was anything sent but a TLS handshake.
pub(crate) fn authority(
    server: &ServerAddress,
    fingerprint: &[u8; 32],
    deadline: Instant,
) -> Result<CertificateDer<'static>, PinError> {
    let host = server.host().to_string();
    let name =
        ServerName::try_from(host.clone()).map_err(|error| PinError::Certificate(error.to_string()))?;
    let provider = Arc::new(default_provider());
    let verifier = Arc::new(PinnedAuthority { fingerprint: *fingerprint, provider: provider.clone() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| PinError::Certificate(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let mut tls = ClientConnection::new(Arc::new(config), name)
        .map_err(|error| PinError::Certificate(error.to_string()))?;
    let mut socket = Deadlined { socket: connect(&host, server.port(), deadline)?, deadline };
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).map_err(handshake_fault)?;
    }
    tls.peer_certificates()
        .and_then(|chain| find(chain, fingerprint))
        .map(|authority| authority.clone().into_owned())
        .ok_or(PinError::OtherAuthority)
}

fn connect(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, PinError> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(PinError::Unreachable)?.collect();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (position, address) in addresses.iter().enumerate() {
        // A fair share each, so that an address that swallows packets does not hide one that works.
        let others = u32::try_from(addresses.len() - position).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / others;
        match TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(PinError::Unreachable(failure))
}

fn handshake_fault(error: io::Error) -> PinError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            PinError::OtherAuthority
        }
        Some(rustls::Error::InvalidCertificate(fault)) => PinError::Certificate(fault.to_string()),
        _ => PinError::NotTls(error),
    }
}

fn find<'a, 'c>(chain: &'a [CertificateDer<'c>], fingerprint: &[u8; 32]) -> Option<&'a CertificateDer<'c>> {
    chain.iter().find(|certificate| digest(&SHA256, certificate).as_ref() == fingerprint)
}

/// Believes a chain that holds the authority of this fingerprint and a leaf that it issued.
#[derive(Debug)]
struct PinnedAuthority {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authority = find(intermediates, &self.fingerprint)
            .ok_or(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(leaf, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A socket whose every wait ends at one moment, so that a peer cannot stretch a handshake byte by byte.
struct Deadlined {
    socket: TcpStream,
    deadline: Instant,
}

impl Deadlined {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Read for Deadlined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(buffer).map_err(timed_out)
    }
}

impl Write for Deadlined {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(buffer).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// A socket whose time is over says "would block", which no reader of a message would understand.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(source) => write!(
                f,
                "cannot be reached: {}; check that the vault runs, and that no firewall is in between",
                crate::message::reason(source)
            ),
            Self::NotTls(source) => write!(
                f,
                "no TLS connection: {}; check that this is the vault's enrolment port (--admin)",
                crate::message::reason(source)
            ),
            Self::OtherAuthority => f.write_str(
                "this is not the vault that made the token; make a new token there, and check who answers at this address",
            ),
            Self::Certificate(fault) => write!(
                f,
                "its certificate is not acceptable: {fault}; check the clocks of both hosts and the vault's names (vault init --name)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use rustls::{ServerConfig, ServerConnection};
    use rustls_pki_types::PrivateKeyDer;

    use super::*;

    struct Served {
        address: ServerAddress,
        authority: CertificateDer<'static>,
    }

    /// One handshake with a chain that holds a leaf for `name` and its authority.
    fn serve(name: &str) -> Served {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = ca.self_signed(&ca_key).unwrap().der().clone();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &Issuer::new(ca, ca_key))
            .unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone(), authority.clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ServerAddress::new("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
            let _ = tls.complete_io(&mut socket);
        });
        Served { address, authority }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
        digest(&SHA256, certificate).as_ref().try_into().unwrap()
    }

    #[test]
    fn the_authority_of_the_fingerprint_is_learned() {
        let served = serve("127.0.0.1");
        let learned = authority(&served.address, &fingerprint(&served.authority), soon()).unwrap();
        assert_eq!(learned, served.authority);
    }

    #[test]
    fn another_authority_is_refused() {
        let (served, other) = (serve("127.0.0.1"), serve("127.0.0.1"));
        let result = authority(&served.address, &fingerprint(&other.authority), soon());
        assert!(matches!(result, Err(PinError::OtherAuthority)), "{result:?}");
    }

    #[test]
    fn a_leaf_for_another_name_is_refused() {
        let served = serve("vault.example");
        let result = authority(&served.address, &fingerprint(&served.authority), soon());
        assert!(matches!(result, Err(PinError::Certificate(_))), "{result:?}");
    }

    #[test]
    fn a_silent_server_is_given_up_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ServerAddress::new("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        let result = authority(&address, &[0; 32], Instant::now() + Duration::from_millis(50));
        assert!(
            matches!(&result, Err(PinError::NotTls(error)) if error.kind() == io::ErrorKind::TimedOut),
            "{result:?}"
        );
    }

    #[test]
    fn something_that_is_not_tls_is_named_so() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ServerAddress::new("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
        });
        let result = authority(&address, &[0; 32], soon());
        assert!(matches!(result, Err(PinError::NotTls(_))), "{result:?}");
    }
}

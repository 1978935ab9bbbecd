//! One TLS session over TCP, of which every system call ends by the caller's deadline.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustix::net::{RecvFlags, recv};
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::{CertificateDer, ServerName};
use zeroize::Zeroizing;

use super::deadline::Deadline;
use super::tls::{cause, tls_cause};
use crate::address::{Host, ServerAddress};
use crate::error::{Cause, Step};

/// An established session. It belongs to the process that made it: after a `fork` the child must drop its copy, which sends
/// nothing and so leaves the parent's session alone.
pub(crate) struct Stream {
    tls: ClientConnection,
    tcp: TcpStream,
    process: u32,
    /// Whether a message is stuck half-way: what is left of it must never go out.
    cut_off: bool,
}

/// Why no message was received.
#[derive(Debug)]
pub(crate) enum ReceiveFault<E> {
    /// The session failed.
    Session(Step, Cause),
    /// The first bytes announce no message that can be taken.
    Framing(E),
}

impl Stream {
    /// The TLS handshake on a fresh connection.
    pub(crate) fn handshake(
        tcp: TcpStream,
        config: &Arc<ClientConfig>,
        server: &ServerAddress,
        deadline: Deadline,
    ) -> Result<Self, Cause> {
        let name = match server.host() {
            Host::Address(address) => ServerName::IpAddress((*address).into()),
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|error| Cause::Tls(error.to_string()))?
            }
        };
        let tls =
            ClientConnection::new(Arc::clone(config), name).map_err(|error| Cause::Tls(error.to_string()))?;
        let mut stream = Self { tls, tcp, process: std::process::id(), cut_off: false };
        stream.shake_hands(deadline).map_err(|error| stream.cause(&error, deadline))?;
        Ok(stream)
    }

    fn shake_hands(&mut self, deadline: Deadline) -> io::Result<()> {
        let mut socket = Timed { tcp: &self.tcp, deadline };
        while self.tls.is_handshaking() {
            self.tls.complete_io(&mut socket)?;
        }
        // What the last flight left to write, such as our Finished.
        while self.tls.wants_write() {
            self.tls.write_tls(&mut socket)?;
        }
        Ok(())
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The peer has not received all of the message and never will, and so cannot act on it. The session is of no more use.
    pub(crate) fn send(&mut self, message: &[u8], deadline: Deadline) -> Result<(), (Step, Cause)> {
        let mut socket = Timed { tcp: &self.tcp, deadline };
        let sent = rustls::Stream::new(&mut self.tls, &mut socket).write_all(message).and_then(|()| {
            while self.tls.wants_write() {
                self.tls.write_tls(&mut socket)?;
            }
            Ok(())
        });
        self.cut_off = sent.is_err();
        sent.map_err(|error| self.step_and_cause(&error, deadline))
    }

    /// Receives one message: its first eight bytes, then as many as `length` reads out of them.
    pub(crate) fn receive<E>(
        &mut self,
        deadline: Deadline,
        length: impl FnOnce(&[u8; 8]) -> Result<usize, E>,
    ) -> Result<Zeroizing<Vec<u8>>, ReceiveFault<E>> {
        let mut head = [0; 8];
        self.read_exact(&mut head, deadline)?;
        let length = length(&head).map_err(ReceiveFault::Framing)?.max(head.len());
        let mut message = Zeroizing::new(vec![0; length]);
        message[..head.len()].copy_from_slice(&head);
        self.read_exact(&mut message[head.len()..], deadline)?;
        Ok(message)
    }

    fn read_exact<E>(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<(), ReceiveFault<E>> {
        let mut socket = Timed { tcp: &self.tcp, deadline };
        rustls::Stream::new(&mut self.tls, &mut socket).read_exact(buffer).map_err(|error| {
            let (step, cause) = self.step_and_cause(&error, deadline);
            ReceiveFault::Session(step, cause)
        })
    }

    /// What an error after the handshake means: with TLS 1.3 the verdict on our certificate comes only then.
    fn step_and_cause(&mut self, error: &io::Error, deadline: Deadline) -> (Step, Cause) {
        let cause = self.cause(error, deadline);
        let step = match cause {
            Cause::OurCertificateRefused(_) | Cause::NotTls | Cause::Tls(_) => Step::Tls,
            _ => Step::Kmip,
        };
        (step, cause)
    }

    /// What an error of this session means.
    ///
    /// A peer that refuses our certificate sends an alert and closes, and may do so while we are still writing. The write then
    /// fails with no more than "connection reset"; the alert that says why lies unread in the socket.
    fn cause(&mut self, error: &io::Error, deadline: Deadline) -> Cause {
        let seen = cause(error, deadline);
        let mut socket = Timed { tcp: &self.tcp, deadline };
        while seen == Cause::Closed && matches!(self.tls.read_tls(&mut socket), Ok(1..)) {
            if let Err(said) = self.tls.process_new_packets() {
                return tls_cause(&said);
            }
        }
        seen
    }

    /// Whether a request can be sent: the session is this process's own, and the peer has not ended it meanwhile.
    pub(crate) fn is_usable(&mut self) -> bool {
        if self.process != std::process::id() || self.cut_off {
            return false;
        }
        loop {
            match recv(&self.tcp, &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
                Err(rustix::io::Errno::AGAIN) => return true,
                // Something came without a request: a session ticket is harmless, anything else ends the session.
                Ok((_, 1)) => {
                    if self.tls.read_tls(&mut &self.tcp).is_err() {
                        return false;
                    }
                    match self.tls.process_new_packets() {
                        Ok(state) if !state.peer_has_closed() && state.plaintext_bytes_to_read() == 0 => {}
                        _ => return false,
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                _ => return false,
            }
        }
    }

    /// The TLS version and cipher suite, in the words of their standards: `TLSv1.3`, `TLS13_AES_256_GCM_SHA384`.
    pub(crate) fn parameters(&self) -> (String, String) {
        let version = self.tls.protocol_version().map_or_else(String::new, |v| {
            v.as_str().map_or_else(|| format!("{v:?}"), |name| name.replace('_', "."))
        });
        let suite =
            self.tls.negotiated_cipher_suite().map_or_else(String::new, |s| format!("{:?}", s.suite()));
        (version, suite)
    }

    /// The certificate that the server showed.
    pub(crate) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.tls.peer_certificates().and_then(<[_]>::first)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // A child that inherited the session by fork keeps silent: one alert from it would end the parent's session. And a
        // farewell after a message that is stuck would push the message out first.
        if self.process == std::process::id() && !self.cut_off && self.tcp.set_nonblocking(true).is_ok() {
            self.tls.send_close_notify();
            let _ = self.tls.write_tls(&mut WithoutSignal(&self.tcp));
        }
    }
}

/// A socket to which writing raises no SIGPIPE when the peer is gone: the standard library says so to the system for one buffer, and
/// not for several at once. Programs ignore that signal sooner or later; mysqld loads its keyring before it does.
struct WithoutSignal<'a>(&'a TcpStream);

impl Write for WithoutSignal<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&mut &*self.0).write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket of which every call is given no more than the time that is left.
struct Timed<'a> {
    tcp: &'a TcpStream,
    deadline: Deadline,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.tcp.set_read_timeout(Some(self.deadline.for_system_call()?))?;
            match (&mut &*self.tcp).read(buffer) {
                // The time that a signal interrupted is not given again.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            self.tcp.set_write_timeout(Some(self.deadline.for_system_call()?))?;
            match WithoutSignal(self.tcp).write(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use rustls::pki_types::PrivateKeyDer;
    use rustls::server::WebPkiClientVerifier;
    use rustls::version::{TLS12, TLS13};
    use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};

    use super::*;

    struct Identity {
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    }

    impl Identity {
        fn new(name: &str) -> Self {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut certificate = rcgen::CertificateParams::new(vec![name.into()]).unwrap();
            certificate.distinguished_name.push(rcgen::DnType::CommonName, name);
            let certificate = certificate.self_signed(&key).unwrap();
            Self {
                certificate: certificate.der().clone(),
                key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            }
        }

        fn trusted(&self) -> RootCertStore {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.clone()).unwrap();
            roots
        }
    }

    /// Both sides' configurations: a server on localhost that takes the clients issued by `client` alone, where it is given.
    fn configurations(
        version: &'static SupportedProtocolVersion,
        client: Option<&Identity>,
        shown: Option<&Identity>,
    ) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let identity = Identity::new("localhost");
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap();
        let server = match client {
            None => server.with_no_client_auth(),
            Some(client) => server.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(
                    Arc::new(client.trusted()),
                    Arc::clone(&provider),
                )
                .build()
                .unwrap(),
            ),
        };
        let server =
            server.with_single_cert(vec![identity.certificate.clone()], identity.key.clone_key()).unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(identity.trusted());
        let config = match shown {
            None => config.with_no_client_auth(),
            // So long a chain that the other side's system does not take it before the other side reads.
            Some(shown) => config
                .with_client_auth_cert(vec![shown.certificate.clone(); 150], shown.key.clone_key())
                .unwrap(),
        };
        (Arc::new(server), Arc::new(config))
    }

    fn connect(listener: &TcpListener, config: &Arc<ClientConfig>) -> Result<Stream, Cause> {
        let address = listener.local_addr().unwrap();
        let name = ServerAddress::new("localhost", address.port()).unwrap();
        let tcp = TcpStream::connect(address).unwrap();
        Stream::handshake(tcp, config, &name, Deadline::after(Duration::from_secs(10)))
    }

    /// Both ends of a session over loopback.
    fn session() -> (Stream, rustls::StreamOwned<ServerConnection, TcpStream>) {
        let (server, client) = configurations(&TLS13, None, None);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        std::thread::scope(|scope| {
            let accepting = scope.spawn(|| {
                let (mut tcp, _) = listener.accept().unwrap();
                let mut tls = ServerConnection::new(server).unwrap();
                while tls.is_handshaking() {
                    tls.complete_io(&mut tcp).unwrap();
                }
                rustls::StreamOwned::new(tls, tcp)
            });
            let stream = connect(&listener, &client).unwrap();
            (stream, accepting.join().unwrap())
        })
    }

    #[test]
    fn a_session_of_this_process_ends_with_a_close_notify() {
        let (mut stream, mut server) = session();
        assert!(stream.is_usable());
        drop(stream);
        assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
    }

    /// What a child has after a fork: the same session under another process number, and a socket that the parent has too.
    #[test]
    fn a_session_inherited_from_another_process_is_dropped_in_silence() {
        let (mut stream, mut server) = session();
        let parents = stream.tcp.try_clone().unwrap();
        stream.process = std::process::id() + 1;
        assert!(!stream.is_usable());
        drop(stream);
        server.sock.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert_eq!(server.read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(parents);
    }

    /// The caller was told that a request did not go out, and may have asked a standby instead: closing the session must not
    /// deliver it after all.
    #[test]
    fn a_request_that_was_not_sent_in_time_is_not_sent_at_the_end_either() {
        let (mut stream, mut server) = session();
        let over = Deadline::after(Duration::ZERO);
        assert_eq!(stream.send(b"create a key", over), Err((Step::Kmip, Cause::TimedOut(Duration::ZERO))));
        drop(stream);
        let mut received = Vec::new();
        let _ = server.read_to_end(&mut received);
        assert_eq!(received, b"");
    }

    #[test]
    fn a_session_that_the_peer_has_ended_is_not_usable() {
        let (mut stream, mut server) = session();
        server.conn.send_close_notify();
        server.flush().unwrap();
        drop(server);
        let patience = Deadline::after(Duration::from_secs(10));
        while stream.is_usable() {
            assert!(!patience.left().is_zero());
            std::thread::yield_now();
        }
    }

    /// The server reads half of what the client has to show, says what it thinks of it, and closes: a write fails.
    #[test]
    fn a_refusal_while_we_still_write_our_certificate_is_heard() {
        let (server, client) =
            configurations(&TLS12, Some(&Identity::new("ours")), Some(&Identity::new("another")));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&listener, 4096).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut tcp, _) = listener.accept().unwrap();
                let mut tls = ServerConnection::new(server).unwrap();
                while tls.wants_read() && !tls.wants_write() {
                    tls.read_tls(&mut tcp).unwrap();
                    tls.process_new_packets().unwrap();
                }
                while tls.wants_write() {
                    tls.write_tls(&mut tcp).unwrap();
                }
                tcp.read_exact(&mut [0; 16]).unwrap();
                // A fatal alert in the clear: unknown_ca (RFC 5246 §7.2).
                tcp.write_all(&[21, 3, 3, 0, 2, 2, 48]).unwrap();
            });
            let refused = connect(&listener, &client).err();
            assert_eq!(refused, Some(Cause::OurCertificateRefused("UnknownCA".into())));
        });
    }

    /// With TLS 1.3 the client's handshake is over before the server has judged it, and the first request may be what fails.
    #[test]
    fn a_refusal_before_our_first_request_is_heard() {
        let (server, client) =
            configurations(&TLS13, Some(&Identity::new("ours")), Some(&Identity::new("another")));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        std::thread::scope(|scope| {
            let accepting = scope.spawn(|| {
                let (mut tcp, _) = listener.accept().unwrap();
                let mut tls = ServerConnection::new(server).unwrap();
                while tls.complete_io(&mut tcp).is_ok() {}
            });
            let mut stream = connect(&listener, &client).unwrap();
            accepting.join().unwrap();
            let deadline = Deadline::after(Duration::from_secs(10));
            let refused = loop {
                if let Err(refused) = stream.send(b"locate", deadline) {
                    break refused;
                }
            };
            assert_eq!(refused, (Step::Tls, Cause::OurCertificateRefused("UnknownCA".into())));
        });
    }
}

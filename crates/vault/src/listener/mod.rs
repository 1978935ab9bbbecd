//! The KMIP port: accepts mutual TLS connections and carries whole messages to a session each.
//!
//! In reading order: [`run`] accepts; `workers` are the threads that serve; `connection` reads and writes within deadlines; `buffer` holds what was received;
//! `handshakes` bounds what strangers hold; `control` ends connections from outside. Nothing here knows what a message says.
//!
//! Invariants: nothing is read into memory for a length that has only been announced; every wait has a deadline; a
//! revoked endpoint's connections end within a second; a reply is one write.

mod buffer;
pub(crate) mod connection;
mod control;
mod handshakes;
mod workers;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strongroom_kmip::ttlv::Limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::Vault;
use crate::endpoint::Fingerprint;
use crate::session::{Session, not_enrolled_reply, report_turned_away};
use connection::{End, Phase};
use control::{Connections, Registration, Stop};
use handshakes::{Counted, Handshakes};
use workers::{Place, Workers};

/// How long requests in hand may take to finish when the vault stops.
const GRACE: Duration = Duration::from_secs(5);

/// How long to wait after an accept failed for want of something (file descriptors, memory) before the next one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A Get takes microseconds, so that more threads would mostly wait.
const WORKERS_DEFAULT: usize = 2;

/// More than a host's servers begin at once after the vault was away, and far fewer than there are places.
const HANDSHAKES_PER_PEER_DEFAULT: usize = 256;

/// How long each step of a connection may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the accepted connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// Without a message.
    pub idle: Duration,
    /// From the first byte of a message to its eighth.
    pub header: Duration,
    /// From there to its last.
    pub body: Duration,
    /// For the peer to take a reply.
    pub reply: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            header: Duration::from_secs(10),
            body: Duration::from_secs(20),
            reply: Duration::from_secs(20),
        }
    }
}

impl Deadlines {
    fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Idle => self.idle,
            Phase::Header => self.header,
            Phase::Body => self.body,
            Phase::Reply => self.reply,
        }
    }
}

/// What one KMIP port allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections at a time, those in their handshake included.
    pub connections: usize,
    /// Handshakes at a time from one address (IPv6: one /64).
    pub handshakes_per_peer: usize,
    /// Threads that serve connections, one at least.
    pub workers: usize,
    /// Deadlines of each connection.
    pub deadlines: Deadlines,
    /// Bounds on decoding, the size of a message among them.
    pub messages: Limits,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshakes_per_peer: HANDSHAKES_PER_PEER_DEFAULT,
            workers: WORKERS_DEFAULT,
            deadlines: Deadlines::default(),
            messages: Limits::REQUEST,
        }
    }
}

/// What all connections of a port share.
struct Port {
    vault: Arc<Vault>,
    tls: TlsAcceptor,
    limits: ListenerLimits,
    connections: Arc<Connections<Fingerprint>>,
}

/// Serves KMIP on `listener` until `shutdown` says true (or its sender is gone); then lets the requests in hand finish.
///
/// `tls` must require a client certificate.
///
/// # Errors
/// Never for a single connection. Only when the listener itself cannot be used at all.
pub async fn run(
    vault: Arc<Vault>,
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    limits: ListenerLimits,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let workers = Workers::start(limits.workers)?;
    let slots = Arc::new(Semaphore::new(limits.connections));
    let handshakes = Handshakes::new(limits.handshakes_per_peer);
    let (full, crowded) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut revocations = vault.identities().revocations();
    let connections = Connections::new();
    let port =
        Arc::new(Port { vault, tls: TlsAcceptor::from(tls), limits, connections: Arc::clone(&connections) });
    let mut tasks = JoinSet::new();
    tracing::info!(%address, "KMIP port is open");
    while !*shutdown.borrow_and_update() {
        tokio::select! {
            changed = shutdown.changed() => if changed.is_err() { break },
            Ok(()) = revocations.changed() => {
                revocations.borrow_and_update();
                let identities = port.vault.identities();
                connections.stop_where(Stop::Revoked, |certificate| identities.identify(certificate).is_none());
            }
            Some(ended) = tasks.join_next() => report_panic(ended),
            accepted = listener.accept() => match accepted {
                // Closing is all that can be said before TLS; a client then tries its next server.
                Ok((stream, peer)) => match (Arc::clone(&slots).try_acquire_owned(), handshakes.begin(peer.ip())) {
                    (Err(_), _) => report_refused(&full, peer, limits.connections, "connections are open"),
                    (_, None) => {
                        report_refused(&crowded, peer, limits.handshakes_per_peer, "handshakes of this peer are open");
                    }
                    (Ok(slot), Some(counted)) => {
                        let port = Arc::clone(&port);
                        match workers.place().map(|at| stream.into_std().map(|stream| (at, stream))) {
                            Some(Ok(((runtime, place), stream))) => {
                                let serving = async move { port.serve(stream, peer, counted, (slot, place)).await };
                                tasks.spawn_on(serving, runtime);
                            }
                            Some(Err(error)) => tracing::debug!(%peer, %error, "connection is gone already"),
                            None => {}
                        }
                    }
                },
                Err(error) => {
                    tracing::error!(%error, "a KMIP connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // From here on a new connection is refused at once, so that clients turn to another server.
    drop(listener);
    connections.stop_where(Stop::ShuttingDown, |_| true);
    let finished = async {
        while let Some(ended) = tasks.join_next().await {
            report_panic(ended);
        }
    };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        tracing::warn!(connections = tasks.len(), "KMIP connections did not end in time and are cut off");
        tasks.shutdown().await;
    }
    tracing::info!(%address, "KMIP port is closed");
    Ok(())
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a KMIP connection ended by a fault of the vault");
    }
}

/// Logs the first refusal and then every thousandth: a flood must not become a flood of lines.
fn report_refused(refused: &AtomicU64, peer: SocketAddr, limit: usize, which: &str) {
    let count = refused.fetch_add(1, Ordering::Relaxed) + 1;
    if count % 1000 == 1 {
        tracing::warn!(%peer, limit, count, "refused a KMIP connection: too many {which}");
    }
}

impl Port {
    async fn serve(
        &self,
        stream: std::net::TcpStream,
        peer: SocketAddr,
        handshaking: Counted,
        _counted: (OwnedSemaphorePermit, Place),
    ) {
        // Registered with the runtime of this thread.
        let stream = match stream.set_nodelay(true).and_then(|()| TcpStream::from_std(stream)) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%peer, %error, "connection is gone already");
                return;
            }
        };
        let handshake = tokio::time::timeout(self.limits.deadlines.handshake, self.tls.accept(stream)).await;
        drop(handshaking);
        let mut stream = match handshake {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                self.report_handshake(peer, &error);
                return;
            }
            Err(_) => {
                tracing::debug!(%peer, "TLS handshake took too long");
                return;
            }
        };
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let Some(certificate) = certificate.map(|der| Fingerprint::of(der)) else {
            report_turned_away(&self.vault, peer, "no client certificate");
            return;
        };
        // Registered before the identity is asked for, so that a revocation in between still ends the connection.
        let registration: Registration<Fingerprint> = self.connections.register(certificate);
        let Some(mut session) =
            Session::open(Arc::clone(&self.vault), certificate, peer, self.limits.messages)
        else {
            report_turned_away(&self.vault, peer, "its certificate belongs to no enrolled endpoint");
            connection::turn_away(&mut stream, not_enrolled_reply(&self.vault), self.limits.deadlines.reply)
                .await;
            return;
        };
        let end =
            connection::serve(&mut stream, &mut session, registration.control(), &self.limits.deadlines)
                .await;
        report_end(&end, peer, &session);
        if matches!(end, End::Idle | End::ShuttingDown | End::Revoked) {
            connection::say_goodbye(&mut stream).await;
        }
    }
}

impl Port {
    /// A peer that only connected (a port scan, a load balancer's probe) is no news; one that was refused is.
    fn report_handshake(&self, peer: SocketAddr, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                tracing::debug!(%peer, %error, "connection ended within the TLS handshake");
            }
            _ => report_turned_away(&self.vault, peer, &format!("TLS: {error}")),
        }
    }
}

fn report_end(end: &End, peer: SocketAddr, session: &Session) {
    let endpoint = session.endpoint_name();
    match end {
        End::PeerClosed => tracing::debug!(%peer, endpoint, "connection closed"),
        End::Idle => tracing::debug!(%peer, endpoint, "connection closed: idle"),
        End::ShuttingDown => tracing::debug!(%peer, endpoint, "connection closed: the vault stops"),
        End::Revoked => tracing::info!(%peer, endpoint, "connection closed: the endpoint was revoked"),
        End::Refused => tracing::info!(%peer, endpoint, "connection closed after a message that was refused"),
        End::Truncated => tracing::info!(%peer, endpoint, "connection closed by the peer within a message"),
        End::TooSlow(phase) => tracing::info!(%peer, endpoint, ?phase, "connection closed: too slow"),
        End::Broken(error) => tracing::debug!(%peer, endpoint, %error, "connection broke"),
    }
}

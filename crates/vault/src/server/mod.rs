//! The process: ports, socket, signals.
//!
//! [`serve`] is the whole life of `strongroom vault serve`; [`start`] runs the same server on a thread of its own and gives a
//! handle, for the quickstart and for tests.

mod address;
mod admin_requests;
mod error;
mod process;
mod running;
mod state;
#[cfg(test)]
mod tests;
mod unseal;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::watch;

pub use self::error::ServeError;
pub use self::running::{Running, start};

use self::state::{Server, Shared};
use crate::Vault;
use crate::admin::{self, AdminPort};
use crate::audit::FloodGate;
use crate::ca;
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{self, SealState};
use crate::root_key::SlotSecret;

/// Twice a day, far below the time that a certificate is renewed ahead of its end.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(12 * 60 * 60);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// Threads for what blocks: unsealing, renewing, checking the journal.
const BLOCKING_THREADS_MAX: usize = 4;

/// How a server runs.
#[derive(Debug, Default)]
pub struct ServeOptions {
    /// File and flags, already merged.
    pub config: Config,
    /// Opens the vault; without it, what the configuration names, or a file slot that exists.
    pub secret: Option<SlotSecret>,
    /// The time of day.
    pub clock: Clock,
}

/// What a server listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// KMIP. While the vault is sealed nothing listens there, so that clients go on to a standby at once.
    pub kmip: std::net::SocketAddr,
    /// Enrolment and health.
    pub admin: std::net::SocketAddr,
    /// Whether the vault could be unsealed.
    pub state: SealState,
    /// Why not, when it was tried.
    pub sealed_because: Option<String>,
    /// Whether a passphrase can unseal it; a key file can otherwise.
    pub takes_passphrase: bool,
}

/// Serves the vault in `dir` until SIGTERM or SIGINT, calling `ready` when the ports are open.
///
/// # Errors
/// [`ServeError`].
pub fn serve(dir: &Path, options: ServeOptions, ready: impl FnOnce(&Listening)) -> Result<(), ServeError> {
    process::protect();
    process::raise_descriptor_limit();
    let runtime = runtime()?;
    let (stop, stopping) = watch::channel(false);
    let stop = Arc::new(stop);
    runtime.block_on(async {
        process::stop_on_signals(&stop)?;
        let server = Server::open(dir, options, Arc::clone(&stop)).await?;
        let listening = server.listening();
        process::notify_ready(&listening);
        ready(&listening);
        run(server, stopping).await
    })
}

/// The runtime of a server: it accepts connections and serves the admin port and the control socket. KMIP connections have
/// threads of their own.
fn runtime() -> Result<tokio::runtime::Runtime, ServeError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("vault")
        .enable_all()
        .build()
        .map_err(|source| ServeError::Runtime { source })
}

/// Runs everything until `stopping` says true.
async fn run(server: Server, stopping: watch::Receiver<bool>) -> Result<(), ServeError> {
    let Server { shared, admin, admin_tls, control } = server;
    let admin_port =
        AdminPort { vault: shared.vault(), certificate_validity: shared.config().certificate_validity() };
    let admin = tokio::spawn(admin::run(admin_port, admin, admin_tls, stopping.clone()));
    let kmip = tokio::spawn(serve_kmip(Arc::clone(&shared), stopping.clone()));
    let renewal = tokio::spawn(renew(shared.vault()));
    let settling = tokio::spawn(settle_refusals(shared.vault()));

    let mut stop = stopping;
    while !*stop.borrow_and_update() {
        tokio::select! {
            accepted = control.accept() => match accepted {
                Ok((stream, _)) => {
                    let shared = Arc::clone(&shared);
                    tokio::spawn(async move { answer(stream, &shared).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "control socket");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            _ = stop.changed() => break,
        }
    }
    process::notify_stopping();
    tracing::info!("stopping: requests in hand are finished first");
    renewal.abort();
    settling.abort();
    let served = kmip.await;
    let _ = admin.await;
    let closed = shared.close().await;
    // A vault that closed badly is the graver fault.
    closed.map_err(ServeError::Vault)?;
    match served {
        Ok(served) => served,
        Err(panicked) => Err(ServeError::Runtime { source: std::io::Error::other(panicked) }),
    }
}

/// Waits for the vault to be unsealed, then serves the KMIP port, which is open from that moment on.
async fn serve_kmip(shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) -> Result<(), ServeError> {
    let mut vault = shared.vault();
    let vault = tokio::select! {
        // A port that could not be opened ends the server, and its fault is to be told.
        biased;
        unsealed = vault.wait_for(Option::is_some) => match unsealed.ok().and_then(|vault| vault.clone()) {
            Some(vault) => vault,
            None => return Ok(()),
        },
        _ = stopping.wait_for(|stop| *stop) => {
            return shared.take_kmip().map(drop);
        }
    };
    let Some(listener) = shared.take_kmip()? else { return Ok(()) };
    let address = shared.status().kmip;
    let tls = ca::kmip_config(vault.server(), vault.authority().certificate())
        .map_err(|error| ServeError::Vault(error.into()))?;
    crate::listener::run(vault, listener, tls, shared.config().listener_limits(), stopping)
        .await
        .map_err(|source| ServeError::Listen { name: "kmip".to_owned(), address, source })
}

/// Keeps the server's certificate from running out under a vault that is never restarted.
async fn renew(mut vault: watch::Receiver<Option<Arc<Vault>>>) {
    let Some(vault) = vault.wait_for(Option::is_some).await.ok().and_then(|vault| vault.clone()) else {
        return;
    };
    let mut interval = tokio::time::interval(RENEWAL_INTERVAL);
    loop {
        interval.tick().await;
        let vault = Arc::clone(&vault);
        match tokio::task::spawn_blocking(move || vault.renew_server_certificate()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the server's certificate could not be renewed"),
            Err(error) => tracing::error!(%error, "the server's certificate could not be renewed"),
        }
    }
}

/// Journals each minute how many strangers were refused beyond those that have entries of their own.
async fn settle_refusals(mut vault: watch::Receiver<Option<Arc<Vault>>>) {
    let Some(vault) = vault.wait_for(Option::is_some).await.ok().and_then(|vault| vault.clone()) else {
        return;
    };
    let mut interval = tokio::time::interval(FloodGate::WINDOW);
    loop {
        interval.tick().await;
        if let Err(error) = vault.settle_refusals() {
            // The journal has said so itself.
            tracing::debug!(%error, "refusals could not be counted in the journal");
        }
    }
}

/// Answers one peer of the control socket until it goes.
async fn answer(mut stream: UnixStream, shared: &Arc<Shared>) {
    use tokio::io::AsyncWriteExt as _;
    loop {
        let line = match control::read_line(&mut stream).await {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "control socket");
                return;
            }
        };
        let response = admin_requests::answer(&stream, &line, shared).await;
        let mut text = zeroize::Zeroizing::new(Vec::with_capacity(control::LINE_LEN_MAX));
        if let Err(error) = serde_json::to_writer(&mut *text, &response) {
            tracing::error!(%error, "control socket");
            return;
        }
        text.push(b'\n');
        if stream.write_all(&text).await.is_err() {
            return;
        }
    }
}

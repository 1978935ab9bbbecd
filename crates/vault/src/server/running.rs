//! A server on a thread of its own.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::state::Server;
use super::{Listening, ServeError, ServeOptions, run, runtime};

/// A server that runs in this process. Dropping it stops it.
pub struct Running {
    listening: Listening,
    stop: Arc<watch::Sender<bool>>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

/// Starts a server for the vault in `dir` and returns when its ports are open. Port 0 takes a free one.
///
/// # Errors
/// [`ServeError`].
pub fn start(dir: &Path, options: ServeOptions) -> Result<Running, ServeError> {
    let (stop, stopping) = watch::channel(false);
    let stop = Arc::new(stop);
    let (ready, started) = mpsc::sync_channel(1);
    let dir = dir.to_owned();
    let stopper = Arc::clone(&stop);
    let serve = move || {
        let runtime = runtime()?;
        runtime.block_on(async {
            let server = Server::open(&dir, options, stopper).await?;
            // Whoever no longer waits drops the handle, and with it stops the server.
            let _ = ready.send(server.listening());
            run(server, stopping).await
        })
    };
    let thread = std::thread::Builder::new()
        .name("vault-server".to_owned())
        .spawn(serve)
        .map_err(|source| ServeError::Runtime { source })?;
    match started.recv() {
        Ok(listening) => Ok(Running { listening, stop, thread: Some(thread) }),
        // The thread ended without a word: it has the reason.
        Err(_) => Err(match join(thread) {
            Err(error) => error,
            Ok(()) => ServeError::Runtime { source: std::io::ErrorKind::Interrupted.into() },
        }),
    }
}

impl Running {
    /// What the server listens on.
    pub fn listening(&self) -> &Listening {
        &self.listening
    }

    /// Lets the requests in hand finish, closes the vault and returns when all is durable.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn shutdown(mut self) -> Result<(), ServeError> {
        self.stop.send_replace(true);
        self.thread.take().map_or(Ok(()), join)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = join(thread);
        }
    }
}

fn join(thread: JoinHandle<Result<(), ServeError>>) -> Result<(), ServeError> {
    let panicked = |_| ServeError::Runtime { source: std::io::Error::other("the server's thread panicked") };
    thread.join().unwrap_or_else(|panic| Err(panicked(panic)))
}

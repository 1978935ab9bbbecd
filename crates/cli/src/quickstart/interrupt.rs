//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::error::Error;

/// Exit code of a process that a second Ctrl-C ended: 128 and the signal's number, as shells report it.
const ENDED_BY_SIGNAL: i32 = 130;

/// Hears of the signals.
#[derive(Debug)]
pub(crate) struct Interrupt {
    received: Receiver<()>,
    seen: std::cell::Cell<bool>,
}

impl Interrupt {
    /// Takes over SIGINT and SIGTERM for the rest of the process.
    ///
    /// # Errors
    /// [`Error::Signals`] when the system does not let us.
    pub(crate) fn listen() -> Result<Self, Error> {
        let (sender, received) = channel();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(Error::Signals)?;
        let (ready, listening) = channel();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    use tokio::signal::unix::{SignalKind, signal};
                    let handlers = signal(SignalKind::interrupt())
                        .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
                    let (mut interrupt, mut terminate) = match handlers {
                        Ok(handlers) => {
                            let _ = ready.send(Ok(()));
                            handlers
                        }
                        Err(error) => {
                            let _ = ready.send(Err(error));
                            return;
                        }
                    };
                    let mut second = false;
                    loop {
                        tokio::select! {
                            _ = interrupt.recv() => {}
                            _ = terminate.recv() => {}
                        }
                        if second {
                            std::process::exit(ENDED_BY_SIGNAL);
                        }
                        second = true;
                        let _ = sender.send(());
                    }
                });
            })
            .map_err(Error::Signals)?;
        match listening.recv() {
            Ok(Ok(())) => Ok(Self { received, seen: false.into() }),
            Ok(Err(error)) => Err(Error::Signals(error)),
            Err(_) => Err(Error::Signals(std::io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// # Errors
    /// [`Error::Interrupted`] once a signal has come.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.sleep(Duration::ZERO)
    }

    /// Waits for `duration`, or for a signal.
    ///
    /// # Errors
    /// As [`Interrupt::check`].
    pub(crate) fn sleep(&self, duration: Duration) -> Result<(), Error> {
        if self.seen.get() {
            return Err(Error::Interrupted);
        }
        match self.received.recv_timeout(duration) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                self.seen.set(true);
                Err(Error::Interrupted)
            }
        }
    }

    /// Waits until a signal comes.
    pub(crate) fn wait(&self) {
        if !self.seen.get() {
            let _ = self.received.recv();
            self.seen.set(true);
        }
    }
}

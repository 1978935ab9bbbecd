//! What concerns the process as a whole: memory that must not leave it, signals, systemd.

use std::sync::Arc;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Listening, ServeError};
use crate::control::SealState;

/// Switches off core dumps and debuggers of other processes. Says so where the system refuses.
pub(super) fn protect() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the system does not let this process be made undumpable");
    }
    let limit = Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum };
    if let Err(error) = setrlimit(Resource::Core, limit) {
        tracing::warn!(%error, "the system does not let core dumps be switched off");
    }
}

/// Takes as many file descriptors as the system allows: each connection needs one, and the usual soft limit is 1024.
pub(super) fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit on open files could not be raised; fewer connections are possible");
    }
}

/// SIGTERM and SIGINT stop the server; SIGHUP, as a closing terminal sends it, too.
pub(super) fn stop_on_signals(stop: &Arc<watch::Sender<bool>>) -> Result<(), ServeError> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut signals = signal(kind).map_err(|source| ServeError::Runtime { source })?;
        let stop = Arc::clone(stop);
        tokio::spawn(async move {
            if signals.recv().await.is_some() {
                stop.send_replace(true);
            }
        });
    }
    Ok(())
}

/// Tells systemd, where it is, that the server answers. A sealed vault is ready: it answers health and can be unsealed.
pub(super) fn notify_ready(listening: &Listening) {
    let status = match listening.state {
        SealState::Unsealed => format!("serving KMIP on {}", listening.kmip),
        SealState::Sealed => "sealed: run strongroom vault unseal".to_owned(),
    };
    notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Tells systemd that the vault was unsealed.
pub(super) fn notify_unsealed(kmip: std::net::SocketAddr) {
    notify(&[NotifyState::Status(&format!("serving KMIP on {kmip}"))]);
}

/// Tells systemd that the server is about to end.
pub(super) fn notify_stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(state: &[NotifyState<'_>]) {
    // Without NOTIFY_SOCKET nothing is sent.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not told");
    }
}

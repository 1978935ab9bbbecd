//! Ending connections from outside: when their endpoint is revoked, and when the vault stops.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Why a connection is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The vault is stopping: the request in hand is still answered.
    ShuttingDown,
    /// The endpoint was revoked: nothing more is answered.
    Revoked,
}

/// The handle by which one connection is told to end.
#[derive(Debug, Default)]
pub(super) struct Control {
    stop: AtomicU8,
    wake: Notify,
}

impl Control {
    const SHUTTING_DOWN: u8 = 1;
    const REVOKED: u8 = 2;

    /// Tells the connection to end. Revocation outranks an orderly stop.
    pub(super) fn stop(&self, why: Stop) {
        let code = match why {
            Stop::ShuttingDown => Self::SHUTTING_DOWN,
            Stop::Revoked => Self::REVOKED,
        };
        self.stop.fetch_max(code, Ordering::AcqRel);
        // Kept as a permit when nobody waits at this moment, so that it cannot be missed.
        self.wake.notify_one();
    }

    /// Whether the connection must end, and why.
    pub(super) fn stopped(&self) -> Option<Stop> {
        match self.stop.load(Ordering::Acquire) {
            Self::SHUTTING_DOWN => Some(Stop::ShuttingDown),
            Self::REVOKED => Some(Stop::Revoked),
            _ => None,
        }
    }

    /// Wakes the connection's task when [`stop`](Self::stop) is called.
    pub(super) fn woken(&self) -> impl Future<Output = ()> + '_ {
        self.wake.notified()
    }
}

/// The open connections, each with what it takes to decide whether it may stay (`K`).
#[derive(Debug)]
pub(super) struct Connections<K> {
    open: Mutex<HashMap<u64, (K, Arc<Control>)>>,
    next: AtomicU64,
}

impl<K> Connections<K> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { open: Mutex::new(HashMap::new()), next: AtomicU64::new(0) })
    }

    /// Registers a connection until the returned guard is dropped.
    pub(super) fn register(self: &Arc<Self>, key: K) -> Registration<K> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let control = Arc::new(Control::default());
        self.lock().insert(id, (key, Arc::clone(&control)));
        Registration { id, control, connections: Arc::clone(self) }
    }

    /// Stops every connection for which `doomed` says so.
    pub(super) fn stop_where(&self, why: Stop, mut doomed: impl FnMut(&K) -> bool) {
        for (key, control) in self.lock().values() {
            if doomed(key) {
                control.stop(why);
            }
        }
    }

    /// A panic elsewhere leaves the map usable: it only ever changes by one insert or remove.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (K, Arc<Control>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One registered connection.
#[derive(Debug)]
pub(super) struct Registration<K> {
    id: u64,
    control: Arc<Control>,
    connections: Arc<Connections<K>>,
}

impl<K> Registration<K> {
    pub(super) fn control(&self) -> &Control {
        &self.control
    }
}

impl<K> Drop for Registration<K> {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_that_comes_before_the_wait_is_not_missed() {
        let connections = Connections::new();
        let here = connections.register("a");
        connections.stop_where(Stop::ShuttingDown, |key| *key == "a");
        here.control().woken().await;
        assert_eq!(here.control().stopped(), Some(Stop::ShuttingDown));
    }

    #[test]
    fn revocation_outranks_an_orderly_stop() {
        let control = Control::default();
        control.stop(Stop::Revoked);
        control.stop(Stop::ShuttingDown);
        assert_eq!(control.stopped(), Some(Stop::Revoked));
    }

    #[test]
    fn only_the_chosen_connections_stop_and_a_dropped_one_is_forgotten() {
        let connections = Connections::new();
        let one = connections.register(1);
        let two = connections.register(2);
        connections.stop_where(Stop::Revoked, |key| *key == 2);
        assert_eq!(one.control().stopped(), None);
        assert_eq!(two.control().stopped(), Some(Stop::Revoked));
        drop(two);
        assert_eq!(connections.lock().len(), 1);
    }
}

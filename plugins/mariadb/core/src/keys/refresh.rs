//! The thread that asks the key server from time to time.
//!
//! It is the only thread we keep inside the server. It is woken and joined before the plugin is unloaded.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use strongroom_plugin_abi::boundary::guard;

use super::{KeyCache, KeyService};
use crate::server::ServerThread;

/// Time between two refreshes at most, whatever is configured, while the keys come from the cache.
const MAKESHIFT_INTERVAL: Duration = Duration::from_secs(10);

/// A refresh thread at work.
pub struct Refresher {
    orders: Arc<Orders>,
    thread: Option<ServerThread>,
}

#[derive(Default)]
struct Orders {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Time between two refreshes; zero means none.
    interval: Duration,
    stop: bool,
}

impl Refresher {
    /// Starts the thread. The first refresh is one interval away; an interval of zero means none.
    ///
    /// # Errors
    /// The system has no thread left to give.
    pub fn start(service: Arc<KeyService>, interval: Duration) -> io::Result<Self> {
        let orders = Arc::new(Orders::default());
        orders.lock().interval = interval;
        let thread = ServerThread::start("strongroom-keys", {
            let orders = Arc::clone(&orders);
            move || {
                while orders.wait_for_next(|| service.cache().is_some_and(KeyCache::is_in_use)) {
                    // A failure has been logged and shows in the status variables. A panic costs one refresh, not all that
                    // would follow.
                    guard((), || {
                        let _ = service.reload();
                    });
                }
            }
        })?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// Changes the interval, counted from the last refresh.
    pub fn set_interval(&self, interval: Duration) {
        self.orders.lock().interval = interval;
        self.orders.changed.notify_all();
    }
}

impl Drop for Refresher {
    /// Ends the thread and waits for it: at most for the conversation it is in, which has a deadline.
    fn drop(&mut self) {
        self.orders.lock().stop = true;
        self.orders.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join();
        }
    }
}

impl Orders {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a refresh is due; `false` when the thread shall end. `is_makeshift` says whether the keys come from the cache.
    fn wait_for_next(&self, is_makeshift: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            if state.stop {
                return false;
            }
            let elapsed = start.elapsed();
            let interval = match state.interval {
                interval if !is_makeshift() => interval,
                Duration::ZERO => MAKESHIFT_INTERVAL,
                interval => interval.min(MAKESHIFT_INTERVAL),
            };
            state = if interval.is_zero() {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else if elapsed >= interval {
                return true;
            } else {
                let left = interval - elapsed;
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use strongroom_key_versions::versions::KeyId;

    use super::*;
    use crate::keys::service::tests::{Backend, Bench};
    use crate::server::Log;

    fn eventually(what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn start(interval: Duration) -> (Arc<Bench>, Arc<KeyService>, Refresher) {
        let bench = Bench::with(&[(1, 1, 1)]);
        let service = KeyService::start(Log { plugin: "test" }, Box::new(Backend(Arc::clone(&bench))), None);
        let service = Arc::new(service.expect("starts"));
        let refresher = Refresher::start(Arc::clone(&service), interval).expect("a thread");
        (bench, service, refresher)
    }

    #[test]
    fn new_versions_arrive_and_an_outage_is_survived() {
        let (bench, service, refresher) = start(Duration::from_millis(5));
        bench.set(&[(1, 1, 1), (1, 3, 3)]);
        eventually("version 3 arrives", || {
            service.latest(KeyId(1)).is_some_and(|latest| latest.number() == 3)
        });
        bench.set_away(true);
        eventually("the outage is noticed", || service.health().0 != "OK");
        assert_eq!(service.latest(KeyId(1)).map(|latest| latest.number()), Some(3));
        bench.set_away(false);
        eventually("the recovery is noticed", || service.health().0 == "OK");
        drop(refresher);
        assert_eq!(Arc::strong_count(&service), 1, "the thread is gone");
    }

    #[test]
    fn a_panic_costs_one_refresh_and_not_all_that_follow() {
        let (bench, service, _refresher) = start(Duration::from_millis(5));
        bench.panic_once();
        bench.set(&[(1, 1, 1), (1, 3, 3)]);
        eventually("version 3 arrives", || {
            service.latest(KeyId(1)).is_some_and(|latest| latest.number() == 3)
        });
        assert!(bench.has_panicked());
    }

    #[test]
    fn an_interval_of_zero_is_no_refresh_until_it_is_changed() {
        let (bench, _service, refresher) = start(Duration::ZERO);
        refresher.set_interval(Duration::from_secs(3600));
        refresher.set_interval(Duration::ZERO);
        assert_eq!(bench.questions(), 1);
        refresher.set_interval(Duration::from_millis(1));
        eventually("refreshes begin", || bench.questions() > 2);
    }

    #[test]
    fn ending_does_not_wait_for_the_interval() {
        let (_bench, _service, refresher) = start(Duration::from_secs(3600));
        let begin = Instant::now();
        drop(refresher);
        assert!(begin.elapsed() < Duration::from_secs(20));
    }
}

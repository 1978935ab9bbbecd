//! The threads that serve connections. Each has a runtime of its own, and a connection stays on the thread it began on.
//!
//! One runtime over all threads would hand requests from thread to thread, and for a request as short as a Get, waking
//! another thread takes longer than answering. It also kept one thread idle where the system would have used both.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// What a request needs at most, with room to spare.
const STACK_BYTES: usize = 1024 * 1024;

/// The threads. Dropping this ends them, with whatever still runs there.
pub(super) struct Workers(Vec<Worker>);

struct Worker {
    runtime: Handle,
    /// One reference for each connection on this thread, and this one.
    load: Arc<()>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Counts a connection as long as it lives.
pub(super) struct Place(#[expect(dead_code, reason = "it counts by being there")] Arc<()>);

impl Workers {
    /// Starts `count` threads, one at least.
    ///
    /// # Errors
    /// When the system gives no further thread or no epoll instance.
    pub(super) fn start(count: usize) -> io::Result<Self> {
        (0..count.max(1)).map(|_| Worker::start()).collect::<io::Result<_>>().map(Self)
    }

    /// The thread with the fewest connections, and a place on it.
    pub(super) fn place(&self) -> Option<(&Handle, Place)> {
        let worker = self.0.iter().min_by_key(|worker| Arc::strong_count(&worker.load))?;
        Some((&worker.runtime, Place(Arc::clone(&worker.load))))
    }
}

impl Worker {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("vault-kmip".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                // An error means that the sender is gone, which says the same.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self { runtime: handle, load: Arc::default(), stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of a connection is reported where the connection is awaited.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_spread_over_the_threads_by_how_many_are_open() {
        let workers = Workers::start(2).unwrap();
        let thread_of =
            async |runtime: &Handle| runtime.spawn(async { std::thread::current().id() }).await.unwrap();
        let (one, first) = workers.place().unwrap();
        let (other, second) = workers.place().unwrap();
        assert_ne!(thread_of(one).await, thread_of(other).await);
        drop(second);
        let (again, third) = workers.place().unwrap();
        assert_eq!(thread_of(again).await, thread_of(other).await);
        drop((first, third));
    }
}

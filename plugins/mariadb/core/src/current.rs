//! Values that page writes read and that are seldom replaced: no lock, no heap, no memory of the reading thread.
//!
//! - [`Snapshots`]: each value stays until the last one goes, so that a reader needs nothing but the pointer.
//! - [`Tenant`]: the value goes when it is replaced, once nobody reads it any more.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::yield_now;

/// A value and all that it was before. For values that share what is large in them and change a few times in the life of a server.
#[derive(Debug)]
pub(crate) struct Snapshots<T> {
    /// The last of `kept`.
    latest: AtomicPtr<T>,
    /// Held for a moment only, and by no reader. Never empty, and nothing is taken out.
    kept: Mutex<Vec<Arc<T>>>,
}

impl<T> Snapshots<T> {
    pub(crate) fn new(first: T) -> Self {
        let first = Arc::new(first);
        Self { latest: AtomicPtr::new(Arc::as_ptr(&first).cast_mut()), kept: Mutex::new(vec![first]) }
    }

    /// The latest value.
    pub(crate) fn read(&self) -> &T {
        // SAFETY: the pointer is that of a value in `kept`, which keeps it for as long as `self` is there.
        unsafe { &*self.latest.load(Ordering::Acquire) }
    }

    /// The latest value, to have. Not for page writes.
    pub(crate) fn share(&self) -> Arc<T> {
        let kept = self.lock();
        Arc::clone(&kept[kept.len() - 1])
    }

    pub(crate) fn replace(&self, next: Arc<T>) {
        let mut kept = self.lock();
        let pointer = Arc::as_ptr(&next).cast_mut();
        kept.push(next);
        self.latest.store(pointer, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<T>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Readers are counted in this many places, so that they seldom meet.
const PLACES: usize = 16;

/// A value or none. Readers are counted while they read.
pub(crate) struct Tenant<T> {
    value: AtomicPtr<T>,
    readers: [Readers; PLACES],
}

/// How many read, on a cache line of its own.
#[repr(align(64))]
struct Readers(AtomicUsize);

// SAFETY: the value is owned like that of a `Box`, is read through shared references on any thread, and dropped on any.
unsafe impl<T: Send + Sync> Sync for Tenant<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for Tenant<T> {}

impl<T> Tenant<T> {
    pub(crate) const fn none() -> Self {
        let value = AtomicPtr::new(ptr::null_mut());
        Self { value, readers: [const { Readers(AtomicUsize::new(0)) }; PLACES] }
    }

    /// What `look` makes of the value; it should be quick. `None` where there is none.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        /// One reader less, were it by a panic.
        struct Leave<'a>(&'a AtomicUsize);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Release);
            }
        }
        // So that whoever replaces the value by nothing does not wait for those who come later.
        if self.value.load(Ordering::Relaxed).is_null() {
            return None;
        }
        let readers = &self.readers[place()].0;
        readers.fetch_add(1, Ordering::SeqCst);
        let _leave = Leave(readers);
        let value = self.value.load(Ordering::SeqCst);
        // SAFETY: a value is dropped by `set` alone, after it took the pointer away and then found each count at zero. This reader was
        // counted before it loaded the pointer, all in one order (`SeqCst`): so either `set` sees it counted and waits, or the pointer
        // was no longer that of the value that is dropped.
        unsafe { value.as_ref() }.map(look)
    }

    /// Puts another value in the place of the present one, and drops that once nobody reads it. Not to be called by a reader.
    pub(crate) fn set(&self, next: Option<T>) {
        let next = next.map_or(ptr::null_mut(), |next| Box::into_raw(Box::new(next)));
        let before = self.value.swap(next, Ordering::SeqCst);
        if before.is_null() {
            return;
        }
        for readers in &self.readers {
            while readers.0.load(Ordering::SeqCst) != 0 {
                yield_now();
            }
        }
        // SAFETY: it came from `into_raw`, nobody can load it any more, and nobody who did is still reading.
        drop(unsafe { Box::from_raw(before) });
    }
}

impl<T> Drop for Tenant<T> {
    fn drop(&mut self) {
        self.set(None);
    }
}

/// Where this thread is counted: stacks are far apart, so their addresses tell threads apart well enough.
fn place() -> usize {
    let on_the_stack = 0_u8;
    place_of((&raw const on_the_stack).addr())
}

/// Stacks lie at multiples of their size, often a power of two, so the bits are mixed: by the golden ratio, of which the highest bits of
/// the product have the most.
const fn place_of(address: usize) -> usize {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    ((address as u64 >> 12).wrapping_mul(GOLDEN) >> (u64::BITS - PLACES.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    /// Says when it is dropped, and shows whoever reads it then.
    struct Probe(u64, Arc<AtomicUsize>);

    impl Drop for Probe {
        fn drop(&mut self) {
            self.0 = 0;
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_snapshot_that_is_read_outlives_its_replacement() {
        let drops = Arc::new(AtomicUsize::new(0));
        let snapshots = Snapshots::new(Probe(1, Arc::clone(&drops)));
        let first = snapshots.read();
        snapshots.replace(Arc::new(Probe(2, Arc::clone(&drops))));
        assert_eq!((first.0, snapshots.read().0, snapshots.share().0), (1, 2, 2));
        drop(snapshots);
        assert_eq!(drops.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_tenant_is_dropped_once_and_never_while_it_is_read() {
        let (tenant, drops, stop) = (Tenant::none(), Arc::new(AtomicUsize::new(0)), AtomicBool::new(false));
        assert_eq!(tenant.read(|probe: &Probe| probe.0), None);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut seen = 0_u64;
                        while !stop.load(Ordering::Relaxed) {
                            let same = tenant.read(|probe| {
                                let before = probe.0;
                                yield_now();
                                before != 0 && before == probe.0
                            });
                            assert_ne!(same, Some(false), "it was dropped while it was read");
                            seen += u64::from(same.is_some());
                        }
                        seen
                    })
                })
                .collect();
            for number in 1..=50 {
                tenant.set(Some(Probe(number, Arc::clone(&drops))));
                yield_now();
                tenant.set(None);
                assert_eq!(drops.load(Ordering::SeqCst) as u64, number, "nobody has it any more");
            }
            stop.store(true, Ordering::Relaxed);
            for reader in readers {
                reader.join().expect("reads to the end");
            }
        });
        tenant.set(Some(Probe(7, Arc::clone(&drops))));
        assert_eq!(tenant.read(|probe| probe.0), Some(7));
        drop(tenant);
        assert_eq!(drops.load(Ordering::SeqCst), 51);
    }

    #[test]
    fn threads_are_counted_in_different_places() {
        // Distances between stacks: as glibc makes them unless told otherwise, and as MariaDB asks for.
        for distance in [8 << 20, 292 << 10, 256 << 10, 64 << 10] {
            let mut threads = [0; PLACES];
            for thread in 0..64 {
                threads[place_of(0x7F00_1234_5678 + thread * distance)] += 1;
            }
            let used = threads.iter().filter(|&&threads| threads > 0).count();
            assert!(used >= PLACES / 2 && threads.iter().all(|&threads| threads <= 16), "{threads:?}");
        }
    }

    #[test]
    fn a_reader_that_panics_is_not_waited_for() {
        let tenant = Tenant::none();
        tenant.set(Some(1));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            tenant.read(|_| panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        tenant.set(None);
        assert_eq!(tenant.read(|value| *value), None);
    }
}

//! Pages for key bytes: mapped apart from the heap, locked, kept out of core dumps, and handed out in slots.
//!
//! Slots come in powers of two from [`SLOT_BYTES_MIN`] to [`SLOT_BYTES_MAX`], carved from chunks of [`CHUNK_BYTES`] that are
//! kept for the life of the process. Anything larger has a mapping of its own. One lock guards it all; it is held for a
//! vector's push or pop, and for the system calls of a new chunk.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous, munmap};
use zeroize::Zeroize;

/// Smallest slot, in bytes: an AES-256 key.
const SLOT_BYTES_MIN: usize = 32;
/// Largest slot, in bytes.
const SLOT_BYTES_MAX: usize = 4096;
/// Size classes: 32, 64, … 4096 bytes.
const CLASSES: usize = (SLOT_BYTES_MAX / SLOT_BYTES_MIN).ilog2() as usize + 1;
/// Bytes mapped at a time for slots. Small, because `RLIMIT_MEMLOCK` is often 64 KiB for a service without a setting of its own.
const CHUNK_BYTES: usize = 16 * 1024;
/// Mappings beyond a chunk are rounded up to this many bytes. The largest page size of the systems we run on would do as well.
const PAGE_BYTES: usize = 4096;

static ARENA: Mutex<Arena> = Mutex::new(Arena::new());

/// How much memory holds key bytes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// Bytes locked into memory.
    pub locked_bytes: usize,
    /// Bytes the system refused to lock: they could reach swap.
    pub unlocked_bytes: usize,
}

/// How much memory holds key bytes at this moment, and how much of it the system refused to lock.
#[must_use]
pub fn pages() -> Pages {
    arena().pages
}

/// Memory for `len` key bytes, zeroed. `len` must not be 0.
///
/// # Panics
/// When the system has no memory left, as the global allocator would abort.
pub(crate) fn allocate(len: usize) -> NonNull<u8> {
    debug_assert!(len > 0);
    match class_of(len) {
        Some(class) => arena().slot(class),
        None => {
            let (mapping, locked) = map(mapping_bytes(len));
            arena().count(mapping_bytes(len), locked);
            mapping
        }
    }
}

/// Wipes and gives back what [`allocate`] gave for the same `len`.
///
/// # Safety
/// `start` comes from `allocate(len)` and nothing uses it any more.
pub(crate) unsafe fn release(start: NonNull<u8>, len: usize) {
    // SAFETY: the caller owns `len` initialised bytes at `start` (`allocate` zeroes them) and gives them up here.
    unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), len) }.zeroize();
    match class_of(len) {
        Some(class) => arena().free[class].push(Slot(start)),
        None => {
            let bytes = mapping_bytes(len);
            // SAFETY: `allocate` mapped exactly `bytes` bytes at `start`, and the caller gives them up.
            let unmapped = unsafe { munmap(start.as_ptr().cast::<c_void>(), bytes) };
            if unmapped.is_ok() {
                arena().uncount(bytes);
            }
        }
    }
}

/// The lock guards free lists whose every state is valid, so a panic elsewhere while it was held does no harm.
fn arena() -> MutexGuard<'static, Arena> {
    ARENA.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Arena {
    free: [Vec<Slot>; CLASSES],
    pages: Pages,
}

struct Slot(NonNull<u8>);

// SAFETY: a free slot is owned by the arena alone, whatever thread it came from; nothing else points to it.
unsafe impl Send for Slot {}

impl Arena {
    const fn new() -> Self {
        Self { free: [const { Vec::new() }; CLASSES], pages: Pages { locked_bytes: 0, unlocked_bytes: 0 } }
    }

    fn slot(&mut self, class: usize) -> NonNull<u8> {
        if let Some(Slot(start)) = self.free[class].pop() {
            return start;
        }
        let (chunk, locked) = map(CHUNK_BYTES);
        self.count(CHUNK_BYTES, locked);
        let slot_bytes = SLOT_BYTES_MIN << class;
        for offset in (slot_bytes..CHUNK_BYTES).step_by(slot_bytes) {
            // SAFETY: `offset` is inside the chunk of `CHUNK_BYTES` bytes that was mapped just now.
            self.free[class].push(Slot(unsafe { chunk.add(offset) }));
        }
        chunk
    }

    fn count(&mut self, bytes: usize, locked: bool) {
        if locked {
            self.pages.locked_bytes += bytes;
        } else {
            self.pages.unlocked_bytes += bytes;
        }
    }

    /// A large mapping is gone. Whether it was locked is not kept; the unlocked count is lowered first, since the system
    /// refuses locks once the limit is reached and large mappings are what reaches it.
    fn uncount(&mut self, bytes: usize) {
        let unlocked = bytes.min(self.pages.unlocked_bytes);
        self.pages.unlocked_bytes -= unlocked;
        self.pages.locked_bytes = self.pages.locked_bytes.saturating_sub(bytes - unlocked);
    }
}

fn class_of(len: usize) -> Option<usize> {
    let slot_bytes = len.next_power_of_two().max(SLOT_BYTES_MIN);
    (slot_bytes <= SLOT_BYTES_MAX).then(|| (slot_bytes / SLOT_BYTES_MIN).ilog2() as usize)
}

fn mapping_bytes(len: usize) -> usize {
    len.next_multiple_of(PAGE_BYTES)
}

/// Maps `bytes` zeroed bytes outside the heap. Says whether the system agreed to lock them.
fn map(bytes: usize) -> (NonNull<u8>, bool) {
    // SAFETY: a private anonymous mapping at an address the system chooses aliases nothing.
    let mapped = unsafe {
        mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
    };
    let start = match mapped.map(|start| NonNull::new(start.cast::<u8>())) {
        Ok(Some(start)) => start,
        Ok(None) | Err(_) => panic!("the system refused {bytes} bytes of memory for key material"),
    };
    // SAFETY: the range is the mapping made just now. Both calls change how the system treats it, not its contents.
    let locked = unsafe {
        // Kernels without MADV_DONTDUMP still serve keys: the vault also switches core dumps off as a whole.
        let _ = madvise(start.as_ptr().cast::<c_void>(), bytes, Advice::LinuxDontDump);
        mlock(start.as_ptr().cast::<c_void>(), bytes).is_ok()
    };
    (start, locked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_the_smallest_slot_that_holds_it() {
        assert_eq!(class_of(1), Some(0));
        assert_eq!(class_of(32), Some(0));
        assert_eq!(class_of(33), Some(1));
        assert_eq!(class_of(4096), Some(CLASSES - 1));
        assert_eq!(class_of(4097), None);
    }

    #[test]
    fn a_slot_comes_back_wiped() {
        // The largest class is used by no other test of this binary, so the slot given back is the next one handed out.
        let start = allocate(SLOT_BYTES_MAX);
        // SAFETY: `allocate` gave SLOT_BYTES_MAX bytes.
        unsafe { start.as_ptr().write_bytes(0xA5, SLOT_BYTES_MAX) };
        // SAFETY: `start` is not used again but to compare its address.
        unsafe { release(start, SLOT_BYTES_MAX) };
        let again = allocate(SLOT_BYTES_MAX);
        assert_eq!(start, again);
        // SAFETY: `again` was allocated with this length.
        let bytes = unsafe { std::slice::from_raw_parts(again.as_ptr(), SLOT_BYTES_MAX) };
        assert!(bytes.iter().all(|&byte| byte == 0));
        // SAFETY: `again` is not used any more.
        unsafe { release(again, SLOT_BYTES_MAX) };
    }
}

//! A Rust value in memory that the server owns.
//!
//! Databases give plugins raw memory of a size the plugin named beforehand: not initialised, aligned as the server
//! pleases, and given back without a word. [`bytes_for`] names the size, [`put`] moves a value in, [`get`] finds it
//! again, and [`take_away`] runs its destructor and clears the memory, which is the only chance to clear what it held.

use std::mem::{align_of, size_of};

/// Bytes to ask the server for, so that a `T` fits wherever they begin.
#[must_use]
pub const fn bytes_for<T>() -> usize {
    size_of::<T>() + align_of::<T>() - 1
}

/// Where a `T` goes in memory that begins at `start`.
fn aligned<T>(start: *mut u8) -> *mut T {
    start.wrapping_add(start.align_offset(align_of::<T>())).cast()
}

/// Moves `value` into the server's memory; `false` when there is none.
///
/// # Safety
/// Unless it is null, `start` points to [`bytes_for::<T>()`](bytes_for) bytes that are ours to write.
#[must_use]
pub unsafe fn put<T>(start: *mut u8, value: T) -> bool {
    if start.is_null() {
        return false;
    }
    // SAFETY: the aligned place and its `size_of::<T>()` bytes lie within the memory that the caller promised.
    unsafe { aligned::<T>(start).write(value) };
    true
}

/// The value that [`put`] left there.
///
/// # Safety
/// Unless it is null, `start` is where [`put`] placed a `T` that has not been taken away, and nobody else uses it now.
#[must_use]
pub unsafe fn get<'a, T>(start: *mut u8) -> Option<&'a mut T> {
    if start.is_null() {
        return None;
    }
    // SAFETY: a live `T` is there, and it is ours alone.
    Some(unsafe { &mut *aligned::<T>(start) })
}

/// Runs the destructor of the value that [`put`] left there, and clears all of its memory.
///
/// The destructor is not enough: moving a value copies its padding too, and that may hold what the stack held before,
/// such as another copy of a key.
///
/// # Safety
/// As for [`get`]; afterwards nothing is there any more.
pub unsafe fn take_away<T>(start: *mut u8) {
    if !start.is_null() {
        let place = aligned::<T>(start);
        // SAFETY: a live `T` is there, it is ours alone, and it is not used again. The memory goes back to the server,
        // so the compiler cannot find the last write useless.
        unsafe {
            place.drop_in_place();
            place.cast::<u8>().write_bytes(0, size_of::<T>());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[repr(align(64))]
    struct Wide {
        number: u64,
        _witness: Rc<()>,
    }

    #[test]
    fn a_value_lives_at_any_address_and_is_dropped_once() {
        let witness = Rc::new(());
        let mut memory = vec![0xEE_u8; bytes_for::<Wide>() + 64];
        for offset in 0..64 {
            let start = memory.as_mut_ptr().wrapping_add(offset);
            // SAFETY: `memory` has room for a `Wide` from any of these offsets, and each value is taken away before
            // the next.
            unsafe {
                assert!(put(start, Wide { number: offset as u64, _witness: Rc::clone(&witness) }));
                assert_eq!(get::<Wide>(start).expect("not null").number, offset as u64);
                assert_eq!(Rc::strong_count(&witness), 2);
                take_away::<Wide>(start);
            }
            assert!(memory.windows(size_of::<Wide>()).any(|window| window.iter().all(|byte| *byte == 0)));
            memory.fill(0xEE);
            assert_eq!(Rc::strong_count(&witness), 1);
        }
    }

    #[test]
    fn null_is_no_place() {
        let null = std::ptr::null_mut();
        // SAFETY: null is allowed by all three contracts.
        unsafe {
            assert!(!put(null, 5_u32));
            assert!(get::<u32>(null).is_none());
            take_away::<u32>(null);
        }
    }
}

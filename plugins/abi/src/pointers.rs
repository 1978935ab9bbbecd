//! Pointers and lengths from the server become slices, or nothing.
//!
//! A null pointer with a length of zero is an empty slice: C callers pass that, and Rust must never see it as it is. A
//! null pointer with a length, or a length no allocation can have, gives `None`.

use std::slice;

/// Most bytes a Rust slice may have.
const SLICE_BYTES_MAX: usize = isize::MAX as usize;

/// Bytes that the server lets us read.
///
/// # Safety
/// Unless it is null, `start` points to `len` initialised bytes that nobody writes while the slice lives.
#[must_use]
pub unsafe fn input<'a>(start: *const u8, len: usize) -> Option<&'a [u8]> {
    if len == 0 {
        return Some(&[]);
    }
    if start.is_null() || len > SLICE_BYTES_MAX {
        return None;
    }
    // SAFETY: `start` is not null and `len` fits a slice; the rest is the caller's promise.
    Some(unsafe { slice::from_raw_parts(start, len) })
}

/// Bytes that the server lets us write.
///
/// They are not cleared first, which would cost a tenth of encrypting a page: memory that comes from the other side of
/// a C interface has some value for Rust, even where C never wrote one.
///
/// # Safety
/// Unless it is null, `start` points to `len` bytes that are ours to write and that nobody else reads or writes while
/// the slice lives.
#[must_use]
pub unsafe fn output<'a>(start: *mut u8, len: usize) -> Option<&'a mut [u8]> {
    if len == 0 {
        return Some(&mut []);
    }
    if start.is_null() || len > SLICE_BYTES_MAX {
        return None;
    }
    // SAFETY: `start` is not null and `len` fits a slice; the rest is the caller's promise.
    Some(unsafe { slice::from_raw_parts_mut(start, len) })
}

/// Writes `value` where the server wants it, unless the server gave no place.
///
/// # Safety
/// Unless it is null, `place` is aligned for `T` and ours to write.
pub unsafe fn store<T: Copy>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: not null; the rest is the caller's promise.
        unsafe { place.write(value) };
    }
}

/// Whether two stretches of memory share a byte. Input and output that do must not become slices at the same time.
#[must_use]
pub fn overlap(first: *const u8, first_len: usize, second: *const u8, second_len: usize) -> bool {
    let (first, second) = (first.addr(), second.addr());
    first < second.saturating_add(second_len) && second < first.saturating_add(first_len)
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    #[test]
    fn null_is_a_slice_only_when_it_is_empty() {
        // SAFETY: null pointers are allowed by both contracts.
        unsafe {
            assert_eq!(input(ptr::null(), 0), Some(&[][..]));
            assert_eq!(input(ptr::null(), 1), None);
            assert_eq!(output(ptr::null_mut(), 0), Some(&mut [][..]));
            assert_eq!(output(ptr::null_mut(), 1), None);
            store(ptr::null_mut::<u32>(), 5);
        }
    }

    #[test]
    fn impossible_lengths_are_refused() {
        let mut byte = 0_u8;
        // SAFETY: nothing is read or written, because the length is refused.
        unsafe {
            assert_eq!(input(&raw const byte, usize::MAX), None);
            assert_eq!(output(&raw mut byte, usize::MAX), None);
        }
    }

    #[test]
    fn values_and_bytes_arrive() {
        let mut bytes = [1_u8, 2, 3];
        let mut place = 0_u32;
        // SAFETY: both live on this stack and are used by nobody else.
        unsafe {
            assert_eq!(input(bytes.as_ptr(), 3), Some(&[1, 2, 3][..]));
            output(bytes.as_mut_ptr(), 2).expect("two bytes").copy_from_slice(&[8, 9]);
            store(&raw mut place, 77);
        }
        assert_eq!((bytes, place), ([8, 9, 3], 77));
    }

    #[test]
    fn overlap_is_sharing_a_byte() {
        let bytes = [0_u8; 8];
        let at = |offset: usize| bytes.as_ptr().wrapping_add(offset);
        assert!(overlap(at(0), 4, at(3), 4));
        assert!(overlap(at(3), 4, at(0), 4));
        assert!(overlap(at(2), 2, at(2), 2));
        assert!(!overlap(at(0), 4, at(4), 4));
        assert!(!overlap(at(4), 4, at(0), 4));
        assert!(!overlap(at(1), 0, at(1), 4));
    }
}

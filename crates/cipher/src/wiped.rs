//! What a value leaves in its place when it is dropped, for the tests of what must be cleared.

use core::mem::ManuallyDrop;

/// The place of a dropped value. Only fields that are plain numbers mean anything.
pub(crate) fn dropped<T>(value: T) -> ManuallyDrop<T> {
    let mut place = ManuallyDrop::new(value);
    // SAFETY: it is dropped once, here, and never used as the value again; these types own no other memory.
    unsafe { ManuallyDrop::drop(&mut place) };
    place
}

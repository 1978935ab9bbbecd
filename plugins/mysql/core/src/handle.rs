//! Rust values behind the pointers that the server carries around.
//!
//! The server keeps such a pointer from an `init` to a `deinit`, and must not use it afterwards; what it gives back is what it got.

use std::ffi::c_void;
use std::ptr;

/// The pointer for the server.
#[must_use]
pub fn give<T>(value: T) -> *mut c_void {
    Box::into_raw(Box::new(value)).cast()
}

/// The value; `None` for a null pointer.
///
/// # Safety
/// Unless it is null, `handle` comes from [`give`] with the same type, was not taken, and is used by nobody else meanwhile.
#[must_use]
pub unsafe fn borrow<'a, T>(handle: *mut c_void) -> Option<&'a mut T> {
    // SAFETY: a live value of this type, ours alone; the rest is the caller's promise.
    unsafe { handle.cast::<T>().as_mut() }
}

/// Ends the value; `false` for a null pointer.
///
/// # Safety
/// As for [`borrow`]; the handle is of no more use afterwards.
pub unsafe fn take<T>(handle: *mut c_void) -> bool {
    if ptr::eq(handle, ptr::null_mut()) {
        return false;
    }
    // SAFETY: `give` made it of a box, and nobody took it back.
    drop(unsafe { Box::from_raw(handle.cast::<T>()) });
    true
}

/// A place in a list.
#[derive(Debug)]
pub struct Cursor<T> {
    items: Vec<T>,
    position: usize,
}

impl<T> Cursor<T> {
    /// At the first of `items`.
    #[must_use]
    pub fn new(items: Vec<T>) -> Self {
        Self { items, position: 0 }
    }

    /// The item at which it stands; `None` at the end.
    #[must_use]
    pub fn item(&self) -> Option<&T> {
        self.items.get(self.position)
    }

    /// Goes on, and tells whether it stands at an item.
    pub fn advance(&mut self) -> bool {
        self.position = self.position.saturating_add(1).min(self.items.len());
        self.item().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_value_lives_from_giving_to_taking() {
        let witness = Rc::new(5);
        let handle = give(Rc::clone(&witness));
        // SAFETY: `handle` is what `give` made of this type, and null is allowed.
        unsafe {
            assert_eq!(borrow::<Rc<i32>>(handle).map(|value| **value), Some(5));
            assert_eq!(Rc::strong_count(&witness), 2);
            assert!(take::<Rc<i32>>(handle));
            assert!(!take::<Rc<i32>>(ptr::null_mut()));
            assert!(borrow::<Rc<i32>>(ptr::null_mut()).is_none());
        }
        assert_eq!(Rc::strong_count(&witness), 1);
    }

    #[test]
    fn a_cursor_stays_at_the_end() {
        let mut cursor = Cursor::new(vec![1, 2]);
        assert_eq!(cursor.item(), Some(&1));
        assert!(cursor.advance());
        assert!(!cursor.advance() && !cursor.advance());
        assert_eq!(cursor.item(), None);
        assert_eq!(Cursor::<u8>::new(vec![]).item(), None);
    }
}

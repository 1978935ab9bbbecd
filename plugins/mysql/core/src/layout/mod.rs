//! The C structures of MySQL's component and plugin interfaces (x86-64 and every other LP64 system).
//!
//! - [`component`]: what a component library declares;
//! - [`services`]: the keyring services, as tables of functions in the server's order;
//! - [`plugin`]: what a plugin library declares, and its system variable.
//!
//! Offsets were measured on 9.7 and are asserted here.

pub mod component;
pub mod plugin;
pub mod services;

use std::cell::UnsafeCell;

/// A static that the server reads and writes: it fills in what we require, keeps values in it, and never tells.
///
/// It must lie in writable memory, which the cell inside sees to (a server crashed at start on one that did not).
#[repr(transparent)]
pub struct ServerOwned<T>(UnsafeCell<T>);

// SAFETY: Rust code never makes a reference to the content. The server writes it only while it loads or unloads the
// library, under its own lock.
unsafe impl<T> Sync for ServerOwned<T> {}
// SAFETY: as above; the content is plain C data that belongs to no thread.
unsafe impl<T> Send for ServerOwned<T> {}

impl<T> ServerOwned<T> {
    /// Wraps the initial content.
    pub const fn new(content: T) -> Self {
        Self(UnsafeCell::new(content))
    }

    /// Where the content is.
    pub const fn as_ptr(&self) -> *mut T {
        self.0.get()
    }
}

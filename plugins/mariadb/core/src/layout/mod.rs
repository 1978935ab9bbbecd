//! The C structures of MariaDB's plugin interfaces (x86-64 and every other LP64 system).
//!
//! Offsets were measured on 10.11 and 11.8, and are asserted here. Where the two series differ, both shapes stand side
//! by side.

mod encryption;
mod functions;
mod information_schema;
mod plugin;
mod status;
mod variables;

use std::cell::UnsafeCell;

pub use encryption::{
    DECRYPT, ENCRYPT, ENCRYPTION_INTERFACE_VERSION, Encryption, KEY_BUFFER_TOO_SMALL, KEY_VERSION_INVALID,
    NOPAD, ReturnCode,
};
pub use functions::{
    ARGUMENT_INTEGER, ARGUMENT_TEXT, FUNCTION_MESSAGE_BYTES, FUNCTION_RESULT_BYTES, FunctionArguments,
    FunctionInit,
};
pub use information_schema::{FieldInfo, FillTable, LexString, ResetTable, SchemaTable118, SchemaTable1011};
pub use plugin::{Declaration, License, Maturity, PLUGIN_INTERFACE_VERSION, PluginType};
pub use status::{ShowFunction, ShowType, ShowVariable};
pub use variables::{
    EnumVariable, StringVariable, SwitchVariable, TypeLib, UintVariable, VariableCheck, VariableFlags,
    VariableHeader, VariableUpdate, VariableValue,
};

/// A static that the server reads and writes: it fills in defaults, borrows fields for a while, and never tells.
///
/// It must lie in writable memory, which the cell inside sees to (a server crashed at start on one that did not).
#[repr(transparent)]
pub struct ServerOwned<T>(UnsafeCell<T>);

// SAFETY: Rust code never makes a reference to the content. The server writes it only while it loads or unloads the
// plugin, under its own lock.
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

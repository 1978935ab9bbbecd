//! The error that fails the statement being executed.

use std::ffi::{c_char, c_uint, c_ulong, c_void};
use std::mem::transmute;
use std::ptr::NonNull;

use strongroom_plugin_abi::{symbols, text};

/// `ER_UNKNOWN_ERROR`: the number of errors that have only a text.
const UNKNOWN_ERROR: c_uint = 1105;

/// The server's function for it.
type PrintError = unsafe extern "C" fn(number: c_uint, format: *const c_char, flags: c_ulong, ...);

/// Tells the client of the current statement what went wrong. To be called only on a thread that executes a statement.
pub fn report_error(message: &str) {
    let Some(function) = symbols::find(c"my_printf_error") else {
        return;
    };
    // SAFETY: the symbol is a function of this type in every server that has it.
    let print = unsafe { transmute::<NonNull<c_void>, PrintError>(function) };
    let message = text::to_c(message);
    // SAFETY: the format takes one string, which lives until the call returns.
    unsafe { print(UNKNOWN_ERROR, c"%s".as_ptr(), 0, message.as_ptr()) };
}

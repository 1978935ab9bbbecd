//! Errors, warnings and notes of the statement being executed.

use std::ffi::{c_char, c_uint, c_ulong, c_void};
use std::mem::transmute;
use std::ptr::NonNull;

use strongroom_plugin_abi::{symbols, text};

use super::Log;

/// `ER_UNKNOWN_ERROR`: the number of errors that have only a text.
const UNKNOWN_ERROR: c_uint = 1105;

/// `ME_ERROR_LOG`: the message goes to the error log too.
const ERROR_LOG: c_ulong = 64;
/// `ME_NOTE`: the statement succeeds, and has a note.
const NOTE: c_ulong = 1024;

/// `ME_WARNING`: the statement succeeds, and has a warning.
const WARNING: c_ulong = 2048;

/// The server's function for it.
type PrintError = unsafe extern "C" fn(number: c_uint, format: *const c_char, flags: c_ulong, ...);

/// Tells the client of the current statement what went wrong. To be called only on a thread that executes a statement.
pub fn report_error(message: &str) {
    print(UNKNOWN_ERROR, message, 0);
}

/// Adds a note to the current statement, which succeeds. To be called only on a thread that executes a statement.
pub fn report_note(message: &str) {
    print(UNKNOWN_ERROR, message, NOTE);
}

/// Adds a warning to the current statement, which succeeds. To be called only on a thread that executes a statement.
pub fn report_warning(message: &str) {
    print(UNKNOWN_ERROR, message, WARNING);
}

/// Writes an error into the error log, with the program's name in front as the server's own plugins do, and tells the
/// client if a statement is being executed. Without a server it goes to standard error as `log` writes it.
pub fn log_error(log: Log, number: c_uint, message: &str) {
    if !print(number, message, ERROR_LOG) {
        log.error(message);
    }
}

/// False where the server has no such function.
fn print(number: c_uint, message: &str, flags: c_ulong) -> bool {
    let Some(function) = symbols::find(c"my_printf_error") else {
        return false;
    };
    // SAFETY: the symbol is a function of this type in every server that has it.
    let print = unsafe { transmute::<NonNull<c_void>, PrintError>(function) };
    let message = text::to_c(message);
    // SAFETY: the format takes one string, which lives until the call returns.
    unsafe { print(number, c"%s".as_ptr(), flags, message.as_ptr()) };
    true
}

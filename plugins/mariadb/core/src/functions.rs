//! What functions in SQL have in common.
//!
//! `CREATE FUNCTION` makes a function of the library known to the server, which then calls `…_init` once for a statement and the
//! function itself for each row. Whoever may call a function may call these, so each asks the server whether the user has the `SUPER`
//! privilege, both times, and refuses when the server cannot be asked.

use std::ffi::{c_char, c_int, c_ulong};
use std::ops::RangeInclusive;

use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::pointers;
use strongroom_plugin_abi::text::write_c;

use crate::layout::{FUNCTION_MESSAGE_BYTES, FUNCTION_RESULT_BYTES, FunctionArguments, FunctionInit};
use crate::served;
use crate::server::{Privilege, current_user_has, report_error};

/// What is wrong with a call, for the client.
pub type Refusal = String;

/// Whether the user of the statement may call.
///
/// # Errors
/// The `SUPER` privilege is missing, or the server cannot be asked.
pub fn check_privilege() -> Result<(), Refusal> {
    if current_user_has(Privilege::Super) {
        Ok(())
    } else {
        Err("the SUPER privilege is needed, and the server did not confirm it".to_owned())
    }
}

/// The `…_init` of a function whose arguments shall be converted to these `types`, of which as many are there as `counts` allows. Anything
/// but zero fails the statement with the message.
///
/// # Safety
/// Called by the server with its own structures and a buffer of [`FUNCTION_MESSAGE_BYTES`].
pub unsafe fn init(
    init: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    message: *mut c_char,
    types: &[c_int],
    counts: RangeInclusive<usize>,
    usage: &str,
) -> c_char {
    guard(1, || {
        // SAFETY: the server passes its own structures, with as many types as there are arguments.
        let result = unsafe {
            (|| {
                if init.is_null() || arguments.is_null() || !counts.contains(&((*arguments).count as usize)) {
                    return Err(format!("usage: {usage}"));
                }
                check_privilege()?;
                for (at, wanted) in types.iter().take((*arguments).count as usize).enumerate() {
                    (*arguments).types.add(at).write(*wanted);
                }
                (*init).maybe_null = 1;
                (*init).is_constant = 0;
                (*init).max_length = FUNCTION_RESULT_BYTES as c_ulong;
                Ok(())
            })()
        };
        let Err(refusal) = result else { return 0 };
        // SAFETY: the server promises the buffer.
        if let Some(room) = unsafe { pointers::output(message.cast(), FUNCTION_MESSAGE_BYTES) } {
            write_c(room, &refusal);
        }
        1
    })
}

/// Fails the statement.
///
/// # Safety
/// Unless it is null, `error` is the server's place for a flag.
pub unsafe fn fail(function: &str, refusal: &str, error: *mut u8) {
    report_error(&format!("{function}: {refusal}"));
    // SAFETY: passed on.
    unsafe { pointers::store(error, 1) };
}

/// The result of a function that returns a number, or the failure of the statement.
///
/// # Safety
/// As for [`fail`].
pub unsafe fn number_or_fail(function: &str, result: Result<i64, Refusal>, error: *mut u8) -> i64 {
    result.unwrap_or_else(|refusal| {
        // SAFETY: passed on.
        unsafe { fail(function, &refusal, error) };
        0
    })
}

/// A number among the arguments; `None` for NULL.
///
/// # Safety
/// `arguments` is the server's, and has an argument at `at` that it was told to convert to a number.
#[must_use]
pub unsafe fn number(arguments: *const FunctionArguments, at: usize) -> Option<i64> {
    // SAFETY: the caller promises the argument; a number is a place of eight bytes.
    unsafe {
        let place = (*arguments).values.add(at).read();
        (!place.is_null()).then(|| place.cast::<i64>().read_unaligned())
    }
}

/// A text among the arguments; `None` for NULL.
///
/// # Safety
/// As for [`number`], with a text; it is read only during the call.
#[must_use]
pub unsafe fn text<'a>(arguments: *const FunctionArguments, at: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller promises the argument, and the server keeps the text during the call.
    unsafe {
        let start = (*arguments).values.add(at).read();
        let length = (*arguments).lengths.add(at).read();
        if start.is_null() { None } else { pointers::input(start.cast(), usize::try_from(length).ok()?) }
    }
}

/// The function that loads every key again, as `FLUSH` does, and returns 1.
///
/// # Safety
/// Called by the server after `…_init`; `error` is its place for a flag.
pub unsafe fn reload_keys(function: &str, error: *mut u8) -> i64 {
    guard(0, || {
        if let Err(refusal) = check_privilege() {
            // SAFETY: passed on.
            unsafe { fail(function, &refusal, error) };
            return 0;
        }
        if served::reload_for_statement() {
            return 1;
        }
        // SAFETY: the server passes a place for the flag. It has been told why.
        unsafe { pointers::store(error, 1) };
        0
    })
}

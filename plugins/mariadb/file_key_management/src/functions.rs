//! Three functions for SQL: `file_key_management_generate_key(bits)`, `file_key_management_save_key_version(id, version,
//! hex)` and `file_key_management_reload_keys()`.
//!
//! `CREATE FUNCTION` makes them known to the server, which then calls `…_init` once for a statement and the function itself
//! for each row. Whoever may call a function may call these, so each asks the server whether the user has the `SUPER`
//! privilege, both times, and refuses when the server cannot be asked.

use std::ffi::{c_char, c_int, c_ulong};
use std::ptr;

use strongroom_keyring::key_file::{append, text};
use strongroom_keyring::versions::{KeyId, KeyVersion};
use strongroom_mariadb_core::layout::{
    ARGUMENT_INTEGER, ARGUMENT_TEXT, FUNCTION_MESSAGE_BYTES, FUNCTION_RESULT_BYTES, FunctionArguments,
    FunctionInit,
};
use strongroom_mariadb_core::served;
use strongroom_mariadb_core::server::{Privilege, current_user_has, report_error};
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::pointers;
use strongroom_plugin_abi::text::write_c;

use crate::{LOG, source, variables};

/// What is wrong with a call, for the client.
type Refusal = String;

fn check_privilege() -> Result<(), Refusal> {
    if current_user_has(Privilege::Super) {
        Ok(())
    } else {
        Err("the SUPER privilege is needed, and the server did not confirm it".to_owned())
    }
}

/// # Safety
/// Called by the server with its own structures and a buffer of [`FUNCTION_MESSAGE_BYTES`].
unsafe fn init(
    init: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    message: *mut c_char,
    types: &[c_int],
    usage: &str,
) -> c_char {
    guard(1, || {
        // SAFETY: the server passes its own structures, with as many types as there are arguments.
        let result = unsafe {
            (|| {
                if init.is_null() || arguments.is_null() || (*arguments).count as usize != types.len() {
                    return Err(format!("usage: {usage}"));
                }
                check_privilege()?;
                for (at, wanted) in types.iter().enumerate() {
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
unsafe fn fail(function: &str, refusal: &str, error: *mut u8) {
    report_error(&format!("{function}: {refusal}"));
    // SAFETY: passed on.
    unsafe { pointers::store(error, 1) };
}

/// A number among the arguments; `None` for NULL.
///
/// # Safety
/// `arguments` is the server's, and has an argument at `at` that it was told to convert to a number.
unsafe fn number(arguments: *const FunctionArguments, at: usize) -> Option<i64> {
    // SAFETY: the caller promises the argument; a number is a place of eight bytes.
    unsafe {
        let place = (*arguments).values.add(at).read();
        (!place.is_null()).then(|| place.cast::<i64>().read_unaligned())
    }
}

/// The key that a text among the arguments spells.
///
/// # Safety
/// As for [`number`], with a text.
unsafe fn hex_argument<'a>(arguments: *const FunctionArguments, at: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller promises the argument, and the server keeps the text during the call.
    unsafe {
        let start = (*arguments).values.add(at).read();
        let length = (*arguments).lengths.add(at).read();
        if start.is_null() { None } else { pointers::input(start.cast(), usize::try_from(length).ok()?) }
    }
}

const GENERATE: &str = "file_key_management_generate_key";
const SAVE: &str = "file_key_management_save_key_version";
const RELOAD: &str = "file_key_management_reload_keys";

/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn file_key_management_generate_key_init(
    function: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    message: *mut c_char,
) -> c_char {
    let usage = "file_key_management_generate_key(128 | 192 | 256)";
    // SAFETY: passed on.
    unsafe { init(function, arguments, message, &[ARGUMENT_INTEGER], usage) }
}

/// A new random key, in hexadecimal digits.
///
/// # Safety
/// Called by the server after `…_init`, with a buffer of [`FUNCTION_RESULT_BYTES`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn file_key_management_generate_key(
    _function: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    result: *mut c_char,
    length: *mut c_ulong,
    _is_null: *mut u8,
    error: *mut u8,
) -> *mut c_char {
    guard(ptr::null_mut(), || {
        let made = (|| {
            check_privilege()?;
            // SAFETY: `init` has seen to one number.
            let bits = unsafe { number(arguments, 0) }.and_then(|bits| u64::try_from(bits).ok());
            append::generate(bits.unwrap_or(0)).map_err(|error| match error {
                append::AppendError::Length(_) => "a key has 128, 192 or 256 bits".to_owned(),
                other => other.to_string(),
            })
        })();
        match made {
            Ok(key) => {
                let digits = text::hex(&key);
                // SAFETY: the server promises the buffer, which is longer than the longest key has digits.
                unsafe {
                    let Some(room) = pointers::output(result.cast(), FUNCTION_RESULT_BYTES) else {
                        return ptr::null_mut();
                    };
                    room[..digits.len()].copy_from_slice(&digits);
                    pointers::store(length, digits.len() as c_ulong);
                }
                result
            }
            Err(refusal) => {
                // SAFETY: passed on.
                unsafe { fail(GENERATE, &refusal, error) };
                ptr::null_mut()
            }
        }
    })
}

/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn file_key_management_save_key_version_init(
    function: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    message: *mut c_char,
) -> c_char {
    let types = [ARGUMENT_INTEGER, ARGUMENT_INTEGER, ARGUMENT_TEXT];
    let usage = "file_key_management_save_key_version(key id, version, key in hexadecimal digits)";
    // SAFETY: passed on.
    unsafe { init(function, arguments, message, &types, usage) }
}

/// Adds a version of a key to the file, and returns 1. The keys in use stay as they are until they are reloaded.
///
/// # Safety
/// Called by the server after `…_init`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn file_key_management_save_key_version(
    _function: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    _is_null: *mut u8,
    error: *mut u8,
) -> i64 {
    guard(0, || {
        let saved = (|| {
            check_privilege()?;
            if !variables::key_writes_are_allowed() {
                return Err(
                    "file_key_management_allow_key_writes is OFF; the server must be started with it"
                        .to_owned(),
                );
            }
            let file = source::file().ok_or("no keys are being served")?;
            // SAFETY: `init` has seen to two numbers and a text.
            let (id, version, digits) =
                unsafe { (number(arguments, 0), number(arguments, 1), hex_argument(arguments, 2)) };
            let id = id.and_then(|id| u32::try_from(id).ok()).map(KeyId);
            let id = id.filter(|id| id.0 > 0).ok_or("a key id is 1 to 4294967295")?;
            let version = version.and_then(|version| u32::try_from(version).ok()).and_then(KeyVersion::new);
            let version = version.ok_or("a version is 1 to 4294967294")?;
            let key =
                digits.and_then(text::key_from_hex).ok_or("a key has 32, 48 or 64 hexadecimal digits")?;
            file.append(id, version, &key).map_err(|error| error.to_string())?;
            LOG.note(&format!("version {version} of key {id} was added to the key file"));
            Ok(())
        })();
        match saved {
            Ok(()) => 1,
            Err(refusal) => {
                // SAFETY: passed on.
                unsafe { fail(SAVE, &refusal, error) };
                0
            }
        }
    })
}

/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn file_key_management_reload_keys_init(
    function: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    message: *mut c_char,
) -> c_char {
    // SAFETY: passed on.
    unsafe { init(function, arguments, message, &[], "file_key_management_reload_keys()") }
}

/// Reads the key file again, as `FLUSH FILE_KEY_MANAGEMENT_KEYS` does, and returns 1.
///
/// # Safety
/// Called by the server after `…_init`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn file_key_management_reload_keys(
    _function: *mut FunctionInit,
    _arguments: *mut FunctionArguments,
    _is_null: *mut u8,
    error: *mut u8,
) -> i64 {
    guard(0, || {
        if let Err(refusal) = check_privilege() {
            // SAFETY: passed on.
            unsafe { fail(RELOAD, &refusal, error) };
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

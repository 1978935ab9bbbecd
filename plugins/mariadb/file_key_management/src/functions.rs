//! Three functions for SQL: `file_key_management_generate_key(bits)`, `file_key_management_save_key_version(id, version,
//! hex)` and `file_key_management_reload_keys()`.
//!
//! Each asks the server whether the user has the `SUPER` privilege: see [`strongroom_mariadb_core::functions`].

use std::ffi::{c_char, c_ulong};
use std::ptr;

use strongroom_key_versions::key_file::{append, text};
use strongroom_key_versions::versions::{KeyId, KeyVersion};
use strongroom_mariadb_core::functions::{self, check_privilege, fail, init, number, number_or_fail};
use strongroom_mariadb_core::layout::{
    ARGUMENT_INTEGER, ARGUMENT_TEXT, FUNCTION_RESULT_BYTES, FunctionArguments, FunctionInit,
};
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::pointers;

use crate::{LOG, source, variables};

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
    unsafe { init(function, arguments, message, &[ARGUMENT_INTEGER], 1..=1, usage) }
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
    unsafe { init(function, arguments, message, &types, 3..=3, usage) }
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
                unsafe { (number(arguments, 0), number(arguments, 1), functions::text(arguments, 2)) };
            let id = id.and_then(|id| u32::try_from(id).ok()).map(KeyId);
            let id = id.filter(|id| id.0 > 0).ok_or("a key id is 1 to 4294967295")?;
            let version = version.and_then(|version| u32::try_from(version).ok()).and_then(KeyVersion::new);
            let version = version.ok_or("a version is 1 to 4294967294")?;
            let key =
                digits.and_then(text::key_from_hex).ok_or("a key has 32, 48 or 64 hexadecimal digits")?;
            file.append(id, version, &key).map_err(|error| error.to_string())?;
            LOG.note(&format!("version {version} of key {id} was added to the key file"));
            Ok(1)
        })();
        // SAFETY: passed on.
        unsafe { number_or_fail(SAVE, saved, error) }
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
    unsafe { init(function, arguments, message, &[], 0..=0, "file_key_management_reload_keys()") }
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
    // SAFETY: passed on.
    unsafe { functions::reload_keys(RELOAD, error) }
}

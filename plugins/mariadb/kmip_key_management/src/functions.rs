//! Two functions for SQL: `kmip_key_management_rotate_key(id, step)` and `kmip_key_management_reload_keys()`.
//!
//! Each asks the server whether the user has the `SUPER` privilege: see [`strongroom_mariadb_core::functions`].

use std::ffi::c_char;

use strongroom_keyring::versions::{DEFAULT_STEP, KeyId};
use strongroom_mariadb_core::functions::{self, Refusal, check_privilege, init, number, number_or_fail};
use strongroom_mariadb_core::layout::{ARGUMENT_INTEGER, FunctionArguments, FunctionInit};
use strongroom_mariadb_core::served;
use strongroom_mariadb_core::server::report_warning;
use strongroom_plugin_abi::boundary::guard;

use crate::{LOG, source, variables};

const ROTATE: &str = "kmip_key_management_rotate_key";
const RELOAD: &str = "kmip_key_management_reload_keys";

/// The widest step between versions that a statement may ask for, as the command has it.
const STEP_MAX: u32 = 1_000_000;

/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn kmip_key_management_rotate_key_init(
    function: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    message: *mut c_char,
) -> c_char {
    let usage = "kmip_key_management_rotate_key(key id [, step between versions])";
    // SAFETY: passed on.
    unsafe { init(function, arguments, message, &[ARGUMENT_INTEGER; 2], 1..=2, usage) }
}

/// Makes a new version of a key on the KMIP server, loads it, and returns its number.
///
/// # Safety
/// Called by the server after `…_init`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn kmip_key_management_rotate_key(
    _function: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    _is_null: *mut u8,
    error: *mut u8,
) -> i64 {
    guard(0, || {
        // SAFETY: `init` has seen to one number or two.
        let (id, step) = unsafe {
            let has_step = (*arguments).count > 1;
            (number(arguments, 0), if has_step { number(arguments, 1) } else { Some(DEFAULT_STEP.into()) })
        };
        // SAFETY: passed on.
        unsafe { number_or_fail(ROTATE, rotate(id, step), error) }
    })
}

fn rotate(id: Option<i64>, step: Option<i64>) -> Result<i64, Refusal> {
    check_privilege()?;
    if !variables::key_writes_are_allowed() {
        return Err(
            "kmip_key_management_allow_key_writes is OFF; the server must be started with it".to_owned()
        );
    }
    let id = id.and_then(|id| u32::try_from(id).ok()).filter(|&id| id > 0).map(KeyId);
    let id = id.ok_or("a key id is 1 to 4294967295")?;
    let step = step.and_then(|step| u32::try_from(step).ok()).filter(|step| (1..=STEP_MAX).contains(step));
    let step = step.ok_or_else(|| format!("a step is 1 to {STEP_MAX}"))?;
    let keys = source::keys().ok_or("no keys are being served")?;
    let in_use = served::service().and_then(|service| service.snapshot().latest(id));
    let version = match in_use {
        Some(in_use) => keys.rotate_in_use(id, step, in_use),
        None => keys.rotate(id, step),
    };
    let version = version.map_err(|error| error.to_string())?;
    LOG.note(&format!("version {version} of key {id} was made on the KMIP server"));
    if step < DEFAULT_STEP {
        report_warning(
            "InnoDB re-encrypts only pages that are more than innodb_encryption_rotate_key_age versions behind; with its default of 1, a step of 1 re-encrypts nothing",
        );
    }
    if let Err(fault) = served::reload() {
        // The version is made all the same, and the next refresh finds it.
        report_warning(&fault);
    }
    Ok(version.number().into())
}

/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn kmip_key_management_reload_keys_init(
    function: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    message: *mut c_char,
) -> c_char {
    // SAFETY: passed on.
    unsafe { init(function, arguments, message, &[], 0..=0, "kmip_key_management_reload_keys()") }
}

/// Loads every key again, as `FLUSH KMIP_KEY_MANAGEMENT_KEYS` does, and returns 1.
///
/// # Safety
/// Called by the server after `…_init`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn kmip_key_management_reload_keys(
    _function: *mut FunctionInit,
    _arguments: *mut FunctionArguments,
    _is_null: *mut u8,
    error: *mut u8,
) -> i64 {
    // SAFETY: passed on.
    unsafe { functions::reload_keys(RELOAD, error) }
}

//! Status variables: what the plugin knows of itself and of its key server.

use std::ffi::{c_int, c_void};

use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::{pointers, text};

use crate::keys::KeyService;
use crate::layout::{ShowType, ShowVariable};
use crate::served;

/// How many keys are served.
///
/// # Safety
/// Called by the server, with a variable to fill in and a buffer of [`ShowVariable::BUFFER_BYTES`].
pub unsafe extern "C" fn keys(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    // SAFETY: passed on.
    unsafe { number(out, buffer, |service| service.snapshot().keys() as u64) }
}

/// How many versions are served, of all keys together.
///
/// # Safety
/// As [`keys`].
pub unsafe extern "C" fn versions(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    // SAFETY: passed on.
    unsafe { number(out, buffer, |service| service.snapshot().versions() as u64) }
}

/// Seconds since the key server last gave a usable answer.
///
/// # Safety
/// As [`keys`].
pub unsafe extern "C" fn seconds_since_contact(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    // SAFETY: passed on.
    unsafe { number(out, buffer, |service| service.health().1.as_secs()) }
}

/// `OK`, or why the key server gave no usable answer the last time.
///
/// # Safety
/// As [`keys`].
pub unsafe extern "C" fn last_refresh(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    guard(1, || {
        let outcome = served::service().map_or_else(String::new, |service| service.health().0);
        // SAFETY: the server promises the buffer.
        let Some(room) = (unsafe { pointers::output(buffer.cast(), ShowVariable::BUFFER_BYTES) }) else {
            return 1;
        };
        text::write_c(room, &outcome);
        // SAFETY: the buffer holds a C string now.
        unsafe { fill(out, buffer, ShowType::Text) };
        0
    })
}

/// # Safety
/// As [`keys`].
unsafe fn number(
    out: *mut ShowVariable,
    buffer: *mut c_void,
    value: impl FnOnce(&KeyService) -> u64,
) -> c_int {
    guard(1, || {
        let value = served::service().map_or(0, |service| value(&service));
        // SAFETY: the server's buffer has room for a number, and bytes need no alignment.
        unsafe {
            pointers::store(buffer.cast(), value.to_ne_bytes());
            fill(out, buffer, ShowType::UnsignedLongLong);
        }
        0
    })
}

/// # Safety
/// Unless it is null, `out` is the server's variable to fill in.
unsafe fn fill(out: *mut ShowVariable, buffer: *mut c_void, show_type: ShowType) {
    if !out.is_null() {
        // SAFETY: not null; the rest is the caller's promise.
        unsafe {
            (*out).value = buffer;
            (*out).show_type = show_type as c_int;
        }
    }
}

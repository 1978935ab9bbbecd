//! `keyring_load`, `keyring_component_status` and `keyring_component_metadata_query`.

use std::ffi::{OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::{pointers, text};

use super::{DONE, FAILED, NAME_TEXT, NO, SERVICE, YES, status};
use crate::config::Configuration;
use crate::handle::{self, Cursor};
use crate::layout::services::{KeyringComponentMetadataQuery, KeyringComponentStatus, KeyringLoad};
use crate::service::status::Row;

pub(super) static LOAD: KeyringLoad = KeyringLoad { load };
pub(super) static STATUS: KeyringComponentStatus = KeyringComponentStatus { is_initialized };
pub(super) static METADATA: KeyringComponentMetadataQuery =
    KeyringComponentMetadataQuery { init, deinit, is_valid, next, lengths, get };

type Rows = Cursor<Row>;

/// # Safety
/// Each path is null or a text that a zero byte ends.
unsafe extern "C" fn load(component_path: *const c_char, instance_path: *const c_char) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promise.
        let (component, instance) =
            unsafe { (text::bytes_from_c(component_path), text::bytes_from_c(instance_path)) };
        let Some(component) = component else {
            return FAILED;
        };
        let path = |bytes| Path::new(OsStr::from_bytes(bytes));
        let instance = instance.filter(|path| !path.is_empty()).map(path);
        status(SERVICE.load(Configuration::read(NAME_TEXT, path(component), instance)))
    })
}

unsafe extern "C" fn is_initialized() -> c_int {
    guard(NO, || if SERVICE.is_usable() { YES } else { NO })
}

/// # Safety
/// `iterator` is null or a place for a pointer.
unsafe extern "C" fn init(iterator: *mut *mut c_void) -> c_int {
    guard(FAILED, || {
        if iterator.is_null() {
            return FAILED;
        }
        let rows = Rows::new(SERVICE.status(NAME_TEXT));
        // SAFETY: the server's place.
        unsafe { pointers::store(iterator, handle::give(rows)) };
        DONE
    })
}

/// # Safety
/// `iterator` is null or comes from [`init`] and is not used any more.
unsafe extern "C" fn deinit(iterator: *mut c_void) -> c_int {
    // SAFETY: the server's promise.
    guard(FAILED, || if unsafe { handle::take::<Rows>(iterator) } { DONE } else { FAILED })
}

/// # Safety
/// `iterator` is null or comes from [`init`].
unsafe extern "C" fn is_valid(iterator: *mut c_void) -> c_int {
    guard(NO, || {
        // SAFETY: the server's promise.
        let rows = unsafe { handle::borrow::<Rows>(iterator) };
        if rows.is_some_and(|rows| rows.item().is_some()) { YES } else { NO }
    })
}

/// # Safety
/// `iterator` is null or comes from [`init`].
unsafe extern "C" fn next(iterator: *mut c_void) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promise.
        let rows = unsafe { handle::borrow::<Rows>(iterator) };
        if rows.is_some_and(Rows::advance) { DONE } else { FAILED }
    })
}

/// # Safety
/// `iterator` is null or comes from [`init`]; the places are null or take a number.
unsafe extern "C" fn lengths(iterator: *mut c_void, key_bytes: *mut usize, value_bytes: *mut usize) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promise.
        let rows = unsafe { handle::borrow::<Rows>(iterator) };
        let Some((key, value)) = rows.and_then(|rows| rows.item()) else {
            return FAILED;
        };
        if key_bytes.is_null() || value_bytes.is_null() {
            return FAILED;
        }
        // SAFETY: the server's places.
        unsafe {
            pointers::store(key_bytes, key.len() + 1);
            pointers::store(value_bytes, value.len() + 1);
        }
        DONE
    })
}

/// # Safety
/// `iterator` is null or comes from [`init`]; the buffers are null or have the room named.
unsafe extern "C" fn get(
    iterator: *mut c_void,
    key: *mut c_char,
    key_room: usize,
    value: *mut c_char,
    value_room: usize,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promise.
        let rows = unsafe { handle::borrow::<Rows>(iterator) };
        let Some((row_key, row_value)) = rows.and_then(|rows| rows.item()) else {
            return FAILED;
        };
        // SAFETY: the server's buffers, which do not overlap.
        let places = unsafe { (place(key, key_room), place(value, value_room)) };
        match places {
            (Some(key), Some(value)) if key.len() > row_key.len() && value.len() > row_value.len() => {
                text::write_c(key, row_key);
                text::write_c(value, row_value);
                DONE
            }
            _ => FAILED,
        }
    })
}

/// # Safety
/// As for [`pointers::output`].
unsafe fn place<'a>(start: *mut c_char, room: usize) -> Option<&'a mut [u8]> {
    if ptr::eq(start, ptr::null_mut()) {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { pointers::output(start.cast(), room) }
}

//! `keyring_reader_with_status`.
//!
//! The caller copies what `lengths` announced into buffers of a fixed size, so no key here is longer than
//! [`MAX_SECRET_BYTES`](strongroom_keyring::key::MAX_SECRET_BYTES) and no type's name longer than `SECRET`, whatever the key server
//! gave: the keyring refuses it before.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use strongroom_keyring::Key;
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::pointers;

use super::{DONE, FAILED, SERVICE, asked};
use crate::handle;
use crate::layout::services::KeyringReaderWithStatus;

pub(super) static READER: KeyringReaderWithStatus = KeyringReaderWithStatus { init, deinit, lengths, fetch };

/// A key stays as it was when it was asked for, until the reader ends.
type Reader = Arc<Key>;

/// # Safety
/// Each text is null or ends with a zero byte; `reader` is null or a place for a pointer.
unsafe extern "C" fn init(data_id: *const c_char, auth_id: *const c_char, reader: *mut *mut c_void) -> c_int {
    guard(FAILED, || {
        if reader.is_null() {
            return FAILED;
        }
        // SAFETY: the server's place.
        unsafe { pointers::store(reader, ptr::null_mut()) };
        // The server's own component calls a key without an id absent, and not a mistake.
        if data_id.is_null() {
            return DONE;
        }
        // SAFETY: the server's texts.
        let fetched = SERVICE.fetch(unsafe { asked(data_id, auth_id) });
        match fetched {
            Ok(Some(key)) => {
                // SAFETY: the server's place.
                unsafe { pointers::store(reader, handle::give::<Reader>(key)) };
                DONE
            }
            Ok(None) => DONE,
            Err(_) => FAILED,
        }
    })
}

/// # Safety
/// `reader` is null or comes from [`init`] and is not used any more.
unsafe extern "C" fn deinit(reader: *mut c_void) -> c_int {
    // SAFETY: the server's promise.
    guard(FAILED, || if unsafe { handle::take::<Reader>(reader) } { DONE } else { FAILED })
}

/// # Safety
/// `reader` is null or comes from [`init`]; the places are null or take a number.
unsafe extern "C" fn lengths(reader: *mut c_void, data_bytes: *mut usize, type_bytes: *mut usize) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promise.
        let Some(key) = (unsafe { handle::borrow::<Reader>(reader) }) else {
            return FAILED;
        };
        if data_bytes.is_null() || type_bytes.is_null() {
            return FAILED;
        }
        // SAFETY: the server's places.
        unsafe {
            pointers::store(data_bytes, key.material.len());
            pointers::store(type_bytes, key.kind.to_string().len());
        }
        DONE
    })
}

/// # Safety
/// `reader` is null or comes from [`init`]; the buffers are null or have the room named; the places are null or take a number.
unsafe extern "C" fn fetch(
    reader: *mut c_void,
    data: *mut u8,
    data_room: usize,
    data_bytes: *mut usize,
    data_type: *mut c_char,
    type_room: usize,
    type_bytes: *mut usize,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promise.
        let Some(key) = (unsafe { handle::borrow::<Reader>(reader) }) else {
            return FAILED;
        };
        let (bytes, kind) = (key.material.as_bytes(), key.kind.to_string());
        let kind = kind.as_bytes();
        if data.is_null() || data_type.is_null() || data_room < bytes.len() || type_room < kind.len() {
            return FAILED;
        }
        // SAFETY: the server's buffers, which do not overlap and have at least this room. No zero byte follows the type's name: the
        // server's own callers leave no room for it.
        unsafe {
            let (Some(data), Some(data_type)) =
                (pointers::output(data, bytes.len()), pointers::output(data_type.cast(), kind.len()))
            else {
                return FAILED;
            };
            data.copy_from_slice(bytes);
            data_type.copy_from_slice(kind);
            pointers::store(data_bytes, bytes.len());
            pointers::store(type_bytes, kind.len());
        }
        DONE
    })
}

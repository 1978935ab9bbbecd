//! `keyring_keys_metadata_iterator` and `mysql_keyring_native_key_id`.

use std::ffi::{c_char, c_int, c_void};

use strongroom_keyring::KeyName;
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::pointers;

use super::{DONE, FAILED, NO, SERVICE, YES, asked};
use crate::handle::{self, Cursor};
use crate::layout::services::{KeyringKeysMetadataIterator, MysqlKeyringNativeKeyId};

pub(super) static ITERATOR: KeyringKeysMetadataIterator =
    KeyringKeysMetadataIterator { init, deinit, is_valid, next, lengths, get };
pub(super) static NATIVE_KEY_ID: MysqlKeyringNativeKeyId = MysqlKeyringNativeKeyId { identifier };

type Names = Cursor<KeyName>;

/// # Safety
/// `iterator` is null or a place for a pointer.
unsafe extern "C" fn init(iterator: *mut *mut c_void) -> c_int {
    guard(FAILED, || {
        if iterator.is_null() {
            return FAILED;
        }
        let Ok(names) = SERVICE.names() else {
            return FAILED;
        };
        // SAFETY: the server's place.
        unsafe { pointers::store(iterator, handle::give(Names::new(names))) };
        DONE
    })
}

/// # Safety
/// `iterator` is null or comes from [`init`] and is not used any more.
unsafe extern "C" fn deinit(iterator: *mut c_void) -> c_int {
    // SAFETY: the server's promise.
    guard(FAILED, || if unsafe { handle::take::<Names>(iterator) } { DONE } else { FAILED })
}

/// # Safety
/// `iterator` is null or comes from [`init`].
unsafe extern "C" fn is_valid(iterator: *mut c_void) -> c_int {
    guard(NO, || {
        // SAFETY: the server's promise.
        let names = unsafe { handle::borrow::<Names>(iterator) };
        if names.is_some_and(|names| names.item().is_some()) { YES } else { NO }
    })
}

/// # Safety
/// `iterator` is null or comes from [`init`].
unsafe extern "C" fn next(iterator: *mut c_void) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promise.
        let names = unsafe { handle::borrow::<Names>(iterator) };
        if names.is_some_and(Names::advance) { DONE } else { FAILED }
    })
}

/// # Safety
/// `iterator` is null or comes from [`init`]; the places are null or take a number.
unsafe extern "C" fn lengths(
    iterator: *mut c_void,
    data_id_bytes: *mut usize,
    auth_id_bytes: *mut usize,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promise.
        let names = unsafe { handle::borrow::<Names>(iterator) };
        let Some(name) = names.and_then(|names| names.item()) else {
            return FAILED;
        };
        if data_id_bytes.is_null() || auth_id_bytes.is_null() {
            return FAILED;
        }
        // SAFETY: the server's places.
        unsafe {
            pointers::store(data_id_bytes, name.id().len());
            pointers::store(auth_id_bytes, name.owner().unwrap_or_default().len());
        }
        DONE
    })
}

/// # Safety
/// `iterator` is null or comes from [`init`]; the buffers are null or have the room named.
unsafe extern "C" fn get(
    iterator: *mut c_void,
    data_id: *mut c_char,
    data_id_room: usize,
    auth_id: *mut c_char,
    auth_id_room: usize,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promise.
        let names = unsafe { handle::borrow::<Names>(iterator) };
        let Some(name) = names.and_then(|names| names.item()) else {
            return FAILED;
        };
        // SAFETY: the server's buffers, which do not overlap.
        let copied = unsafe {
            copy(name.id(), data_id, data_id_room)
                && copy(name.owner().unwrap_or_default(), auth_id, auth_id_room)
        };
        if copied { DONE } else { FAILED }
    })
}

/// # Safety
/// The key's texts are null or end with a zero byte; `buffer` is null or has `room` bytes.
unsafe extern "C" fn identifier(
    key_id: *const c_char,
    user_id: *const c_char,
    buffer: *mut c_char,
    room: usize,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's texts and buffer. The caller shows what is in the buffer even when it was told of a failure.
        unsafe {
            copy("", buffer, room);
            match SERVICE.identifier(asked(key_id, user_id)) {
                Ok(Some(identifier)) if copy(&identifier, buffer, room) => DONE,
                _ => FAILED,
            }
        }
    })
}

/// Copies a text, with a zero byte where there is room for it; `false` where there is no room for the text.
///
/// # Safety
/// `buffer` is null or has `room` bytes that are ours to write.
unsafe fn copy(text: &str, buffer: *mut c_char, room: usize) -> bool {
    if buffer.is_null() {
        return false;
    }
    // SAFETY: the caller's promise.
    let Some(buffer) = (unsafe { pointers::output(buffer.cast::<u8>(), room) }) else {
        return false;
    };
    let Some(place) = buffer.get_mut(..text.len()) else {
        return false;
    };
    place.copy_from_slice(text.as_bytes());
    if let Some(end) = buffer.get_mut(text.len()) {
        *end = 0;
    }
    true
}

//! The functions that the server calls for keys (`st_mysql_keyring`).

use std::ffi::{CString, c_char, c_void};
use std::ptr;

use strongroom_keyring::KeyName;
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::{pointers, text};

use super::{SERVICE, allocate, free};
use crate::handle::{self, Cursor};
use crate::layout::ServerOwned;
use crate::layout::plugin::{KEYRING_INTERFACE_VERSION, Keyring};
use crate::service::keys::Asked;
use crate::version::ServerVersion;

pub(super) static KEYRING: ServerOwned<Keyring> = ServerOwned::new(Keyring {
    interface_version: KEYRING_INTERFACE_VERSION,
    store,
    fetch,
    remove,
    generate,
    iterator_init,
    iterator_deinit,
    iterator_next,
});

const DONE: bool = false;
const FAILED: bool = true;

type Names = Cursor<KeyName>;

/// # Safety
/// As for [`text::bytes_from_c`], for each of the two.
unsafe fn asked<'a>(id: *const c_char, user: *const c_char) -> Asked<'a> {
    // SAFETY: the caller's promise.
    unsafe { Asked { id: text::bytes_from_c(id), owner: text::bytes_from_c(user) } }
}

/// # Safety
/// Each text is null or ends with a zero byte; `key` is null or has `bytes` bytes.
unsafe extern "C" fn store(
    id: *const c_char,
    key_type: *const c_char,
    user: *const c_char,
    key: *const c_void,
    bytes: usize,
) -> bool {
    guard(FAILED, || {
        // SAFETY: the server's texts and bytes.
        let (asked, kind, key) = unsafe {
            (asked(id, user), text::bytes_from_c(key_type), pointers::input(key.cast::<u8>(), bytes))
        };
        SERVICE.store(asked, kind, key).is_err()
    })
}

/// # Safety
/// Each text is null or ends with a zero byte; the places are null or take their values.
unsafe extern "C" fn fetch(
    id: *const c_char,
    key_type: *mut *mut c_char,
    user: *const c_char,
    key: *mut *mut c_void,
    bytes: *mut usize,
) -> bool {
    guard(FAILED, || {
        if key_type.is_null() || key.is_null() || bytes.is_null() {
            return FAILED;
        }
        // SAFETY: the server's places and texts.
        let fetched = unsafe {
            pointers::store(key_type, ptr::null_mut());
            pointers::store(key, ptr::null_mut());
            pointers::store(bytes, 0);
            SERVICE.fetch(asked(id, user))
        };
        let found = match fetched {
            Ok(Some(found)) => found,
            Ok(None) => return DONE,
            Err(_) => return FAILED,
        };
        let kind = CString::new(found.kind.to_string()).unwrap_or_default();
        let (kind, copy) = (allocate(kind.as_bytes_with_nul()), allocate(found.material.as_bytes()));
        if kind.is_null() || copy.is_null() {
            SERVICE.log().error("the server has no memory for a key");
            // SAFETY: both come from the server's allocator, where they are not null.
            unsafe {
                free(kind.cast());
                free(copy.cast());
            }
            return FAILED;
        }
        // SAFETY: the server's places. The server frees what is put there.
        unsafe {
            pointers::store(key_type, kind.cast());
            pointers::store(key, copy.cast());
            pointers::store(bytes, found.material.len());
        }
        DONE
    })
}

/// # Safety
/// Each text is null or ends with a zero byte.
unsafe extern "C" fn remove(id: *const c_char, user: *const c_char) -> bool {
    // SAFETY: the server's texts.
    guard(FAILED, || SERVICE.remove(unsafe { asked(id, user) }).is_err())
}

/// # Safety
/// Each text is null or ends with a zero byte.
unsafe extern "C" fn generate(
    id: *const c_char,
    key_type: *const c_char,
    user: *const c_char,
    bytes: usize,
) -> bool {
    guard(FAILED, || {
        // SAFETY: the server's texts.
        let (asked, kind) = unsafe { (asked(id, user), text::bytes_from_c(key_type)) };
        SERVICE.generate(asked, kind, bytes).is_err()
    })
}

/// # Safety
/// `iterator` is null or a place for a pointer.
unsafe extern "C" fn iterator_init(iterator: *mut *mut c_void) {
    guard((), || {
        if iterator.is_null() {
            return;
        }
        let names = SERVICE.names().map_or_else(|_| ptr::null_mut(), |names| handle::give(Names::new(names)));
        // SAFETY: the server's place.
        unsafe { pointers::store(iterator, names) };
    });
}

/// # Safety
/// `iterator` is null or comes from [`iterator_init`] and is not used any more.
unsafe extern "C" fn iterator_deinit(iterator: *mut c_void) {
    guard((), || {
        // SAFETY: the server's promise.
        unsafe { handle::take::<Names>(iterator) };
    });
}

/// # Safety
/// `iterator` is null or comes from [`iterator_init`]; the buffers are null or have the room that [`room`] knows.
unsafe extern "C" fn iterator_next(iterator: *mut c_void, id: *mut c_char, user: *mut c_char) -> bool {
    guard(FAILED, || {
        // SAFETY: the server's promise.
        let Some(names) = (unsafe { handle::borrow::<Names>(iterator) }) else {
            return FAILED;
        };
        let Some(name) = names.item() else {
            return FAILED;
        };
        let room = room(ServerVersion::of_this_process());
        // SAFETY: the server's buffers, which do not overlap.
        let buffers = unsafe { (buffer(id, room), buffer(user, room)) };
        let (Some(id), Some(user)) = buffers else {
            return FAILED;
        };
        text::write_c(id, name.id());
        text::write_c(user, name.owner().unwrap_or_default());
        names.advance();
        DONE
    })
}

/// How many bytes the caller has for an id, and for an owner. The interface does not say: it is 1025 in 9.7 and was less before. What
/// is too long is cut.
fn room(version: Option<ServerVersion>) -> usize {
    match version {
        Some(version) if version >= ServerVersion::new(9, 7, 0) => 1025,
        Some(version) if version >= ServerVersion::new(8, 0, 24) => 256,
        _ => 64,
    }
}

/// # Safety
/// `start` is null or has `room` bytes that are ours to write.
unsafe fn buffer<'a>(start: *mut c_char, room: usize) -> Option<&'a mut [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { pointers::output(start.cast(), room) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_not_known_is_given_no_more_than_the_smallest_buffer_holds() {
        assert_eq!(room(None), 64);
        assert_eq!(room(ServerVersion::parse("5.7.44")), 64);
        assert_eq!(room(ServerVersion::parse("8.0.40")), 256);
        assert_eq!(room(ServerVersion::parse("8.4.3")), 256);
        assert_eq!(room(ServerVersion::parse("9.7.4-2")), 1025);
    }
}

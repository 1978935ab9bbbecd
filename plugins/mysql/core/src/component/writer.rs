//! `keyring_generator` and `keyring_writer`.

use std::ffi::{c_char, c_int};

use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::{pointers, text};

use super::{FAILED, SERVICE, asked, status};
use crate::layout::services::{KeyringGenerator, KeyringWriter};

pub(super) static GENERATOR: KeyringGenerator = KeyringGenerator { generate };
pub(super) static WRITER: KeyringWriter = KeyringWriter { store, remove };

/// # Safety
/// Each text is null or ends with a zero byte.
unsafe extern "C" fn generate(
    data_id: *const c_char,
    auth_id: *const c_char,
    data_type: *const c_char,
    bytes: usize,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's texts.
        let (asked, kind) = unsafe { (asked(data_id, auth_id), text::bytes_from_c(data_type)) };
        status(SERVICE.generate(asked, kind, bytes))
    })
}

/// # Safety
/// Each text is null or ends with a zero byte; `data` is null or has `data_bytes` bytes.
unsafe extern "C" fn store(
    data_id: *const c_char,
    auth_id: *const c_char,
    data: *const u8,
    data_bytes: usize,
    data_type: *const c_char,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's texts and bytes.
        let (asked, kind, data) = unsafe {
            (asked(data_id, auth_id), text::bytes_from_c(data_type), pointers::input(data, data_bytes))
        };
        status(SERVICE.store(asked, kind, data))
    })
}

/// # Safety
/// Each text is null or ends with a zero byte.
unsafe extern "C" fn remove(data_id: *const c_char, auth_id: *const c_char) -> c_int {
    // SAFETY: the server's texts.
    guard(FAILED, || status(SERVICE.remove(unsafe { asked(data_id, auth_id) })))
}

//! The encryption interface, version 3.0.

use std::ffi::{c_int, c_uint, c_void};

use strongroom_plugin_abi::assert_layout;

/// Version of the interface; the same since 10.1.
pub const ENCRYPTION_INTERFACE_VERSION: c_int = 0x0300;

/// "There is no such key", where a key version is expected.
pub const KEY_VERSION_INVALID: c_uint = c_uint::MAX;

/// "The buffer is too small", from `get_key`; the length needed has been written.
pub const KEY_BUFFER_TOO_SMALL: c_uint = 100;

/// Flag of `crypt_ctx_init`: decrypt. It is the absence of [`ENCRYPT`].
pub const DECRYPT: c_int = 0;
/// Flag of `crypt_ctx_init`: encrypt.
pub const ENCRYPT: c_int = 1;
/// Flag of `crypt_ctx_init`: the output must be as long as the input.
pub const NOPAD: c_int = 2;

/// What the crypt functions return. Callers only ask whether it is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum ReturnCode {
    /// Done.
    Ok = 0,
    /// The data is not what this key and mode encrypt.
    BadData = -100,
    /// The key has a length that AES lacks.
    BadKeySize = -102,
}

/// The functions of an encryption plugin.
#[repr(C)]
pub struct Encryption {
    /// [`ENCRYPTION_INTERFACE_VERSION`].
    pub interface_version: c_int,
    /// Latest version of a key, or [`KEY_VERSION_INVALID`]. Called for every page write.
    pub latest_key_version: unsafe extern "C" fn(key_id: c_uint) -> c_uint,
    /// Copies a key out. `key` may be null, and `length` is then uninitialised.
    pub key:
        unsafe extern "C" fn(key_id: c_uint, version: c_uint, key: *mut u8, length: *mut c_uint) -> c_uint,
    /// Bytes of context memory to provide.
    pub context_size: unsafe extern "C" fn(key_id: c_uint, version: c_uint) -> c_uint,
    /// Starts an encryption or decryption in memory that may hold anything.
    pub context_init: unsafe extern "C" fn(
        context: *mut c_void,
        key: *const u8,
        key_len: c_uint,
        iv: *const u8,
        iv_len: c_uint,
        flags: c_int,
        key_id: c_uint,
        version: c_uint,
    ) -> c_int,
    /// Processes data. What `written` points to is garbage on entry.
    pub context_update: unsafe extern "C" fn(
        context: *mut c_void,
        src: *const u8,
        src_len: c_uint,
        dst: *mut u8,
        written: *mut c_uint,
    ) -> c_int,
    /// Writes the end of the data; the context's memory is gone afterwards. Not called when `context_init` failed.
    pub context_finish:
        unsafe extern "C" fn(context: *mut c_void, dst: *mut u8, written: *mut c_uint) -> c_int,
    /// Length of `src_len` bytes once encrypted with padding.
    pub encrypted_length: unsafe extern "C" fn(src_len: c_uint, key_id: c_uint, version: c_uint) -> c_uint,
}

assert_layout!(
    Encryption, size 64,
    interface_version: 0, latest_key_version: 8, key: 16, context_size: 24, context_init: 32,
    context_update: 40, context_finish: 48, encrypted_length: 56,
);

//! The keyring services: tables of functions in the order in which the server calls them by slot.
//!
//! Every function returns an `int`: 0 for success, and for the questions among them (`is_valid`, `is_initialized`) 1 for yes.
//! Handles are pointers of our own, which the server hands back unseen.

use std::ffi::{c_char, c_int, c_void};

use strongroom_plugin_abi::assert_layout;

/// Encrypts or decrypts with a key of the keyring.
pub type AesCrypt = unsafe extern "C" fn(
    data_id: *const c_char,
    auth_id: *const c_char,
    mode: *const c_char,
    block_bits: usize,
    iv: *const u8,
    padding: c_int,
    input: *const u8,
    input_bytes: usize,
    output: *mut u8,
    output_room: usize,
    output_bytes: *mut usize,
) -> c_int;

/// `keyring_aes`: encryption under keys that stay in the keyring.
#[repr(C)]
pub struct KeyringAes {
    /// How many bytes encrypting makes of `input_bytes`.
    pub size: unsafe extern "C" fn(
        input_bytes: usize,
        mode: *const c_char,
        block_bits: usize,
        output_bytes: *mut usize,
    ) -> c_int,
    /// Encrypts.
    pub encrypt: AesCrypt,
    /// Decrypts.
    pub decrypt: AesCrypt,
}

/// `keyring_generator`: new keys.
#[repr(C)]
pub struct KeyringGenerator {
    /// Makes a key of `bytes` bytes.
    pub generate: unsafe extern "C" fn(
        data_id: *const c_char,
        auth_id: *const c_char,
        data_type: *const c_char,
        bytes: usize,
    ) -> c_int,
}

/// `keyring_load`: reads the configuration, at start and for `ALTER INSTANCE RELOAD KEYRING`.
#[repr(C)]
pub struct KeyringLoad {
    /// `component_path` is the plugin directory; `instance_path` the data directory, or null.
    pub load: unsafe extern "C" fn(component_path: *const c_char, instance_path: *const c_char) -> c_int,
}

/// `keyring_keys_metadata_iterator`: which keys there are.
#[repr(C)]
pub struct KeyringKeysMetadataIterator {
    /// Looks at the keyring and stands at its first key.
    pub init: unsafe extern "C" fn(iterator: *mut *mut c_void) -> c_int,
    /// Ends.
    pub deinit: unsafe extern "C" fn(iterator: *mut c_void) -> c_int,
    /// 1 while the iterator stands at a key.
    pub is_valid: unsafe extern "C" fn(iterator: *mut c_void) -> c_int,
    /// Goes on; 1 when there is no further key.
    pub next: unsafe extern "C" fn(iterator: *mut c_void) -> c_int,
    /// Lengths of id and owner, without a final zero byte.
    pub lengths: unsafe extern "C" fn(
        iterator: *mut c_void,
        data_id_bytes: *mut usize,
        auth_id_bytes: *mut usize,
    ) -> c_int,
    /// Copies id and owner, each with a final zero byte.
    pub get: unsafe extern "C" fn(
        iterator: *mut c_void,
        data_id: *mut c_char,
        data_id_room: usize,
        auth_id: *mut c_char,
        auth_id_room: usize,
    ) -> c_int,
}

/// `keyring_component_status`.
#[repr(C)]
pub struct KeyringComponentStatus {
    /// 1 when the keyring can be used.
    pub is_initialized: unsafe extern "C" fn() -> c_int,
}

/// `keyring_component_metadata_query`: the rows of `performance_schema.keyring_component_status`.
#[repr(C)]
pub struct KeyringComponentMetadataQuery {
    /// Takes a look and stands at the first row.
    pub init: unsafe extern "C" fn(iterator: *mut *mut c_void) -> c_int,
    /// Ends.
    pub deinit: unsafe extern "C" fn(iterator: *mut c_void) -> c_int,
    /// 1 while the iterator stands at a row.
    pub is_valid: unsafe extern "C" fn(iterator: *mut c_void) -> c_int,
    /// Goes on; 1 when there is no further row.
    pub next: unsafe extern "C" fn(iterator: *mut c_void) -> c_int,
    /// Lengths of key and value, each with its final zero byte.
    pub lengths:
        unsafe extern "C" fn(iterator: *mut c_void, key_bytes: *mut usize, value_bytes: *mut usize) -> c_int,
    /// Copies key and value, each with a final zero byte.
    pub get: unsafe extern "C" fn(
        iterator: *mut c_void,
        key: *mut c_char,
        key_room: usize,
        value: *mut c_char,
        value_room: usize,
    ) -> c_int,
}

/// `keyring_reader_with_status`: a key's bytes. The status tells "there is no such key" from "nobody knows".
#[repr(C)]
pub struct KeyringReaderWithStatus {
    /// 1 when the keyring could not be asked; 0 with a null handle when there is no such key.
    pub init: unsafe extern "C" fn(
        data_id: *const c_char,
        auth_id: *const c_char,
        reader: *mut *mut c_void,
    ) -> c_int,
    /// Ends.
    pub deinit: unsafe extern "C" fn(reader: *mut c_void) -> c_int,
    /// Lengths of the key and of its type's name, without a final zero byte.
    pub lengths:
        unsafe extern "C" fn(reader: *mut c_void, data_bytes: *mut usize, type_bytes: *mut usize) -> c_int,
    /// Copies the key and its type's name. The server's own callers leave no room for a zero byte after the name.
    pub fetch: unsafe extern "C" fn(
        reader: *mut c_void,
        data: *mut u8,
        data_room: usize,
        data_bytes: *mut usize,
        data_type: *mut c_char,
        type_room: usize,
        type_bytes: *mut usize,
    ) -> c_int,
}

/// `keyring_writer`.
#[repr(C)]
pub struct KeyringWriter {
    /// Keeps a key.
    pub store: unsafe extern "C" fn(
        data_id: *const c_char,
        auth_id: *const c_char,
        data: *const u8,
        data_bytes: usize,
        data_type: *const c_char,
    ) -> c_int,
    /// Destroys a key.
    pub remove: unsafe extern "C" fn(data_id: *const c_char, auth_id: *const c_char) -> c_int,
}

/// `mysql_keyring_native_key_id`: what the back end calls a key.
#[repr(C)]
pub struct MysqlKeyringNativeKeyId {
    /// Copies the back end's identifier of a key into a buffer of `room` bytes.
    pub identifier: unsafe extern "C" fn(
        key_id: *const c_char,
        user_id: *const c_char,
        identifier: *mut c_char,
        room: usize,
    ) -> c_int,
}

assert_layout!(KeyringAes, size 24, size: 0, encrypt: 8, decrypt: 16);
assert_layout!(KeyringGenerator, size 8, generate: 0);
assert_layout!(KeyringLoad, size 8, load: 0);
assert_layout!(
    KeyringKeysMetadataIterator, size 48,
    init: 0, deinit: 8, is_valid: 16, next: 24, lengths: 32, get: 40,
);
assert_layout!(KeyringComponentStatus, size 8, is_initialized: 0);
assert_layout!(
    KeyringComponentMetadataQuery, size 48,
    init: 0, deinit: 8, is_valid: 16, next: 24, lengths: 32, get: 40,
);
assert_layout!(KeyringReaderWithStatus, size 32, init: 0, deinit: 8, lengths: 16, fetch: 24);
assert_layout!(KeyringWriter, size 16, store: 0, remove: 8);
assert_layout!(MysqlKeyringNativeKeyId, size 8, identifier: 0);

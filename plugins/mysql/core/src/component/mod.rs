//! `component_keyring_kmip`: the keyring services that the server calls.
//!
//! | file | services |
//! |---|---|
//! | `load.rs` | `keyring_load`, `keyring_component_status`, `keyring_component_metadata_query` |
//! | `reader.rs` | `keyring_reader_with_status` |
//! | `writer.rs` | `keyring_generator`, `keyring_writer` |
//! | `keys.rs` | `keyring_keys_metadata_iterator`, `mysql_keyring_native_key_id` |
//! | `aes.rs` | `keyring_aes` |
//!
//! The server holds a lock around them, exclusively for whatever changes keys and for loading; reading and listing run side by side. It
//! calls `load` once at the start, before it changes to its own user and before `--daemonize` forks, and ignores its result.

mod aes;
mod keys;
mod load;
mod reader;
mod writer;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::text;

use crate::layout::ServerOwned;
use crate::layout::component::{Component, Metadata, Provided, Required};
use crate::log::Log;
use crate::service::Service;
use crate::service::keys::Asked;

/// What every service function answers for success.
const DONE: c_int = 0;
/// What every service function answers for failure.
const FAILED: c_int = 1;
/// What questions are answered with.
const YES: c_int = 1;
const NO: c_int = 0;

const NAME: &CStr = c"component_keyring_kmip";
/// The same, as text.
const NAME_TEXT: &str = "component_keyring_kmip";

static SERVICE: Service = Service::new(Log { name: NAME_TEXT });

static PROVIDES: ServerOwned<[Provided; 10]> = ServerOwned::new([
    Provided::new(c"keyring_aes.component_keyring_kmip", &aes::AES),
    Provided::new(c"keyring_generator.component_keyring_kmip", &writer::GENERATOR),
    Provided::new(c"keyring_load.component_keyring_kmip", &load::LOAD),
    Provided::new(c"keyring_keys_metadata_iterator.component_keyring_kmip", &keys::ITERATOR),
    Provided::new(c"keyring_component_status.component_keyring_kmip", &load::STATUS),
    Provided::new(c"keyring_component_metadata_query.component_keyring_kmip", &load::METADATA),
    Provided::new(c"keyring_reader_with_status.component_keyring_kmip", &reader::READER),
    Provided::new(c"keyring_writer.component_keyring_kmip", &writer::WRITER),
    Provided::new(c"mysql_keyring_native_key_id.component_keyring_kmip", &keys::NATIVE_KEY_ID),
    Provided::END,
]);

/// Where the server puts what we require. By convention that is the registry, which we have no use for.
static REGISTRY: ServerOwned<*mut c_void> = ServerOwned::new(ptr::null_mut());

static REQUIRES: ServerOwned<[Required; 2]> =
    ServerOwned::new([Required::new(c"registry", REGISTRY.as_ptr()), Required::END]);

static METADATA: ServerOwned<[Metadata; 4]> = ServerOwned::new([
    Metadata::new(c"mysql.author", c"Strongroom"),
    Metadata::new(c"mysql.license", c"MIT OR Apache-2.0"),
    Metadata::new(c"component_keyring_kmip_service", c"1"),
    Metadata::END,
]);

static COMPONENT: ServerOwned<Component> = ServerOwned::new(Component::new(
    NAME,
    PROVIDES.as_ptr().cast(),
    REQUIRES.as_ptr().cast(),
    METADATA.as_ptr().cast(),
    init,
    deinit,
));

/// What `list_components` answers.
#[must_use]
pub const fn declaration() -> *mut Component {
    COMPONENT.as_ptr()
}

/// Nothing is done yet: the server registers the services only after this, and then asks to load.
unsafe extern "C" fn init() -> c_int {
    DONE
}

/// At unload, and in a process that `--daemonize` leaves behind: sessions of another process are left alone.
unsafe extern "C" fn deinit() -> c_int {
    guard(FAILED, || {
        SERVICE.end();
        DONE
    })
}

/// A key as the server names it.
///
/// # Safety
/// Each pointer is null or points to a text that a zero byte ends, which stays while the result lives.
unsafe fn asked<'a>(data_id: *const c_char, auth_id: *const c_char) -> Asked<'a> {
    // SAFETY: the caller's promise.
    unsafe { Asked { id: text::bytes_from_c(data_id), owner: text::bytes_from_c(auth_id) } }
}

/// 0 for success and 1 for failure.
fn status<T, E>(result: Result<T, E>) -> c_int {
    if result.is_ok() { DONE } else { FAILED }
}

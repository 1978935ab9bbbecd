//! `keyring_okv`: the keyring plugin, for servers that load plugins.
//!
//! | file | what it holds |
//! |---|---|
//! | `keyring.rs` | the functions that the server calls for keys |
//! | `conf_dir.rs` | the system variable `keyring_okv_conf_dir` |
//!
//! The library itself declares the symbols that the server looks up, among them pointers that the server replaces by its services.

mod conf_dir;
mod keyring;

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use strongroom_plugin_abi::boundary::guard;

use crate::layout::ServerOwned;
use crate::layout::plugin::{Allocator, Declaration, Lifecycle, SERVICE_VERSION};
use crate::log::{self, Log, PluginLog};
use crate::service::Service;

const NAME: &str = "keyring_okv";

static SERVICE: Service = Service::new(Log { name: NAME });

/// The server's allocator; null where it has none.
static ALLOCATOR: AtomicPtr<Allocator> = AtomicPtr::new(ptr::null_mut());

/// A pointer to a service as the library declares it: the version that it wants.
#[must_use]
pub const fn wanted<T>() -> ServerOwned<*mut T> {
    ServerOwned::new(ptr::without_provenance_mut(SERVICE_VERSION))
}

/// The declaration of the plugin.
#[must_use]
pub const fn declaration(init: Lifecycle, deinit: Lifecycle) -> Declaration {
    Declaration::keyring(
        c"keyring_okv",
        c"Keys from a KMIP server",
        keyring::KEYRING.as_ptr(),
        conf_dir::VARIABLES.as_ptr().cast(),
        init,
        deinit,
    )
}

/// The plugin begins, with what the server made of the library's pointers. It always succeeds: where no keys can be had yet, the server
/// runs, and the variable can be set later.
///
/// # Safety
/// `plugin` is what the server passed to the library's `init`, and the two pointers are what it left in the library's.
pub unsafe fn begin(plugin: *mut c_void, allocator: *mut Allocator, log: *mut PluginLog) -> c_int {
    guard(1, || {
        ALLOCATOR.store(service(allocator), Ordering::Release);
        // SAFETY: the caller's promise.
        unsafe { log::use_plugin_log(service(log), plugin) };
        conf_dir::begin();
        0
    })
}

/// The plugin ends.
///
/// # Safety
/// The server calls none of its functions any more.
pub unsafe fn end() -> c_int {
    guard(1, || {
        conf_dir::end();
        SERVICE.end();
        ALLOCATOR.store(ptr::null_mut(), Ordering::Release);
        // SAFETY: null is allowed.
        unsafe { log::use_plugin_log(ptr::null_mut(), ptr::null_mut()) };
        0
    })
}

/// A service; null where the server has none of this name and left our version number there.
fn service<T>(pointer: *mut T) -> *mut T {
    if pointer.addr() <= SERVICE_VERSION { ptr::null_mut() } else { pointer }
}

/// Memory that the server frees, filled with `bytes`; null where there is none.
fn allocate(bytes: &[u8]) -> *mut u8 {
    let allocator = ALLOCATOR.load(Ordering::Acquire);
    if allocator.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the server's service, and as many bytes as were asked for.
    unsafe {
        let place = ((*allocator).malloc)(0, bytes.len().max(1), 0).cast::<u8>();
        if !place.is_null() {
            place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        place
    }
}

/// Gives memory of [`allocate`], or of the server, back.
///
/// # Safety
/// `place` is null or comes from the server's allocator, and is not used any more.
unsafe fn free(place: *mut c_void) {
    let allocator = ALLOCATOR.load(Ordering::Acquire);
    if !allocator.is_null() && !place.is_null() {
        // SAFETY: the caller's promise.
        unsafe { ((*allocator).free)(place) };
    }
}

//! `keyring_okv`: a keyring plugin that gives MySQL its keys from a KMIP server.
//!
//! The name and its variable are those of the vendor's plugin, so that option files and manuals hold. Everything that the server calls
//! is in `strongroom-mysql-core`; here are the symbols that it looks up.

#![allow(non_upper_case_globals, reason = "the server looks these symbols up by name")]

use std::ffi::{c_int, c_void};

use strongroom_mysql_core::layout::ServerOwned;
use strongroom_mysql_core::layout::plugin::{Allocator, Declaration, PLUGIN_INTERFACE_VERSION};
use strongroom_mysql_core::log::PluginLog;
use strongroom_mysql_core::plugin;

/// Version of the layout of [`_mysql_plugin_declarations_`].
#[unsafe(no_mangle)]
pub static _mysql_plugin_interface_version_: c_int = PLUGIN_INTERFACE_VERSION;

/// Size of one declaration, in bytes.
#[unsafe(no_mangle)]
pub static _mysql_sizeof_struct_st_plugin_: c_int = size_of::<Declaration>() as c_int;

/// The plugins of this library.
#[unsafe(no_mangle)]
pub static _mysql_plugin_declarations_: ServerOwned<[Declaration; 2]> =
    ServerOwned::new([plugin::declaration(init, deinit), Declaration::END]);

/// The version of the allocator that is wanted, until the server puts the allocator here.
#[unsafe(no_mangle)]
pub static mysql_malloc_service: ServerOwned<*mut Allocator> = plugin::wanted();

/// The version of the plugin log that is wanted, until the server puts the log here.
#[unsafe(no_mangle)]
pub static my_plugin_log_service: ServerOwned<*mut PluginLog> = plugin::wanted();

unsafe extern "C" fn init(handle: *mut c_void) -> c_int {
    // SAFETY: the server has filled both pointers in before it initialises the plugin, and passes the plugin's handle.
    unsafe {
        plugin::begin(handle, mysql_malloc_service.as_ptr().read(), my_plugin_log_service.as_ptr().read())
    }
}

unsafe extern "C" fn deinit(_handle: *mut c_void) -> c_int {
    // SAFETY: the server calls this last.
    unsafe { plugin::end() }
}

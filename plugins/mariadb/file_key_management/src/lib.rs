//! `file_key_management`: MariaDB's plugin for keys in a file, with key versions and without restarts.
//!
//! It takes the place of the server's own plugin of this name: the same options, the same files, the same data. The
//! library holds two plugins, `file_key_management` (keys and encryption) and `FILE_KEY_MANAGEMENT_KEYS` (the table of keys
//! and versions, and `FLUSH`), and three functions for SQL (`functions.rs`). Everything the server calls for pages and keys
//! is in `strongroom-mariadb-core`, and the file is `strongroom-keyring`'s; here are the names, the variables
//! (`variables.rs`) and the way from a configuration to keys being served (`source.rs`).

#![allow(non_upper_case_globals, reason = "the server looks these symbols up by name")]

mod functions;
mod source;
mod variables;

use std::ffi::{CStr, c_int, c_void};

use strongroom_mariadb_core::layout::{
    Declaration, PLUGIN_INTERFACE_VERSION, PluginType, ServerOwned, ShowVariable,
};
use strongroom_mariadb_core::server::Log;
use strongroom_mariadb_core::{served, status, table};
use strongroom_plugin_abi::boundary::guard;

const LOG: Log = Log { plugin: "file_key_management" };
const TABLE: &CStr = c"FILE_KEY_MANAGEMENT_KEYS";

static STATUS: ServerOwned<[ShowVariable; 6]> = ServerOwned::new([
    ShowVariable::function(c"file_key_management_keys", status::keys),
    ShowVariable::function(c"file_key_management_versions", status::versions),
    ShowVariable::function(c"file_key_management_version_list", status::version_list),
    ShowVariable::function(c"file_key_management_last_reload", status::last_refresh),
    ShowVariable::function(c"file_key_management_seconds_since_reload", status::seconds_since_contact),
    ShowVariable::END,
]);

/// Version of the layout of [`_maria_plugin_declarations_`].
#[unsafe(no_mangle)]
pub static _maria_plugin_interface_version_: c_int = PLUGIN_INTERFACE_VERSION;

/// Size of one declaration, in bytes.
#[unsafe(no_mangle)]
pub static _maria_sizeof_struct_st_plugin_: c_int = size_of::<Declaration>() as c_int;

/// The plugins of this library.
#[unsafe(no_mangle)]
pub static _maria_plugin_declarations_: ServerOwned<[Declaration; 3]> = ServerOwned::new([
    Declaration::new(
        PluginType::Encryption,
        served::encryption(),
        c"file_key_management",
        c"Encryption keys from a key file, with versions",
        init,
        deinit,
    )
    .with_status(STATUS.as_ptr().cast())
    .with_variables(variables::ALL.as_ptr().cast()),
    Declaration::new(
        PluginType::InformationSchema,
        table::info(),
        TABLE,
        c"Keys and versions of file_key_management",
        init_table,
        table::deinit,
    ),
    Declaration::END,
]);

/// Runs while the library is being loaded, before the server reads the declarations.
// SAFETY: `prepare` uses nothing that the loader has not set up before it runs such functions.
#[used]
#[unsafe(link_section = ".init_array")]
static PREPARE: extern "C" fn() = prepare;

extern "C" fn prepare() {
    table::prepare();
    guard((), variables::prepare);
}

unsafe extern "C" fn init(_plugin: *mut c_void) -> c_int {
    guard(1, || c_int::from(!source::begin(LOG, variables::configuration())))
}

unsafe extern "C" fn deinit(_plugin: *mut c_void) -> c_int {
    guard(1, || {
        source::end();
        0
    })
}

unsafe extern "C" fn init_table(description: *mut c_void) -> c_int {
    // SAFETY: the server passes a description of its own series.
    unsafe { table::init(LOG, TABLE, description) }
}

//! `file_key_management`: MariaDB's plugin for keys in a file, with key versions and without restarts.
//!
//! It takes the place of the server's own plugin of this name: the same options, the same files, the same data. The
//! library holds two plugins, `file_key_management` (keys and encryption) and `FILE_KEY_MANAGEMENT_KEYS` (the table of keys
//! and versions, and `FLUSH`), and three functions for SQL (`functions.rs`). Everything the server calls for pages and keys
//! is in `strongroom-mariadb-core`, and the file is `strongroom-keyring`'s; here are the names, the variables
//! (`variables.rs`) and the way from a configuration to keys being served (`source.rs`).

mod functions;
mod source;
mod variables;

use std::ffi::{CStr, c_int, c_void};

use strongroom_mariadb_core::declare_plugins;
use strongroom_mariadb_core::layout::{Declaration, PluginType, ServerOwned, ShowVariable};
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

declare_plugins!(
    prepare: prepare,
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
);

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

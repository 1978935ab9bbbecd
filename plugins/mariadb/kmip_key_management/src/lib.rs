//! `kmip_key_management`: a plugin that gives MariaDB its encryption keys from a KMIP server, which MariaDB never had.
//!
//! The library holds three plugins: `kmip_key_management` (keys and encryption), `KMIP_KEY_MANAGEMENT_KEYS` (the table of
//! keys and versions, and `FLUSH`) and `KMIP_KEY_MANAGEMENT_VAULTS` (the table of KMIP servers); and two functions for SQL
//! (`functions.rs`). Everything the server calls for pages and keys is in `strongroom-mariadb-core`; here are the names, the
//! variables (`variables.rs`) and the way from a configuration to a source of keys (`source.rs`).

mod functions;
mod source;
mod variables;

use std::ffi::{CStr, c_int, c_void};

use strongroom_mariadb_core::declare_plugins;
use strongroom_mariadb_core::layout::{Declaration, PluginType, ServerOwned, ShowVariable};
use strongroom_mariadb_core::server::Log;
use strongroom_mariadb_core::{served, status, table};
use strongroom_plugin_abi::boundary::guard;

const LOG: Log = Log { plugin: "kmip_key_management" };
const TABLE: &CStr = c"KMIP_KEY_MANAGEMENT_KEYS";
const SERVER_TABLE: &CStr = c"KMIP_KEY_MANAGEMENT_VAULTS";

static STATUS: ServerOwned<[ShowVariable; 9]> = ServerOwned::new([
    ShowVariable::function(c"kmip_key_management_keys", status::keys),
    ShowVariable::function(c"kmip_key_management_versions", status::versions),
    ShowVariable::function(c"kmip_key_management_version_list", status::version_list),
    ShowVariable::function(c"kmip_key_management_vaults", status::servers),
    ShowVariable::function(c"kmip_key_management_last_refresh", status::last_refresh),
    ShowVariable::function(c"kmip_key_management_seconds_since_contact", status::seconds_since_contact),
    ShowVariable::function(c"kmip_key_management_cache", status::cache),
    ShowVariable::function(c"kmip_key_management_cache_age", status::cache_age),
    ShowVariable::END,
]);

declare_plugins!(
    prepare: table::prepare,
    Declaration::new(
        PluginType::Encryption,
        served::encryption(),
        c"kmip_key_management",
        c"Encryption keys from a KMIP server",
        init,
        deinit,
    )
    .with_status(STATUS.as_ptr().cast())
    .with_variables(variables::ALL.as_ptr().cast()),
    Declaration::new(
        PluginType::InformationSchema,
        table::info(),
        TABLE,
        c"Keys and versions of kmip_key_management",
        init_table,
        table::deinit,
    ),
    Declaration::new(
        PluginType::InformationSchema,
        table::info(),
        SERVER_TABLE,
        c"KMIP servers of kmip_key_management",
        init_server_table,
        table::deinit,
    ),
);

unsafe extern "C" fn init(_plugin: *mut c_void) -> c_int {
    guard(1, || match source::begin(LOG, &variables::configuration()) {
        Ok(()) => 0,
        Err(error) => {
            LOG.error(&format!("not started: {error}"));
            1
        }
    })
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

unsafe extern "C" fn init_server_table(description: *mut c_void) -> c_int {
    // SAFETY: the server passes a description of its own series.
    unsafe { table::init_servers(SERVER_TABLE, description) }
}

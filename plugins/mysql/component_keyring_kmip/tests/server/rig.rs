//! A vault with endpoints, and a mysqld whose keyring is this component.

use std::net::SocketAddr;
use std::path::Path;

use strongroom_testkit::built::PluginFolder;
use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::plugin;
use strongroom_testkit::vault::Vault;

pub(crate) const COMPONENT: &str = "component_keyring_kmip";
pub(crate) const ROTATE: &str = "ALTER INSTANCE ROTATE INNODB MASTER KEY";
pub(crate) const ROTATE_BINLOG: &str = "ALTER INSTANCE ROTATE BINLOG MASTER KEY";
pub(crate) const RELOAD: &str = "ALTER INSTANCE RELOAD KEYRING";
/// What InnoDB says when it has no master key.
pub(crate) const NO_MASTER_KEY: u16 = 3185;
/// Rows of text that must never be found in a file.
pub(crate) const SECRET: &str = "plaintext-that-must-not-reach-a-file";

/// A vault, and the component where a server can load it from.
pub(crate) struct Rig {
    pub(crate) vault: Vault,
    pub(crate) plugins: PluginFolder,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self { vault: Vault::start(), plugins: plugin(COMPONENT) }
    }

    /// A server with its keys in the wallet of a new endpoint.
    pub(crate) fn server_for(&self, endpoint: &str) -> Options {
        self.options(&of_directory(&self.vault.enrol(endpoint)))
    }

    /// A server with this text as the component's configuration.
    pub(crate) fn options(&self, configuration: &str) -> Options {
        options(&self.plugins, configuration)
    }
}

/// A server with the component of this folder, and this text as its configuration.
pub(crate) fn options(plugins: &PluginFolder, configuration: &str) -> Options {
    Options::default()
        .library(plugins.path().join(format!("{COMPONENT}.so")))
        .component(COMPONENT, configuration)
}

/// A configuration that names an endpoint directory and no more.
pub(crate) fn of_directory(endpoint: &Path) -> String {
    format!("{{\"kmip_configuration_directory\": \"{}\"}}\n", endpoint.display())
}

/// A configuration that names the servers too, and gives each of them this long.
pub(crate) fn with_servers(endpoint: &Path, servers: &[SocketAddr], timeout_ms: u32) -> String {
    let mut names: Vec<String> = servers.iter().map(|address| format!("\"{address}\"")).collect();
    let first = names.remove(0);
    format!(
        "{{\"kmip_configuration_directory\": \"{}\", \"server\": {first}, \"standby_server\": [{}], \
         \"kmip_timeout_ms\": {timeout_ms}}}\n",
        endpoint.display(),
        names.join(", ")
    )
}

/// One value of `performance_schema.keyring_component_status`.
pub(crate) fn status(server: &mut Server, key: &str) -> String {
    server.value(&format!(
        "SELECT STATUS_VALUE FROM performance_schema.keyring_component_status WHERE STATUS_KEY = '{key}'"
    ))
}

/// The ids of all keys, with their owners where they have some, in order.
pub(crate) fn keys(server: &mut Server) -> Vec<String> {
    let mut keys = rows(server, "SELECT KEY_ID, KEY_OWNER FROM performance_schema.keyring_keys");
    keys.sort();
    keys.into_iter().map(|key| key.trim_end().to_owned()).collect()
}

/// The ids of InnoDB's first `count` master keys.
pub(crate) fn master_keys(server: &mut Server, count: usize) -> Vec<String> {
    let uuid = server.uuid();
    (1..=count).map(|number| format!("INNODBKey-{uuid}-{number}")).collect()
}

/// Rows as text, with a space between the values.
pub(crate) fn rows(server: &mut Server, statement: &str) -> Vec<String> {
    let text = |row: Vec<Option<String>>| {
        row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join(" ")
    };
    server.sql(statement).into_iter().map(text).collect()
}

/// An encrypted table `t.<name>` with a thousand rows.
pub(crate) fn encrypted_table(server: &mut Server, name: &str) {
    server.sql("CREATE DATABASE IF NOT EXISTS t");
    server.sql(&format!("CREATE TABLE t.{name} (a INT PRIMARY KEY, b VARCHAR(200)) ENCRYPTION='Y'"));
    fill(server, name);
}

/// A thousand rows of [`SECRET`] in `t.<name>`.
pub(crate) fn fill(server: &mut Server, name: &str) {
    server.sql(&format!(
        "INSERT INTO t.{name} (a, b) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
         SELECT i, CONCAT('{SECRET}-', i) FROM n"
    ));
}

/// Every row of every table of the database `t`, as a number for each table.
pub(crate) fn checksums(server: &mut Server) -> Vec<String> {
    let tables = rows(
        server,
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 't' ORDER BY TABLE_NAME",
    );
    assert!(!tables.is_empty(), "there is no table to look at");
    let tables: Vec<String> = tables.iter().map(|table| format!("t.`{table}`")).collect();
    rows(server, &format!("CHECKSUM TABLE {} EXTENDED", tables.join(", ")))
}

/// The SQL functions of the plugin keyring_udf.
pub(crate) fn create_functions(server: &mut Server) {
    server.sql("INSTALL PLUGIN keyring_udf SONAME 'keyring_udf.so'");
    for (name, returns) in [
        ("generate", "INTEGER"),
        ("fetch", "STRING"),
        ("length_fetch", "INTEGER"),
        ("type_fetch", "STRING"),
        ("store", "INTEGER"),
        ("remove", "INTEGER"),
    ] {
        server.sql(&format!("CREATE FUNCTION keyring_key_{name} RETURNS {returns} SONAME 'keyring_udf.so'"));
    }
}

//! A vault with endpoints, and a mysqld whose keyring is this component.

use std::net::SocketAddr;
use std::path::Path;

use strongroom_testkit::built::PluginFolder;
use strongroom_testkit::mysql::Options;
pub(crate) use strongroom_testkit::mysql::keys::{create_functions, keys, master_keys, status};
pub(crate) use strongroom_testkit::mysql::tables::{SECRET, checksums, encrypted_table, fill};
use strongroom_testkit::other_maker::{self, Habits};
use strongroom_testkit::plugin;
use strongroom_testkit::vault::Vault;

pub(crate) const COMPONENT: &str = "component_keyring_kmip";
pub(crate) const ROTATE: &str = "ALTER INSTANCE ROTATE INNODB MASTER KEY";
pub(crate) const ROTATE_BINLOG: &str = "ALTER INSTANCE ROTATE BINLOG MASTER KEY";
pub(crate) const RELOAD: &str = "ALTER INSTANCE RELOAD KEYRING";
/// What InnoDB says when it has no master key.
pub(crate) const NO_MASTER_KEY: u16 = 3185;
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

/// A front before the vault that counts its requests and can fail them, and a server with its keys behind it.
pub(crate) fn behind_a_front(rig: &Rig) -> (other_maker::Server, Options, tempfile::TempDir) {
    let front = other_maker::Server::start(&rig.vault, "db1", Habits::default());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let endpoint = folder.path().join("endpoint");
    front.write_endpoint_directory(&endpoint);
    let options = rig.options(&of_directory(&endpoint));
    (front, options, folder)
}

/// A configuration that names an endpoint directory and no more.
pub(crate) fn of_directory(endpoint: &Path) -> String {
    format!("{{\"kmip_configuration_directory\": \"{}\"}}\n", endpoint.display())
}

/// A configuration that names an endpoint directory and gives each of its servers this long.
pub(crate) fn with_timeout(endpoint: &Path, timeout_ms: u32) -> String {
    format!(
        "{{\"kmip_configuration_directory\": \"{}\", \"kmip_timeout_ms\": {timeout_ms}}}\n",
        endpoint.display()
    )
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

//! A vault with endpoints, and a mysqld whose keyring is this plugin.

use std::path::Path;

use strongroom_testkit::built::PluginFolder;
use strongroom_testkit::mysql::Options;
use strongroom_testkit::plugin;
use strongroom_testkit::vault::Vault;

pub(crate) const ROTATE: &str = "ALTER INSTANCE ROTATE INNODB MASTER KEY";
pub(crate) const ROTATE_BINLOG: &str = "ALTER INSTANCE ROTATE BINLOG MASTER KEY";
/// What InnoDB says when it has no master key.
pub(crate) const NO_MASTER_KEY: u16 = 3185;

/// A vault, and the plugin where a server can load it from.
pub(crate) struct Rig {
    pub(crate) vault: Vault,
    plugins: PluginFolder,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self { vault: Vault::start(), plugins: plugin("keyring_okv") }
    }

    /// A server that loads the plugin, with this directory.
    pub(crate) fn options(&self, conf_dir: &Path) -> Options {
        self.options_without_directory().arg(format!("--keyring-okv-conf-dir={}", conf_dir.display()))
    }

    /// A server that loads the plugin.
    pub(crate) fn options_without_directory(&self) -> Options {
        Options::default()
            .library(self.plugins.path().join("keyring_okv.so"))
            .arg("--early-plugin-load=keyring_okv.so")
    }
}

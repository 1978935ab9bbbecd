//! What a server is started with.

use std::path::PathBuf;
use std::process::Command;

use super::Installation;
use crate::folder;
use crate::process::run;

/// What a server is started with beyond its data directory and socket.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of the components in the manifest, such as `component_keyring_file`. Without any there is no manifest.
    pub components: Vec<String>,
    /// Configuration files of components: the component's name and the text of `<name>.cnf`.
    pub configurations: Vec<(String, String)>,
    /// Libraries to put into the plugin folder, beside links to all the stock ones.
    pub libraries: Vec<PathBuf>,
    /// Listens on a loopback port as well: for replicas and clones.
    pub tcp: bool,
    /// Goes into the background by itself (`--daemonize`).
    pub daemonize: bool,
    /// `--user`: who it becomes when it is started as root ([`other_user`]). Its files are theirs then.
    pub user: Option<u32>,
    /// Further arguments, for example `--innodb-redo-log-encrypt=ON`. The binary log is off unless they switch it on.
    pub args: Vec<String>,
    /// Environment of the server.
    pub env: Vec<(String, String)>,
}

impl Options {
    /// Puts a component into the manifest, with its configuration file in the plugin folder.
    #[must_use]
    pub fn component(mut self, name: &str, configuration: impl Into<String>) -> Self {
        self.components.push(name.to_owned());
        self.configurations.push((name.to_owned(), configuration.into()));
        self
    }

    /// Puts a copy of a library into the plugin folder, under its own name.
    #[must_use]
    pub fn library(mut self, file: impl Into<PathBuf>) -> Self {
        self.libraries.push(file.into());
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Listens on a loopback port as well.
    #[must_use]
    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }
}

/// `nobody`, on every Linux.
const NOBODY: u32 = 65534;

/// A user without rights that a server started as root can become, or why there is none: the tests are not run as root,
/// or such a user cannot reach the files.
///
/// # Errors
/// The reason, in words.
pub fn other_user(installation: &Installation) -> Result<u32, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root can start a server that becomes another user".to_owned());
    }
    let scratch = folder::root();
    for path in [installation.messages.as_path(), installation.plugins.as_path(), scratch.as_path()] {
        run(Command::new("setpriv")
            .args(["--reuid", &NOBODY.to_string(), "--clear-groups", "test", "-r"])
            .arg(path))
        .map_err(|_| format!("a user without rights cannot read {}", path.display()))?;
    }
    Ok(NOBODY)
}

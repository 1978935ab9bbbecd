//! What a server is started with.

use std::path::PathBuf;

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

//! Finding what is on the machine: a mariadbd, the files that come with it, and our plugin.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// File of the plugin as cargo builds it.
const PLUGIN_BUILT: &str = "libstrongroom_kmip_key_management.so";

/// A MariaDB server program and its files.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    /// The server program.
    pub(crate) mariadbd: PathBuf,
    /// Its folder of SQL scripts and messages, usually `/usr/share/mysql`.
    pub(crate) share: PathBuf,
    /// What the names of the scripts in it begin with.
    prefix: &'static str,
}

impl Installation {
    /// The one that was asked for, or the first on this machine. `None`: there is none.
    ///
    /// # Errors
    /// [`Error::Read`] when the one asked for is not there, [`Error::MariadbIncomplete`] when its scripts are missing.
    pub(crate) fn find(asked: Option<&Path>) -> Result<Option<Self>, Error> {
        let mariadbd = match asked {
            Some(path) => {
                Some(path.canonicalize().map_err(|source| Error::Read { path: path.into(), source })?)
            }
            None => search(std::env::var_os("PATH").as_deref()),
        };
        let Some(mariadbd) = mariadbd else { return Ok(None) };
        let (share, prefix) =
            scripts(&mariadbd).ok_or_else(|| Error::MariadbIncomplete { mariadbd: mariadbd.clone() })?;
        Ok(Some(Self { mariadbd, share, prefix }))
    }

    /// The scripts that make the system tables, in the order in which they must run.
    pub(crate) fn bootstrap_scripts(&self) -> [PathBuf; 3] {
        ["system_tables", "performance_tables", "system_tables_data"]
            .map(|theme| self.share.join(format!("{}_{theme}.sql", self.prefix)))
    }
}

/// The plugin beside the running executable.
///
/// # Errors
/// [`Error::PluginMissing`] naming where it was looked for.
pub(crate) fn plugin() -> Result<PathBuf, Error> {
    let executable = std::env::current_exe()
        .and_then(|path| path.canonicalize())
        .map_err(|source| Error::Read { path: "/proc/self/exe".into(), source })?;
    let folder = executable.parent().unwrap_or(Path::new("/"));
    let path = folder.join(PLUGIN_BUILT);
    if path.is_file() { Ok(path) } else { Err(Error::PluginMissing { path }) }
}

fn search(path: Option<&std::ffi::OsStr>) -> Option<PathBuf> {
    let folders = path.map(|path| std::env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/libexec", "/usr/local/sbin"].map(PathBuf::from);
    folders
        .into_iter()
        .chain(usual)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("mariadbd"))
        .find(|program| program.is_file())
        // Symbolic links are followed, because the scripts are found relative to the real place.
        .map(|program| program.canonicalize().unwrap_or(program))
}

/// The scripts of `PREFIX/{sbin,bin,libexec}/mariadbd`. They are called `mysql_…` up to 10.11 and `mariadb_…` later.
fn scripts(mariadbd: &Path) -> Option<(PathBuf, &'static str)> {
    let prefix = mariadbd.parent()?.parent()?;
    ["share/mysql", "share/mariadb", "share"]
        .into_iter()
        .flat_map(|folder| ["mysql", "mariadb"].map(|name| (prefix.join(folder), name)))
        .find(|(folder, name)| folder.join(format!("{name}_system_tables.sql")).is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_scripts_are_found_beside_an_unpacked_server() {
        let root = tempfile::tempdir().unwrap();
        let sbin = root.path().join("usr/sbin");
        let scripts = root.path().join("usr/share/mysql");
        fs::create_dir_all(&sbin).unwrap();
        fs::create_dir_all(&scripts).unwrap();
        fs::write(sbin.join("mariadbd"), "").unwrap();
        let asked = Installation::find(Some(&sbin.join("mariadbd")));
        assert!(matches!(asked, Err(Error::MariadbIncomplete { .. })), "{asked:?}");

        fs::write(scripts.join("mysql_system_tables.sql"), "").unwrap();
        let found = Installation::find(Some(&sbin.join("mariadbd"))).unwrap().unwrap();
        assert_eq!(found.share, scripts.canonicalize().unwrap());
    }

    #[test]
    fn a_server_that_was_asked_for_and_is_absent_is_an_error() {
        assert!(matches!(Installation::find(Some(Path::new("/nowhere/mariadbd"))), Err(Error::Read { .. })));
    }
}

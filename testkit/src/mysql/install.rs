//! Finding a `mysqld` of MySQL 9.7, or unpacking Debian's under the testkit's folder without installing it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::{Apt, UNSTABLE};
use crate::process::run;
use crate::{Unavailable, folder};

pub(super) const WHAT: &str = "MySQL";
const PACKAGES: [&str; 2] = ["mysql-server-core", "mysql-client-core"];
/// Where they are unpacked; another name for another set of packages.
const UNPACKED: &str = "debian-sid";
/// Where Debian and its kin put libraries, below a base folder.
const LIBRARIES: &str = "lib/x86_64-linux-gnu";
/// What loads a program, among the libraries.
const LOADER: &str = "ld-linux-x86-64.so.2";

/// A MySQL that can be run from where it is.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The folder with `bin`, `sbin` and `share` (`--basedir`).
    pub base: PathBuf,
    /// The server's program. [`super::Server`] runs a hard link of it, because a manifest lies beside the program.
    pub program: PathBuf,
    /// The folder with the error messages in their languages.
    pub messages: PathBuf,
    /// The folder with the stock plugins and components.
    pub plugins: PathBuf,
    /// The words that load a program with the C library it was built for; none for an installed server.
    loader: Vec<PathBuf>,
    /// What `--version` prints.
    pub version: String,
}

impl Installation {
    fn at(base: &Path, libraries: Option<&Path>) -> Result<Self, Unavailable> {
        let found =
            |what: &str, names: [&str; 2], holds: &str| {
                names.iter().map(|name| base.join(name)).find(|path| path.join(holds).is_file()).ok_or_else(
                    || Unavailable::new(WHAT, format!("{what} is missing under {}", base.display())),
                )
            };
        let loader = libraries.map_or(Vec::new(), |folder| {
            vec![folder.join(LOADER), "--library-path".into(), folder.to_path_buf()]
        });
        let mut installation = Self {
            base: base.to_path_buf(),
            program: found("mysqld", ["sbin", "bin"], "mysqld")?.join("mysqld"),
            messages: found("the text of its messages", ["share/mysql", "share"], "english/errmsg.sys")?,
            plugins: found(
                "component_keyring_file.so",
                ["lib/mysql/plugin", "lib/plugin"],
                "component_keyring_file.so",
            )?,
            loader,
            version: String::new(),
        };
        let version = run(installation.command(&installation.program).arg("--no-defaults").arg("--version"));
        let version = version.map_err(|why| Unavailable::new(WHAT, why))?;
        // It begins with the program's path.
        let version = version.find("Ver ").map_or(version.as_str(), |at| &version[at + 4..]);
        installation.version = format!("mysqld {}", version.trim());
        Ok(installation)
    }

    /// The words before a program of this installation that load it with its own libraries, for those who run it
    /// themselves, and the program.
    pub fn words(&self, program: &Path) -> Vec<PathBuf> {
        self.loader.iter().cloned().chain([program.to_path_buf()]).collect()
    }

    /// `program` with the libraries it needs.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let words = self.words(program);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// One of the programs beside the server, such as `mysql_migrate_keyring` or `innochecksum`.
    #[must_use]
    pub fn tool(&self, name: &str) -> Command {
        self.command(&self.base.join("bin").join(name))
    }
}

/// The MySQL to test with: the one at `STRONGROOM_MYSQL` (a base folder; with the C library it was built for where its packages were
/// unpacked together), else Debian's packages unpacked under the testkit's folder. An installed one is not looked for: `mysqld` is often MariaDB's.
///
/// # Errors
/// Says why neither can be had.
pub fn installation() -> Result<Installation, Unavailable> {
    if let Some(base) = std::env::var_os("STRONGROOM_MYSQL").filter(|base| !base.is_empty()) {
        let base = Path::new(&base);
        let libraries = Some(base.join(LIBRARIES)).filter(|folder| folder.join(LOADER).is_file());
        return Installation::at(base, libraries.as_deref());
    }
    if std::env::consts::ARCH != "x86_64" {
        return Err(Unavailable::new(
            WHAT,
            "it is unpacked on x86-64 only: STRONGROOM_MYSQL names an installed one",
        ));
    }
    let home = folder::once("mysql", UNPACKED, unpack)?;
    Installation::at(&home.join("usr"), Some(&home.join("usr").join(LIBRARIES)))
}

/// Debian has MySQL in sid alone. Its programs need sid's libraries, the C library and its loader among them.
fn unpack(home: &Path) -> Result<(), Unavailable> {
    let apt = Apt::of_release(WHAT, home, UNSTABLE)?;
    let mut wanted = apt.with_dependencies(&PACKAGES)?;
    wanted.retain(|name| PACKAGES.contains(&name.as_str()) || is_library(name));
    apt.unpack(&wanted)?;
    apt.drop_lists();
    Ok(())
}

/// Programs such as perl, and what packages need in order to be installed, are left out.
fn is_library(package: &str) -> bool {
    (package.starts_with("lib") && !package.starts_with("libperl")) || package == "zlib1g"
}

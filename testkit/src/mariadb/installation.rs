//! Finding a `mariadbd`: the one to test with, or one of a series.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{WHAT, unpacked};
use crate::apt::codename_of_this_machine;
use crate::process::run;
use crate::{Unavailable, folder};

/// Where the packages of this machine's own release are unpacked; another name for another set of packages.
const OF_THIS_MACHINE: &str = "debian-with-backup";

/// A series of MariaDB that everything must work with, by the Debian release that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// 10.11, of Debian 12.
    V10_11,
    /// 11.8, of Debian 13.
    V11_8,
}

impl Series {
    /// Every one of them, the oldest first.
    pub const ALL: [Self; 2] = [Self::V10_11, Self::V11_8];

    const fn number(self) -> &'static str {
        match self {
            Self::V10_11 => "10.11",
            Self::V11_8 => "11.8",
        }
    }

    const fn codename(self) -> &'static str {
        match self {
            Self::V10_11 => "bookworm",
            Self::V11_8 => "trixie",
        }
    }

    /// A server of this series: the one at `STRONGROOM_MARIADB`, of whatever series that is, else an installed one of this
    /// series, else Debian's packages unpacked under the testkit's folder.
    ///
    /// # Errors
    /// Says why it cannot be had.
    pub fn installation(self) -> Result<Installation, Unavailable> {
        if let Some(named) = named() {
            return named;
        }
        if let Some(found) = installed()
            && found.is_of(self)
        {
            return Ok(found);
        }
        if codename_of_this_machine().as_deref() == Some(self.codename()) {
            return of_this_machine();
        }
        let home =
            folder::once("mariadb", self.codename(), |home| unpacked::for_release(home, self.codename()))?;
        let found = Installation::at(&home.join("usr"), Vec::new())?;
        if found.is_of(self) {
            return Ok(found);
        }
        Err(Unavailable::new(
            WHAT,
            format!("Debian's {} has {} and not {self}", self.codename(), found.version),
        ))
    }
}

impl Series {
    /// The series of a number such as `11.8`.
    #[must_use]
    pub fn of_number(number: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|series| series.number() == number)
    }

    /// Debian's packages of this series with the server's own regression tests, in a folder that nothing else uses: its
    /// plugins may be replaced.
    ///
    /// # Errors
    /// Says why they cannot be had.
    pub fn with_suites(self) -> Result<Installation, Unavailable> {
        let name = format!("{}-suites", self.codename());
        let home = folder::once("mariadb", &name, |home| unpacked::with_suites(home, self.codename()))?;
        Installation::at(&home.join("usr"), Vec::new())
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

/// A `mariadbd` that can be run from where it is.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The server's program.
    pub program: PathBuf,
    /// The folder with `bin`, `sbin` and `share` (`--basedir`).
    pub base: PathBuf,
    /// The folder with the error messages and the SQL of the system tables.
    pub share: PathBuf,
    /// The folder with the stock plugins, `file_key_management.so` among them.
    pub plugins: PathBuf,
    /// Folders of shared libraries that the system lacks (`LD_LIBRARY_PATH`); empty for an installed server.
    pub libraries: Vec<PathBuf>,
    /// Its exact version, such as `10.11.19-MariaDB-0+deb12u1`.
    pub version: String,
}

impl Installation {
    fn at(base: &Path, libraries: Vec<PathBuf>) -> Result<Self, Unavailable> {
        let missing =
            |what: &str| Unavailable::new(WHAT, format!("{what} is missing under {}", base.display()));
        let program = ["sbin/mariadbd", "bin/mariadbd", "libexec/mariadbd"]
            .iter()
            .map(|name| base.join(name))
            .find(|path| path.is_file())
            .ok_or_else(|| missing("mariadbd"))?;
        let share = ["share/mariadb", "share/mysql"]
            .iter()
            .map(|name| base.join(name))
            .find(|path| system_tables(path).is_some())
            .ok_or_else(|| missing("the SQL of the system tables"))?;
        let plugins = ["lib/mysql/plugin", "lib/mariadb/plugin", "lib64/mariadb/plugin"]
            .iter()
            .map(|name| base.join(name))
            .find(|path| path.join("file_key_management.so").is_file())
            .ok_or_else(|| missing("file_key_management.so"))?;
        let mut found =
            Self { program, base: base.to_path_buf(), share, plugins, libraries, version: String::new() };
        let said = run(found.command().arg("--no-defaults").arg("--version"))
            .map_err(|why| Unavailable::new(WHAT, why))?;
        let after = said.split_once(" Ver ").map_or(&*said, |(_, after)| after);
        found.version = after.split_whitespace().next().unwrap_or_default().to_owned();
        Ok(found)
    }

    /// The server's program with the libraries it needs.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(path) = self.library_path() {
            command.env("LD_LIBRARY_PATH", path);
        }
        command
    }

    /// The `LD_LIBRARY_PATH` that the program needs, for those who start it themselves; none for an installed one.
    #[must_use]
    pub fn library_path(&self) -> Option<String> {
        if self.libraries.is_empty() {
            return None;
        }
        let folders: Vec<_> = self.libraries.iter().map(|path| path.to_string_lossy()).collect();
        Some(folders.join(":"))
    }

    /// Another program that comes with the server, such as `mariadb-backup` or `innochecksum`, with the libraries it
    /// needs.
    ///
    /// # Errors
    /// It is not beside the server.
    pub fn tool(&self, name: &str) -> Result<Command, Unavailable> {
        let program = self.base.join("bin").join(name);
        if !program.is_file() {
            return Err(Unavailable::new(name, format!("it is not at {}", program.display())));
        }
        let mut command = Command::new(program);
        if let Some(path) = self.library_path() {
            command.env("LD_LIBRARY_PATH", path);
        }
        Ok(command)
    }

    fn is_of(&self, series: Series) -> bool {
        self.version.starts_with(&format!("{series}."))
    }

    /// The SQL that makes the system tables, in the order in which it must run.
    pub(super) fn bootstrap_scripts(&self) -> Vec<PathBuf> {
        let prefix = system_tables(&self.share).unwrap_or("mysql");
        ["system_tables", "performance_tables", "system_tables_data"]
            .iter()
            .map(|name| self.share.join(format!("{prefix}_{name}.sql")))
            .collect()
    }
}

/// The SQL files are called `mysql_…` up to 10.11 and `mariadb_…` later.
fn system_tables(share: &Path) -> Option<&'static str> {
    ["mysql", "mariadb"]
        .into_iter()
        .find(|prefix| share.join(format!("{prefix}_system_tables.sql")).is_file())
}

/// The server to test with: the one at `STRONGROOM_MARIADB` (a base folder), else an installed one, else Debian's
/// packages unpacked under the testkit's folder.
///
/// # Errors
/// Says why none of them can be had.
pub fn installation() -> Result<Installation, Unavailable> {
    named().or_else(|| installed().map(Ok)).unwrap_or_else(of_this_machine)
}

fn named() -> Option<Result<Installation, Unavailable>> {
    let base = std::env::var_os("STRONGROOM_MARIADB")?;
    Some(Installation::at(Path::new(&base), Vec::new()))
}

fn installed() -> Option<Installation> {
    Installation::at(Path::new("/usr"), Vec::new()).ok()
}

fn of_this_machine() -> Result<Installation, Unavailable> {
    let home = folder::once("mariadb", OF_THIS_MACHINE, unpacked::for_this_machine)?;
    Installation::at(&home.join("usr"), unpacked::library_folders(&home))
}

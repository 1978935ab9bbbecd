//! Finding a `mariadbd`, or unpacking Debian's under the testkit's folder without installing it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::run;
use crate::{Unavailable, folder};

const WHAT: &str = "MariaDB";
/// What is needed: the server and its messages, the stock plugins, and the backup program.
const PACKAGES: [&str; 3] = ["mariadb-server-core", "mariadb-server", "mariadb-backup"];
/// Where they are unpacked; another name for another set of packages.
const UNPACKED: &str = "debian-with-backup";

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
    /// What `--version` prints.
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
        let mut command = found.command();
        found.version = run(command.arg("--no-defaults").arg("--version"))
            .map_err(|why| Unavailable::new(WHAT, why))?
            .trim()
            .to_owned();
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
    if let Some(base) = std::env::var_os("STRONGROOM_MARIADB") {
        return Installation::at(Path::new(&base), Vec::new());
    }
    if let Ok(found) = Installation::at(Path::new("/usr"), Vec::new()) {
        return Ok(found);
    }
    let home = folder::once("mariadb", UNPACKED, unpack)?;
    Installation::at(&home.join("usr"), library_folders(&home))
}

fn library_folders(home: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for parent in ["usr/lib", "lib"] {
        let Ok(entries) = fs::read_dir(home.join(parent)) else { continue };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().ends_with("-linux-gnu") {
                folders.push(entry.path());
            }
        }
    }
    folders
}

/// Downloads the packages and, as long as the server's program misses a shared library, the libraries
/// that the packages so far depend on and the system lacks.
fn unpack(home: &Path) -> Result<(), Unavailable> {
    for tool in ["apt-get", "apt-cache", "dpkg-deb", "ldd"] {
        if run(Command::new(tool).arg("--version")).is_err() {
            return Err(Unavailable::new(
                WHAT,
                format!(
                    "no mariadbd is installed, and it cannot be unpacked without {tool} (Debian and its kin)"
                ),
            ));
        }
    }
    let apt = Apt { home: home.to_path_buf() };
    let mut unpacked: BTreeSet<String> = PACKAGES.iter().map(ToString::to_string).collect();
    apt.download_and_unpack(&unpacked)?;
    let programs = ["usr/sbin/mariadbd", "usr/bin/mariadb-backup"].map(|program| home.join(program));
    for _ in 0..5 {
        let mut missing = Vec::new();
        for program in &programs {
            missing.extend(missing_libraries(program, home)?);
        }
        if missing.is_empty() {
            // Private package lists are ten times the size of the server.
            let _ = fs::remove_dir_all(apt.private_state());
            return Ok(());
        }
        let wanted: BTreeSet<String> = apt.missing_dependencies(&unpacked)?;
        if wanted.is_empty() {
            return Err(Unavailable::new(WHAT, format!("no package provides {}", missing.join(", "))));
        }
        apt.download_and_unpack(&wanted)?;
        unpacked.extend(wanted);
    }
    Err(Unavailable::new(WHAT, "its shared libraries could not be completed in five rounds"))
}

fn missing_libraries(program: &Path, home: &Path) -> Result<Vec<String>, Unavailable> {
    let folders: Vec<_> = library_folders(home).iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let output = run(Command::new("ldd").arg(program).env("LD_LIBRARY_PATH", folders.join(":")))
        .map_err(|why| Unavailable::new(WHAT, why))?;
    Ok(output
        .lines()
        .filter(|line| line.contains("not found"))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}

/// Debian's package tools, used without touching the system: where its package lists are absent or stale, a
/// private copy of them is fetched, which needs no root.
struct Apt {
    home: PathBuf,
}

impl Apt {
    fn private_state(&self) -> PathBuf {
        self.home.join("apt")
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        let state = self.private_state();
        if state.exists() {
            command
                .arg(format!("-oDir::State={}", state.display()))
                .arg(format!("-oDir::Cache={}", state.join("cache").display()))
                .arg("-oDir::State::status=/var/lib/dpkg/status")
                .arg("-oAPT::Sandbox::User=");
        }
        command
    }

    fn download_and_unpack(&self, packages: &BTreeSet<String>) -> Result<(), Unavailable> {
        let fail = |why: String| Unavailable::new(WHAT, why);
        let downloads = self.home.join("downloads");
        let _ = fs::remove_dir_all(&downloads);
        fs::create_dir_all(&downloads).map_err(|error| fail(error.to_string()))?;
        let fetch = || run(self.command("apt-get").arg("download").args(packages).current_dir(&downloads));
        if let Err(first) = fetch() {
            self.update().map_err(|why| fail(format!("{first}; then {why}")))?;
            fetch().map_err(fail)?;
        }
        let entries = fs::read_dir(&downloads).map_err(|error| fail(error.to_string()))?;
        for entry in entries.flatten() {
            run(Command::new("dpkg-deb").arg("-x").arg(entry.path()).arg(&self.home)).map_err(fail)?;
        }
        fs::remove_dir_all(&downloads).map_err(|error| fail(error.to_string()))
    }

    fn update(&self) -> Result<(), String> {
        let state = self.private_state();
        fs::create_dir_all(state.join("lists/partial"))
            .and_then(|()| fs::create_dir_all(state.join("cache/archives/partial")))
            .map_err(|error| error.to_string())?;
        run(self.command("apt-get").arg("update")).map(|_| ())
    }

    /// The libraries among what `packages` depend on that are neither installed nor unpacked.
    fn missing_dependencies(&self, packages: &BTreeSet<String>) -> Result<BTreeSet<String>, Unavailable> {
        let output = run(self
            .command("apt-cache")
            .arg("depends")
            .args(["--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces"])
            .args(packages))
        .map_err(|why| Unavailable::new(WHAT, why))?;
        Ok(output
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .filter(|name| name.starts_with("lib") && !name.starts_with("libc6") && !name.ends_with("-perl"))
            .filter(|name| !packages.contains(*name) && !is_installed(name))
            .map(str::to_owned)
            .collect())
    }
}

fn is_installed(package: &str) -> bool {
    run(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

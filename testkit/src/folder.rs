//! Where the testkit keeps what it installs and what tests write.
//!
//! ```text
//! target/testkit/            (STRONGROOM_TESTKIT names another place)
//!   <name>/<version>/        an installation; complete once it holds `.complete`
//!   <name>/<version>.lock    held while it is being installed
//!   scratch/                 one folder per running server, removed when the test ends well
//!   ports/                   one locked file per port in use
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::Unavailable;

const COMPLETE: &str = ".complete";

/// The root of the checkout.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The testkit's folder: `STRONGROOM_TESTKIT`, else `target/testkit` in the checkout. It does not follow
/// `CARGO_TARGET_DIR`: servers are downloaded once for a checkout however many target directories it has.
#[must_use]
pub fn root() -> PathBuf {
    match std::env::var_os("STRONGROOM_TESTKIT") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => workspace().join("target/testkit"),
    }
}

/// An exclusive lock between processes, held until the returned file is dropped.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    file.lock()?;
    Ok(file)
}

/// The folder `<root>/<name>/<version>`, filled by `install` the first time, once for all processes.
///
/// An installation that fails or is killed leaves no `.complete`, and the next caller starts afresh.
pub(crate) fn once(
    name: &str,
    version: &str,
    install: impl FnOnce(&Path) -> Result<(), Unavailable>,
) -> Result<PathBuf, Unavailable> {
    let disk = |error: io::Error| Unavailable::new(name, format!("its folder cannot be prepared: {error}"));
    let home = root().join(name).join(version);
    if home.join(COMPLETE).exists() {
        return Ok(home);
    }
    let _lock = lock(&root().join(name).join(format!("{version}.lock"))).map_err(disk)?;
    if home.join(COMPLETE).exists() {
        return Ok(home);
    }
    if home.exists() {
        fs::remove_dir_all(&home).map_err(disk)?;
    }
    fs::create_dir_all(&home).map_err(disk)?;
    install(&home)?;
    fs::write(home.join(COMPLETE), "").map_err(disk)?;
    Ok(home)
}

/// A folder for one server. It is removed at the end unless the test panics or `STRONGROOM_TESTKIT_KEEP` is
/// set; then its path is printed, so that logs can be read. `./test` removes leftovers after a day.
#[derive(Debug)]
pub struct Scratch(Option<tempfile::TempDir>);

impl Scratch {
    /// Makes an empty folder (mode 0700) whose name starts with `prefix`.
    ///
    /// # Panics
    /// When the disk refuses: no test can run then.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let parent = root().join("scratch");
        let made = fs::create_dir_all(&parent)
            .and_then(|()| tempfile::Builder::new().prefix(&format!("{prefix}-")).tempdir_in(&parent));
        match made {
            Ok(folder) => Self(Some(folder)),
            Err(error) => panic!("no scratch folder in {}: {error}", parent.display()),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), tempfile::TempDir::path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take()
            && (std::thread::panicking() || std::env::var_os("STRONGROOM_TESTKIT_KEEP").is_some())
        {
            eprintln!("testkit: kept {}", folder.keep().display());
        }
    }
}

/// Copies folders and plain files with their modes; sockets and the like stay behind.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
        }
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())
}

/// True when any file below `folder` holds `needle`: how a test looks for plaintext on disk.
///
/// # Panics
/// When a file cannot be read, because then the answer would be a guess.
#[must_use]
pub fn holds_bytes(folder: &Path, needle: &[u8]) -> bool {
    let read = |path: &Path, error: io::Error| -> ! { panic!("{} cannot be read: {error}", path.display()) };
    let entries = fs::read_dir(folder).unwrap_or_else(|error| read(folder, error));
    for entry in entries {
        let entry = entry.unwrap_or_else(|error| read(folder, error));
        let path = entry.path();
        let kind = entry.file_type().unwrap_or_else(|error| read(&path, error));
        let found = if kind.is_dir() {
            holds_bytes(&path, needle)
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap_or_else(|error| read(&path, error));
            bytes.windows(needle.len()).any(|window| window == needle)
        } else {
            false
        };
        if found {
            return true;
        }
    }
    false
}

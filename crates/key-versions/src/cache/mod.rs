//! A sealed copy of MariaDB's keys on the local disk, for a start while every key server is away.
//!
//! The copy is worth as much as the keys, so it is bounded: it is opened with a seal key that lies elsewhere, for this endpoint and
//! prefix alone, and only while it is young. It is written whole or not at all. Nobody but its reader can tell that it is old: a
//! file put back from a backup is as good as its date.
//!
//! - `format`: the bytes, which `docs/formats/key-cache.md` lays out;
//! - `seal_key`: the secret that opens it;
//! - `disk`: which disk a file is on.

mod disk;
mod error;
pub mod format;
mod seal_key;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use crate::key_file::Location;
use crate::versions::KeySet;
use disk::Machine;
use format::{CACHE_BYTES_MAX, Identity};
use seal_key::SealKey;

pub use error::CacheError;

/// How far in the future a cache may seem to have been written, in seconds: clocks are set by small steps all the time.
const CLOCK_TOLERANCE: u64 = 60;

/// A cache and what it takes to open it.
#[derive(Debug)]
pub struct SealedCache {
    path: PathBuf,
    seal_key: Location,
    identity: Identity,
    max_age: Duration,
}

/// What a cache held.
#[derive(Debug)]
pub struct Cached {
    /// The keys.
    pub keys: KeySet,
    /// How long ago a key server gave them.
    pub age: Duration,
}

impl SealedCache {
    /// A cache in the file `path`, sealed with what is at `seal_key`, for the keys of `identity`, of which nothing is believed that is
    /// older than `max_age`.
    #[must_use]
    pub fn new(path: PathBuf, seal_key: Location, identity: Identity, max_age: Duration) -> Self {
        Self { path, seal_key, identity, max_age }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes these keys in the place of those from before, as of now.
    ///
    /// # Errors
    /// [`CacheError`]; the cache from before is still there, unless the last step failed.
    pub fn write(&self, keys: &KeySet) -> Result<(), CacheError> {
        let seal_key = self.seal_key()?;
        let bytes = format::seal(keys, &self.identity, seconds_now()?, &seal_key)?;
        self.replace(&bytes)
    }

    /// Keeps the present file beside itself, under the name that is returned, whatever is written later.
    ///
    /// # Errors
    /// [`CacheError::Write`], [`CacheError::Clock`].
    pub fn set_aside(&self) -> Result<PathBuf, CacheError> {
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".lost-{}", seconds_now()?));
        let aside = self.path.with_file_name(name);
        match fs::hard_link(&self.path, &aside) {
            Ok(()) => Ok(aside),
            Err(error) => Err(CacheError::Write { path: self.path.clone(), step: "set aside", error }),
        }
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn read(&self) -> Result<Cached, CacheError> {
        let failed = |error| CacheError::Read { path: self.path.clone(), error };
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open(&self.path)
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => CacheError::NotThere(self.path.clone()),
                _ => failed(error),
            })?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(CacheError::NotRegular(self.path.clone()));
        }
        let mut bytes = Vec::new();
        file.take(CACHE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        let seal_key = self.seal_key()?;
        let opened = format::open(&bytes, &self.identity, &seal_key)?;
        let now = seconds_now()?;
        if opened.written > now.saturating_add(CLOCK_TOLERANCE) {
            return Err(CacheError::FromTheFuture { ahead: Duration::from_secs(opened.written - now) });
        }
        let age = Duration::from_secs(now.saturating_sub(opened.written));
        if age > self.max_age {
            return Err(CacheError::TooOld { age, max_age: self.max_age });
        }
        Ok(Cached { keys: opened.keys, age })
    }

    /// The seal key, where it is not on the disk of what it seals.
    fn seal_key(&self) -> Result<SealKey, CacheError> {
        let path = self
            .seal_key
            .path(std::env::var_os("CREDENTIALS_DIRECTORY").as_deref())
            .map_err(CacheError::Credential)?;
        let folder = folder_of(&self.path);
        let shared = Machine::this()
            .share_a_disk(folder, &path)
            .map_err(|(path, error)| CacheError::Disk { path, error })?;
        if shared {
            return Err(CacheError::SameDisk { cache: self.path.clone(), seal_key: path });
        }
        SealKey::read(&path)
    }

    /// The order is write, sync, rename, sync: whoever reads sees the old cache or the new one, and so does a start after a crash.
    fn replace(&self, bytes: &[u8]) -> Result<(), CacheError> {
        let failed = |step| {
            let path = self.path.clone();
            move |error| CacheError::Write { path, step, error }
        };
        let mut name = std::ffi::OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(format!(".{}.new", std::process::id()));
        let beside = self.path.with_file_name(name);
        // Left there by a process of the same number that did not live to rename it.
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .map_err(failed("make a file beside"))?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(failed("write"))
            .and_then(|()| fs::rename(&beside, &self.path).map_err(failed("replace")));
        if let Err(error) = written {
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        File::open(folder_of(&self.path))
            .and_then(|folder| folder.sync_all())
            .map_err(failed("synchronise the folder of"))
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn seconds_now() -> Result<u64, CacheError> {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_secs()).map_err(|_| CacheError::Clock)
}

/// Bytes that are wiped when they are let go.
type Wiped = Zeroizing<Vec<u8>>;

#[cfg(test)]
mod tests;

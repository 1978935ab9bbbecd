//! Why a cache was not written, or is not believed.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::format::CACHE_BYTES_MAX;
use super::seal_key::{BYTES_MAX, BYTES_MIN};
use crate::key_file::KeyFileError;

/// Why a cache was not written, or is not believed.
#[derive(Debug)]
#[non_exhaustive]
pub enum CacheError {
    /// There is no cache yet.
    NotThere(PathBuf),
    /// It cannot be read.
    Read {
        /// The cache.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A step of writing it failed.
    Write {
        /// The cache.
        path: PathBuf,
        /// What was to be done with it.
        step: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// Cache or seal key is not a regular file.
    NotRegular(PathBuf),
    /// The file is no cache.
    NoCache,
    /// It has a format of a later release. Holds the format's number.
    Format(u16),
    /// It was changed, or is not whole.
    Damaged,
    /// It was sealed with another key.
    WrongSealKey,
    /// It was written for another key server, endpoint or prefix.
    OtherIdentity,
    /// It is older than is allowed.
    TooOld {
        /// Its age.
        age: Duration,
        /// The oldest that is believed.
        max_age: Duration,
    },
    /// It seems to have been written in the future: the clock was set back.
    FromTheFuture {
        /// How far.
        ahead: Duration,
    },
    /// The system's clock stands before 1970.
    Clock,
    /// There are more keys than a cache has room for.
    TooMany {
        /// How many versions there are.
        versions: usize,
    },
    /// The credential with the seal key is not there.
    Credential(KeyFileError),
    /// The seal key cannot be read.
    SealKey {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others may read the seal key.
    SealKeyOpen(PathBuf),
    /// The seal key has this many bytes.
    SealKeyLength(PathBuf, usize),
    /// Whoever takes the disk of the cache has the seal key too.
    SameDisk {
        /// The cache.
        cache: PathBuf,
        /// The seal key.
        seal_key: PathBuf,
    },
    /// It could not be found out which disk a file is on.
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The system's random generator failed.
    Random,
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere(path) => {
                write!(f, "{} does not exist; it is written after the first refresh", path.display())
            }
            Self::Read { path, error } => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Write { path, step, error } => {
                write!(
                    f,
                    "cannot {step} {}: {error}; the server's account needs a folder of its own for it",
                    path.display()
                )
            }
            Self::NotRegular(path) => write!(f, "{} is not a regular file", path.display()),
            Self::NoCache => f.write_str("the file is not a cache; remove it, and it is written anew"),
            Self::Format(format) => {
                write!(f, "the cache has format {format}, and this release reads format 1; remove it, and it is written anew")
            }
            Self::Damaged => f.write_str(
                "the cache was changed or is not whole; find out who writes to it, and remove it: it is written anew",
            ),
            Self::WrongSealKey => f.write_str(
                "the cache was sealed with another seal key; give that one back, or remove the cache: it is written anew",
            ),
            Self::OtherIdentity => f.write_str(
                "the cache was written for another key server, endpoint or key prefix; remove it: it is written anew",
            ),
            Self::TooOld { age, max_age } => write!(
                f,
                "the cache is {} s old, and {} s are allowed; bring a key server back",
                age.as_secs(),
                max_age.as_secs()
            ),
            Self::FromTheFuture { ahead } => write!(
                f,
                "the cache was written {} s in the future: the clock was set back; set it right, or bring a key server back",
                ahead.as_secs()
            ),
            Self::Clock => f.write_str("the clock stands before 1970; set it right"),
            Self::TooMany { versions } => {
                write!(f, "{versions} versions do not fit into a cache of at most {CACHE_BYTES_MAX} bytes")
            }
            Self::Credential(error) => error.fmt(f),
            Self::SealKey { path, error } => {
                write!(f, "the seal key {} cannot be read: {error}", path.display())
            }
            Self::SealKeyOpen(path) => write!(
                f,
                "others may read the seal key {0}; chmod 0600 {0}, and replace it if others may have read it",
                path.display()
            ),
            Self::SealKeyLength(path, bytes) => write!(
                f,
                "the seal key {} has {bytes} bytes; {BYTES_MIN} to {BYTES_MAX} random ones are needed",
                path.display()
            ),
            Self::SameDisk { cache, seal_key } => write!(
                f,
                "the seal key {} is on the same disk as the cache {}, so that whoever takes the disk has both; keep it in a systemd credential or on another disk",
                seal_key.display(),
                cache.display()
            ),
            Self::Disk { path, error } => {
                write!(f, "it cannot be found out which disk {} is on: {error}", path.display())
            }
            Self::Random => f.write_str("the system's random generator failed"),
        }
    }
}

impl std::error::Error for CacheError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { error, .. }
            | Self::Write { error, .. }
            | Self::SealKey { error, .. }
            | Self::Disk { error, .. } => Some(error),
            Self::Credential(error) => Some(error),
            _ => None,
        }
    }
}

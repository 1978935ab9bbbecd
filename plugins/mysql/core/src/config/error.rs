//! Why a configuration file is not usable.

use std::fmt;
use std::path::{Path, PathBuf};

use strongroom_client::address::AddressError;

/// Why a configuration file is not usable.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a configuration file.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It cannot be read.
    Unreadable(std::io::ErrorKind),
    /// It is larger than any such file, in bytes.
    TooLarge(u64),
    /// It is not one JSON object. Holds the parser's words.
    NotJson(String),
    /// Nothing is in it.
    Empty,
    /// It says `read_local_config` or names the server's uuid, and no data directory was given.
    NoInstance,
    /// It has keys of Oracle's dialect and of Percona's.
    TwoDialects {
        /// One of Oracle's.
        one: &'static str,
        /// One of Percona's.
        other: &'static str,
    },
    /// It has keys that neither dialect knows.
    UnknownKeys(Vec<String>),
    /// A key is missing.
    Missing(&'static str),
    /// A key's value is not of its kind. Holds what is wanted.
    WrongKind {
        /// The key.
        key: &'static str,
        /// What its value must be.
        wanted: String,
    },
    /// A path is not absolute.
    RelativePath {
        /// The key.
        key: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// An address is not usable.
    Address {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        fault: AddressError,
    },
    /// There are more servers than there can be.
    TooManyServers {
        /// How many there are.
        servers: usize,
    },
}

impl ConfigError {
    pub(super) fn new(path: &Path, fault: Fault) -> Self {
        Self { path: path.to_owned(), fault }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.fault)
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(std::io::ErrorKind::NotFound) => f.write_str(
                "not found; write {\"kmip_configuration_directory\": \"DIR\"} into it, where DIR is what strongroom enroll wrote",
            ),
            Self::Unreadable(std::io::ErrorKind::PermissionDenied) => f.write_str(
                "permission denied; let the user that runs the server read it, and AppArmor or SELinux too where they are on",
            ),
            Self::Unreadable(kind) => write!(f, "cannot be read: {kind}"),
            Self::TooLarge(bytes) => write!(f, "{bytes} bytes are too many for such a file"),
            Self::NotJson(detail) => write!(f, "not a JSON object: {detail}"),
            Self::Empty => f.write_str("nothing is configured; name kmip_configuration_directory"),
            Self::NoInstance => f.write_str("it refers to the data directory, and this program has none"),
            Self::TwoDialects { one, other } => write!(
                f,
                "{one:?} is a key of Oracle's component and {other:?} one of Percona's; keep to one of the two"
            ),
            Self::UnknownKeys(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
                write!(f, "unknown: {}; correct or remove", keys.join(", "))
            }
            Self::Missing(key) => write!(f, "{key:?} is missing"),
            Self::WrongKind { key, wanted } => write!(f, "{key:?} must be {wanted}"),
            Self::RelativePath { key, path } => {
                write!(f, "{key:?} is {}, and must be an absolute path", path.display())
            }
            Self::Address { key, fault } => write!(f, "{key:?}: {fault}"),
            Self::TooManyServers { servers } => write!(
                f,
                "{servers} servers are named, and {} are the most there can be",
                strongroom_client::endpoint_dir::MAX_SERVERS
            ),
        }
    }
}

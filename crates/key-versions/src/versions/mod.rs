//! Keys as MariaDB sees them: a key id with versions, of which the highest is used for what is written next.
//!
//! MariaDB numbers keys by 32 bits and keeps the version in every page, so that a table may hold pages of many versions at
//! once. Versions only rise, may have gaps, and an old one is needed for as long as any page, log or backup uses it.

mod set;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use strongroom_secret::KeyMaterial;

use crate::key_file::KeyFileError;

pub use set::{KeySet, Refused};

/// MariaDB's key id. 1 is the system key, 2 the one for temporary files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

/// MariaDB's key version: 1 to 4294967294.
///
/// 0 stands for "not encrypted" in pages and 4294967295 for "no such key" in the plugin's interface, so neither is a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyVersion(u32);

/// One version of one key.
#[derive(Debug)]
pub struct VersionedKey {
    /// The key.
    pub id: KeyId,
    /// Its version.
    pub version: KeyVersion,
    /// 16, 24 or 32 bytes.
    pub material: KeyMaterial,
}

/// Where versioned keys come from.
///
/// An absent key is an answer (an empty list, `None`); [`LoadError`] means that nobody could be asked, or that what came
/// back cannot be used. Nothing may create a key because of either.
pub trait VersionedKeys: Send + Sync {
    /// Every version of every key. For start-up and refresh.
    ///
    /// # Errors
    /// [`LoadError`]: all keys are given, or none.
    fn load(&self) -> Result<Vec<VersionedKey>, LoadError>;

    /// The same where one version that cannot be used is no reason to go without the others. What to make of those that are
    /// missing is left to whoever serves the keys: see [`OnLoss`].
    ///
    /// # Errors
    /// [`LoadError`]: nothing is known.
    fn load_usable(&self) -> Result<Loaded, LoadError> {
        Ok(Loaded { keys: self.load()?, unusable: Vec::new() })
    }

    /// What shall become of an answer that lacks something which has been served.
    fn on_loss(&self) -> OnLoss {
        OnLoss::RefuseAll
    }

    /// All versions of one key. Empty: the back end says that there is none. Versions that cannot be used are left out, unless one
    /// of them is the latest.
    ///
    /// # Errors
    /// [`LoadError`].
    fn key(&self, id: KeyId) -> Result<Vec<VersionedKey>, LoadError>;

    /// One version of one key. `None`: the back end says that there is none.
    ///
    /// # Errors
    /// [`LoadError`].
    fn version(&self, id: KeyId, version: KeyVersion) -> Result<Option<VersionedKey>, LoadError>;

    /// The longest that an answer takes, and so the longest that somebody waits for an answer that somebody else has asked for.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// How the servers of the back end have been doing, for back ends that have servers.
    fn servers(&self) -> Vec<KeyServer> {
        Vec::new()
    }

    /// Where in the back end somebody should look who wants to know why the last answer to [`load`](Self::load) was refused,
    /// for back ends that have such a place, as a file has lines.
    fn place(&self, _refused: &Refused) -> Option<String> {
        None
    }
}

/// What a source gives of all keys.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The versions that can be used.
    pub keys: Vec<VersionedKey>,
    /// Those that are there and cannot.
    pub unusable: Vec<Unusable>,
}

/// A version that is there and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The key.
    pub id: KeyId,
    /// Its version.
    pub version: KeyVersion,
    /// Its name in the back end.
    pub name: String,
    /// What is wrong with it.
    pub fault: KeyFault,
}

/// What shall become of an answer that lacks something which has been served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLoss {
    /// All of it is refused. For sources that somebody edits as a whole and looks at, as a file.
    RefuseAll,
    /// What has been served is served on from memory, and the rest of the answer is taken. For sources whose keys lead lives of
    /// their own, as on a key server.
    KeepAndGoOn,
}

/// How one server of a back end has been doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyServer {
    /// Its address.
    pub address: String,
    /// What it is doing now.
    pub state: KeyServerState,
    /// When it last answered, whatever the answer.
    pub last_answer: Option<SystemTime>,
    /// How long that took, from the request on.
    pub round_trip: Option<Duration>,
    /// When it last could not be used, at which step, and why.
    pub last_failure: Option<(SystemTime, &'static str, String)>,
}

/// What a server of a back end is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyServerState {
    /// The next question goes to it.
    InUse,
    /// It has answered before, and others are asked first.
    Standby,
    /// The last attempt failed.
    Away,
    /// Nobody had to ask it so far.
    NotTried,
}

impl fmt::Display for KeyServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InUse => "in use",
            Self::Standby => "standby",
            Self::Away => "away",
            Self::NotTried => "not tried",
        })
    }
}

/// A source that somebody else uses as well.
impl<T: VersionedKeys + ?Sized> VersionedKeys for Arc<T> {
    fn load(&self) -> Result<Vec<VersionedKey>, LoadError> {
        T::load(self)
    }

    fn load_usable(&self) -> Result<Loaded, LoadError> {
        T::load_usable(self)
    }

    fn on_loss(&self) -> OnLoss {
        T::on_loss(self)
    }

    fn patience(&self) -> Duration {
        T::patience(self)
    }

    fn servers(&self) -> Vec<KeyServer> {
        T::servers(self)
    }

    fn key(&self, id: KeyId) -> Result<Vec<VersionedKey>, LoadError> {
        T::key(self, id)
    }

    fn version(&self, id: KeyId, version: KeyVersion) -> Result<Option<VersionedKey>, LoadError> {
        T::version(self, id, version)
    }

    fn place(&self, refused: &Refused) -> Option<String> {
        T::place(self, refused)
    }
}

/// Why keys could not be loaded. Says nothing about which keys exist.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The back end could not be asked.
    CouldNotAsk(CouldNotAsk),
    /// A key was found that cannot be used; it is named.
    Unusable {
        /// The key's name in the back end.
        name: String,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// The back end gives less than it gave before.
    Refused(Refused),
    /// The same, and the place in the back end is known.
    RefusedAt(Refused, String),
    /// The key file cannot be read.
    KeyFile(KeyFileError),
}

/// What kept a back end from being asked, in its own terms.
#[derive(Debug)]
pub struct CouldNotAsk {
    error: Box<dyn Error + Send + Sync>,
    is_silence: bool,
}

impl CouldNotAsk {
    /// `is_silence` says whether nobody gave any sign of life.
    pub fn new(error: impl Error + Send + Sync + 'static, is_silence: bool) -> Self {
        Self { error: Box::new(error), is_silence }
    }

    /// Whether nobody gave any sign of life. A back end that refuses to answer has given one.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        self.is_silence
    }

    /// The back end's own error, if it is of this type.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error.downcast_ref()
    }
}

/// Why a key that exists cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFault {
    /// The key has this many bytes instead of 16, 24 or 32.
    Length(usize),
    /// Two objects have the name, and it is not known which one is meant.
    Ambiguous,
    /// The object is no symmetric key in the clear.
    NotRaw,
    /// The server lists the object, and then denies having it.
    Vanished,
    /// The key says that it has this many bits, and has this many bytes.
    LengthMismatch {
        /// Cryptographic Length, in bits.
        declared_bits: u32,
        /// The bytes that are there.
        bytes: usize,
    },
    /// The server does not give the key, for this reason.
    Withheld(String),
}

impl KeyVersion {
    /// The first version of a key.
    pub const FIRST: Self = Self(1);
    /// The highest version there can be.
    pub const LAST: Self = Self(u32::MAX - 1);

    /// `None` for 0 and for 4294967295, which are no versions.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 || number == u32::MAX { None } else { Some(Self(number)) }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The version `step` later; `None` when there is none left.
    #[must_use]
    pub const fn later(self, step: u32) -> Option<Self> {
        match self.0.checked_add(step) {
            Some(number) => Self::new(number),
            None => None,
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CouldNotAsk(could_not) => could_not.error.fmt(f),
            Self::Unusable { name, fault } => write!(f, "key {name:?} cannot be used: {fault}"),
            Self::Refused(refused) => refused.fmt(f),
            Self::RefusedAt(refused, place) => {
                write!(f, "{} at {place}; the keys in use stay as they are", refused.loss())
            }
            Self::KeyFile(error) => error.fmt(f),
        }
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::CouldNotAsk(could_not) => Some(could_not.error.as_ref()),
            Self::Refused(refused) | Self::RefusedAt(refused, _) => Some(refused),
            Self::KeyFile(error) => Some(error),
            Self::Unusable { .. } => None,
        }
    }
}

impl From<Unusable> for LoadError {
    fn from(unusable: Unusable) -> Self {
        Self::Unusable { name: unusable.name, fault: unusable.fault }
    }
}

impl From<CouldNotAsk> for LoadError {
    fn from(could_not: CouldNotAsk) -> Self {
        Self::CouldNotAsk(could_not)
    }
}

impl From<KeyFileError> for LoadError {
    fn from(error: KeyFileError) -> Self {
        Self::KeyFile(error)
    }
}

impl From<Refused> for LoadError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bytes) => write!(f, "it has {bytes} bytes, and MariaDB takes 16, 24 or 32"),
            Self::Ambiguous => f.write_str("two objects have this name; destroy the one that was never used"),
            Self::NotRaw => f.write_str("it is not a symmetric key in the clear"),
            Self::Vanished => f.write_str("the server lists it and then denies having it; try again"),
            Self::LengthMismatch { declared_bits, bytes } => {
                write!(f, "it says that it has {declared_bits} bits, and has {bytes} bytes")
            }
            Self::Withheld(reason) => write!(f, "the server does not give it to this endpoint: {reason}"),
        }
    }
}

/// Whether MariaDB takes a key of this many bytes.
#[must_use]
pub fn is_usable_length(bytes: usize) -> bool {
    matches!(bytes, 16 | 24 | 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_numbers_with_another_meaning_are_no_versions() {
        assert_eq!(KeyVersion::new(0), None);
        assert_eq!(KeyVersion::new(u32::MAX), None);
        assert_eq!(KeyVersion::new(1), Some(KeyVersion::FIRST));
        assert_eq!(KeyVersion::LAST.later(1), None);
        assert_eq!(KeyVersion::FIRST.later(u32::MAX), None);
        assert_eq!(KeyVersion::FIRST.later(2).unwrap().number(), 3);
    }
}

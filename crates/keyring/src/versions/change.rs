//! Making keys and versions.

use std::fmt;

use strongroom_kmip::attribute::{Attribute, Attributes, Name};
use strongroom_kmip::types::{CryptographicAlgorithm, State, UsageMask};

use super::{CouldNotAsk, KeyFault, KeyId, KeyVersion, KmipVersions, LoadError, Refused, could_not_ask};
use crate::backend::{activated, dispose, is_live};

/// Why no key or version was made.
#[derive(Debug)]
#[non_exhaustive]
pub enum ChangeError {
    /// The keys that there are could not be looked at.
    Load(LoadError),
    /// The key exists already; rotate it instead.
    Exists(KeyId),
    /// There is no such key; add it first.
    NoSuchKey(KeyId),
    /// There are no version numbers left.
    VersionsExhausted(KeyId),
    /// AES has no keys of this many bits.
    Bits(u32),
    /// Somebody else made the same version at the same moment; nothing was made here.
    Overtaken(KeyId, KeyVersion),
    /// A step of 0 makes no new version.
    ZeroStep,
    /// A database uses a version of the key that the server has lost, so that the next one could get its number.
    Lost {
        /// The key.
        id: KeyId,
        /// The version in use.
        in_use: KeyVersion,
        /// The latest version that the server knows.
        latest: KeyVersion,
    },
}

/// The step between versions. With MariaDB's default `innodb_encryption_rotate_key_age` of 1, pages are re-encrypted in the background
/// only once they are two versions behind.
pub const DEFAULT_STEP: u32 = 2;

impl KmipVersions {
    /// Makes the first version of a key, of 128, 192 or 256 bits.
    ///
    /// # Errors
    /// [`ChangeError::Exists`] when there is any version of it; nothing is changed then.
    pub fn add(&self, id: KeyId, bits: u32) -> Result<KeyVersion, ChangeError> {
        if !matches!(bits, 128 | 192 | 256) {
            return Err(ChangeError::Bits(bits));
        }
        if !self.find(id)?.is_empty() {
            return Err(ChangeError::Exists(id));
        }
        let version = match self.latest_destroyed(id)? {
            None => KeyVersion::FIRST,
            Some(destroyed) => destroyed.later(DEFAULT_STEP).ok_or(ChangeError::VersionsExhausted(id))?,
        };
        self.make(id, version, bits)
    }

    /// Makes the version that is `step` above the latest one, of the same length. See [`DEFAULT_STEP`]. The number of a version that
    /// was destroyed is not given again, as a running database may still use the key that had it.
    ///
    /// # Errors
    /// [`ChangeError::NoSuchKey`] when there is no version of it; nothing is changed then.
    pub fn rotate(&self, id: KeyId, step: u32) -> Result<KeyVersion, ChangeError> {
        self.rotate_from(id, step, None)
    }

    /// The same where a database is known to use the version `in_use`.
    ///
    /// # Errors
    /// As for [`rotate`](Self::rotate), and [`ChangeError::Lost`] when the server does not know that version or a later one; nothing is
    /// changed then.
    pub fn rotate_in_use(&self, id: KeyId, step: u32, in_use: KeyVersion) -> Result<KeyVersion, ChangeError> {
        self.rotate_from(id, step, Some(in_use))
    }

    fn rotate_from(
        &self,
        id: KeyId,
        step: u32,
        in_use: Option<KeyVersion>,
    ) -> Result<KeyVersion, ChangeError> {
        if step == 0 {
            return Err(ChangeError::ZeroStep);
        }
        let found = self.look(id)?;
        let Some(latest) = found.last() else { return Err(ChangeError::NoSuchKey(id)) };
        let highest = self.latest_destroyed(id)?.map_or(latest.version, |gone| gone.max(latest.version));
        if let Some(in_use) = in_use.filter(|in_use| *in_use > highest) {
            return Err(ChangeError::Lost { id, in_use, latest: highest });
        }
        self.believe(id, Some(highest))?;
        let version = highest.later(step).ok_or(ChangeError::VersionsExhausted(id))?;
        let bits = match latest.bits {
            Some(bits) => bits,
            None => {
                let key = self.fetch_one(latest)?.ok_or(ChangeError::NoSuchKey(id))?;
                u32::try_from(key.material.len() * 8).unwrap_or(256)
            }
        };
        self.make(id, version, bits)
    }

    /// Makes one version. As not every server keeps names unique, the name is looked up again afterwards: a version that turns out to
    /// have company was made at the same time as another one, and is taken back before anybody could use it.
    fn make(&self, id: KeyId, version: KeyVersion, bits: u32) -> Result<KeyVersion, ChangeError> {
        let mut identity = Attributes::new();
        identity.push(Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES));
        identity.push(Attribute::CryptographicLength(bits));
        identity.push(Attribute::CryptographicUsageMask(UsageMask::Encrypt | UsageMask::Decrypt));
        identity.push(Attribute::Name(Name::text(self.name(id, version))));
        identity.push(Attribute::ObjectGroup(self.group(id)));
        match activated(&self.session, identity, |attributes| self.session.create(attributes)) {
            Ok(made) => {
                // Where nobody can be asked any more, the version is made all the same, and a twin would show when it is fetched.
                if self.others(id, version, &made).unwrap_or(false) {
                    dispose(&self.session, &made).map_err(could_not_ask)?;
                    return Err(ChangeError::Overtaken(id, version));
                }
            }
            Err(error @ strongroom_client::Error::OutcomeUnknown { .. }) => {
                // There was no such version before, so one that is there now is the one that was asked for. Where none is, it may still
                // be on its way.
                match self.named(id, version) {
                    Ok(found) if found.len() == 1 => {}
                    _ => return Err(could_not_ask(error).into()),
                }
            }
            Err(error @ strongroom_client::Error::Refused { .. }) => {
                return match self.named(id, version) {
                    Ok(found) if !found.is_empty() => Err(ChangeError::Overtaken(id, version)),
                    _ => Err(could_not_ask(error).into()),
                };
            }
            Err(error) => return Err(could_not_ask(error).into()),
        }
        self.believe(id, Some(version))?;
        Ok(version)
    }

    /// The latest version of a key that was destroyed, where the server remembers those. Locate gives them only when it is asked for
    /// their state (KMIP 1.4 §4.9).
    fn latest_destroyed(&self, id: KeyId) -> Result<Option<KeyVersion>, LoadError> {
        let mut latest = None;
        for state in [State::Destroyed, State::DestroyedCompromised] {
            let mut filter = Attributes::new();
            filter.push(Attribute::ObjectGroup(self.group(id)));
            filter.push(Attribute::State(state));
            let gone =
                self.session.locate(&filter).map_err(could_not_ask).and_then(|identifiers| {
                    self.describe_those(identifiers, |attributes| !is_live(attributes))
                });
            let gone = match gone {
                Ok(gone) => gone,
                // A server that cannot be asked for them.
                Err(LoadError::CouldNotAsk(could_not)) if is_refusal(&could_not) => continue,
                Err(error) => return Err(error),
            };
            latest = gone.iter().filter(|key| key.id == id).map(|key| key.version).max().max(latest);
        }
        Ok(latest)
    }

    fn others(&self, id: KeyId, version: KeyVersion, made: &str) -> Result<bool, LoadError> {
        match self.named(id, version) {
            Ok(found) => Ok(found.iter().any(|key| key.identifier != made)),
            Err(LoadError::Unusable { fault: KeyFault::Ambiguous, .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn is_refusal(could_not: &CouldNotAsk) -> bool {
    matches!(could_not.downcast_ref(), Some(strongroom_client::Error::Refused { .. }))
}

impl From<LoadError> for ChangeError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<Refused> for ChangeError {
    fn from(refused: Refused) -> Self {
        Self::Load(refused.into())
    }
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => error.fmt(f),
            Self::Exists(id) => write!(f, "key {id} exists already; rotate it to make a new version"),
            Self::NoSuchKey(id) => write!(f, "there is no key {id}; add it first"),
            Self::VersionsExhausted(id) => write!(f, "key {id} has no version numbers left"),
            Self::Bits(bits) => write!(f, "AES has no keys of {bits} bits; 128, 192 and 256 are possible"),
            Self::Overtaken(id, version) => {
                write!(
                    f,
                    "version {version} of key {id} was made by somebody else at the same moment; look again"
                )
            }
            Self::ZeroStep => f.write_str("a step of 0 makes no new version"),
            Self::Lost { id, in_use, latest } => write!(
                f,
                "version {in_use} of key {id} is in use, and the KMIP server knows none later than {latest}; no version was made. If it was \
                 restored from a backup, restore a later one. If version {in_use} is lost for good, do not restart the database; make a \
                 version above it with: strongroom mariadb key rotate --key-id {id} --step {}",
                (in_use.number() - latest.number()).saturating_add(DEFAULT_STEP)
            ),
        }
    }
}

impl std::error::Error for ChangeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Load(error) => Some(error),
            _ => None,
        }
    }
}

//! MariaDB's keys on a KMIP server: Name `<prefix>/<key id>/<version>`, Object Group `<prefix>/<key id>`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use strongroom_client::Session;
use strongroom_client::error::Step;
use strongroom_client::session::{AnswerFault, ServerHealth};
use strongroom_kmip::ManagedObject;
use strongroom_kmip::attribute::{Attribute, AttributeKind, Attributes, Name};
use strongroom_kmip::types::{CryptographicAlgorithm, ObjectType, State, UsageMask};

use super::{
    KeyFault, KeyId, KeyServer, KeyServerState, KeyVersion, LoadError, Loaded, OnLoss, Refused, Unusable,
    VersionedKey, VersionedKeys, is_usable_length,
};
use crate::backend::{activated, dispose, is_live};

/// MariaDB's keys on a KMIP server.
///
/// Only the methods that say so make keys. Keys in every state but Destroyed are given, because data that was written under a key has
/// to stay readable when the key is deactivated or compromised. Each question is answered within the time of one call of the session.
pub struct KmipVersions {
    session: Session,
    prefix: String,
    /// The highest version of each key that the server ever gave here, below which no later answer is believed.
    highest: Mutex<BTreeMap<KeyId, KeyVersion>>,
}

/// What is known of a version without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionDescription {
    /// The key.
    pub id: KeyId,
    /// Its version.
    pub version: KeyVersion,
    /// Its length in bits, where the server gives it.
    pub bits: Option<u32>,
    /// Its state, where the server gives it.
    pub state: Option<State>,
    /// The object's unique identifier.
    pub identifier: String,
}

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
}

/// The prefix of names unless another one is configured.
pub const DEFAULT_PREFIX: &str = "mariadb";

/// The step between versions. With MariaDB's default `innodb_encryption_rotate_key_age` of 1, pages are re-encrypted in the background
/// only once they are two versions behind.
pub const DEFAULT_STEP: u32 = 2;

/// How many versions in a row may be missing where they have to be probed for one by one.
const PROBED_GAP: u32 = 8;

const DESCRIBING: [AttributeKind; 3] =
    [AttributeKind::Name, AttributeKind::State, AttributeKind::CryptographicLength];

impl KmipVersions {
    /// Keys over this session, named with [`DEFAULT_PREFIX`].
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self::with_prefix(session, DEFAULT_PREFIX)
    }

    /// Keys over this session, named with this prefix.
    #[must_use]
    pub fn with_prefix(session: Session, prefix: &str) -> Self {
        Self { session, prefix: prefix.into(), highest: Mutex::new(BTreeMap::new()) }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

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
        self.make(id, KeyVersion::FIRST, bits)
    }

    /// Makes the version that is `step` above the latest one, of the same length. See [`DEFAULT_STEP`].
    ///
    /// # Errors
    /// [`ChangeError::NoSuchKey`] when there is no version of it; nothing is changed then.
    pub fn rotate(&self, id: KeyId, step: u32) -> Result<KeyVersion, ChangeError> {
        if step == 0 {
            return Err(ChangeError::ZeroStep);
        }
        let found = self.find(id)?;
        let Some(latest) = found.last() else { return Err(ChangeError::NoSuchKey(id)) };
        let version = latest.version.later(step).ok_or(ChangeError::VersionsExhausted(id))?;
        let bits = match latest.bits {
            Some(bits) => bits,
            None => {
                let key = self.fetch_one(latest)?.ok_or(ChangeError::NoSuchKey(id))?;
                u32::try_from(key.material.len() * 8).unwrap_or(256)
            }
        };
        self.make(id, version, bits)
    }

    /// Every version of every key without its bytes, in order.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn list(&self) -> Result<Vec<VersionDescription>, LoadError> {
        unique(&self.prefix, self.list_all()?)
    }

    /// The versions of one key without their bytes, in order.
    fn find(&self, id: KeyId) -> Result<Vec<VersionDescription>, LoadError> {
        let mut filter = Attributes::new();
        filter.push(Attribute::ObjectGroup(self.group(id)));
        let grouped = match self.session.locate(&filter) {
            Ok(identifiers) => {
                let mut found = self.describe(identifiers)?;
                // A server that takes no notice of the filter gives more.
                found.retain(|key| key.id == id);
                found
            }
            Err(strongroom_client::Error::Refused { .. }) => vec![],
            Err(error) => return Err(error.into()),
        };
        let found = if grouped.is_empty() { self.probe(id)? } else { grouped };
        self.believe(id, found.last().map(|key| key.version))?;
        Ok(found)
    }

    /// Looks for the versions of a key by their names, for servers that know no groups: upward from the first until [`PROBED_GAP`] of
    /// them in a row are missing, and then the same from the highest that was ever seen.
    fn probe(&self, id: KeyId) -> Result<Vec<VersionDescription>, LoadError> {
        let seen = self.highest.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied();
        let mut found = Vec::new();
        let (mut next, mut misses) = (Some(KeyVersion::FIRST), 0);
        while let Some(version) = next {
            let named = self.named(id, version)?;
            if named.is_empty() {
                misses += 1;
                if misses >= PROBED_GAP {
                    // Numbers may be far apart, and counting from one to the next could take for ever.
                    let Some(seen) = seen.filter(|seen| version < *seen) else { break };
                    (next, misses) = (Some(seen), 0);
                    continue;
                }
            } else {
                misses = 0;
                found.extend(named);
            }
            next = version.later(1);
        }
        unique(&self.prefix, found)
    }

    fn named(&self, id: KeyId, version: KeyVersion) -> Result<Vec<VersionDescription>, LoadError> {
        let mut filter = Attributes::new();
        filter.push(Attribute::Name(Name::text(self.name(id, version))));
        let identifiers = self.session.locate(&filter)?;
        let mut found = self.describe(identifiers)?;
        found.retain(|key| (key.id, key.version) == (id, version));
        Ok(found)
    }

    /// The versions behind these objects, in order. Other objects are left out.
    fn describe(&self, identifiers: Vec<String>) -> Result<Vec<VersionDescription>, LoadError> {
        unique(&self.prefix, self.describe_all(identifiers)?)
    }

    /// The same without a look at whether names are unique, and in no order.
    fn describe_all(&self, identifiers: Vec<String>) -> Result<Vec<VersionDescription>, LoadError> {
        let attributes = self.session.get_attributes_many(&identifiers, &DESCRIBING)?;
        Ok(identifiers
            .into_iter()
            .zip(attributes)
            .filter_map(|(identifier, attributes)| {
                let attributes = attributes.filter(is_live)?;
                let (id, version) =
                    attributes.names().find_map(|name| parse_name(&self.prefix, &name.value))?;
                Some(VersionDescription {
                    id,
                    version,
                    bits: attributes.cryptographic_length().filter(|bits| *bits > 0),
                    state: attributes.state(),
                    identifier,
                })
            })
            .collect())
    }

    /// The bytes of these versions, in batches. Where several objects have one name, none of them is fetched.
    fn fetch(&self, found: Vec<VersionDescription>) -> Result<Loaded, LoadError> {
        let (found, mut unusable) = self.apart(found);
        let identifiers: Vec<_> = found.iter().map(|key| key.identifier.clone()).collect();
        let objects = self.session.get_each(&identifiers)?;
        let mut keys = Vec::with_capacity(found.len());
        for (key, object) in found.iter().zip(objects) {
            let usable = match object {
                Ok(Some(object)) => self.versioned(key, object),
                Ok(None) => Err(self.unusable(key, KeyFault::Vanished)),
                Err(error) => Err(self.unusable(key, fault_of(error)?)),
            };
            match usable {
                Ok(key) => keys.push(key),
                Err(fault) => unusable.push(fault),
            }
        }
        Ok(Loaded { keys, unusable })
    }

    /// In order, and without those of which it is not known which object is meant.
    fn apart(&self, mut found: Vec<VersionDescription>) -> (Vec<VersionDescription>, Vec<Unusable>) {
        found.sort_by_key(|key| (key.id, key.version));
        let (mut single, mut ambiguous) = (Vec::with_capacity(found.len()), Vec::new());
        for same in found.chunk_by(|one, other| (one.id, one.version) == (other.id, other.version)) {
            match same {
                [only] => single.push(only.clone()),
                _ => ambiguous.push(self.unusable(&same[0], KeyFault::Ambiguous)),
            }
        }
        (single, ambiguous)
    }

    fn fetch_one(&self, found: &VersionDescription) -> Result<Option<VersionedKey>, LoadError> {
        match self.session.get(&found.identifier)? {
            Some(object) => Ok(Some(self.versioned(found, object)?)),
            None => Ok(None),
        }
    }

    fn versioned(&self, key: &VersionDescription, object: ManagedObject) -> Result<VersionedKey, Unusable> {
        let material = match object {
            ManagedObject::SymmetricKey(block) if block.wrapping.is_none() => block.into_material(),
            _ => None,
        };
        let material = material.ok_or_else(|| self.unusable(key, KeyFault::NotRaw))?;
        if !is_usable_length(material.len()) {
            return Err(self.unusable(key, KeyFault::Length(material.len())));
        }
        Ok(VersionedKey { id: key.id, version: key.version, material })
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
                    dispose(&self.session, &made).map_err(LoadError::from)?;
                    return Err(ChangeError::Overtaken(id, version));
                }
            }
            Err(error @ strongroom_client::Error::OutcomeUnknown { .. }) => {
                // There was no such version before, so one that is there now is the one that was asked for. Where none is, it may still
                // be on its way.
                match self.named(id, version) {
                    Ok(found) if found.len() == 1 => {}
                    _ => return Err(LoadError::from(error).into()),
                }
            }
            Err(error @ strongroom_client::Error::Refused { .. }) => {
                return match self.named(id, version) {
                    Ok(found) if !found.is_empty() => Err(ChangeError::Overtaken(id, version)),
                    _ => Err(LoadError::from(error).into()),
                };
            }
            Err(error) => return Err(LoadError::from(error).into()),
        }
        self.believe(id, Some(version))?;
        Ok(version)
    }

    fn others(&self, id: KeyId, version: KeyVersion, made: &str) -> Result<bool, LoadError> {
        match self.named(id, version) {
            Ok(found) => Ok(found.iter().any(|key| key.identifier != made)),
            Err(LoadError::Unusable { fault: KeyFault::Ambiguous, .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Holds an answer's latest version against the highest that was ever given, and remembers the higher one.
    fn believe(&self, id: KeyId, latest: Option<KeyVersion>) -> Result<(), Refused> {
        let mut highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner);
        match (highest.get(&id).copied(), latest) {
            (Some(_), None) => Err(Refused::KeyDropped(id)),
            (Some(served), Some(offered)) if offered < served => {
                Err(Refused::LatestLowered { id, served, offered })
            }
            (_, Some(latest)) => {
                highest.insert(id, latest);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// The same for an answer about all keys.
    fn believe_all(&self, found: &[VersionDescription]) -> Result<(), Refused> {
        let latest = latest(found);
        let known: Vec<KeyId> =
            self.highest.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        for id in known {
            self.believe(id, latest.get(&id).copied())?;
        }
        latest.into_iter().try_for_each(|(id, version)| self.believe(id, Some(version)))
    }

    /// Remembers how far an answer goes whose shortcomings somebody else judges.
    fn take_note(&self, found: &[VersionDescription]) {
        let mut highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, version) in latest(found) {
            let known = highest.entry(id).or_insert(version);
            *known = version.max(*known);
        }
    }

    /// Every version of every key without its bytes, in no order, those of the same name among them.
    fn list_all(&self) -> Result<Vec<VersionDescription>, LoadError> {
        let mut filter = Attributes::new();
        filter.push(Attribute::ObjectType(ObjectType::SymmetricKey));
        let identifiers = self.session.locate(&filter)?;
        self.describe_all(identifiers)
    }

    fn unusable(&self, key: &VersionDescription, fault: KeyFault) -> Unusable {
        Unusable { id: key.id, version: key.version, name: self.name(key.id, key.version), fault }
    }

    fn group(&self, id: KeyId) -> String {
        format!("{}/{id}", self.prefix)
    }

    fn name(&self, id: KeyId, version: KeyVersion) -> String {
        format!("{}/{id}/{version}", self.prefix)
    }
}

impl VersionedKeys for KmipVersions {
    fn load(&self) -> Result<Vec<VersionedKey>, LoadError> {
        self.session.together(|_| {
            let found = self.list()?;
            self.believe_all(&found)?;
            let loaded = self.fetch(found)?;
            match loaded.unusable.into_iter().next() {
                Some(unusable) => Err(unusable.into()),
                None => Ok(loaded.keys),
            }
        })
    }

    fn load_usable(&self) -> Result<Loaded, LoadError> {
        self.session.together(|_| {
            let found = self.list_all()?;
            self.take_note(&found);
            self.fetch(found)
        })
    }

    fn servers(&self) -> Vec<KeyServer> {
        self.session.health().into_iter().map(key_server).collect()
    }

    fn on_loss(&self) -> OnLoss {
        OnLoss::KeepAndGoOn
    }

    fn key(&self, id: KeyId) -> Result<Vec<VersionedKey>, LoadError> {
        self.session.together(|_| {
            let Loaded { keys, unusable } = self.fetch(self.find(id)?)?;
            let latest = keys.iter().map(|key| key.version).max();
            match unusable.into_iter().find(|unusable| Some(unusable.version) > latest) {
                Some(unusable) => Err(unusable.into()),
                None => Ok(keys),
            }
        })
    }

    fn version(&self, id: KeyId, version: KeyVersion) -> Result<Option<VersionedKey>, LoadError> {
        self.session.together(|_| match self.named(id, version)?.first() {
            Some(found) => self.fetch_one(found),
            None => Ok(None),
        })
    }
}

/// The latest version of each key.
fn latest(found: &[VersionDescription]) -> BTreeMap<KeyId, KeyVersion> {
    let mut latest = BTreeMap::new();
    for key in found {
        let highest = latest.entry(key.id).or_insert(key.version);
        *highest = key.version.max(*highest);
    }
    latest
}

fn key_server(health: ServerHealth) -> KeyServer {
    let state = match health {
        ServerHealth { is_failing: true, .. } => KeyServerState::Away,
        ServerHealth { is_in_use: true, .. } => KeyServerState::InUse,
        ServerHealth { last_answer: Some(_), .. } => KeyServerState::Standby,
        _ => KeyServerState::NotTried,
    };
    let step = |step| match step {
        Step::Name => "name",
        Step::Tcp => "TCP",
        Step::Tls => "TLS",
        Step::Kmip => "KMIP",
    };
    KeyServer {
        address: health.server.to_string(),
        state,
        last_answer: health.last_answer,
        round_trip: health.round_trip,
        last_failure: health
            .last_failure
            .map(|(at, failure)| (at, step(failure.step), failure.cause.to_string())),
    }
}

/// What is wrong with one object, where the error is about it and not about the server.
fn fault_of(error: strongroom_client::Error) -> Result<KeyFault, LoadError> {
    match error {
        strongroom_client::Error::Refused { failure, .. } => Ok(KeyFault::Withheld(failure.reason)),
        strongroom_client::Error::Answer {
            fault: AnswerFault::KeyLength { declared_bits, bytes }, ..
        } => Ok(KeyFault::LengthMismatch { declared_bits, bytes }),
        other => Err(other.into()),
    }
}

/// Sorts, and refuses two objects of one name: a page written under one of them cannot be read with the other.
fn unique(prefix: &str, mut keys: Vec<VersionDescription>) -> Result<Vec<VersionDescription>, LoadError> {
    keys.sort_by_key(|key| (key.id, key.version));
    let same = |pair: &&[VersionDescription]| (pair[0].id, pair[0].version) == (pair[1].id, pair[1].version);
    match keys.windows(2).find(same) {
        Some(pair) => Err(LoadError::Unusable {
            name: format!("{prefix}/{}/{}", pair[0].id, pair[0].version),
            fault: KeyFault::Ambiguous,
        }),
        None => Ok(keys),
    }
}

/// Key id and version of a name; `None` for names of another making, such as `mariadb/01/1`.
fn parse_name(prefix: &str, name: &str) -> Option<(KeyId, KeyVersion)> {
    let (id, version) = name.strip_prefix(prefix)?.strip_prefix('/')?.split_once('/')?;
    let (id, version) = (KeyId(number(id)?), KeyVersion::new(number(version)?)?);
    Some((id, version))
}

/// A number as it is printed here: digits without leading zeros.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_written_here_are_read() {
        let key = |name| parse_name("mariadb", name).map(|(id, version)| (id.0, version.number()));
        assert_eq!(key("mariadb/1/3"), Some((1, 3)));
        assert_eq!(key("mariadb/4294967295/4294967294"), Some((u32::MAX, u32::MAX - 1)));
        for foreign in [
            "mariadb/1",
            "mariadb/1/",
            "mariadb//1",
            "mariadb/1/0",
            "mariadb/1/4294967295",
            "mariadb/01/1",
            "mariadb/1/+1",
            "mariadb/1/1/1",
            "mariadb2/1/1",
            "other/1/1",
            "mariadb/1/x",
        ] {
            assert_eq!(key(foreign), None, "{foreign}");
        }
    }
}

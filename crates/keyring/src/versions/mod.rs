//! Keys as MariaDB sees them, which `strongroom-key-versions` says more of, on a KMIP server: Name `<prefix>/<key id>/<version>`, Object Group `<prefix>/<key id>`.
//!
//! Here is how versions are found; their bytes are in `fetch.rs`, and new ones are made in `change.rs`.

mod change;
mod fetch;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use strongroom_client::Session;
use strongroom_kmip::attribute::{Attribute, AttributeKind, Attributes, Name};
use strongroom_kmip::types::{ObjectType, State};

use crate::backend::is_live;

pub use change::{ChangeError, DEFAULT_STEP};
pub use strongroom_key_versions::versions::*;

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

/// The prefix of names unless another one is configured.
pub const DEFAULT_PREFIX: &str = "mariadb";

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

    /// Every version of every key without its bytes, in order.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn list(&self) -> Result<Vec<VersionDescription>, LoadError> {
        unique(&self.prefix, self.list_all()?)
    }

    /// The versions of one key without their bytes, in order.
    fn find(&self, id: KeyId) -> Result<Vec<VersionDescription>, LoadError> {
        let found = self.look(id)?;
        self.believe(id, found.last().map(|key| key.version))?;
        Ok(found)
    }

    /// The same, whatever was found before.
    fn look(&self, id: KeyId) -> Result<Vec<VersionDescription>, LoadError> {
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
            Err(error) => return Err(could_not_ask(error)),
        };
        if grouped.is_empty() { self.probe(id) } else { Ok(grouped) }
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
        let identifiers = self.session.locate(&filter).map_err(could_not_ask)?;
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
        self.describe_those(identifiers, is_live)
    }

    fn describe_those(
        &self,
        identifiers: Vec<String>,
        are_meant: impl Fn(&Attributes) -> bool,
    ) -> Result<Vec<VersionDescription>, LoadError> {
        let attributes =
            self.session.get_attributes_many(&identifiers, &DESCRIBING).map_err(could_not_ask)?;
        Ok(identifiers
            .into_iter()
            .zip(attributes)
            .filter_map(|(identifier, attributes)| {
                let attributes = attributes.filter(&are_meant)?;
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
        let identifiers = self.session.locate(&filter).map_err(could_not_ask)?;
        self.describe_all(identifiers)
    }

    fn group(&self, id: KeyId) -> String {
        format!("{}/{id}", self.prefix)
    }

    fn name(&self, id: KeyId, version: KeyVersion) -> String {
        format!("{}/{id}/{version}", self.prefix)
    }
}

/// A KMIP server could not be asked, or refused.
#[must_use]
pub fn could_not_ask(error: strongroom_client::Error) -> LoadError {
    let is_silence = error.is_silence();
    CouldNotAsk::new(error, is_silence).into()
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

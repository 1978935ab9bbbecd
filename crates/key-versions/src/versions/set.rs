//! All versions of all keys at one moment, as an immutable value.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use strongroom_secret::KeyMaterial;

use super::{KeyFault, KeyId, KeyVersion, LoadError, VersionedKey, is_usable_length};

/// Keys and versions at one moment. Cheap to clone: the key bytes are shared.
///
/// Every key in a set has at least one version, and every version 16, 24 or 32 bytes.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: BTreeMap<KeyId, BTreeMap<KeyVersion, Arc<KeyMaterial>>>,
}

/// Why a newer set must not replace one that has been served.
///
/// MariaDB remembers for ever that a key went away, and overwrites data it can no longer read the moment that a version's
/// bytes change. An answer that would do either is kept out, and the set that was served stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A key that was served is missing.
    KeyDropped(KeyId),
    /// A version that was served is missing, and it was not the latest.
    VersionDropped(KeyId, KeyVersion),
    /// The latest version is lower than the one served.
    LatestLowered {
        /// The key.
        id: KeyId,
        /// The latest version served so far.
        served: KeyVersion,
        /// The latest version of the new answer.
        offered: KeyVersion,
    },
    /// A version that was served has other bytes now.
    BytesChanged(KeyId, KeyVersion),
}

impl KeySet {
    /// The set of these keys.
    ///
    /// # Errors
    /// [`LoadError::Unusable`] for a key of a length that MariaDB does not take, and for two different keys under one version.
    /// The same key twice is tolerated.
    pub fn from_keys(keys: impl IntoIterator<Item = VersionedKey>) -> Result<Self, LoadError> {
        let mut set = Self::default();
        for key in keys {
            let unusable = |fault| LoadError::Unusable { name: format!("{}/{}", key.id, key.version), fault };
            if !is_usable_length(key.material.len()) {
                return Err(unusable(KeyFault::Length(key.material.len())));
            }
            match set.keys.entry(key.id).or_default().entry(key.version) {
                Entry::Vacant(vacant) => {
                    vacant.insert(Arc::new(key.material));
                }
                Entry::Occupied(held) if **held.get() == key.material => {}
                Entry::Occupied(_) => return Err(unusable(KeyFault::Ambiguous)),
            }
        }
        Ok(set)
    }

    /// `new` in the place of `old`, where nothing that was served is lost by it.
    ///
    /// # Errors
    /// [`Refused`] names the first thing that would be lost; `old` is then to be kept.
    pub fn merge(old: &Self, new: Self) -> Result<Self, Refused> {
        for (&id, served) in &old.keys {
            let offered = new.keys.get(&id).ok_or(Refused::KeyDropped(id))?;
            if let (Some(served), Some(offered)) = (highest(served), highest(offered))
                && offered < served
            {
                return Err(Refused::LatestLowered { id, served, offered });
            }
            for (&version, material) in served {
                match offered.get(&version) {
                    None => return Err(Refused::VersionDropped(id, version)),
                    Some(bytes) if bytes != material => return Err(Refused::BytesChanged(id, version)),
                    Some(_) => {}
                }
            }
        }
        Ok(new)
    }

    /// `new` in the place of `old`, with whatever of `old` is missing from it, and what that is. Of a key with other bytes than
    /// before nothing new is taken.
    #[must_use]
    pub fn keep(old: &Self, mut new: Self) -> (Self, Vec<Refused>) {
        let mut lost = Vec::new();
        for (&id, served) in &old.keys {
            let Some(offered) = new.keys.get_mut(&id) else {
                lost.push(Refused::KeyDropped(id));
                new.keys.insert(id, served.clone());
                continue;
            };
            let changed = |(version, bytes): (&KeyVersion, &Arc<KeyMaterial>)| {
                offered.get(version).is_some_and(|other| other != bytes).then_some(*version)
            };
            if let Some(version) = served.iter().find_map(changed) {
                lost.push(Refused::BytesChanged(id, version));
                served.clone_into(offered);
                continue;
            }
            if let (Some(served), Some(offered)) = (highest(served), highest(offered))
                && offered < served
            {
                lost.push(Refused::LatestLowered { id, served, offered });
            }
            for (&version, material) in served {
                if let Entry::Vacant(gap) = offered.entry(version) {
                    gap.insert(Arc::clone(material));
                    let is_told = matches!(lost.last(), Some(Refused::LatestLowered { id: of, served, .. }) if (*of, *served) == (id, version));
                    if !is_told {
                        lost.push(Refused::VersionDropped(id, version));
                    }
                }
            }
        }
        (new, lost)
    }

    /// The set without one key.
    #[must_use]
    pub fn without(mut self, id: KeyId) -> Self {
        self.keys.remove(&id);
        self
    }

    /// Both sets together: what a look at a few keys found, added to what is served already.
    ///
    /// # Errors
    /// [`Refused::BytesChanged`] when they disagree about a version.
    pub fn with(&self, found: &Self) -> Result<Self, Refused> {
        let mut union = self.clone();
        for (&id, versions) in &found.keys {
            let held = union.keys.entry(id).or_default();
            for (&version, material) in versions {
                match held.entry(version) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(Arc::clone(material));
                    }
                    Entry::Occupied(held) if held.get() == material => {}
                    Entry::Occupied(_) => return Err(Refused::BytesChanged(id, version)),
                }
            }
        }
        Ok(union)
    }

    /// The latest version of a key; `None` when the set has no such key.
    #[must_use]
    pub fn latest(&self, id: KeyId) -> Option<KeyVersion> {
        self.keys.get(&id).and_then(highest)
    }

    /// The bytes of one version; `None` when the set has no such version.
    #[must_use]
    pub fn material(&self, id: KeyId, version: KeyVersion) -> Option<&Arc<KeyMaterial>> {
        self.keys.get(&id)?.get(&version)
    }

    /// Every key and version, in order.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, KeyVersion, &KeyMaterial)> {
        self.keys.iter().flat_map(|(&id, versions)| {
            versions.iter().map(move |(&version, material)| (id, version, material.as_ref()))
        })
    }

    /// How many keys there are, whatever their versions.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// How many versions there are of all keys together.
    #[must_use]
    pub fn versions(&self) -> usize {
        self.keys.values().map(BTreeMap::len).sum()
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl Refused {
    /// What would be lost, without advice.
    #[must_use]
    pub fn loss(&self) -> String {
        match self {
            Self::KeyDropped(id) => format!("key {id} is gone from the answer"),
            Self::VersionDropped(id, version) => {
                format!("version {version} of key {id} is gone from the answer")
            }
            Self::LatestLowered { id, served, offered } => {
                format!("the latest version of key {id} fell from {served} to {offered}")
            }
            Self::BytesChanged(id, version) => {
                format!("version {version} of key {id} has other bytes than before")
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; the keys in use stay as they are; check that the key server was not replaced or restored from an old backup",
            self.loss()
        )
    }
}

impl std::error::Error for Refused {}

fn highest(versions: &BTreeMap<KeyVersion, Arc<KeyMaterial>>) -> Option<KeyVersion> {
    versions.keys().next_back().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u32, version: u32, bytes: &[u8]) -> VersionedKey {
        VersionedKey {
            id: KeyId(id),
            version: KeyVersion::new(version).unwrap(),
            material: KeyMaterial::new(bytes),
        }
    }

    fn set(keys: &[(u32, u32, u8)]) -> KeySet {
        KeySet::from_keys(keys.iter().map(|&(id, version, byte)| key(id, version, &[byte; 32]))).unwrap()
    }

    fn version(number: u32) -> KeyVersion {
        KeyVersion::new(number).unwrap()
    }

    #[test]
    fn the_latest_version_is_the_highest_and_gaps_are_no_matter() {
        let set = set(&[(1, 7, 7), (1, 1, 1), (1, 3, 3), (2, 1, 9)]);
        assert_eq!(set.latest(KeyId(1)), KeyVersion::new(7));
        assert_eq!(set.latest(KeyId(3)), None);
        assert_eq!(set.material(KeyId(1), version(3)).unwrap().as_bytes(), [3; 32]);
        assert!(set.material(KeyId(1), version(2)).is_none());
        assert_eq!((set.keys(), set.versions()), (2, 4));
    }

    #[test]
    fn a_newer_set_may_add_keys_and_versions() {
        let old = set(&[(1, 1, 1)]);
        let merged = KeySet::merge(&old, set(&[(1, 1, 1), (1, 3, 3), (2, 1, 2)])).unwrap();
        assert_eq!((merged.latest(KeyId(1)), merged.keys()), (KeyVersion::new(3), 2));
    }

    #[test]
    fn a_newer_set_that_loses_anything_is_refused() {
        let old = set(&[(1, 1, 1), (1, 3, 3), (2, 1, 2)]);
        let refused = |new: &[(u32, u32, u8)]| KeySet::merge(&old, set(new)).unwrap_err();
        assert_eq!(refused(&[]), Refused::KeyDropped(KeyId(1)));
        assert_eq!(refused(&[(1, 1, 1), (1, 3, 3)]), Refused::KeyDropped(KeyId(2)));
        assert_eq!(
            refused(&[(1, 1, 1), (2, 1, 2)]),
            Refused::LatestLowered { id: KeyId(1), served: version(3), offered: version(1) }
        );
        assert_eq!(refused(&[(1, 3, 3), (2, 1, 2)]), Refused::VersionDropped(KeyId(1), version(1)));
        assert_eq!(refused(&[(1, 1, 1), (1, 3, 4), (2, 1, 2)]), Refused::BytesChanged(KeyId(1), version(3)));
    }

    #[test]
    fn what_a_newer_set_lacks_can_be_kept_and_is_told() {
        let old = set(&[(1, 1, 1), (1, 3, 3), (2, 1, 2), (3, 1, 7)]);
        let keep = |new: &[(u32, u32, u8)]| {
            let (kept, lost) = KeySet::keep(&old, set(new));
            let all: Vec<_> =
                kept.iter().map(|(id, version, key)| (id.0, version.number(), key.as_bytes()[0])).collect();
            (all, lost)
        };
        // Version 1 of key 1 was destroyed, and so was key 3; key 2 goes on.
        let (all, lost) = keep(&[(1, 3, 3), (1, 5, 5), (2, 1, 2), (2, 3, 8)]);
        assert_eq!(all, [(1, 1, 1), (1, 3, 3), (1, 5, 5), (2, 1, 2), (2, 3, 8), (3, 1, 7)]);
        assert_eq!(lost, [Refused::VersionDropped(KeyId(1), version(1)), Refused::KeyDropped(KeyId(3))]);
        // The latest version is never lowered.
        let (all, lost) = keep(&[(1, 1, 1), (2, 1, 2), (3, 1, 7)]);
        assert_eq!(all, [(1, 1, 1), (1, 3, 3), (2, 1, 2), (3, 1, 7)]);
        assert_eq!(lost, [Refused::LatestLowered { id: KeyId(1), served: version(3), offered: version(1) }]);
        // Bytes never change, and a key whose bytes did is not believed in anything else.
        let (all, lost) = keep(&[(1, 1, 9), (1, 3, 3), (1, 5, 5), (2, 1, 2), (3, 1, 7)]);
        assert_eq!(all, [(1, 1, 1), (1, 3, 3), (2, 1, 2), (3, 1, 7)]);
        assert_eq!(lost, [Refused::BytesChanged(KeyId(1), version(1))]);
    }

    #[test]
    fn a_look_at_one_key_adds_to_the_set_and_cannot_change_it() {
        let held = set(&[(1, 1, 1), (2, 1, 2)]);
        let union = held.with(&set(&[(1, 3, 3)])).unwrap();
        assert_eq!((union.latest(KeyId(1)), union.versions()), (KeyVersion::new(3), 3));
        assert_eq!(held.with(&set(&[(2, 1, 9)])).unwrap_err(), Refused::BytesChanged(KeyId(2), version(1)));
    }

    #[test]
    fn keys_that_cannot_be_used_make_no_set() {
        let fault = |keys| match KeySet::from_keys(keys).unwrap_err() {
            LoadError::Unusable { name, fault } => (name, fault),
            other => panic!("{other}"),
        };
        assert_eq!(fault(vec![key(5, 1, &[0; 17])]), ("5/1".into(), KeyFault::Length(17)));
        assert_eq!(
            fault(vec![key(5, 2, &[0; 16]), key(5, 2, &[1; 16])]),
            ("5/2".into(), KeyFault::Ambiguous)
        );
        assert!(KeySet::from_keys(vec![key(5, 2, &[0; 16]), key(5, 2, &[0; 16])]).is_ok());
    }
}

//! Keys in memory, gone with the process: for tests, and for a server's temporary keys.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::rand;
use strongroom_secret::KeyMaterial;

use super::Backend;
use crate::error::Error;
use crate::key::{Description, Key, KeyKind};
use crate::name::KeyName;

/// Keys in memory.
#[derive(Debug, Default)]
pub struct Memory {
    keys: Mutex<BTreeMap<KeyName, Key>>,
}

impl Memory {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every change is one insertion or removal, so what a panicking thread left behind is whole.
    fn keys(&self) -> MutexGuard<'_, BTreeMap<KeyName, Key>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, name: &KeyName, key: Key) -> Result<(), Error> {
        match self.keys().entry(name.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(key);
                Ok(())
            }
            Entry::Occupied(_) => Err(Error::Exists { name: name.in_back_end() }),
        }
    }
}

fn describe(name: &KeyName, key: &Key) -> Description {
    Description {
        name: name.clone(),
        kind: key.kind,
        bytes: key.material.len(),
        identifier: name.in_back_end(),
    }
}

impl Backend for Memory {
    fn create(&self, name: &KeyName, bytes: usize) -> Result<(), Error> {
        let material = KeyMaterial::try_fill(bytes, rand::fill).map_err(|_| Error::Random)?;
        self.insert(name, Key { kind: KeyKind::Aes, material })
    }

    fn register(&self, name: &KeyName, kind: KeyKind, material: &KeyMaterial) -> Result<(), Error> {
        self.insert(name, Key { kind, material: material.duplicate() })
    }

    fn fetch(&self, name: &KeyName) -> Result<Option<Key>, Error> {
        Ok(self.keys().get(name).map(|key| Key { kind: key.kind, material: key.material.duplicate() }))
    }

    fn describe(&self, name: &KeyName) -> Result<Option<Description>, Error> {
        Ok(self.keys().get(name).map(|key| describe(name, key)))
    }

    fn remove(&self, name: &KeyName) -> Result<bool, Error> {
        Ok(self.keys().remove(name).is_some())
    }

    fn list(&self) -> Result<Vec<Description>, Error> {
        Ok(self.keys().iter().map(|(name, key)| describe(name, key)).collect())
    }
}

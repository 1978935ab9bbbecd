//! The keyring service with the keys that were used kept in memory.
//!
//! Three things keep a database from waiting for the network more than it must:
//! - a key that is kept is given without a lock that anybody holds during a call;
//! - threads that want the same key for the first time ask once: the others wait for that answer;
//! - a back end that let a call wait in vain is left alone for a while ([`Error::StillAway`]), so that a thousand tablespaces do not
//!   wait one after the other. That goes for changes too: a database holds its keyring's lock while it makes one, and everybody who
//!   wants a key waits for that.
//!
//! What is kept is never more than what the back end has given. That a key is absent is not remembered.

mod outage;
mod turns;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Instant;

use strongroom_secret::KeyMaterial;

use crate::error::Error;
use crate::key::{Description, Key, KeyKind};
use crate::name::KeyName;
use crate::service::Keyring;
use outage::Outage;
use turns::Turns;

/// The keyring service with the keys that were used kept in memory.
pub struct CachedKeyring {
    /// Held for a moment only, never during a call.
    keyring: RwLock<Arc<Keyring>>,
    /// The keys; `None` when each is to be fetched anew. Held for a moment only.
    keys: Option<RwLock<HashMap<KeyName, Arc<Key>>>>,
    /// Counts what was removed or made anew, so that an answer from before is not kept after it. Changes under the lock of `keys`.
    changes: AtomicU64,
    turns: Turns,
    outage: Outage,
}

impl CachedKeyring {
    /// A keyring whose keys stay in memory once they were fetched, if `keep`.
    #[must_use]
    pub fn new(keyring: Keyring, keep: bool) -> Self {
        Self {
            keyring: RwLock::new(Arc::new(keyring)),
            keys: keep.then(RwLock::default),
            changes: AtomicU64::new(0),
            turns: Turns::default(),
            outage: Outage::default(),
        }
    }

    /// Asks another keyring from now on, which must hold the same keys: the same servers reached with a renewed certificate. What is
    /// in memory stays.
    pub fn replace(&self, keyring: Keyring) {
        let new = Arc::new(keyring);
        // The old one ends after the lock is given back: that may take a message to its server.
        let old = std::mem::replace(&mut *self.keyring.write().unwrap_or_else(PoisonError::into_inner), new);
        self.outage.end();
        drop(old);
    }

    /// How many keys are in memory.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.keys.as_ref().map_or(0, |keys| keys.read().unwrap_or_else(PoisonError::into_inner).len())
    }

    /// The key, if it is in memory.
    #[must_use]
    pub fn in_memory(&self, name: &KeyName) -> Option<Arc<Key>> {
        let keys = self.keys.as_ref()?.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(name).cloned()
    }

    /// The key with its bytes, from memory or from the back end; `None` when the back end says that there is none.
    ///
    /// # Errors
    /// As [`Keyring::fetch`]; [`Error::StillAway`].
    pub fn fetch(&self, name: &KeyName) -> Result<Option<Arc<Key>>, Error> {
        if let Some(key) = self.in_memory(name) {
            return Ok(Some(key));
        }
        if self.keys.is_none() {
            return Ok(self.ask(|keyring| keyring.fetch(name))?.map(Arc::new));
        }
        let _turn = self.turns.take(name);
        // Whoever had the turn before has asked the same.
        if let Some(key) = self.in_memory(name) {
            return Ok(Some(key));
        }
        let changes = self.changes.load(Ordering::SeqCst);
        let Some(key) = self.ask(|keyring| keyring.fetch(name))?.map(Arc::new) else { return Ok(None) };
        if let Some(mut keys) = self.keys_mut()
            && self.changes.load(Ordering::SeqCst) == changes
        {
            keys.insert(name.clone(), Arc::clone(&key));
        }
        Ok(Some(key))
    }

    /// As [`Keyring::generate`]. A key of this name in memory is of the past then, and leaves it.
    ///
    /// # Errors
    /// As [`Keyring::generate`]; [`Error::StillAway`].
    pub fn generate(&self, name: &KeyName, kind: KeyKind, bytes: usize) -> Result<(), Error> {
        self.make(name, |keyring| keyring.generate(name, kind, bytes))
    }

    /// As [`Keyring::store`]. A key of this name in memory is of the past then, and leaves it.
    ///
    /// # Errors
    /// As [`Keyring::store`]; [`Error::StillAway`].
    pub fn store(&self, name: &KeyName, kind: KeyKind, material: &KeyMaterial) -> Result<(), Error> {
        self.make(name, |keyring| keyring.store(name, kind, material))
    }

    /// As [`Keyring::remove`]. Unless it is certain that the key is still there, it leaves memory too.
    ///
    /// # Errors
    /// As [`Keyring::remove`]; [`Error::StillAway`].
    pub fn remove(&self, name: &KeyName) -> Result<bool, Error> {
        let result = self.ask(|keyring| keyring.remove(name));
        let may_be_gone = match &result {
            Ok(_) => true,
            Err(Error::BackEnd(error)) => matches!(error, strongroom_client::Error::OutcomeUnknown { .. }),
            Err(Error::LeftNameless { .. }) => true,
            Err(_) => false,
        };
        if may_be_gone {
            self.forget(name);
        }
        result
    }

    /// As [`Keyring::describe`].
    ///
    /// # Errors
    /// As [`Keyring::describe`]; [`Error::StillAway`].
    pub fn describe(&self, name: &KeyName) -> Result<Option<Description>, Error> {
        self.ask(|keyring| keyring.describe(name))
    }

    /// As [`Keyring::names`].
    ///
    /// # Errors
    /// As [`Keyring::names`]; [`Error::StillAway`].
    pub fn names(&self, limit: usize) -> Result<Vec<(KeyName, String)>, Error> {
        self.ask(|keyring| keyring.names(limit))
    }

    /// Makes a key. Where that is possible there was none of this name: one in memory was destroyed behind our back, and what is
    /// encrypted with it from now on would be lost at the next start.
    fn make(&self, name: &KeyName, make: impl FnOnce(&Keyring) -> Result<(), Error>) -> Result<(), Error> {
        let result = self.ask(make);
        if matches!(result, Ok(()) | Err(Error::BackEnd(strongroom_client::Error::OutcomeUnknown { .. }))) {
            self.forget(name);
        }
        result
    }

    /// The key leaves memory, and an answer that is on its way is not kept.
    fn forget(&self, name: &KeyName) {
        if let Some(mut keys) = self.keys_mut() {
            self.changes.fetch_add(1, Ordering::SeqCst);
            keys.remove(name);
        }
    }

    /// Asks the back end for something, unless it is left alone.
    fn ask<T>(&self, call: impl FnOnce(&Keyring) -> Result<T, Error>) -> Result<T, Error> {
        self.outage.check(Instant::now())?;
        let keyring = Arc::clone(&self.keyring.read().unwrap_or_else(PoisonError::into_inner));
        let began = Instant::now();
        let result = call(&keyring);
        self.outage.learn(result.as_ref().err(), began, Instant::now());
        result
    }

    fn keys_mut(&self) -> Option<RwLockWriteGuard<'_, HashMap<KeyName, Arc<Key>>>> {
        self.keys.as_ref().map(|keys| keys.write().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;

//! One question at a time about each key.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::name::KeyName;

/// The keys about which a thread is asking.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<HashSet<KeyName>>,
    given_back: Condvar,
}

/// The turn to ask about one key, until it is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    name: KeyName,
}

impl Turns {
    /// Waits until nobody else is asking about this key. Others' questions end by their deadlines.
    pub(super) fn take(&self, name: &KeyName) -> Turn<'_> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self
            .given_back
            .wait_while(taken, |taken| taken.contains(name))
            .unwrap_or_else(PoisonError::into_inner);
        taken.insert(name.clone());
        Turn { turns: self, name: name.clone() }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
        self.turns.given_back.notify_all();
    }
}

//! The sealed cache beside the keys being served: read at a start while every key server is away, written after every refresh.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use strongroom_key_versions::cache::{CacheError, Cached, SealedCache};
use strongroom_key_versions::versions::KeySet;

use crate::server::Log;

/// A cache at work.
#[derive(Debug)]
pub struct KeyCache {
    log: Log,
    sealed: SealedCache,
    /// Whether this process may write it: mariadb-backup, which loads the plugin as well, must not.
    may_write: AtomicBool,
    /// Never held during input or output.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When this process wrote it, or when the file it was started from had been written.
    written: Option<Instant>,
    /// Why it was not written the last time.
    fault: Option<String>,
    /// The age of the cache at the start, while its keys are all there is.
    started_at_age: Option<Duration>,
}

impl KeyCache {
    /// A cache that this process only reads, until it [may write](Self::allow_writes).
    #[must_use]
    pub fn new(log: Log, sealed: SealedCache) -> Self {
        Self { log, sealed, may_write: AtomicBool::new(false), state: Mutex::default() }
    }

    /// From now on this process writes the cache.
    pub fn allow_writes(&self) {
        self.may_write.store(true, Ordering::Relaxed);
    }

    /// The keys, for a start without a key server.
    ///
    /// # Errors
    /// [`CacheError`].
    pub(super) fn read(&self) -> Result<Cached, CacheError> {
        let cached = self.sealed.read()?;
        let mut state = self.state();
        state.written = Instant::now().checked_sub(cached.age);
        state.started_at_age = Some(cached.age);
        Ok(cached)
    }

    /// A key server has given all keys: `keys` are served now. What is not right with the cache is logged once. One thread at a time
    /// may call this, or an older set of keys could replace a newer one.
    ///
    /// # Errors
    /// The same, in words.
    pub(super) fn renew(&self, keys: &KeySet) -> Result<(), String> {
        self.state().started_at_age = None;
        if !self.may_write.load(Ordering::Relaxed) {
            return Ok(());
        }
        let is_first = self.state().written.is_none();
        let written = if is_first { self.save_what_is_lost(keys) } else { Ok(()) };
        match written.and_then(|()| self.sealed.write(keys)) {
            Ok(()) => {
                let mut state = self.state();
                state.written = Some(Instant::now());
                if state.fault.take().is_some() {
                    drop(state);
                    self.log.note("the sealed cache is written again");
                }
                Ok(())
            }
            Err(error) => {
                let message = format!("the sealed cache was not written: {error}");
                let is_news = self.state().fault.replace(message.clone()).as_ref() != Some(&message);
                if is_news {
                    self.log.error(&message);
                }
                Err(message)
            }
        }
    }

    /// Before this process replaces the cache of the process before it: where that one had keys which no key server gives now, it may be
    /// the only place that still has them.
    fn save_what_is_lost(&self, keys: &KeySet) -> Result<(), CacheError> {
        let Ok(Cached { keys: before, .. }) = self.sealed.read() else { return Ok(()) };
        let (_, lost) = KeySet::keep(&before, keys.clone());
        let Some(first) = lost.first() else { return Ok(()) };
        let aside = self.sealed.set_aside()?;
        let others = match lost.len() - 1 {
            0 => String::new(),
            count => format!(" (and {count} more)"),
        };
        self.log.error(&format!(
            "{}{others}, compared with the sealed cache of the last run; data written with it cannot be read. That cache is kept as {}: put it in \
             the place of the cache and start while no key server answers, or remove it if the loss was meant",
            first.loss(),
            aside.display()
        ));
        Ok(())
    }

    /// Whether the keys being served are those of the cache, because no key server has given any since the start.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.state().started_at_age.is_some()
    }

    /// Time since the cache was written; `None` before that.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.state().written.map(|written| written.elapsed())
    }

    /// How it goes, for a status variable.
    #[must_use]
    pub fn outcome(&self) -> String {
        let state = self.state();
        if let Some(age) = state.started_at_age {
            return format!("in use; it was {} s old at the start", age.as_secs());
        }
        match (&state.fault, state.written) {
            (Some(fault), _) => fault.clone(),
            (None, Some(_)) => "OK".to_owned(),
            (None, None) => "not written yet".to_owned(),
        }
    }

    /// The line for the error log when the keys come from here.
    pub(super) fn alarm(age: Duration, why: &str) -> String {
        format!(
            "KEYS COME FROM THE SEALED CACHE, which is {} s old, because no key server answers; keys and versions made since then are missing until one does: {why}",
            age.as_secs()
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! An immutable snapshot of keys, and the few ways in which a newer one takes its place.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use strongroom_key_versions::cache::{CacheError, Cached};
use strongroom_key_versions::versions::{
    KeyId, KeyServer, KeySet, KeyVersion, LoadError, Refused, Unusable, VersionedKeys,
};
use strongroom_secret::KeyMaterial;

use super::absent::Question;
use super::cache::KeyCache;
use super::flights::{Flights, Looking, Lookup, Reload, Reloading};
use super::health::Health;
use super::offer::{self, Offer};
use crate::current::Snapshots;
use crate::server::Log;

/// The key that MariaDB uses for everything that names no key.
const SYSTEM_KEY: KeyId = KeyId(1);

/// Why there is no service.
#[derive(Debug)]
pub enum StartError {
    /// The keys could not be loaded.
    Load(LoadError),
    /// A key server answered, but gave no keys that can be served, so that the sealed cache was not read.
    Answered(Box<LoadError>),
    /// No key server answered, and the sealed cache is no help.
    Cache(Box<(LoadError, CacheError)>),
    /// There is no key 1.
    NoSystemKey,
    /// There is a key 1, and its latest version cannot be used.
    SystemKey(Unusable),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => error.fmt(f),
            Self::Answered(error) => {
                write!(f, "{error} (the sealed cache is read only when no key server answers at all)")
            }
            Self::Cache(faults) => {
                let (error, cache) = faults.as_ref();
                write!(f, "{error}; and the sealed cache is not used: {cache}")
            }
            Self::NoSystemKey => f.write_str(
                "there is no key with id 1, which MariaDB needs; make it with: strongroom mariadb key add --key-id 1",
            ),
            Self::SystemKey(unusable) => LoadError::from(unusable.clone()).fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// The keys of one server process.
pub struct KeyService {
    log: Log,
    source: Box<dyn VersionedKeys>,
    /// What page writes read. Replaced whole, and only by a set that has everything this one has and more.
    served: Snapshots<KeySet>,
    /// Held while one set takes the place of another: for a moment, and never while the source is asked.
    publishing: Mutex<()>,
    /// What is being asked. Nobody holds a lock meanwhile.
    flights: Flights,
    /// Held for a moment only.
    health: Mutex<Health>,
    cache: Option<KeyCache>,
}

/// What a reload came to.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// The keys that have a later version now.
    pub later: Vec<(KeyId, KeyVersion)>,
    /// What is not as it should be, though keys are served.
    pub flaws: Vec<String>,
}

/// Why keys were not loaded again. As text it is the line for the error log and for the client of a `FLUSH`.
#[derive(Debug, Clone)]
pub enum ReloadError {
    /// They could not be loaded, or the answer was refused.
    Load(Arc<LoadError>),
    /// Others were loading them for as long as the source may take.
    Busy,
}

impl KeyService {
    /// Loads every key; from the cache, where there is one and no key server gives a sign of life. Without key 1, which MariaDB uses
    /// for everything that names no key, there is no service.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        log: Log,
        source: Box<dyn VersionedKeys>,
        cache: Option<KeyCache>,
    ) -> Result<Self, StartError> {
        let mut health = Health::new(Instant::now());
        let Offer { keys, flaws, unusable } = match (offer::ask(source.as_ref(), &KeySet::default()), &cache)
        {
            (Ok(offer), _) => offer,
            (Err(error), None) => return Err(StartError::Load(error)),
            (Err(error), Some(cache)) => {
                if !is_silence(&error) {
                    return Err(StartError::Answered(Box::new(error)));
                }
                let Cached { keys, age } = match cache.read() {
                    Ok(cached) => cached,
                    Err(fault) => return Err(StartError::Cache(Box::new((error, fault)))),
                };
                let now = Instant::now();
                health = Health::new(now.checked_sub(age).unwrap_or(now));
                health.fault(&error.to_string(), true, now);
                log.error(&KeyCache::alarm(age, &error.to_string()));
                Offer { keys, flaws: Vec::new(), unusable: Vec::new() }
            }
        };
        if keys.latest(SYSTEM_KEY).is_none() {
            let unusable = unusable.into_iter().find(|unusable| unusable.id == SYSTEM_KEY);
            return Err(unusable.map_or(StartError::NoSystemKey, StartError::SystemKey));
        }
        let service = Self {
            log,
            source,
            served: Snapshots::new(keys),
            publishing: Mutex::default(),
            flights: Flights::default(),
            health: Mutex::new(health),
            cache,
        };
        service.note_flaws(flaws);
        Ok(service)
    }

    /// The latest version of a key. A key that has been served is answered from memory, without a lock; one that never
    /// was is looked for once.
    #[must_use]
    pub fn latest(&self, id: KeyId) -> Option<KeyVersion> {
        self.served_latest(id).or_else(|| {
            self.look_for((id, None));
            self.served_latest(id)
        })
    }

    /// The bytes of one version. As for [`latest`](Self::latest), what has been served comes from memory.
    #[must_use]
    pub fn material(&self, id: KeyId, version: KeyVersion) -> Option<Arc<KeyMaterial>> {
        let held = || self.served_material(id, version).map(Arc::clone);
        held().or_else(|| {
            self.look_for((id, Some(version)));
            held()
        })
    }

    /// The latest version of a key, if it is served. Takes no lock, and nothing from the heap.
    #[must_use]
    pub fn served_latest(&self, id: KeyId) -> Option<KeyVersion> {
        self.served.read().latest(id)
    }

    /// The bytes of one version, if it is served. As for [`served_latest`](Self::served_latest).
    #[must_use]
    pub fn served_material(&self, id: KeyId, version: KeyVersion) -> Option<&Arc<KeyMaterial>> {
        self.served.read().material(id, version)
    }

    /// The keys as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<KeySet> {
        self.served.share()
    }

    /// Loads every key again. What is served stays as it is if that fails; and whatever the answer, nothing that was served is
    /// taken away. Where others wish the same meanwhile, one question is asked for all of them.
    ///
    /// # Errors
    /// [`ReloadError`]; it has been logged.
    pub fn reload(&self) -> Result<Arc<Reloaded>, ReloadError> {
        match self.flights.reload(self.source.patience()) {
            Reload::Mine(flight) => {
                let outcome = self.load_again(&flight).map(Arc::new);
                flight.end(outcome.map_err(|error| ReloadError::Load(Arc::new(error))))
            }
            Reload::Shared(outcome) => outcome,
            Reload::TimedOut => {
                self.log.error(&ReloadError::Busy.to_string());
                Err(ReloadError::Busy)
            }
        }
    }

    fn load_again(&self, flight: &Reloading<'_>) -> Result<Reloaded, LoadError> {
        let held = self.served.share();
        let Offer { keys, flaws, .. } =
            offer::ask(self.source.as_ref(), &held).inspect_err(|error| self.failed(error))?;
        // What single questions have found meanwhile stays, though the answer may be too old to have it.
        let served =
            self.publish(|now| Ok(if Arc::ptr_eq(now, &held) { keys } else { KeySet::keep(now, keys).0 }))?;
        flight.forget_absent();
        let recovered = lock(&self.health).contact(Instant::now());
        self.recovered(recovered);
        self.note_flaws(flaws.clone());
        let fault = self.renew_cache(flight).err();
        let mut later = later(&held, &served);
        later.retain(|&(id, _)| held.latest(id).is_some());
        Ok(Reloaded { later, flaws: flaws.into_iter().chain(fault).collect() })
    }

    /// How the servers behind the source have been doing, in the order of their list.
    #[must_use]
    pub fn servers(&self) -> Vec<KeyServer> {
        self.source.servers()
    }

    /// The sealed cache, where there is one.
    #[must_use]
    pub fn cache(&self) -> Option<&KeyCache> {
        self.cache.as_ref()
    }

    /// To be called once it is sure that this process is the server: the cache is written from now on, and at once unless its keys are
    /// the ones in use.
    pub fn keep_cache(&self) {
        let Some(cache) = &self.cache else { return };
        cache.allow_writes();
        // Whoever else reloads by now writes it as well.
        if !cache.is_in_use()
            && let Reload::Mine(flight) = self.flights.reload(self.source.patience())
        {
            // It has been logged.
            let _ = self.renew_cache(&flight);
        }
    }

    /// The mark of the reload keeps two from writing at the same time.
    fn renew_cache(&self, _flight: &Reloading<'_>) -> Result<(), String> {
        self.cache.as_ref().map_or(Ok(()), |cache| cache.renew(&self.snapshot()))
    }

    /// What the last conversation came to, and how long ago the last good one was.
    #[must_use]
    pub fn health(&self) -> (String, Duration) {
        let health = lock(&self.health);
        (health.outcome(), health.since_contact(Instant::now()))
    }

    /// Asks the source for something that is not served, unless somebody is asking for it already, whose answer is waited for.
    fn look_for(&self, question: Question) {
        let is_served = || match question {
            (id, None) => self.served_latest(id).is_some(),
            (id, Some(version)) => self.served_material(id, version).is_some(),
        };
        match self.flights.look(question, self.source.patience(), is_served) {
            Lookup::Mine(flight) => self.ask_for(question, &flight),
            Lookup::Refused => {
                let is_news = lock(&self.health).is_flooded(Instant::now());
                if is_news {
                    self.log.warning(
                        "so many unknown keys or versions are asked for that some are refused without asking the key server",
                    );
                }
            }
            Lookup::Known | Lookup::TimedOut => {}
        }
    }

    fn ask_for(&self, question: Question, flight: &Looking<'_>) {
        let found = match question {
            (id, None) => self.source.key(id),
            (id, Some(version)) => self.source.version(id, version).map(|key| key.into_iter().collect()),
        };
        let result = found.and_then(KeySet::from_keys).and_then(|found| {
            if found.is_empty() {
                flight.not_there();
            } else {
                self.publish(|now| now.with(&found))?;
            }
            Ok(())
        });
        match result {
            Ok(()) => {
                let recovered = lock(&self.health).heard(Instant::now());
                self.recovered(recovered);
            }
            Err(error @ LoadError::Unusable { .. }) => {
                flight.not_there();
                let flaw = error.to_string();
                let is_news = lock(&self.health).flaw(&flaw);
                if is_news {
                    self.log.warning(&flaw);
                }
            }
            Err(error) => {
                flight.unreachable();
                self.failed(&error);
            }
        }
    }

    /// Serves from now on what `next` makes of what is served now, and returns it.
    fn publish(
        &self,
        next: impl FnOnce(&Arc<KeySet>) -> Result<KeySet, Refused>,
    ) -> Result<Arc<KeySet>, Refused> {
        let publishing = lock(&self.publishing);
        let before = self.served.share();
        let after = next(&before)?;
        // It has everything that was served. What is the same is shared, and a set that has nothing new is not worth keeping.
        if after.versions() == before.versions() {
            return Ok(before);
        }
        let after = Arc::new(before.with(&after)?);
        self.served.replace(Arc::clone(&after));
        drop(publishing);
        for (id, version) in later(&before, &after) {
            self.log.note(&format!("key {id} has version {version} now"));
        }
        Ok(after)
    }

    fn note_flaws(&self, flaws: Vec<String>) {
        let news = lock(&self.health).flaws(flaws);
        for flaw in news {
            self.log.warning(&flaw);
        }
    }

    fn recovered(&self, after: Option<Duration>) {
        if let Some(away) = after {
            self.log.note(&format!("keys are refreshed again, after {} s", away.as_secs()));
        }
    }

    fn failed(&self, error: &LoadError) {
        let message = error.to_string();
        let is_outage = matches!(error, LoadError::CouldNotAsk(_));
        let is_news = lock(&self.health).fault(&message, is_outage, Instant::now());
        if is_news {
            self.log.error(&not_refreshed(error));
        }
    }
}

/// What a failed refresh is called, in the error log and to the client of a `FLUSH`.
fn not_refreshed(error: &LoadError) -> String {
    match error {
        // Says itself that the keys in use stay.
        LoadError::Refused(_) | LoadError::RefusedAt(..) => format!("keys were not refreshed: {error}"),
        other => format!("keys were not refreshed, those in memory are used: {other}"),
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => f.write_str(&not_refreshed(error)),
            Self::Busy => f.write_str(
                "keys were not refreshed, those in memory are used: others were loading them for all of the time; try again",
            ),
        }
    }
}

impl std::error::Error for ReloadError {}

/// The keys whose latest version in `new` is a later one than in `old`, and that version.
fn later(old: &KeySet, new: &KeySet) -> Vec<(KeyId, KeyVersion)> {
    let is_news = |id, version| Some(version) == new.latest(id) && Some(version) > old.latest(id);
    new.iter().map(|(id, version, _)| (id, version)).filter(|&(id, version)| is_news(id, version)).collect()
}

/// Whether no key server gave a sign of life.
fn is_silence(error: &LoadError) -> bool {
    matches!(error, LoadError::CouldNotAsk(could_not) if could_not.is_silence())
}

/// A lock that a panic has left open is still good: both contents are valid at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod tests;

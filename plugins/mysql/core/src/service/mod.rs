//! The one keyring of this process: how it is loaded, what it answers, what it says about itself.
//!
//! - [`load`](Service::load): a configuration becomes a [`Loaded`] keyring, or the one before stays;
//! - [`keys`]: what the server asks of it, with every refusal in the error log;
//! - [`status`]: what it says about itself.
//!
//! Nothing here knows the server's interfaces. Invariants:
//! - a keyring that is in use is given up only for another one that has been seen to work;
//! - no thread is started, and no session is used by another process than the one that made it (mysqld forks after loading);
//! - nothing is written to disk: with `--user`, what is written while loading would belong to root.

pub mod keys;
mod loaded;
mod server_uuid;
pub mod status;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::config::{ConfigError, Configuration};
use crate::log::Log;

pub use keys::Trouble;
pub use loaded::{Loaded, OpenError};

/// The one keyring of this process.
pub struct Service {
    log: Log,
    loaded: ArcSwapOption<Loaded>,
    /// One load at a time.
    loading: Mutex<()>,
    /// The last line about a fetch that failed, and when it was written.
    last_failure: Mutex<Option<(String, Instant)>>,
}

/// How long the same line about a fetch that failed is not written again: a starting InnoDB asks for one key once for each tablespace.
const NOT_REPEATED: Duration = Duration::from_secs(10);

/// Why a configuration is not in force.
#[derive(Debug)]
pub enum LoadError {
    /// The configuration file is not usable.
    Configuration(ConfigError),
    /// What it names is not usable.
    Open(OpenError),
    /// No server of it answered.
    Away(strongroom_keyring::Error),
}

impl Service {
    /// A service without a keyring, which writes to `log`.
    #[must_use]
    pub const fn new(log: Log) -> Self {
        Self {
            log,
            loaded: ArcSwapOption::const_empty(),
            loading: Mutex::new(()),
            last_failure: Mutex::new(None),
        }
    }

    /// Where it writes.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log
    }

    /// Puts a configuration in force.
    ///
    /// Where it cannot be used, what was in force stays. At the first load, a configuration whose servers do not answer comes into force
    /// all the same, so that keys are there again as soon as a server is.
    ///
    /// # Errors
    /// [`LoadError`], which has been logged.
    pub fn load(&self, configuration: Result<Configuration, ConfigError>) -> Result<(), LoadError> {
        let _alone = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let result = configuration.map_err(LoadError::Configuration).and_then(|c| self.replace(c));
        if let Err(error) = &result {
            let rest = if self.loaded.load().is_none() {
                "no keyring is in use"
            } else if matches!(error, LoadError::Away(_)) && !self.is_usable() {
                "keys will be available when a server answers"
            } else {
                "the keyring stays as it was"
            };
            self.log.error(&format!("{error}; {rest}"));
        }
        result
    }

    /// Tries a configuration without putting it in force.
    ///
    /// # Errors
    /// [`LoadError`], which has been logged.
    pub fn prepare(&self, configuration: Configuration) -> Result<Arc<Loaded>, LoadError> {
        let prepared = Loaded::open(configuration, self.log).map_err(LoadError::Open).and_then(|loaded| {
            loaded.survey().map_err(LoadError::Away)?;
            Ok(Arc::new(loaded))
        });
        if let Err(error) = &prepared {
            self.log.error(&format!("{error}; the keyring stays as it was"));
        }
        prepared
    }

    /// Puts in force what [`prepare`](Self::prepare) tried.
    pub fn adopt(&self, prepared: Arc<Loaded>) {
        let _alone = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        self.log.note(&format!("keys are kept by {prepared}"));
        self.loaded.store(Some(prepared));
    }

    fn replace(&self, configuration: Configuration) -> Result<(), LoadError> {
        let loaded = Loaded::open(configuration, self.log).map_err(LoadError::Open)?;
        let away = loaded.survey().err();
        if away.is_none() {
            self.log.note(&format!("keys are kept by {loaded}"));
        }
        if away.is_none() || !self.is_usable() {
            self.loaded.store(Some(Arc::new(loaded)));
        }
        away.map_or(Ok(()), |error| Err(LoadError::Away(error)))
    }

    /// Logs that a key was not fetched, unless the same was logged a moment ago.
    fn log_failure(&self, line: String) {
        let now = Instant::now();
        let mut last = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
        if last
            .as_ref()
            .is_some_and(|(before, when)| *before == line && now.duration_since(*when) < NOT_REPEATED)
        {
            return;
        }
        self.log.error(&line);
        *last = Some((line, now));
    }

    /// Forgets every key and ends every session.
    pub fn end(&self) {
        self.loaded.store(None);
    }

    /// Whether a keyring is loaded and one of its servers has answered.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.loaded.load().as_ref().is_some_and(|loaded| loaded.has_answered())
    }

    /// The keyring in force.
    #[must_use]
    pub fn loaded(&self) -> Option<Arc<Loaded>> {
        self.loaded.load_full()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Away(error) => write!(f, "the keys cannot be reached: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

//! A configuration in force: the way to the key servers, and the keys that were fetched.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use strongroom_client::connect::{Resolution, ServerTrust, TlsConfigError};
use strongroom_client::endpoint_dir::{
    CA_PEM, CERT_PEM, EndpointDirError, KEY_PEM, OKVCLIENT_ORA, PASSWORD_TXT, SSL_DIR,
};
use strongroom_client::{Endpoint, Options, ServerAddress, Session};
use strongroom_keyring::backend::Kmip;
use strongroom_keyring::{CachedKeyring, Error, KeyName, Keyring};

use super::server_uuid;
use crate::config::{Configuration, EndpointSource, Group, VerifyName};
use crate::log::Log;

/// How many times the time of one server the whole list is given.
const LIST_SHARES: u32 = 3;

/// How many names are looked at when a keyring is loaded: enough to see whose keys they are, and few enough for any start.
const SURVEYED: usize = 320;

/// How many times as long as a try of changed files has taken they are left alone then: most calls should not wait for that.
const LEFT_ALONE_TIMES: u32 = 3;

/// How often the files of the endpoint are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A configuration in force.
pub struct Loaded {
    configuration: Configuration,
    /// The servers of the endpoint that is in use.
    servers: Mutex<Vec<ServerAddress>>,
    /// The endpoint that is in use, as long as it has to be opened once more for the group. Its private key is kept no longer.
    unsettled: Mutex<Option<Endpoint>>,
    log: Log,
    keyring: CachedKeyring,
    /// The Object Group; `None` while the server's uuid is its name and not known yet, and where there is none.
    group: Mutex<Option<String>>,
    files: Mutex<Files>,
    answered: AtomicBool,
    last_error: Mutex<Option<String>>,
    /// Identifiers of keys in the back end, from the last time they were all looked at.
    identifiers: Mutex<HashMap<KeyName, String>>,
}

/// The endpoint's files.
struct Files {
    /// What those that are in use were known by.
    prints: Vec<Option<Print>>,
    looked: Instant,
    /// Those that have taken their place and are of no use so far.
    passed_over: Option<PassedOver>,
}

/// Files that were tried, and are not used.
struct PassedOver {
    prints: Vec<Option<Print>>,
    /// When they are tried again as they are; `None` where that would be in vain.
    again: Option<Instant>,
}

/// What tells a file from its successor: inode, length, and the time of its last change in seconds and nanoseconds.
type Print = (u64, u64, i64, i64);

/// What a keyring is wanted for.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// To look at this key.
    Read(&'a KeyName),
    /// To make or remove this key.
    Change(&'a KeyName),
    /// To see which keys there are.
    List,
}

/// Why what a configuration names cannot be used.
#[derive(Debug)]
pub enum OpenError {
    /// A file of the endpoint cannot be used.
    Endpoint(EndpointDirError),
    /// Certificate, key and authority do not go together.
    Tls(TlsConfigError),
    /// No server answers to it, while one has answered to the one before.
    Away(strongroom_client::Error),
}

impl Loaded {
    /// Reads the endpoint. Nobody is asked yet.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(configuration: Configuration, log: Log) -> Result<Self, OpenError> {
        let files = Files { prints: prints(&configuration), looked: Instant::now(), passed_over: None };
        let endpoint = endpoint(&configuration).map_err(OpenError::Endpoint)?;
        for warning in &endpoint.warnings {
            log.warning(&warning.to_string());
        }
        if let VerifyName::No(key) = configuration.verify_name {
            log.warning(&format!(
                "{key} is off: whoever holds any server certificate of the same authority can stand in for the key server and \
                 learn every key; give the key server a certificate with its name, and turn it on"
            ));
        }
        let group = match &configuration.group {
            Group::All => None,
            Group::Named(group) => Some(group.clone()),
            Group::ServerUuid => configuration.data_dir.as_deref().and_then(server_uuid::of_data_directory),
        };
        let keyring = CachedKeyring::new(
            keyring(&endpoint, &configuration, group.clone()).map_err(OpenError::Tls)?,
            configuration.cache_keys,
        );
        Ok(Self {
            servers: Mutex::new(endpoint.servers.clone()),
            unsettled: Mutex::new(
                (configuration.group == Group::ServerUuid && group.is_none()).then_some(endpoint),
            ),
            configuration,
            log,
            keyring,
            group: Mutex::new(group),
            files: Mutex::new(files),
            answered: AtomicBool::new(false),
            last_error: Mutex::new(None),
            identifiers: Mutex::default(),
        })
    }

    /// Asks for the first time, and warns where keys of several servers lie in one place.
    ///
    /// # Errors
    /// [`Error`] when no server answered. A server that answers and does not let us look is none.
    pub(super) fn survey(&self) -> Result<(), Error> {
        match self.learn(self.keyring.names(SURVEYED)) {
            Ok(names) => {
                // While the group is to be the uuid and is not known, everything there is was listed.
                if self.configuration.group != Group::ServerUuid || self.group().is_some() {
                    self.compare_uuids(&names);
                }
                Ok(())
            }
            Err(
                error @ (Error::BackEnd(strongroom_client::Error::Refused { .. })
                | Error::GroupNotTold { .. }),
            ) => {
                self.log.warning(&format!("the keys cannot be listed: {error}"));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Warns where the names of keys show another server beside this one.
    fn compare_uuids(&self, names: &[(KeyName, String)]) {
        let own = self.server_uuid();
        let seen = names.iter().filter_map(|(name, _)| server_uuid::in_name(name));
        let uuids: BTreeSet<&str> = seen.chain(own.as_deref()).collect();
        if uuids.len() > 1 {
            let uuids: Vec<&str> = uuids.into_iter().collect();
            self.log.warning(&format!(
                "the keys of several servers lie in one place ({}): keys without a uuid in their name, and those of users, are shared \
                 by them; give each server its own endpoint, unless this server took the keys over from another one",
                uuids.join(", ")
            ));
        }
    }

    /// The uuid in the data directory, if the server has made one.
    fn server_uuid(&self) -> Option<String> {
        self.configuration.data_dir.as_deref().and_then(server_uuid::of_data_directory)
    }

    /// The keyring, for what is to be done; `None` while it is not known in which group that is to be done.
    ///
    /// Files of the endpoint that have changed are read first: a certificate that was renewed on disk is used from then on.
    pub(super) fn keyring(&self, purpose: Purpose<'_>) -> Option<&CachedKeyring> {
        self.renew();
        self.settle(purpose).then_some(&self.keyring)
    }

    /// The keys that are in memory, which nobody has to be asked for.
    pub(super) fn memory(&self) -> &CachedKeyring {
        &self.keyring
    }

    /// Whether the group is known, or does not matter. Where it is the server's uuid, that may not have been made yet when the keyring
    /// was loaded.
    fn settle(&self, purpose: Purpose<'_>) -> bool {
        /// InnoDB makes and removes this key to see whether the keyring works, and never uses it.
        const PROBE: &str = "DefaultMasterKey";
        if self.configuration.group != Group::ServerUuid {
            return true;
        }
        let mut group = lock(&self.group);
        if group.is_some() {
            return true;
        }
        // A server makes keys under its own uuid only, while it reads those of another whose data it took over.
        let in_name = match purpose {
            Purpose::Change(name) => server_uuid::in_name(name),
            _ => None,
        };
        let Some(uuid) = self.server_uuid().or_else(|| in_name.map(str::to_owned)) else {
            return match purpose {
                Purpose::Change(name) | Purpose::Read(name)
                    if name.owner().is_none() && name.id() == PROBE =>
                {
                    true
                }
                Purpose::Read(name) => server_uuid::in_name(name).is_some(),
                _ => false,
            };
        };
        let mut unsettled = lock(&self.unsettled);
        let Some(endpoint) = &*unsettled else { return false };
        match keyring(endpoint, &self.configuration, Some(uuid.clone())) {
            Ok(keyring) => {
                self.keyring.replace(keyring);
                *group = Some(uuid);
                *unsettled = None;
                true
            }
            Err(error) => {
                self.log.error(&format!("the keys of this server's group cannot be reached: {error}"));
                false
            }
        }
    }

    /// Reads the endpoint again if one of its files has changed. What cannot be used is said once, and the old stays: while a server has
    /// answered to the old, it also stays until one answers to the new.
    ///
    /// Only one thread does that; the others go on with what is in use.
    fn renew(&self) {
        let mut files = match self.files.try_lock() {
            Ok(files) => files,
            Err(TryLockError::Poisoned(files)) => files.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let began = Instant::now();
        if began.duration_since(files.looked) < LOOK_INTERVAL {
            return;
        }
        files.looked = began;
        let prints = prints(&self.configuration);
        if prints == files.prints {
            files.passed_over = None;
            return;
        }
        let before = files.passed_over.take().filter(|passed_over| passed_over.prints == prints);
        if before.as_ref().is_some_and(|before| before.again.is_none_or(|again| began < again)) {
            files.passed_over = before;
            return;
        }
        match self.try_files().and_then(|endpoint| self.adopt(endpoint)) {
            Ok(()) => {
                files.prints = prints;
                self.log.note("the endpoint's files have changed, and are used as they are now");
            }
            Err(error) => {
                if before.is_none() {
                    self.log.warning(&format!(
                        "the endpoint's files are not as they were, and cannot be used; what was in use stays: {error}"
                    ));
                }
                let again = matches!(error, OpenError::Away(_)).then(|| {
                    let ended = Instant::now();
                    ended + (ended.duration_since(began) * LEFT_ALONE_TIMES).max(LOOK_INTERVAL)
                });
                files.passed_over = Some(PassedOver { prints, again });
            }
        }
    }

    /// The endpoint as its files are now, to which a server answers. Nobody is asked where none has answered to the one in use.
    fn try_files(&self) -> Result<Endpoint, OpenError> {
        let endpoint = endpoint(&self.configuration).map_err(OpenError::Endpoint)?;
        if !self.has_answered() {
            return Ok(endpoint);
        }
        // Whoever waits for this waits for a question to the old servers too.
        let options = Options { total: self.configuration.timeout, ..options(&self.configuration) };
        match Session::connect(&endpoint, options) {
            Ok(_) => Ok(endpoint),
            Err(strongroom_client::Error::TlsConfig(error)) => Err(OpenError::Tls(error)),
            Err(error) => Err(OpenError::Away(error)),
        }
    }

    /// Uses another endpoint from now on. The group is held fast meanwhile, lest what another thread has opened for a group gives way
    /// to what was opened without one.
    fn adopt(&self, endpoint: Endpoint) -> Result<(), OpenError> {
        let group = lock(&self.group);
        let keyring = keyring(&endpoint, &self.configuration, group.clone()).map_err(OpenError::Tls)?;
        self.keyring.replace(keyring);
        lock(&self.servers).clone_from(&endpoint.servers);
        let mut unsettled = lock(&self.unsettled);
        *unsettled = unsettled.is_some().then_some(endpoint);
        Ok(())
    }

    /// Notes what an answer says about the servers.
    pub(super) fn learn<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match &result {
            Err(Error::BackEnd(
                error @ (strongroom_client::Error::NoServer { .. }
                | strongroom_client::Error::OutcomeUnknown { .. }),
            )) => *lock(&self.last_error) = Some(error.to_string()),
            Ok(_)
            | Err(
                Error::BackEnd(strongroom_client::Error::Refused { .. })
                | Error::Exists { .. }
                | Error::Ambiguous { .. }
                | Error::GroupNotTold { .. }
                | Error::NotReadable { .. },
            ) => {
                let first = !self.answered.swap(true, Ordering::Relaxed);
                let back = lock(&self.last_error).take().is_some();
                if back && first {
                    self.log.note("a key server answers now");
                }
            }
            // Whether anybody was asked is not to be seen from the others.
            Err(_) => {}
        }
        result
    }

    /// Whether a server has answered since this was loaded.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Why the last call reached no server, if it did not.
    pub(super) fn last_error(&self) -> Option<String> {
        lock(&self.last_error).clone()
    }

    pub(super) fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The servers, for people: `host:port`, in the order in which they are tried.
    pub(super) fn servers(&self) -> String {
        let servers: Vec<String> = lock(&self.servers).iter().map(ToString::to_string).collect();
        servers.join(", ")
    }

    pub(super) fn group(&self) -> Option<String> {
        lock(&self.group).clone()
    }

    pub(super) fn identifiers(&self) -> MutexGuard<'_, HashMap<KeyName, String>> {
        lock(&self.identifiers)
    }
}

/// Where the keys are: the servers, and the group where there is one.
impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.servers())?;
        match self.group() {
            Some(group) => write!(f, " in the group {group:?}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Away(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

/// What is behind each lock is replaced as a whole, so that what a panicking thread left is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn endpoint(configuration: &Configuration) -> Result<Endpoint, EndpointDirError> {
    match &configuration.endpoint {
        EndpointSource::Directory { dir, servers } if servers.is_empty() => Endpoint::open(dir),
        EndpointSource::Directory { dir, servers } => Endpoint::open_with_servers(dir, servers.clone()),
        EndpointSource::Files { server, authority, certificate, key } => {
            Endpoint::open_files(vec![server.clone()], authority, certificate, key)
        }
    }
}

fn keyring(
    endpoint: &Endpoint,
    configuration: &Configuration,
    group: Option<String>,
) -> Result<Keyring, TlsConfigError> {
    Ok(Kmip::new(Session::new(endpoint, options(configuration))?, group).into())
}

fn options(configuration: &Configuration) -> Options {
    Options {
        per_server: configuration.timeout,
        total: configuration.timeout.saturating_mul(LIST_SHARES),
        // A thread that the resolver leaves behind has no place inside a database, least of all in one that is about to fork.
        resolution: Resolution::ThisThread,
        trust: match configuration.verify_name {
            VerifyName::Yes => ServerTrust::AuthorityAndName,
            VerifyName::No(_) => ServerTrust::AuthorityAlone,
        },
        ..Options::default()
    }
}

fn prints(configuration: &Configuration) -> Vec<Option<Print>> {
    let paths: Vec<PathBuf> = match &configuration.endpoint {
        EndpointSource::Directory { dir, .. } => {
            let ssl = dir.join(SSL_DIR);
            let secrets = [CA_PEM, CERT_PEM, KEY_PEM, PASSWORD_TXT].map(|name| ssl.join(name));
            [dir.join(OKVCLIENT_ORA)].into_iter().chain(secrets).collect()
        }
        EndpointSource::Files { authority, certificate, key, .. } => {
            vec![authority.clone(), certificate.clone(), key.clone()]
        }
    };
    paths.iter().map(|path| print(path)).collect()
}

fn print(path: &Path) -> Option<Print> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}

//! From a configuration to keys being served.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strongroom_client::connect::{Resolution, TlsConfigError};
use strongroom_client::endpoint_dir::EndpointDirError;
use strongroom_client::{Endpoint, Options, Session};
use strongroom_keyring::cache::SealedCache;
use strongroom_keyring::cache::format::Identity;
use strongroom_keyring::key_file::Location;
use strongroom_keyring::versions::KmipVersions;
use strongroom_mariadb_core::crypt::Algorithm;
use strongroom_mariadb_core::keys::KeyCache;
use strongroom_mariadb_core::served::{self, BeginError};
use strongroom_mariadb_core::server::Log;

/// The keys on the KMIP server that are being served.
static KEYS: Mutex<Option<Arc<KmipVersions>>> = Mutex::new(None);

/// How many times the time of one server the whole list is given.
const LIST_SHARES: u32 = 3;

/// What the system variables say.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// The endpoint directory; empty when it was not set.
    pub(crate) conf_dir: PathBuf,
    /// First part of the keys' names.
    pub(crate) key_prefix: String,
    /// What data is encrypted with.
    pub(crate) algorithm: Algorithm,
    /// Time between refreshes; zero for none.
    pub(crate) refresh_interval: Duration,
    /// Time for one server.
    pub(crate) timeout: Duration,
    /// The sealed cache; empty for none.
    pub(crate) cache_file: PathBuf,
    /// What seals it; `None` when it was not set.
    pub(crate) cache_seal_key: Option<Location>,
    /// How old it may be.
    pub(crate) cache_max_age: Duration,
}

/// Why the plugin does not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// `conf_dir` is not set.
    NoConfDir,
    /// `conf_dir` is not an absolute path.
    RelativeConfDir(PathBuf),
    /// `key_prefix` is empty.
    NoKeyPrefix,
    /// `cache_file` is not an absolute path.
    RelativeCacheFile(PathBuf),
    /// `cache_file` is set, and `cache_seal_key` is not, or is a relative path.
    NoSealKey,
    /// The endpoint directory cannot be used.
    Endpoint(EndpointDirError),
    /// Its certificates and key do not go together.
    Tls(PathBuf, TlsConfigError),
    /// The keys cannot be served.
    Begin(BeginError),
}

/// Opens the endpoint directory, loads every key and begins to serve.
pub(crate) fn begin(log: Log, configuration: &Configuration) -> Result<(), StartError> {
    let Configuration { conf_dir, key_prefix, algorithm, refresh_interval, timeout, .. } = configuration;
    if conf_dir.as_os_str().is_empty() {
        return Err(StartError::NoConfDir);
    }
    if conf_dir.is_relative() {
        return Err(StartError::RelativeConfDir(conf_dir.clone()));
    }
    if key_prefix.is_empty() {
        return Err(StartError::NoKeyPrefix);
    }
    let endpoint = Endpoint::open(conf_dir).map_err(StartError::Endpoint)?;
    for warning in &endpoint.warnings {
        log.warning(&warning.to_string());
    }
    let cache = cache(log, configuration, &endpoint)?;
    let options = Options {
        per_server: *timeout,
        total: timeout.saturating_mul(LIST_SHARES),
        // A thread that the resolver leaves behind has no place inside a database.
        resolution: Resolution::ThisThread,
        ..Options::default()
    };
    let session =
        Session::new(&endpoint, options).map_err(|error| StartError::Tls(conf_dir.clone(), error))?;
    let keys = Arc::new(KmipVersions::with_prefix(session, key_prefix));
    let source = Box::new(Arc::clone(&keys));
    served::begin(log, source, cache, *algorithm, Some(*refresh_interval)).map_err(StartError::Begin)?;
    *slot() = Some(keys);
    Ok(())
}

/// Forgets every key.
pub(crate) fn end() {
    // Taken out first: nothing is closed while the lock is held.
    let keys = slot().take();
    drop(keys);
    served::end();
}

/// The keys on the KMIP server, to make new versions of them; `None` when none are being served.
pub(crate) fn keys() -> Option<Arc<KmipVersions>> {
    slot().clone()
}

fn slot() -> MutexGuard<'static, Option<Arc<KmipVersions>>> {
    KEYS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sealed cache, where one is configured.
fn cache(
    log: Log,
    configuration: &Configuration,
    endpoint: &Endpoint,
) -> Result<Option<KeyCache>, StartError> {
    let file = &configuration.cache_file;
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    if file.is_relative() || file.file_name().is_none() {
        return Err(StartError::RelativeCacheFile(file.clone()));
    }
    let seal_key = match &configuration.cache_seal_key {
        Some(Location::Path(path)) if path.is_relative() => return Err(StartError::NoSealKey),
        Some(location) => location.clone(),
        None => return Err(StartError::NoSealKey),
    };
    let (interval, max_age) = (configuration.refresh_interval, configuration.cache_max_age);
    if interval.is_zero() || interval >= max_age {
        log.warning(&format!(
            "the sealed cache is good for {} s (cache_max_age), and no refresh renews it in that time (refresh_interval is {}); it has to be renewed by FLUSH LOCAL KMIP_KEY_MANAGEMENT_KEYS",
            max_age.as_secs(),
            interval.as_secs()
        ));
    }
    let authorities = endpoint.authority.iter().map(AsRef::as_ref);
    let identity = Identity::new(authorities, &endpoint.subject(), &configuration.key_prefix);
    let sealed = SealedCache::new(file.clone(), seal_key, identity, configuration.cache_max_age);
    Ok(Some(KeyCache::new(log, sealed)))
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConfDir => f.write_str(
                "kmip_key_management_conf_dir is not set; set it to the directory that strongroom enroll has written",
            ),
            Self::RelativeConfDir(path) => write!(
                f,
                "kmip_key_management_conf_dir is {:?}, and must be an absolute path",
                path.as_os_str()
            ),
            Self::NoKeyPrefix => {
                f.write_str("kmip_key_management_key_prefix is empty; leave it out for the default, mariadb")
            }
            Self::RelativeCacheFile(path) => write!(
                f,
                "kmip_key_management_cache_file is {:?}, and must be the absolute path of a file",
                path.as_os_str()
            ),
            Self::NoSealKey => f.write_str(
                "kmip_key_management_cache_file is set and kmip_key_management_cache_seal_key is not; set it to CREDENTIAL:NAME or to the absolute path of a file on another disk",
            ),
            Self::Endpoint(error) => error.fmt(f),
            Self::Tls(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Begin(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration() -> Configuration {
        Configuration {
            conf_dir: PathBuf::from("/nonexistent/endpoint"),
            key_prefix: "mariadb".into(),
            algorithm: Algorithm::AesCtr,
            refresh_interval: Duration::ZERO,
            timeout: Duration::from_secs(1),
            cache_file: PathBuf::new(),
            cache_seal_key: None,
            cache_max_age: Duration::from_secs(3600),
        }
    }

    fn fault(configuration: &Configuration) -> String {
        begin(Log { plugin: "test" }, configuration).expect_err("no start").to_string()
    }

    #[test]
    fn each_fault_of_the_configuration_is_named_with_its_variable_or_file() {
        let unset = Configuration { conf_dir: PathBuf::new(), ..configuration() };
        assert!(fault(&unset).starts_with("kmip_key_management_conf_dir is not set"), "{}", fault(&unset));
        let relative = Configuration { conf_dir: PathBuf::from("etc/endpoint"), ..configuration() };
        assert!(fault(&relative).contains("must be an absolute path"), "{}", fault(&relative));
        let no_prefix = Configuration { key_prefix: String::new(), ..configuration() };
        assert!(fault(&no_prefix).starts_with("kmip_key_management_key_prefix"), "{}", fault(&no_prefix));
        let missing = fault(&configuration());
        assert!(missing.starts_with("/nonexistent/endpoint"), "{missing}");
    }
}

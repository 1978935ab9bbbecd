//! `component_keyring_kmip.cnf`: where the keys are, in the words of either vendor.
//!
//! Two vendors ship a component of this name, and each reads a JSON file of its own. The dialect is told by the keys that occur:
//!
//! | dialect | its own keys |
//! |---|---|
//! | Oracle's | `kmip_configuration_directory`, `server`, `standby_server` |
//! | Percona's | `server_addr`, `server_port`, `client_ca`, `client_key`, `server_ca`, `max_objects`, `tls_peer_verification` |
//! | both | `read_local_config`, `cache_keys`, `object_group`, `kmip_timeout_ms`, `tls_hostname_verification` |
//!
//! Keys of both dialects in one file, and keys of neither, are refused by name: a misspelt one would otherwise be a setting that
//! silently does not hold.

mod document;
mod error;
mod oracle;
mod percona;

use std::path::{Path, PathBuf};
use std::time::Duration;

use strongroom_client::ServerAddress;

use document::Document;
pub use error::{ConfigError, Fault};

/// Time for one server where nothing else is configured: what MySQL documents for `keyring_okv`.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// Where keys are, and how they are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Who we are, and where the servers are.
    pub endpoint: EndpointSource,
    /// The Object Group that keeps this server's keys apart from others'.
    pub group: Group,
    /// The server's data directory, where it is known: there the server keeps its uuid.
    pub data_dir: Option<PathBuf>,
    /// Whether a key that was fetched stays in memory.
    pub cache_keys: bool,
    /// Time for one server; a call over the whole list has three times as long.
    pub timeout: Duration,
    /// Whether a server's certificate must carry the name that we connect to, and who said that it need not.
    pub verify_name: VerifyName,
}

/// Who we are, and where the servers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointSource {
    /// An endpoint directory. The servers are those of its `okvclient.ora`, unless others are named.
    Directory {
        /// The directory, as an absolute path.
        dir: PathBuf,
        /// The servers; empty for those of `okvclient.ora`.
        servers: Vec<ServerAddress>,
    },
    /// Single files, as Percona's dialect names them.
    Files {
        /// The server.
        server: ServerAddress,
        /// The authority's certificates.
        authority: PathBuf,
        /// Our certificate, then any intermediates.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// Which objects of the account are this server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// All that the account sees.
    All,
    /// Those of this Object Group.
    Named(String),
    /// Those of the Object Group that is this server's uuid, which stands in `auto.cnf` of the data directory.
    ServerUuid,
}

/// Whether a server's certificate must carry the name that we connect to. That it is the authority's must always hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyName {
    /// It must.
    Yes,
    /// It need not, because this key of the configuration says so.
    No(&'static str),
}

/// The value of `object_group` that stands for the server's uuid.
pub const SERVER_UUID: &str = "@server_uuid";

impl Configuration {
    /// An endpoint directory with everything else as it is by default: the configuration of `keyring_okv`.
    #[must_use]
    pub fn of_directory(dir: PathBuf) -> Self {
        Self {
            endpoint: EndpointSource::Directory { dir, servers: Vec::new() },
            group: Group::All,
            data_dir: None,
            cache_keys: true,
            timeout: DEFAULT_TIMEOUT,
            verify_name: VerifyName::Yes,
        }
    }

    /// Reads `NAME.cnf` in `component_dir`, or, where that one says `read_local_config`, in `instance_dir`.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and what is wrong with it.
    pub fn read(name: &str, component_dir: &Path, instance_dir: Option<&Path>) -> Result<Self, ConfigError> {
        let file = format!("{name}.cnf");
        let global = component_dir.join(&file);
        let mut document = Document::read(&global)?;
        let local = document.switch("read_local_config")?.unwrap_or(false);
        if local {
            let dir = instance_dir.ok_or_else(|| ConfigError::new(&global, Fault::NoInstance))?;
            document = Document::read(&dir.join(&file))?;
            // Here the key has nothing to say any more; tools write it all the same.
            document.switch("read_local_config")?;
        }
        Self::of(document, instance_dir)
    }

    fn of(document: Document, instance_dir: Option<&Path>) -> Result<Self, ConfigError> {
        let (ours, theirs) = (document.first_of(&oracle::KEYS), document.first_of(&percona::KEYS));
        match (ours, theirs) {
            (Some(one), Some(other)) => Err(document.fault(Fault::TwoDialects { one, other })),
            (None, None) if document.is_empty() => Err(document.fault(Fault::Empty)),
            (None, Some(_)) => percona::read(document, instance_dir),
            (_, None) => oracle::read(document, instance_dir),
        }
    }
}

/// The keys that both dialects share.
fn shared(
    document: &mut Document,
    endpoint: EndpointSource,
    instance_dir: Option<&Path>,
    default_timeout: Duration,
) -> Result<Configuration, ConfigError> {
    const LONGEST: u64 = 600_000;
    let timeout = match document.number("kmip_timeout_ms", 1, LONGEST)? {
        Some(ms) => Duration::from_millis(ms),
        None => default_timeout,
    };
    let group = match document.text("object_group")? {
        None => Group::All,
        Some(group) if group.is_empty() => Group::All,
        Some(group) if group == SERVER_UUID && instance_dir.is_none() => {
            return Err(document.fault(Fault::NoInstance));
        }
        Some(group) if group == SERVER_UUID => Group::ServerUuid,
        Some(group) => Group::Named(group),
    };
    let verify_name = match document.switch("tls_hostname_verification")? {
        Some(false) => VerifyName::No("tls_hostname_verification"),
        _ => VerifyName::Yes,
    };
    let cache_keys = document.switch("cache_keys")?.unwrap_or(true);
    // The server goes to its data directory later on, from where a relative path leads elsewhere.
    let data_dir = instance_dir.map(|dir| std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()));
    Ok(Configuration { endpoint, group, data_dir, cache_keys, timeout, verify_name })
}

#[cfg(test)]
mod tests;

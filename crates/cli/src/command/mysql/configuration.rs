//! The component's configuration file, read as the component itself reads it, and written.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use strongroom_client::connect::ServerTrust;
use strongroom_client::{Endpoint, Options, Session};
use strongroom_mysql_core::config::{Configuration, EndpointSource, Group, VerifyName};

use super::account::Account;
use super::site::Site;
use super::{COMPONENT, Fault};
use crate::args::MysqlVaultArgs;
use crate::error::Error;

/// The vault of a server, and which of its objects are the server's.
pub(super) struct Vault {
    /// Who the server is to the vault.
    pub(super) endpoint: Endpoint,
    /// How it is asked.
    pub(super) options: Options,
    /// The Object Group of the server's keys.
    pub(super) group: Option<String>,
    /// Where the endpoint is described, for people.
    pub(super) place: String,
}

/// The configuration that is in force for this server, as the component reads it.
///
/// # Errors
/// [`Fault::Content`] in the component's words.
pub(super) fn read(site: &Site) -> Result<Configuration, Error> {
    Configuration::read(COMPONENT, &site.plugin_dir, Some(&site.datadir)).map_err(|error| {
        // The component names the file itself.
        Fault::Configuration(error.to_string()).into()
    })
}

/// The key of the endpoint directory, and those of servers that are not in it.
const DIRECTORY: &str = "kmip_configuration_directory";
const SERVERS: [&str; 2] = ["server", "standby_server"];

/// The text of a configuration that leads to an endpoint directory. What `present` says beside, in the same dialect, stays; servers that
/// it names stay if they belong to that directory.
pub(super) fn render(present: Option<&str>, endpoint: &Path, group: Option<&str>) -> String {
    let present = present.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let mut values = present.filter(|values| values.contains_key(DIRECTORY)).unwrap_or_else(|| {
        let mut values = Map::new();
        values.insert("cache_keys".to_owned(), true.into());
        values
    });
    let directory = json!(endpoint);
    if values.insert(DIRECTORY.to_owned(), directory.clone()).is_some_and(|before| before != directory) {
        values.retain(|key, _| !SERVERS.contains(&key.as_str()));
    }
    if let Some(group) = group {
        values.insert("object_group".to_owned(), group.into());
    }
    let text = serde_json::to_string_pretty(&values).unwrap_or_default();
    format!("{text}\n")
}

/// The text of the configuration beside the library that sends each server to its own.
pub(super) fn render_local() -> String {
    "{\n  \"read_local_config\": true\n}\n".to_owned()
}

/// Whether the configuration beside the library sends each server to its own; `None` where there is none.
pub(super) fn is_local(path: &Path) -> Option<bool> {
    let text = std::fs::read_to_string(path).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    Some(value.get("read_local_config").and_then(Value::as_bool).unwrap_or(false))
}

impl Vault {
    /// The vault that the configuration names.
    ///
    /// # Errors
    /// [`Error::EndpointDir`].
    pub(super) fn of(configuration: &Configuration, uuid: Option<&str>) -> Result<Self, Error> {
        let (endpoint, place) = match &configuration.endpoint {
            EndpointSource::Directory { dir, servers } if servers.is_empty() => {
                (Endpoint::open(dir), dir.display().to_string())
            }
            EndpointSource::Directory { dir, servers } => {
                (Endpoint::open_with_servers(dir, servers.clone()), dir.display().to_string())
            }
            EndpointSource::Files { server, authority, certificate, key } => (
                Endpoint::open_files(vec![server.clone()], authority, certificate, key),
                certificate.display().to_string(),
            ),
        };
        let trust = match configuration.verify_name {
            VerifyName::Yes => ServerTrust::AuthorityAndName,
            VerifyName::No(_) => ServerTrust::AuthorityAlone,
        };
        let group = match &configuration.group {
            Group::All => None,
            Group::Named(group) => Some(group.clone()),
            Group::ServerUuid => uuid.map(Into::into),
        };
        let options = Options { trust, ..Options::default() };
        Ok(Self { endpoint: endpoint.map_err(Error::EndpointDir)?, options, group, place })
    }

    /// The vault of an endpoint directory.
    ///
    /// # Errors
    /// [`Error::EndpointDir`].
    pub(super) fn of_directory(dir: PathBuf, group: Option<String>) -> Result<Self, Error> {
        let mut vault = Self::of(&Configuration::of_directory(dir), None)?;
        vault.group = group;
        Ok(vault)
    }

    /// The vault that the arguments name, or else the server's configuration, or its plugin's.
    ///
    /// # Errors
    /// [`Fault::NoVault`], [`Fault::Configuration`], [`Error::EndpointDir`].
    pub(super) fn find(
        args: &MysqlVaultArgs,
        site: &Site,
        account: &mut Account,
        uuid: &str,
    ) -> Result<Self, Error> {
        if let Some(dir) = &args.conf {
            return Self::of_directory(dir.clone(), args.group.clone());
        }
        let plugin_dir = account.variable("keyring_okv_conf_dir")?.filter(|dir| !dir.is_empty());
        if let Some(dir) = plugin_dir {
            return Self::of_directory(dir.into(), args.group.clone());
        }
        if !site.global_configuration().exists() {
            return Err(Fault::NoVault.into());
        }
        let mut vault = Self::of(&read(site)?, Some(uuid))?;
        if args.group.is_some() {
            vault.group.clone_from(&args.group);
        }
        Ok(vault)
    }

    /// A session with it.
    ///
    /// # Errors
    /// [`Error::Client`].
    pub(super) fn session(&self) -> Result<Session, Error> {
        Session::new(&self.endpoint, self.options)
            .map_err(|fault| Error::Client(strongroom_client::Error::TlsConfig(fault)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(present: &str, endpoint: &str) -> Value {
        serde_json::from_str(&render(Some(present), Path::new(endpoint), None)).unwrap()
    }

    #[test]
    fn settings_stay_and_servers_stay_with_their_directory() {
        let present = r#"{"kmip_configuration_directory": "/a", "server": "one:1", "cache_keys": false, "kmip_timeout_ms": 9}"#;
        assert_eq!(rendered(present, "/a"), serde_json::from_str::<Value>(present).unwrap());
        let moved = rendered(present, "/b");
        assert_eq!(
            moved,
            json!({ "kmip_configuration_directory": "/b", "cache_keys": false, "kmip_timeout_ms": 9 })
        );
        let fresh = json!({ "kmip_configuration_directory": "/b", "cache_keys": true });
        assert_eq!(rendered(r#"{"server_addr": "one", "client_key": "/k"}"#, "/b"), fresh);
        assert_eq!(rendered("garbage", "/b"), fresh);
        let grouped = render(None, Path::new("/b"), Some("@server_uuid"));
        assert!(grouped.contains(r#""object_group": "@server_uuid""#), "{grouped}");
    }
}

//! The dialect of MySQL Enterprise's `component_keyring_kmip`.
//!
//! ```json
//! {
//!   "kmip_configuration_directory": "/etc/mysql/keyring",
//!   "server": "vault1.example:5696",
//!   "standby_server": ["vault2.example:5696", "vault3.example:5696"],
//!   "cache_keys": true
//! }
//! ```
//!
//! Where `server` is not named, `okvclient.ora` of the directory names the servers, as for `keyring_okv`.

use std::path::Path;

use serde_json::Value;
use strongroom_client::ServerAddress;
use strongroom_client::endpoint_dir::MAX_SERVERS;

use super::document::Document;
use super::error::{ConfigError, Fault};
use super::{Configuration, DEFAULT_TIMEOUT, EndpointSource};

const DIRECTORY: &str = "kmip_configuration_directory";
const SERVER: &str = "server";
const STANDBY: &str = "standby_server";

/// The keys that only this dialect has.
pub(super) const KEYS: [&str; 3] = [DIRECTORY, SERVER, STANDBY];

pub(super) fn read(
    mut document: Document,
    instance_dir: Option<&Path>,
) -> Result<Configuration, ConfigError> {
    let dir = document.path(DIRECTORY)?;
    let server = document.text(SERVER)?.map(|server| vec![server]).unwrap_or_default();
    let standby = standby(&mut document)?;
    let mut servers = addresses(&document, SERVER, &server)?;
    if servers.is_empty() && !standby.is_empty() {
        return Err(document.fault(Fault::Missing(SERVER)));
    }
    for address in addresses(&document, STANDBY, &standby)? {
        if !servers.contains(&address) {
            servers.push(address);
        }
    }
    if servers.len() > MAX_SERVERS {
        return Err(document.fault(Fault::TooManyServers { servers: servers.len() }));
    }
    // What is unknown comes before what is missing: the one is often the other, misspelt.
    let endpoint = EndpointSource::Directory { dir: dir.clone().unwrap_or_default(), servers };
    let configuration = super::shared(&mut document, endpoint, instance_dir, DEFAULT_TIMEOUT)?;
    let missing = document.fault(Fault::Missing(DIRECTORY));
    document.end()?;
    if dir.is_some() { Ok(configuration) } else { Err(missing) }
}

/// One address or a list of them: both stand in Oracle's manual.
fn standby(document: &mut Document) -> Result<Vec<String>, ConfigError> {
    let wanted = || "an address in quotes, or a list of them".to_owned();
    let wrong = |document: &Document| document.fault(Fault::WrongKind { key: STANDBY, wanted: wanted() });
    match document.value(STANDBY) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => {
            Ok(text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(Into::into).collect())
        }
        Some(Value::Array(values)) => values
            .into_iter()
            .map(|value| match value {
                Value::String(text) => Ok(text),
                _ => Err(wrong(document)),
            })
            .collect(),
        Some(_) => Err(wrong(document)),
    }
}

fn addresses(
    document: &Document,
    key: &'static str,
    texts: &[String],
) -> Result<Vec<ServerAddress>, ConfigError> {
    texts
        .iter()
        .map(|text| text.trim().parse().map_err(|fault| document.fault(Fault::Address { key, fault })))
        .collect()
}

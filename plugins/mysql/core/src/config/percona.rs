//! The dialect of Percona Server's `component_keyring_kmip`.
//!
//! ```json
//! {
//!   "server_addr": "vault.example",
//!   "server_port": "5696",
//!   "client_ca": "/etc/mysql/client_certificate.pem",
//!   "client_key": "/etc/mysql/client_key.pem",
//!   "server_ca": "/etc/mysql/root_certificate.pem",
//!   "object_group": "db1"
//! }
//! ```
//!
//! Despite its name, `client_ca` is the client's certificate. Two things differ from Percona's component, for safety's sake:
//! - `tls_peer_verification` is on unless it is set to `false` (there it is off unless set), and even then the server's certificate
//!   must be one of `server_ca`'s: the setting frees it only from carrying the name that is connected to;
//! - `max_objects` is read, and bounds nothing: keys are fetched when they are used.

use std::path::{Path, PathBuf};
use std::time::Duration;

use strongroom_client::ServerAddress;
use strongroom_client::address::DEFAULT_PORT;

use super::document::Document;
use super::error::{ConfigError, Fault};
use super::{Configuration, EndpointSource, VerifyName};

const ADDRESS: &str = "server_addr";
const PORT: &str = "server_port";
const CERTIFICATE: &str = "client_ca";
const KEY: &str = "client_key";
const AUTHORITY: &str = "server_ca";
const MAX_OBJECTS: &str = "max_objects";
const PEER: &str = "tls_peer_verification";

/// The keys that only this dialect has.
pub(super) const KEYS: [&str; 7] = [ADDRESS, PORT, CERTIFICATE, KEY, AUTHORITY, MAX_OBJECTS, PEER];

/// What Percona's component waits.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn read(
    mut document: Document,
    instance_dir: Option<&Path>,
) -> Result<Configuration, ConfigError> {
    let address = document.text(ADDRESS)?;
    let port = document.number(PORT, 1, u64::from(u16::MAX))?;
    let paths = (document.path(AUTHORITY)?, document.path(CERTIFICATE)?, document.path(KEY)?);
    document.number(MAX_OBJECTS, 1, u64::MAX)?;
    let peer = document.switch(PEER)?.unwrap_or(true);

    let required = |value: Option<PathBuf>, key| value.ok_or(Fault::Missing(key));
    let endpoint = (|| {
        let host = address.ok_or(Fault::Missing(ADDRESS))?;
        let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(DEFAULT_PORT);
        let server =
            ServerAddress::new(&host, port).map_err(|fault| Fault::Address { key: ADDRESS, fault })?;
        Ok(EndpointSource::Files {
            server,
            authority: required(paths.0, AUTHORITY)?,
            certificate: required(paths.1, CERTIFICATE)?,
            key: required(paths.2, KEY)?,
        })
    })();
    // What is unknown comes before what is missing: the one is often the other, misspelt.
    let nowhere = EndpointSource::Directory { dir: PathBuf::new(), servers: Vec::new() };
    let (endpoint, missing) = match endpoint {
        Ok(endpoint) => (endpoint, None),
        Err(fault) => (nowhere, Some(document.fault(fault))),
    };
    let mut configuration = super::shared(&mut document, endpoint, instance_dir, TIMEOUT)?;
    if !peer {
        configuration.verify_name = VerifyName::No(PEER);
    }
    document.end()?;
    missing.map_or(Ok(configuration), Err)
}

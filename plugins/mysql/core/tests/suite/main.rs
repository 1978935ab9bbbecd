//! The keyring of a MySQL server over real vaults, without the server.

mod c_host;
mod lies;
mod loading;
mod outages;
mod owners;
mod places;

use std::path::{Path, PathBuf};
use std::time::Duration;

use strongroom_client::{Endpoint, Options, Session};
use strongroom_keyring::backend::{Backend, Kmip};
use strongroom_keyring::{KeyKind, KeyName};
use strongroom_mysql_core::config::Configuration;
use strongroom_mysql_core::log::Log;
use strongroom_mysql_core::service::Service;
use strongroom_mysql_core::service::keys::{Asked, Trouble};
use strongroom_secret::KeyMaterial;

const UUID: &str = "2f1c3e50-9d51-11f0-8de9-0242ac120002";

/// A keyring without anything loaded.
fn service() -> Service {
    Service::new(Log { name: "test" })
}

/// A keyring over an endpoint directory.
fn loaded(dir: &Path) -> Service {
    let service = service();
    service.load(Ok(directory(dir))).unwrap();
    service
}

/// An endpoint directory's configuration, which gives a server no longer than a test is willing to wait.
fn directory(dir: &Path) -> Configuration {
    Configuration { timeout: Duration::from_secs(2), ..Configuration::of_directory(dir.to_owned()) }
}

/// A key of the server itself.
fn own(id: &str) -> Asked<'_> {
    Asked { id: Some(id.as_bytes()), owner: None }
}

/// A key of a user.
fn of<'a>(owner: &'a str, id: &'a str) -> Asked<'a> {
    Asked { id: Some(id.as_bytes()), owner: Some(owner.as_bytes()) }
}

/// The id of one of InnoDB's master keys.
fn master(number: u32) -> String {
    format!("INNODBKey-{UUID}-{number}")
}

fn generate(service: &Service, asked: Asked<'_>) -> Result<(), Trouble> {
    service.generate(asked, Some(b"AES"), 32)
}

fn bytes(service: &Service, asked: Asked<'_>) -> Option<Vec<u8>> {
    service.fetch(asked).unwrap().map(|key| key.material.as_bytes().to_vec())
}

/// The wallet of an endpoint, as another client of it sees it.
fn wallet(dir: &Path) -> Kmip {
    Kmip::new(Session::connect(&Endpoint::open(dir).unwrap(), Options::default()).unwrap(), None)
}

/// Registers a key behind the keyring's back.
fn put(dir: &Path, name: &str, kind: KeyKind, bytes: &[u8]) {
    wallet(dir).register(&KeyName::new(name, None).unwrap(), kind, &KeyMaterial::new(bytes)).unwrap();
}

/// A copy of an endpoint directory, for a test that changes it.
fn copy(from: &Path, to: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    for dir in [to.to_owned(), to.join("ssl")] {
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o750)).unwrap();
    }
    for file in ["okvclient.ora", "ssl/CA.pem", "ssl/cert.pem", "ssl/key.pem"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    to.to_owned()
}

//! One suite for the keyring service and one for versioned keys, run over every back end that there is.

mod failover;
mod faults;
mod interrupted;
mod lost_answers;
mod other_makers;
mod service;
mod versions;

use std::net::SocketAddr;
use std::path::Path;

use strongroom_client::{Endpoint, Options, Session};
use strongroom_keyring::backend::{JsonFile, Kmip, Memory};
use strongroom_keyring::versions::KmipVersions;
use strongroom_testkit::certificates::Certificates;
use strongroom_testkit::vault::Vault;
use strongroom_testkit::{need, pykmip};

/// A session with the servers of an endpoint directory.
fn session(dir: &Path) -> Session {
    Session::connect(&Endpoint::open(dir).unwrap(), Options::default()).unwrap()
}

/// PyKMIP's server, and an endpoint directory for it.
struct PyKmip {
    server: pykmip::Server,
    scratch: tempfile::TempDir,
}

impl PyKmip {
    fn start() -> Result<Self, strongroom_testkit::Unavailable> {
        let scratch = tempfile::tempdir().unwrap();
        let certificates = Certificates::write(&scratch.path().join("certificates"));
        let server = pykmip::Server::start(&certificates)?;
        certificates.write_endpoint_directory(&scratch.path().join("conf"), &[server.address()]);
        Ok(Self { server, scratch })
    }

    fn session(&self) -> Session {
        session(&self.scratch.path().join("conf"))
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

#[test]
fn memory_passes_the_service_suite() {
    service::suite(Memory::new);
}

#[test]
fn a_json_file_passes_the_service_suite() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    service::suite(|| {
        number.set(number.get() + 1);
        JsonFile::create(&folder.path().join(number.get().to_string())).unwrap()
    });
}

#[test]
fn pykmip_passes_the_service_suite() {
    let pykmip = need!(PyKmip::start());
    service::roundtrip(&Kmip::new(pykmip.session(), None).into());
    // PyKMIP has one store for all, in which groups keep the checks apart.
    let group = std::cell::Cell::new(0);
    service::suite(|| {
        group.set(group.get() + 1);
        Kmip::new(pykmip.session(), Some(format!("server-{}", group.get())))
    });
    assert_eq!(pykmip.session().server().unwrap().to_string(), pykmip.address().to_string());
}

#[test]
fn the_vault_passes_the_service_suite() {
    let vault = Vault::start();
    let number = std::cell::Cell::new(0);
    service::suite(|| {
        number.set(number.get() + 1);
        Kmip::new(session(&vault.enrol(&format!("db{}", number.get()))), None)
    });
}

#[test]
fn a_group_narrows_what_a_keyring_sees_in_one_wallet() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    service::groups_are_apart(
        &Kmip::new(session(&dir), Some("a".into())).into(),
        &Kmip::new(session(&dir), Some("b".into())).into(),
    );
}

#[test]
fn pykmip_passes_the_versions_suite() {
    let pykmip = need!(PyKmip::start());
    versions::suite(|prefix| KmipVersions::with_prefix(pykmip.session(), prefix));
}

#[test]
fn the_vault_passes_the_versions_suite() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    versions::suite(|prefix| KmipVersions::with_prefix(session(&dir), prefix));
}

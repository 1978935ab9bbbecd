//! Servers of other makers: each lacks something, and one lacks everything that any is known to lack.

use std::cell::Cell;

use strongroom_client::connect::ServerTrust;
use strongroom_client::error::{Cause, CertificateFault};
use strongroom_client::{Endpoint, Error, Options, Session};
use strongroom_keyring::backend::Kmip;
use strongroom_keyring::versions::KmipVersions;
use strongroom_keyring::{KeyKind, KeyName, Keyring};
use strongroom_kmip::ProtocolVersion;
use strongroom_testkit::other_maker::{Habits, OffsetItems, Server};
use strongroom_testkit::vault::Vault;

use crate::{service, versions};

fn options(habits: Habits) -> Options {
    let trust = match habits.certificate_names_address {
        true => ServerTrust::AuthorityAndName,
        false => ServerTrust::AuthorityAlone,
    };
    Options { trust, ..Options::default() }
}

fn endpoint(server: &Server) -> Endpoint {
    let folder = tempfile::tempdir().unwrap();
    server.write_endpoint_directory(folder.path());
    Endpoint::open(folder.path()).unwrap()
}

/// Runs both suites on servers with these habits, each with a wallet of its own.
fn suites(habits: Habits) {
    let vault = Vault::start();
    let number = Cell::new(0);
    let session = || {
        number.set(number.get() + 1);
        let server = Server::start(&vault, &format!("db{}", number.get()), habits);
        Session::connect(&endpoint(&server), options(habits)).unwrap()
    };
    service::suite(|| Kmip::new(session(), None));
    let server = Server::start(&vault, "versions", habits);
    versions::suite(|prefix| {
        let session = Session::connect(&endpoint(&server), options(habits)).unwrap();
        KmipVersions::with_prefix(session, prefix)
    });
}

#[test]
fn kmip_1_1_is_enough() {
    suites(Habits { newest: ProtocolVersion::V1_1, ..Habits::default() });
}

/// Nothing is fetched, and above all nothing is destroyed, that has another name than the one asked for.
#[test]
fn a_server_that_does_not_compare_names_is_enough() {
    let vault = Vault::start();
    let number = Cell::new(0);
    let habits = Habits { names_are_compared: false, ..Habits::default() };
    service::suite(|| {
        number.set(number.get() + 1);
        let server = Server::start(&vault, &format!("db{}", number.get()), habits);
        Kmip::new(Session::connect(&endpoint(&server), options(habits)).unwrap(), None)
    });
}

#[test]
fn a_server_without_batches_is_enough() {
    suites(Habits { batches: false, ..Habits::default() });
}

#[test]
fn a_server_without_custom_attributes_is_enough() {
    suites(Habits { custom_attributes: false, ..Habits::default() });
}

#[test]
fn a_server_that_keeps_the_names_of_destroyed_objects_is_enough() {
    suites(Habits { names_are_free_again: false, ..Habits::default() });
}

#[test]
fn a_server_without_all_of_that_and_with_a_common_name_alone_is_enough() {
    suites(Habits::frugal());
}

#[test]
fn lists_longer_than_a_page_are_complete_whatever_becomes_of_offset_items() {
    let vault = Vault::start();
    for (offset_items, name) in [(OffsetItems::Ignored, "ignored"), (OffsetItems::Refused, "refused")] {
        let habits = Habits { offset_items, ..Habits::default() };
        let server = Server::start(&vault, name, habits);
        let keyring =
            Keyring::from(Kmip::new(Session::connect(&endpoint(&server), options(habits)).unwrap(), None));
        let material = strongroom_secret::KeyMaterial::new(&[7; 16]);
        // One more than a page.
        for number in 0..1_001 {
            let name = KeyName::new(&format!("key-{number}"), None).unwrap();
            keyring.store(&name, KeyKind::Aes, &material).unwrap();
        }
        assert_eq!(keyring.list().unwrap().len(), 1_001, "{name}");
    }
}

#[test]
fn a_certificate_with_a_common_name_alone_is_not_taken_unless_that_is_asked_for() {
    let vault = Vault::start();
    let habits = Habits { certificate_names_address: false, ..Habits::default() };
    let server = Server::start(&vault, "db", habits);
    match Session::connect(&endpoint(&server), Options::default()).err() {
        Some(Error::NoServer { failures }) => assert!(
            matches!(&failures[0].cause, Cause::ServerCertificate(CertificateFault::WrongName { presented }) if presented.is_empty()),
            "{failures:?}"
        ),
        other => panic!("{other:?}"),
    }
    Session::connect(&endpoint(&server), options(habits)).unwrap();
}

/// Two databases that were to be kept apart by groups used and destroyed each other's keys.
#[test]
fn a_server_that_knows_no_groups_keeps_nobody_apart_and_is_told_so() {
    let vault = Vault::start();
    let habits = Habits { object_groups: false, ..Habits::default() };
    let server = Server::start(&vault, "db", habits);
    let keyring = |group: Option<&str>| {
        let session = Session::connect(&endpoint(&server), options(habits)).unwrap();
        Keyring::from(Kmip::new(session, group.map(Into::into)))
    };
    let (plain, grouped) = (keyring(None), keyring(Some("db1")));
    let name = KeyName::new("key", None).unwrap();
    let is_unknown =
        |error: strongroom_keyring::Error| matches!(error, strongroom_keyring::Error::GroupNotTold { .. });
    assert!(is_unknown(grouped.generate(&name, KeyKind::Aes, 32).unwrap_err()));
    assert!(plain.fetch(&name).unwrap().is_none(), "nothing is left behind");
    plain.generate(&name, KeyKind::Aes, 32).unwrap();
    assert!(is_unknown(grouped.fetch(&name).unwrap_err()));
    assert!(is_unknown(grouped.remove(&name).unwrap_err()));
    // Nor is anybody's key listed as one of the group.
    assert!(is_unknown(grouped.list().unwrap_err()));
    assert!(is_unknown(grouped.names(usize::MAX).unwrap_err()));
    assert_eq!(plain.list().unwrap().len(), 1);
    assert!(plain.fetch(&name).unwrap().is_some());
}

#[test]
fn keys_rotate_on_a_server_that_cannot_be_asked_what_was_destroyed() {
    let vault = Vault::start();
    let habits = Habits { states_are_compared: false, ..Habits::default() };
    let server = Server::start(&vault, "db", habits);
    let keys = || KmipVersions::new(Session::connect(&endpoint(&server), options(habits)).unwrap());
    versions::the_number_of_a_destroyed_version_is_not_given_again(&keys(), &keys());
}

#[test]
fn a_key_that_may_not_be_destroyed_keeps_its_name() {
    let vault = Vault::start();
    let habits = Habits { destroys: false, ..Habits::default() };
    let server = Server::start(&vault, "db", habits);
    let keyring =
        Keyring::from(Kmip::new(Session::connect(&endpoint(&server), options(habits)).unwrap(), None));
    let name = KeyName::new("key", Some("root@localhost")).unwrap();
    keyring.generate(&name, KeyKind::Aes, 32).unwrap();
    let before = keyring.fetch(&name).unwrap();
    let refused = keyring.remove(&name).unwrap_err().to_string();
    assert!(refused.contains("may not destroy"), "{refused}");
    assert_eq!(keyring.fetch(&name).unwrap(), before);
}

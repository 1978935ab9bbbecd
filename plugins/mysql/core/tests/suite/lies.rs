//! A vault that gives what no vault should: the server's own callers copy what they get into buffers of a fixed size.

use strongroom_keyring::backend::Backend;
use strongroom_keyring::{Error, KeyKind, KeyName};
use strongroom_mysql_core::service::keys::Trouble;
use strongroom_testkit::other_maker::{Habits, Server};
use strongroom_testkit::vault::Vault;

use super::{bytes, generate, loaded, master, of, own, put, wallet};

#[test]
fn a_master_key_of_another_length_is_refused() {
    let vault = Vault::start();
    let dir = vault.enrol("db1");
    put(&dir, &master(1), KeyKind::Aes, &[1; 16]);
    put(&dir, &master(2), KeyKind::Secret, &[1; 31]);
    put(&dir, "persisted_variables_key", KeyKind::Aes, &[1; 24]);
    put(&dir, "a user's", KeyKind::Aes, &[1; 16]);
    let service = loaded(&dir);
    for id in [&master(1), &master(2), "persisted_variables_key"] {
        let refused = service.fetch(own(id)).unwrap_err();
        assert!(matches!(refused, Trouble::WrongLength { needed: 32, .. }), "{refused}");
    }
    // It was kept in memory all the same, and is refused from there too.
    assert!(service.fetch(own(&master(1))).is_err());
    assert_eq!(bytes(&service, own("a user's")), Some(vec![1; 16]));
}

#[test]
fn a_key_longer_than_the_servers_buffers_is_refused() {
    let vault = Vault::start();
    let dir = vault.enrol("db1");
    put(&dir, "long", KeyKind::Secret, &[1; 16_385]);
    put(&dir, "longest", KeyKind::Secret, &[1; 16_384]);
    let service = loaded(&dir);
    let refused = service.fetch(own("long")).unwrap_err();
    assert!(matches!(refused, Trouble::Keyring(Error::Length { bytes: 16_385, .. })), "{refused}");
    assert_eq!(bytes(&service, own("longest")).map(|bytes| bytes.len()), Some(16_384));
}

#[test]
fn a_key_that_is_destroyed_behind_the_servers_back_is_gone_unless_it_is_in_memory() {
    let vault = Vault::start();
    let dir = vault.enrol("db1");
    let service = loaded(&dir);
    for number in 1..=2 {
        generate(&service, own(&master(number))).unwrap();
    }
    let kept = bytes(&service, own(&master(1)));
    for number in 1..=2 {
        assert!(wallet(&dir).remove(&KeyName::new(&master(number), None).unwrap()).unwrap());
    }
    assert_eq!(bytes(&service, own(&master(1))), kept);
    assert_eq!(bytes(&service, own(&master(2))), None);
}

/// One server passes over names, so that it answers a question about one key with another's.
#[test]
fn another_owners_key_is_not_given() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let habits = Habits { names_are_compared: false, ..Habits::default() };
    Server::start(&vault, "db1", habits).write_endpoint_directory(scratch.path());
    let service = loaded(scratch.path());
    service.store(of("alice@%", "key"), Some(b"SECRET"), Some(b"alice's")).unwrap();
    assert_eq!(bytes(&service, of("bob@%", "key")), None);
    assert_eq!(bytes(&service, own("key")), None);
    assert!(matches!(service.remove(of("bob@%", "key")), Err(Trouble::Absent)));
    assert_eq!(bytes(&service, of("alice@%", "key")).as_deref(), Some(&b"alice's"[..]));
}

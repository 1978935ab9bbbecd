//! Ids and owners, kinds and lengths, and what happens to keys that exist.

use strongroom_keyring::{Error, KeyKind};
use strongroom_mysql_core::service::keys::{Asked, Trouble};
use strongroom_testkit::vault::Vault;

use super::{bytes, generate, loaded, master, of, own};

#[test]
fn keys_belong_to_their_owners_and_survive_a_restart() {
    let vault = Vault::start();
    let dir = vault.enrol("db1");
    let service = loaded(&dir);
    for (owner, secret) in [("", "server's"), ("root@localhost", "root's"), ("app@%", "app's")] {
        service.store(of(owner, "key"), Some(b"SECRET"), Some(secret.as_bytes())).unwrap();
    }
    let service = loaded(&dir);
    assert_eq!(bytes(&service, own("key")).as_deref(), Some(&b"server's"[..]));
    assert_eq!(bytes(&service, of("root@localhost", "key")).as_deref(), Some(&b"root's"[..]));
    assert_eq!(bytes(&service, of("app@%", "key")).as_deref(), Some(&b"app's"[..]));
    assert_eq!(bytes(&service, of("app@%", "KEY")), None);
    let names: Vec<_> = service.names().unwrap();
    let owners: Vec<_> = names.iter().map(|name| (name.id(), name.owner())).collect();
    assert_eq!(owners, [("key", None), ("key", Some("app@%")), ("key", Some("root@localhost"))]);

    service.remove(of("app@%", "key")).unwrap();
    assert_eq!(bytes(&service, of("app@%", "key")), None);
    assert!(bytes(&service, own("key")).is_some());
}

#[test]
fn an_existing_key_is_not_changed_and_a_removed_one_is_free() {
    let vault = Vault::start();
    let service = loaded(&vault.enrol("db1"));
    let key = master(1);
    generate(&service, own(&key)).unwrap();
    let before = bytes(&service, own(&key));
    let exists = |result| matches!(result, Err(Trouble::Keyring(Error::Exists { .. })));
    assert!(exists(generate(&service, own(&key))));
    assert!(exists(service.store(own(&key), Some(b"AES"), Some(&[1; 32]))));
    assert_eq!(bytes(&service, own(&key)), before);
    // As the rotation of binary log keys does, again and again.
    let sequence = format!("MySQLReplicationKey_{}", super::UUID);
    for number in 0_u8..5 {
        service.store(own(&sequence), Some(b"AES"), Some(&[number; 16])).unwrap();
        assert_eq!(bytes(&service, own(&sequence)), Some(vec![number; 16]));
        service.remove(own(&sequence)).unwrap();
        assert_eq!(bytes(&service, own(&sequence)), None);
        assert!(matches!(service.remove(own(&sequence)), Err(Trouble::Absent)));
    }
}

#[test]
fn kinds_and_lengths_are_those_that_a_kmip_keyring_has() {
    let vault = Vault::start();
    let service = loaded(&vault.enrol("db1"));
    for kind in ["AES", "aes", "Aes"] {
        service.generate(own(kind), Some(kind.as_bytes()), 16).unwrap();
        assert_eq!(service.fetch(own(kind)).unwrap().unwrap().kind, KeyKind::Aes);
    }
    service.generate(own("secret"), Some(b"SECRET"), 1000).unwrap();
    assert_eq!(bytes(&service, own("secret")).map(|bytes| bytes.len()), Some(1000));
    for kind in ["RSA", "DSA", "rsa", "", "AES ", "anything"] {
        let refused = service.generate(own("no"), Some(kind.as_bytes()), 32);
        assert!(matches!(refused, Err(Trouble::Keyring(Error::TypeNotKept(_)))), "{kind}");
        assert!(service.store(own("no"), Some(kind.as_bytes()), Some(&[1; 32])).is_err(), "{kind}");
    }
    for length in [0, 1, 15, 17, 33, 16_384, 16_385, usize::MAX] {
        assert!(service.generate(own("no"), Some(b"AES"), length).is_err(), "{length}");
    }
    for length in [0, 16_385] {
        assert!(service.generate(own("no"), Some(b"SECRET"), length).is_err(), "{length}");
    }
    assert!(service.store(own("no"), Some(b"SECRET"), Some(&[1; 16_385])).is_err());
    assert!(service.store(own("no"), Some(b"AES"), Some(&[])).is_err());
    assert_eq!(bytes(&service, own("no")), None);
    // A user may store a secret of no bytes, and it is there.
    service.store(of("root@localhost", "empty"), Some(b"SECRET"), Some(&[])).unwrap();
    assert_eq!(bytes(&service, of("root@localhost", "empty")), Some(vec![]));
    assert_eq!(bytes(&service, of("root@localhost", "no")), None);
}

#[test]
fn ids_that_no_key_can_have_are_absent_and_not_made() {
    let vault = Vault::start();
    let service = loaded(&vault.enrol("db1"));
    let long = "x".repeat(1025);
    for id in [&b""[..], b"\xFF\xFE", long.as_bytes()] {
        let asked = Asked { id: Some(id), owner: None };
        assert!(service.fetch(asked).unwrap().is_none());
        assert!(generate(&service, asked).is_err());
        assert!(service.remove(asked).is_err());
        assert!(service.identifier(asked).is_err());
    }
    let nothing = Asked { id: None, owner: None };
    assert!(service.fetch(nothing).is_err());
    assert!(generate(&service, nothing).is_err());
    assert!(service.generate(own("key"), None, 32).is_err());
    assert!(service.store(own("key"), Some(b"SECRET"), None).is_err());
    assert!(service.names().unwrap().is_empty());
    // Text of other alphabets is none of these.
    let odd = "ключ \u{1F511} %:/sr1:";
    generate(&service, of("пользователь@%", odd)).unwrap();
    assert!(bytes(&service, of("пользователь@%", odd)).is_some());
    assert_eq!(service.names().unwrap()[0].id(), odd);
}

/// Whether a key has ever been outside the vault is what its journal tells.
#[test]
fn a_key_is_made_by_the_vault_and_a_given_one_registered() {
    let vault = Vault::start();
    let service = loaded(&vault.enrol("db1"));
    let journal = || std::fs::read_to_string(vault.dir().join("audit/journal.jsonl")).unwrap();
    // An entry of a change is written once the change is durable, which is a moment after the answer.
    let journaled = |operation: &str, identifier: &str| {
        let found = || {
            let of_key = |line: &&str| {
                line.contains(identifier) && line.contains(&format!(r#""operation":"{operation}""#))
            };
            journal().lines().find(of_key).map(drop)
        };
        strongroom_testkit::process::wait_until(std::time::Duration::from_secs(30), found).is_some()
    };
    let identifier = |id| service.identifier(own(id)).unwrap().unwrap();

    generate(&service, own("generated")).unwrap();
    assert!(journaled("Create", &identifier("generated")), "{}", journal());
    service.store(own("stored"), Some(b"AES"), Some(&[1; 32])).unwrap();
    assert!(journaled("Register", &identifier("stored")), "{}", journal());
    service.generate(own("secret"), Some(b"SECRET"), 20).unwrap();
    assert!(journaled("Register", &identifier("secret")), "{}", journal());
    let removed = identifier("stored");
    service.remove(own("stored")).unwrap();
    assert!(journaled("Revoke", &removed) && journaled("Destroy", &removed), "{}", journal());
    assert_eq!(journal().matches(r#""operation":"Create""#).count(), 1, "{}", journal());
}

#[test]
fn a_keys_identifier_is_that_of_the_vault() {
    let vault = Vault::start();
    let service = loaded(&vault.enrol("db1"));
    generate(&service, own("key")).unwrap();
    let direct = service.identifier(own("key")).unwrap().unwrap();
    service.names().unwrap();
    assert_eq!(service.identifier(own("key")).unwrap(), Some(direct.clone()));
    assert_eq!(service.identifier(own("absent")).unwrap(), None);
    service.remove(own("key")).unwrap();
    generate(&service, own("key")).unwrap();
    assert_ne!(service.identifier(own("key")).unwrap(), Some(direct));
}

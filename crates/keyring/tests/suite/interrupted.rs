//! Changes that go wrong at each of their requests.

use strongroom_client::{Endpoint, Options, Session};
use strongroom_keyring::backend::Kmip;
use strongroom_keyring::{CachedKeyring, KeyKind, KeyName, Keyring};
use strongroom_testkit::other_maker::{Fault, Habits, Server, Trouble};
use strongroom_testkit::vault::Vault;

/// A removal takes a key's name away before it destroys the key. When the vault refused the Destroy, a binary log rotation of MySQL
/// kept being told by the memory that the key is there, and by the vault that it cannot be removed.
#[test]
fn a_key_whose_removal_was_interrupted_is_in_memory_only_if_the_vault_has_it() {
    let vault = Vault::start();
    let front = Server::start(&vault, "db1", Habits::default());
    let folder = tempfile::tempdir().unwrap();
    front.write_endpoint_directory(folder.path());
    let endpoint = Endpoint::open(folder.path()).unwrap();
    let keyring =
        || -> Keyring { Kmip::new(Session::connect(&endpoint, Options::default()).unwrap(), None).into() };
    let (cached, sober) = (CachedKeyring::new(keyring(), true), keyring());
    for fault in [Fault::Cut, Fault::AnswerLost, Fault::Refused, Fault::Garbage] {
        for from in 0.. {
            assert!(from < 20, "a removal asks more than 20 times");
            let name = KeyName::new(&format!("{fault:?}-{from}"), None).unwrap();
            cached.generate(&name, KeyKind::Aes, 32).unwrap();
            assert!(cached.fetch(&name).unwrap().is_some());
            front.trouble(Some(Trouble::from(fault, from)));
            let removed = cached.remove(&name);
            let asked = front.requests();
            front.trouble(None);
            let there = sober.fetch(&name).unwrap().is_some();
            assert_eq!(
                cached.fetch(&name).unwrap().is_some(),
                there,
                "{fault:?} from request {from} on: {removed:?}"
            );
            if asked <= from {
                assert!(removed.unwrap() && !there);
                break;
            }
        }
    }
}

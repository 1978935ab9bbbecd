//! "Absent" and "could not ask" are told apart, and neither makes a key.

use std::time::{Duration, Instant};

use strongroom_client::error::{Cause, Step};
use strongroom_client::{Endpoint, Error as ClientError, Options, Session};
use strongroom_keyring::backend::Kmip;
use strongroom_keyring::versions::{KeyId, KeyVersion, KmipVersions, LoadError, VersionedKeys};
use strongroom_keyring::{Error, KeyKind, KeyName, Keyring};
use strongroom_testkit::certificates::Certificates;
use strongroom_testkit::other_maker::{Fault, Habits, Server, Trouble};
use strongroom_testkit::port::Port;
use strongroom_testkit::vault::Vault;

#[test]
fn a_server_that_is_away_is_not_an_absent_key() {
    let scratch = tempfile::tempdir().unwrap();
    let port = Port::reserve();
    Certificates::write(&scratch.path().join("certificates"))
        .write_endpoint_directory(&scratch.path().join("conf"), &[port.address()]);
    let endpoint = Endpoint::open(&scratch.path().join("conf")).unwrap();
    let session = || Session::new(&endpoint, Options::default()).unwrap();

    let away = |error: &ClientError| match error {
        ClientError::NoServer { failures } => {
            failures.len() == 1 && failures[0].step == Step::Tcp && failures[0].cause == Cause::Refused
        }
        _ => false,
    };
    let keyring = Keyring::from(Kmip::new(session(), None));
    let name = KeyName::new("key", None).unwrap();
    assert!(matches!(keyring.fetch(&name), Err(Error::BackEnd(error)) if away(&error)));
    assert!(matches!(keyring.describe(&name), Err(Error::BackEnd(error)) if away(&error)));
    assert!(matches!(keyring.remove(&name), Err(Error::BackEnd(error)) if away(&error)));
    assert!(matches!(keyring.list(), Err(Error::BackEnd(error)) if away(&error)));
    assert!(matches!(keyring.generate(&name, KeyKind::Aes, 32), Err(Error::BackEnd(error)) if away(&error)));

    let versions = KmipVersions::new(session());
    let could_not_ask = |error: &LoadError| matches!(error, LoadError::CouldNotAsk(could_not) if could_not.downcast_ref().is_some_and(away));
    assert!(versions.load().is_err_and(|error| could_not_ask(&error)));
    assert!(versions.key(KeyId(1)).is_err_and(|error| could_not_ask(&error)));
    assert!(versions.version(KeyId(1), KeyVersion::FIRST).is_err_and(|error| could_not_ask(&error)));
}

/// A server that was slow with each answer was waited for five times as long as one call may take, under the lock of a database.
#[test]
fn a_key_that_could_not_be_made_in_the_time_of_one_call_is_not_asked_for() {
    let vault = Vault::start();
    let server = Server::start(&vault, "db", Habits::default());
    let folder = tempfile::tempdir().unwrap();
    server.write_endpoint_directory(folder.path());
    let endpoint = Endpoint::open(folder.path()).unwrap();
    let time = Duration::from_secs(2);
    let options = Options { per_server: time, total: time, ..Options::default() };
    // In a group a name is looked for twice before the key is made.
    let keyring = Keyring::from(Kmip::new(Session::connect(&endpoint, options).unwrap(), Some("db1".into())));
    let name = KeyName::new("key", None).unwrap();

    server.trouble(Some(Trouble::always(Fault::Slow)));
    std::thread::scope(|scope| {
        let generating = scope.spawn(|| keyring.generate(&name, KeyKind::Aes, 32));
        // Each of the two answers takes nine tenths of half the time; a slow machine makes it more.
        for next in [Some(Trouble::once(Fault::Slow, 0)), None] {
            let patience = Instant::now();
            while !server.hangs() && !generating.is_finished() {
                assert!(patience.elapsed() < Duration::from_secs(60), "nobody asks");
                std::thread::yield_now();
            }
            std::thread::sleep(time * 9 / 20);
            server.trouble(next);
        }
        let refused = generating.join().unwrap();
        assert!(matches!(refused, Err(Error::BackEnd(ClientError::NoServer { .. }))), "{refused:?}");
        assert_eq!(server.requests(), 0, "the key was asked for");
    });
    let session = Session::connect(&endpoint, Options::default()).unwrap();
    let keyring = Keyring::from(Kmip::new(session, Some("db1".into())));
    assert_eq!(keyring.fetch(&name).unwrap(), None);
    keyring.generate(&name, KeyKind::Aes, 32).unwrap();
}

//! "Absent" and "could not ask" are told apart, and neither makes a key.

use strongroom_client::error::{Cause, Step};
use strongroom_client::{Endpoint, Error as ClientError, Options, Session};
use strongroom_keyring::backend::Kmip;
use strongroom_keyring::versions::{KeyId, KeyVersion, KmipVersions, LoadError, VersionedKeys};
use strongroom_keyring::{Error, KeyKind, KeyName, Keyring};
use strongroom_testkit::certificates::Certificates;
use strongroom_testkit::port::Port;

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

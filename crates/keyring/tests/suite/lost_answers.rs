//! A change whose answer is lost on the way is looked for, and neither made twice nor reported as failed when it was done.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use strongroom_client::{Endpoint, Error as ClientError, Options, Session};
use strongroom_keyring::backend::Kmip;
use strongroom_keyring::versions::{ChangeError, KeyId, KeyVersion, KmipVersions, LoadError};
use strongroom_keyring::{Error, KeyKind, KeyName, Keyring};
use strongroom_testkit::vault::Vault;

/// A wire to a server that can be cut at a chosen answer, after the server has sent it.
struct Wire {
    address: SocketAddr,
    /// Requests until the one whose answer is lost; negative when none is to be.
    requests_left: Arc<AtomicI64>,
    /// Whether nothing gets through any more once it was cut.
    stays_cut: Arc<AtomicBool>,
}

impl Wire {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests_left, stays_cut) = (Arc::new(AtomicI64::new(-1)), Arc::new(AtomicBool::new(false)));
        let (left, gone) = (Arc::clone(&requests_left), Arc::clone(&stays_cut));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if gone.load(Ordering::SeqCst) && left.load(Ordering::SeqCst) == 0 {
                    continue;
                }
                let (server, left) = (TcpStream::connect(server).unwrap(), Arc::clone(&left));
                let cut = Arc::new(AtomicBool::new(false));
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap(), Arc::clone(&cut));
                std::thread::spawn(move || pump(back.0, back.1, || back.2.load(Ordering::SeqCst)));
                std::thread::spawn(move || {
                    pump(client, server, || {
                        if left.load(Ordering::SeqCst) > 0 && left.fetch_sub(1, Ordering::SeqCst) == 1 {
                            cut.store(true, Ordering::SeqCst);
                        }
                        false
                    });
                });
            }
        });
        Self { address, requests_left, stays_cut }
    }

    /// Loses the answer to the `number`th request from now.
    fn lose(&self, number: i64, stay_cut: bool) {
        self.stays_cut.store(stay_cut, Ordering::SeqCst);
        self.requests_left.store(number, Ordering::SeqCst);
    }
}

/// Passes on what comes, until `cut` says of something that came that it ends here.
fn pump(mut from: TcpStream, mut to: TcpStream, cut: impl Fn() -> bool) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if cut() || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn session(dir: &Path, server: SocketAddr) -> Session {
    let mut endpoint = Endpoint::open(dir).unwrap();
    endpoint.servers = vec![server.to_string().parse().unwrap()];
    Session::connect(&endpoint, Options { per_server: Duration::from_secs(5), ..Options::default() }).unwrap()
}

#[test]
fn a_key_that_was_made_although_the_answer_was_lost_is_found() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    let wire = Wire::to(vault.kmip());
    let keyring = Keyring::from(Kmip::new(session(&dir, wire.address), None));
    let name = KeyName::new("key", None).unwrap();
    // The first request looks for the name, the second makes the key.
    wire.lose(2, false);
    keyring.generate(&name, KeyKind::Aes, 32).unwrap();
    assert_eq!(wire.requests_left.load(Ordering::SeqCst), 0);
    assert_eq!(keyring.list().unwrap().len(), 1);
    assert!(matches!(keyring.generate(&name, KeyKind::Aes, 32), Err(Error::Exists { .. })));
}

#[test]
fn an_outcome_that_cannot_be_looked_up_is_reported_as_unknown() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    let wire = Wire::to(vault.kmip());
    let keyring = Keyring::from(Kmip::new(session(&dir, wire.address), None));
    let name = KeyName::new("key", None).unwrap();
    wire.lose(2, true);
    let error = keyring.generate(&name, KeyKind::Aes, 32).unwrap_err();
    assert!(matches!(error, Error::BackEnd(ClientError::OutcomeUnknown { .. })), "{error}");
    // It was made, as a look past the cut wire shows: to try again would be wrong.
    let direct = Keyring::from(Kmip::new(session(&dir, vault.kmip()), None));
    assert_eq!(direct.list().unwrap().len(), 1);
}

#[test]
fn a_rotation_whose_answer_was_lost_makes_one_version() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    let direct = KmipVersions::new(session(&dir, vault.kmip()));
    direct.add(KeyId(1), 256).unwrap();
    let wire = Wire::to(vault.kmip());
    // Locate and Get Attributes find the latest version, two Locates those that were destroyed, and the fifth request makes the next.
    let versions = KmipVersions::new(session(&dir, wire.address));
    wire.lose(5, false);
    assert_eq!(versions.rotate(KeyId(1), 2).unwrap(), KeyVersion::new(3).unwrap());
    assert_eq!(wire.requests_left.load(Ordering::SeqCst), 0);
    assert_eq!(direct.list().unwrap().len(), 2);

    wire.lose(5, true);
    let error = versions.rotate(KeyId(1), 2).unwrap_err();
    let ChangeError::Load(LoadError::CouldNotAsk(could_not)) = &error else { panic!("{error}") };
    assert!(matches!(could_not.downcast_ref(), Some(ClientError::OutcomeUnknown { .. })), "{error}");
}

/// The server has said that the key is made; that nobody could be asked afterwards makes no failure of it.
#[test]
fn a_key_that_the_server_has_confirmed_is_made_even_if_the_last_look_fails() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    let wire = Wire::to(vault.kmip());
    let keyring = Keyring::from(Kmip::new(session(&dir, wire.address), None));
    wire.lose(3, true);
    keyring.generate(&KeyName::new("key", None).unwrap(), KeyKind::Aes, 32).unwrap();
    assert_eq!(wire.requests_left.load(Ordering::SeqCst), 0);

    let wire = Wire::to(vault.kmip());
    KmipVersions::new(session(&dir, vault.kmip())).add(KeyId(1), 256).unwrap();
    let versions = KmipVersions::new(session(&dir, wire.address));
    wire.lose(6, true);
    assert_eq!(versions.rotate(KeyId(1), 2).unwrap(), KeyVersion::new(3).unwrap());
    assert_eq!(wire.requests_left.load(Ordering::SeqCst), 0);
}

//! Two vaults, of which the first is killed, hangs, and answers garbage, while keys are fetched from the second.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use strongroom_client::{Endpoint, Options, Session};
use strongroom_keyring::backend::Kmip;
use strongroom_keyring::versions::{KeyId, KmipVersions, VersionedKeys};
use strongroom_keyring::{KeyKind, KeyName, Keyring};
use strongroom_testkit::vault::Vault;

fn keyrings(dir: &Path, servers: [SocketAddr; 2]) -> (Keyring, KmipVersions) {
    let mut endpoint = Endpoint::open(dir).unwrap();
    endpoint.servers = servers.iter().map(|server| server.to_string().parse().unwrap()).collect();
    let options = Options { per_server: Duration::from_secs(2), ..Options::default() };
    let session = || Session::new(&endpoint, options).unwrap();
    (Kmip::new(session(), None).into(), KmipVersions::new(session()))
}

#[test]
fn keys_come_from_the_standby_while_the_first_vault_is_killed_hangs_or_babbles() {
    let mut first = Vault::start();
    let dir = first.enrol("db");
    let name = KeyName::new("key", None).unwrap();
    let (keyring, versions) = keyrings(&dir, [first.kmip(), first.kmip()]);
    keyring.generate(&name, KeyKind::Aes, 32).unwrap();
    versions.add(KeyId(1), 256).unwrap();
    let expected = keyring.fetch(&name).unwrap().unwrap();
    let standby = first.standby();

    let served = |servers: [SocketAddr; 2]| {
        let (keyring, versions) = keyrings(&dir, servers);
        let began = Instant::now();
        assert_eq!(keyring.fetch(&name).unwrap().as_ref(), Some(&expected));
        assert_eq!(versions.load().unwrap().len(), 1);
        // Whoever stood in is remembered, so that only the first call of each session pays for the one that is away.
        assert_eq!(keyring.list().unwrap().len(), 2);
        assert!(began.elapsed() < Duration::from_secs(10), "took {:?}", began.elapsed());
    };
    let (keyring, versions) = keyrings(&dir, [first.kmip(), standby.kmip()]);
    let still_served = || {
        assert_eq!(keyring.fetch(&name).unwrap().as_ref(), Some(&expected));
        assert_eq!(versions.key(KeyId(1)).unwrap().len(), 1);
    };
    still_served();

    first.pause();
    served([first.kmip(), standby.kmip()]);
    still_served();
    first.resume();
    served([first.kmip(), standby.kmip()]);

    first.kill9();
    served([first.kmip(), standby.kmip()]);
    still_served();

    let babbling = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = babbling.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut tcp in babbling.incoming().flatten() {
            let _ = tcp.write_all(b"220 this is a mail server\r\n");
        }
    });
    served([address, standby.kmip()]);
}

#[test]
fn a_revoked_endpoint_is_told_so_and_finds_no_way_around() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    let (keyring, _) = keyrings(&dir, [vault.kmip(), vault.kmip()]);
    let name = KeyName::new("key", None).unwrap();
    keyring.generate(&name, KeyKind::Aes, 32).unwrap();
    vault.endpoint_revoke("db");
    let patience = Instant::now();
    while keyring.fetch(&name).is_ok() {
        assert!(patience.elapsed() < Duration::from_secs(2), "still served after revocation");
        std::thread::yield_now();
    }
    let text = keyring.fetch(&name).unwrap_err().to_string();
    assert!(text.contains(&vault.kmip().to_string()), "{text}");
    assert!(text.contains("refused our certificate") || text.contains("let this endpoint in"), "{text}");
}

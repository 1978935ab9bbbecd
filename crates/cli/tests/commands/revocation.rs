//! Revocation takes an endpoint's access away at once.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use strongroom_client::Endpoint;
use strongroom_testkit::vault::Vault;

use crate::{args, run};

#[test]
fn an_open_connection_ends_within_a_second() {
    let vault = Vault::start();
    let conf = vault.enrol("db1");
    let other = vault.enrol("db2");
    let mut connection = connect(&conf, &vault);
    let mut bystander = connect(&other, &vault);

    let revoked = Instant::now();
    run(args!["endpoint", "revoke", "db1", "--dir", vault.dir()]).ok();
    connection.sock.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    match connection.read(&mut [0; 1]) {
        Ok(0) => {}
        Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {}
        other => panic!("the connection did not end: {other:?}"),
    }
    assert!(revoked.elapsed() < Duration::from_secs(1), "it took {:?}", revoked.elapsed());

    run(args!["list", "--conf", &conf]).failed(4);
    assert!(run(args!["endpoint", "show", "db1", "--dir", vault.dir()]).ok().contains("Revoked"));

    // Others keep theirs.
    bystander.sock.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let quiet = bystander.read(&mut [0; 1]).map_err(|error| error.kind());
    assert!(matches!(quiet, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{quiet:?}");
    run(args!["ping", "--conf", &other]).ok();
}

/// A TLS session whose handshake is over on both sides.
fn connect(conf: &std::path::Path, vault: &Vault) -> StreamOwned<ClientConnection, TcpStream> {
    let endpoint = Endpoint::open(conf).unwrap();
    let mut roots = RootCertStore::empty();
    for authority in &endpoint.authority {
        roots.add(authority.clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(endpoint.certificates.clone(), endpoint.key.der().clone_key())
        .unwrap();
    let name = rustls_pki_types::ServerName::from(vault.kmip().ip());
    let tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(tls, TcpStream::connect(vault.kmip()).unwrap());
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    // In TLS 1.3 the server judges our certificate after we believe the handshake done. Only an answer shows that it was taken.
    exchange(&mut stream);
    stream
}

/// Discover Versions with an empty payload (KMIP 1.1 §4.26), in bytes.
fn exchange(stream: &mut StreamOwned<ClientConnection, TcpStream>) {
    use std::io::Write;
    let item = |tag: [u8; 3], kind: u8, value: &[u8]| {
        let mut bytes = tag.to_vec();
        bytes.push(kind);
        bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let (structure, integer, enumeration) = (1, 2, 5);
    let number = |value: i32| value.to_be_bytes();
    let version =
        [item([0x42, 0x00, 0x6a], integer, &number(1)), item([0x42, 0x00, 0x6b], integer, &number(4))]
            .concat();
    let header =
        [item([0x42, 0x00, 0x69], structure, &version), item([0x42, 0x00, 0x0d], integer, &number(1))]
            .concat();
    let batch =
        [item([0x42, 0x00, 0x5c], enumeration, &number(0x1e)), item([0x42, 0x00, 0x79], structure, &[])]
            .concat();
    let message =
        [item([0x42, 0x00, 0x77], structure, &header), item([0x42, 0x00, 0x0f], structure, &batch)].concat();
    stream.write_all(&item([0x42, 0x00, 0x78], structure, &message)).unwrap();
    let mut start = [0; 8];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(start[..4], [0x42, 0x00, 0x7b, structure], "not a response message");
    let length = u32::from_be_bytes(start[4..].try_into().unwrap());
    stream.read_exact(&mut vec![0; length as usize]).unwrap();
}

//! Who is let in, and what a connection may do.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustls::pki_types::PrivatePkcs8KeyDer;
use strongroom_kmip::operation::{discover_versions, locate};
use strongroom_kmip::types::ResultReason;
use strongroom_kmip::{ProtocolVersion, RequestMessage};
use strongroom_vault::audit::Actor;
use strongroom_vault::listener::{Deadlines, ListenerLimits};

use crate::port::{Certificate, Port, Stream, read_message};

const SHORT: Duration = Duration::from_millis(300);

fn request() -> Vec<u8> {
    RequestMessage::single(ProtocolVersion::V1_4, locate::Request::default()).encode().unwrap().to_vec()
}

/// The error with which a connection that is refused in the handshake ends, on the way out or back.
fn refusal(mut stream: Stream) -> io::Error {
    stream.write_all(&request()).err().unwrap_or_else(|| read_message(&mut stream).unwrap_err())
}

/// A certificate that nobody here signed.
fn foreign() -> Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    Certificate { chain: vec![certificate.der().clone()], key: PrivatePkcs8KeyDer::from(key.serialize_der()) }
}

#[test]
fn without_a_certificate_of_our_authority_nothing_is_served() {
    let port = Port::open(ListenerLimits::default());
    let none = refusal(port.connect(None)).to_string();
    assert!(none.contains("CertificateRequired") || none.contains("certificate"), "{none}");
    let foreign = refusal(port.connect(Some(&foreign()))).to_string();
    assert!(foreign.to_lowercase().contains("alert") || foreign.contains("UnknownCA"), "{foreign}");
    let journal = std::fs::read_to_string(port.vault.layout().journal()).unwrap();
    assert!(journal.contains("\"operation\":\"connect\""), "{journal}");
}

#[test]
fn a_revoked_certificate_is_told_so_in_kmip() {
    let port = Port::open(ListenerLimits::default());
    let certificate = port.enrol("db1");
    port.block_on(port.vault.revoke_endpoint("db1", &Actor::Vault)).unwrap();
    let mut stream = port.connect(Some(&certificate));
    stream.write_all(&request()).unwrap();
    let answer = read_message(&mut stream).unwrap();
    let failure = answer.items[0].result.as_ref().unwrap_err();
    assert_eq!(failure.reason, ResultReason::AuthenticationNotSuccessful);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn revocation_ends_open_and_idle_sessions_within_a_second() {
    let port = Port::open(ListenerLimits::default());
    let (revoked, other) = (port.enrol("db1"), port.enrol("db2"));
    let mut client = port.client(&revoked);
    let mut untouched = port.client(&other);
    for client in [&mut client, &mut untouched] {
        client.ask(discover_versions::Request::default()).unwrap().unwrap();
    }
    port.block_on(port.vault.revoke_endpoint("db1", &Actor::Vault)).unwrap();
    let revoked_at = Instant::now();
    // Nothing is sent: the idle connection ends by itself.
    assert_eq!(client.stream.read(&mut [0; 1]).unwrap(), 0);
    assert!(revoked_at.elapsed() < Duration::from_secs(1), "{:?}", revoked_at.elapsed());
    untouched.ask(discover_versions::Request::default()).unwrap().unwrap();
}

#[test]
fn an_oversized_message_is_answered_and_the_connection_ends() {
    let port = Port::open(ListenerLimits::default());
    let mut stream = port.connect(Some(&port.enrol("db1")));
    stream.write_all(&[0x42, 0x00, 0x78, 0x01, 0x7F, 0xFF, 0xFF, 0xF8]).unwrap();
    let answer = read_message(&mut stream).unwrap();
    let failure = answer.items[0].result.as_ref().unwrap_err();
    assert_eq!(failure.reason, ResultReason::InvalidMessage);
    assert!(failure.message.as_deref().unwrap().contains("1048576"), "{failure}");
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_nested_message_is_answered_and_the_connection_goes_on() {
    let port = Port::open(ListenerLimits::default());
    let mut client = port.client(&port.enrol("db1"));
    // Structures in structures, 10,000 deep.
    let depth = 10_000_u32;
    let mut message = Vec::new();
    for level in 0..depth {
        message.extend_from_slice(&[0x42, 0x00, 0x78, 0x01]);
        message.extend_from_slice(&(8 * (depth - level - 1)).to_be_bytes());
    }
    client.stream.write_all(&message).unwrap();
    let answer = read_message(&mut client.stream).unwrap();
    assert_eq!(answer.items[0].result.as_ref().unwrap_err().reason, ResultReason::InvalidMessage);
    client.ask(discover_versions::Request::default()).unwrap().unwrap();
}

#[test]
fn something_else_than_kmip_is_turned_away() {
    let port = Port::open(ListenerLimits::default());
    let mut stream = port.connect(Some(&port.enrol("db1")));
    stream.write_all(b"GET / HTTP/1.1\r\nHost: vault\r\n\r\n").unwrap();
    let answer = read_message(&mut stream).unwrap();
    assert_eq!(answer.items[0].result.as_ref().unwrap_err().reason, ResultReason::InvalidMessage);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_peer_that_drips_is_dropped_at_each_step_and_hinders_nobody() {
    let deadlines = Deadlines { handshake: SHORT, header: SHORT, body: SHORT, ..Deadlines::default() };
    let port = Port::open(ListenerLimits { deadlines, ..ListenerLimits::default() });
    let certificate = port.enrol("db1");
    let long = Duration::from_secs(10);
    // In the handshake: a ClientHello that never ends.
    let begun = Instant::now();
    let mut socket = TcpStream::connect(port.address).unwrap();
    socket.set_read_timeout(Some(long)).unwrap();
    socket.write_all(&[0x16, 0x03, 0x01]).unwrap();
    let ended = socket.read(&mut [0; 1]);
    assert!(
        matches!(ended, Ok(0)) || ended.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
    );
    assert!(begun.elapsed() < long);
    // In the header, and in the body.
    let message = request();
    for sent in [3, 20] {
        let mut stream = port.connect(Some(&certificate));
        stream.write_all(&message[..sent]).unwrap();
        let begun = Instant::now();
        let mut honest = port.client(&certificate);
        honest.ask(discover_versions::Request::default()).unwrap().unwrap();
        let ended = stream.read(&mut [0; 1]);
        assert!(!matches!(ended, Ok(1..)), "{ended:?}");
        assert!(begun.elapsed() < long);
    }
}

#[test]
fn one_connection_too_many_is_closed_and_room_is_used_again() {
    let port = Port::open(ListenerLimits { connections: 2, ..ListenerLimits::default() });
    let certificate = port.enrol("db1");
    let mut clients = [port.client(&certificate), port.client(&certificate)];
    for client in &mut clients {
        client.ask(discover_versions::Request::default()).unwrap().unwrap();
    }
    refusal(port.connect(Some(&certificate)));
    let [first, _second] = clients;
    drop(first);
    // The slot is free once the server has seen the end; until then a connection is refused.
    let deadline = Instant::now() + Duration::from_secs(10);
    while port.client(&certificate).ask(discover_versions::Request::default()).is_err() {
        assert!(Instant::now() < deadline, "the slot of a closed connection is never free again");
    }
}

#[test]
fn silent_strangers_leave_room_for_others() {
    let port = Port::open(ListenerLimits {
        handshakes_per_peer: 2,
        deadlines: Deadlines { handshake: Duration::from_secs(60), ..Deadlines::default() },
        ..ListenerLimits::default()
    });
    let certificate = port.enrol("db1");
    // From another address than the client that follows.
    let stranger = || {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
        connect(&socket, &port.address).unwrap();
        TcpStream::from(socket)
    };
    let _silent = [stranger(), stranger()];
    let mut refused = stranger();
    refused.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let ended = refused.read(&mut [0; 1]);
    let timed_out =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    assert!(ended.as_ref().map_or_else(|error| !timed_out(error), |&read| read == 0), "{ended:?}");
    port.client(&certificate).ask(discover_versions::Request::default()).unwrap().unwrap();
}

#[test]
fn stopping_closes_idle_connections_and_the_port() {
    let mut port = Port::open(ListenerLimits::default());
    let certificate = port.enrol("db1");
    let mut client = port.client(&certificate);
    client.ask(discover_versions::Request::default()).unwrap().unwrap();
    port.close();
    assert_eq!(client.stream.read(&mut [0; 1]).unwrap(), 0);
    assert!(TcpStream::connect(port.address).is_err());
}

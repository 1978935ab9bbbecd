//! Peers that take their time, and those who must not notice.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use strongroom_kmip::operation::locate;
use strongroom_kmip::{ProtocolVersion, RequestMessage};
use strongroom_vault::listener::{Deadlines, ListenerLimits};

use crate::port::Port;

/// What a database waits for at the most before a person notices.
const PROMPT: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(500);
/// Between two bytes of a peer that drips. Each is progress, and none must move the deadline.
const DRIP: Duration = Duration::from_millis(50);

/// Sends `bytes` one by one until the peer hangs up; how long that took. Nothing when it took them all.
fn drip(mut write: impl FnMut(u8) -> io::Result<()>, bytes: &[u8]) -> Option<Duration> {
    let begun = Instant::now();
    for byte in bytes {
        if write(*byte).is_err() {
            return Some(begun.elapsed());
        }
        std::thread::sleep(DRIP);
    }
    None
}

#[test]
fn a_byte_at_a_time_does_not_stretch_any_deadline() {
    let deadlines = Deadlines { handshake: SHORT, header: SHORT, body: SHORT, ..Deadlines::default() };
    let port = Port::open(ListenerLimits { deadlines, ..ListenerLimits::default() });
    let certificate = port.enrol("db1");

    // A ClientHello, as far as a patient server would let it come.
    let mut socket = TcpStream::connect(port.address).unwrap();
    socket.set_nodelay(true).unwrap();
    let mut hello = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03];
    hello.resize(100, 7);
    let took = drip(|byte| socket.write_all(&[byte]), &hello).expect("a handshake may last for ever");
    assert!(took < SHORT * 4, "{took:?}");

    // The header and the body of a message, after an honest handshake. A request of 100 bytes and more.
    let message =
        RequestMessage::single(ProtocolVersion::V1_4, locate::Request::default()).encode().unwrap().to_vec();
    for at_once in [0, 8] {
        let mut stream = port.connect(Some(&certificate));
        stream.write_all(&message[..at_once]).unwrap();
        let conn: &mut ClientConnection = &mut stream.conn;
        while conn.is_handshaking() {
            conn.complete_io(&mut stream.sock).unwrap();
        }
        let took = drip(
            |byte| {
                stream.write_all(&[byte])?;
                stream.flush()
            },
            &message[at_once..],
        );
        let took = took.unwrap_or_else(|| panic!("from byte {at_once} on, a message may last for ever"));
        assert!(took < SHORT * 6, "from byte {at_once} on: {took:?}");
    }
}

#[test]
fn two_hundred_idle_and_dripping_peers_delay_nobody() {
    let port = Port::open(ListenerLimits::default());
    let certificate = port.enrol("db1");
    let mut client = port.client(&certificate);
    let id = client.create([]);

    // A hundred that never say a word, fifty that stopped within the ClientHello, fifty enrolled ones within a message.
    let silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(port.address).unwrap()).collect();
    let mut begun: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(port.address).unwrap()).collect();
    for socket in &mut begun {
        socket.write_all(&[0x16, 0x03, 0x01, 0x02]).unwrap();
    }
    let halfway: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = port.connect(Some(&certificate));
            stream.write_all(&[0x42, 0x00, 0x78, 0x01, 0x00, 0x00, 0x00, 0x70, 0x42]).unwrap();
            stream
        })
        .collect();

    let asked = Instant::now();
    assert_eq!(client.get(&id).unwrap().len(), 32);
    assert!(asked.elapsed() < PROMPT, "on an open connection: {:?}", asked.elapsed());
    let asked = Instant::now();
    assert_eq!(port.client(&certificate).get(&id).unwrap().len(), 32);
    assert!(asked.elapsed() < PROMPT, "on a new connection: {:?}", asked.elapsed());
    // They were there all the time.
    let mut first = silent.into_iter().next().unwrap();
    first.set_nonblocking(true).unwrap();
    assert_eq!(first.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop((begun, halfway));
}

//! A whole server on free ports, reached as its peers reach it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use zeroize::Zeroizing;

use super::*;
use crate::SecretText;
use crate::control::{Client, ControlError, RefusalKind, Request, Response};
use crate::enrolment::{EnrolRefusal, EnrolReply, EnrolRequest, Token};
use crate::layout::Layout;
use crate::vault::{CreateOptions, NewSlot};

const PASSPHRASE: &str = "correct horse";

struct Rig {
    _scratch: tempfile::TempDir,
    dir: PathBuf,
}

impl Rig {
    fn new(slot: impl FnOnce(&Path) -> NewSlot) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("vault");
        let slots = vec![slot(scratch.path())];
        Vault::create(&dir, CreateOptions { slots, ..CreateOptions::default() }).unwrap();
        Self { _scratch: scratch, dir }
    }

    fn with_file_slot() -> Self {
        Self::new(|scratch| NewSlot::CreateFile(scratch.join("root.key")))
    }

    fn with_passphrase() -> Self {
        let text = Zeroizing::new(PASSPHRASE.as_bytes().to_vec());
        Self::new(|_| NewSlot::Existing(SlotSecret::passphrase(text)))
    }

    fn start(&self) -> Running {
        let free = Some("127.0.0.1:0".to_owned());
        let config = Config { kmip: free.clone(), admin: free, ..Config::default() };
        start(&self.dir, ServeOptions { config, ..ServeOptions::default() })
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn ask(&self, request: &Request) -> Result<Response, ControlError> {
        Client::connect(&self.dir)?.call(request)
    }

    /// One HTTP request; the status and the body of the answer.
    fn http(&self, admin: SocketAddr, head: &str, body: &str) -> (u16, String) {
        let mut roots = RootCertStore::empty();
        let authority = std::fs::read(Layout::new(&self.dir).authority_certificate()).unwrap();
        roots.add(CertificateDer::from_pem_slice(&authority).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(admin).unwrap());
        let length = body.len();
        write!(
            stream,
            "{head} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = Vec::new();
        // A server that refuses a body early may close without the last word of TLS.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let status = answer[9..12].parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }
}

fn unseal(passphrase: &str) -> Request {
    Request::Unseal { passphrase: SecretText::new(Zeroizing::new(passphrase.to_owned())) }
}

fn refusal(answer: Result<Response, ControlError>) -> RefusalKind {
    match answer {
        Err(ControlError::Refused(refusal)) => refusal.kind,
        other => panic!("{other:?}"),
    }
}

fn state(rig: &Rig) -> SealState {
    match rig.ask(&Request::Status).unwrap() {
        Response::Status(status) => status.state,
        other => panic!("{other:?}"),
    }
}

fn issue(rig: &Rig, name: &str) -> Token {
    let add = Request::EndpointAdd { name: name.to_owned(), ttl_s: None, reissue: false };
    match rig.ask(&add).unwrap() {
        Response::Token(issued) => Token::parse(&issued.token).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn enrolment(token: &Token) -> String {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let (endpoint, secret) = (token.endpoint().to_string(), token.secret().to_text());
    serde_json::to_string(&EnrolRequest { endpoint, secret, request }).unwrap()
}

#[test]
fn a_sealed_server_says_so_and_opens_with_the_right_passphrase_only() {
    let rig = Rig::with_passphrase();
    let running = rig.start();
    let Listening { kmip, admin, .. } = *running.listening();
    assert_eq!(running.listening().state, SealState::Sealed);
    assert_eq!(rig.http(admin, "GET /health", ""), (503, r#"{"state":"sealed"}"#.to_owned()));
    assert!(TcpStream::connect(kmip).is_err(), "nothing listens where no key can be had");
    assert_eq!(refusal(rig.ask(&Request::EndpointList)), RefusalKind::Sealed);
    assert_eq!(refusal(rig.ask(&unseal("wrong horse"))), RefusalKind::WrongKey);
    assert!(
        matches!(rig.ask(&unseal(PASSPHRASE)), Ok(Response::Status(status)) if status.state == SealState::Unsealed)
    );
    assert_eq!(rig.http(admin, "GET /health", ""), (200, r#"{"state":"unsealed"}"#.to_owned()));
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(kmip).is_err() {
        assert!(Instant::now() < deadline, "the KMIP port opens once the vault is unsealed");
        std::thread::yield_now();
    }
    running.shutdown().unwrap();
}

#[test]
fn a_vault_whose_key_file_is_gone_says_which() {
    let rig = Rig::with_file_slot();
    let key = rig.dir.parent().unwrap().join("root.key");
    std::fs::rename(&key, key.with_extension("away")).unwrap();
    let running = rig.start();
    assert_eq!(running.listening().state, SealState::Sealed);
    let why = running.listening().sealed_because.clone().unwrap();
    assert!(why.contains(&key.display().to_string()), "{why}");
    assert!(!running.listening().takes_passphrase);

    let other = key.with_extension("other");
    std::fs::write(&other, [7; 32]).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
    let refused = rig.ask(&Request::UnsealFile { path: other });
    assert!(matches!(refused, Err(ControlError::Refused(_))), "{refused:?}");
    assert_eq!(state(&rig), SealState::Sealed);
    rig.ask(&Request::UnsealFile { path: key.with_extension("away") }).unwrap();
    assert_eq!(state(&rig), SealState::Unsealed);
    running.shutdown().unwrap();
    std::fs::rename(key.with_extension("away"), &key).unwrap();
    assert_eq!(rig.start().listening().state, SealState::Unsealed);
}

#[test]
fn an_endpoint_enrols_over_the_admin_port_once() {
    let rig = Rig::with_file_slot();
    let running = rig.start();
    let admin = running.listening().admin;
    let token = issue(&rig, "db1");
    assert_eq!(token.addresses().admin, [admin.to_string()]);
    assert_eq!(token.addresses().kmip, [running.listening().kmip.to_string()]);
    let body = enrolment(&token);
    let (status, first) = rig.http(admin, "POST /v1/enroll", &body);
    assert_eq!(status, 200, "{first}");
    let reply: EnrolReply = serde_json::from_str(&first).unwrap();
    assert_eq!(reply.name, "db1");
    assert_eq!(rig.http(admin, "POST /v1/enroll", &body), (200, first), "the same request again");
    let (status, body) = rig.http(admin, "POST /v1/enroll", &enrolment(&token));
    let refused: EnrolRefusal = serde_json::from_str(&body).unwrap();
    assert_eq!((status, refused.reason.as_str()), (403, "token-used"));
    let Ok(Response::Endpoints(endpoints)) = rig.ask(&Request::EndpointList) else { panic!() };
    assert_eq!(endpoints.len(), 1);
    let Ok(Response::Endpoint(revoked)) = rig.ask(&Request::EndpointRevoke { name: "db1".to_owned() }) else {
        panic!()
    };
    assert_eq!(revoked.state, crate::endpoint::EndpointState::Revoked);
    let Ok(Response::Audit(report)) = rig.ask(&Request::AuditVerify) else { panic!() };
    assert!(report.entries >= 5);
    running.shutdown().unwrap();
}

#[test]
fn the_admin_port_answers_nothing_else() {
    let rig = Rig::with_file_slot();
    let running = rig.start();
    let admin = running.listening().admin;
    for head in ["GET /", "GET /v1/enroll/x", "POST /v1/endpoints"] {
        assert_eq!(rig.http(admin, head, "").0, 404, "{head}");
    }
    assert_eq!(rig.http(admin, "DELETE /health", "").0, 405);
    assert_eq!(rig.http(admin, "POST /v1/enroll", "{\"secret\":\"canary\"}").0, 422);
    let (status, body) = rig.http(admin, "POST /v1/enroll", &format!("\"{}\"", "x".repeat(100_000)));
    assert_eq!(status, 413);
    assert!(!body.contains("xxx"));
}

#[test]
fn errors_at_start_name_the_port_or_the_vault() {
    let rig = Rig::with_file_slot();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let free = Some("127.0.0.1:0".to_owned());
    let config = Config { kmip: Some(address.clone()), admin: free.clone(), ..Config::default() };
    let error =
        start(&rig.dir, ServeOptions { config, ..ServeOptions::default() }).err().unwrap().to_string();
    assert!(error.contains(&address) && error.contains("--kmip"), "{error}");
    let config = Config { kmip: free, admin: Some("nonsense".to_owned()), ..Config::default() };
    let error =
        start(&rig.dir, ServeOptions { config, ..ServeOptions::default() }).err().unwrap().to_string();
    assert!(error.contains("nonsense") && error.contains("--admin"), "{error}");
    let running = rig.start();
    let error = start(&rig.dir, ServeOptions::default()).err().unwrap().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(running);
    assert!(matches!(rig.ask(&Request::Status), Err(ControlError::NotRunning { .. })));
}

#[test]
fn a_stopped_server_lets_the_next_one_start() {
    let rig = Rig::with_file_slot();
    for _ in 0..3 {
        let running = rig.start();
        assert!(matches!(rig.ask(&Request::Stop), Ok(Response::Status(_))));
        running.shutdown().unwrap();
    }
}

#[test]
fn a_directory_with_a_long_name_has_a_socket_too() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("d".repeat(120));
    let slots = vec![NewSlot::CreateFile(scratch.path().join("root.key"))];
    Vault::create(&dir, CreateOptions { slots, ..CreateOptions::default() }).unwrap();
    let rig = Rig { _scratch: scratch, dir };
    let _running = rig.start();
    assert!(rig.ask(&Request::Status).is_ok());
}

#[test]
fn a_vault_that_was_tampered_with_does_not_start() {
    let rig = Rig::with_file_slot();
    std::fs::write(Layout::new(&rig.dir).journal(), "").unwrap();
    let refused = start(&rig.dir, ServeOptions::default()).err().unwrap();
    assert!(matches!(&refused, ServeError::Vault(error) if error.is_integrity()), "{refused}");
}

#[test]
fn slow_peers_of_the_admin_port_delay_nobody_and_their_number_is_bounded() {
    let rig = Rig::with_file_slot();
    let running = rig.start();
    let admin = running.listening().admin;
    let connect = || {
        let mut socket = TcpStream::connect(admin).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        // The beginning of a ClientHello that never ends.
        socket.write_all(&[0x16, 0x03, 0x01]).unwrap();
        socket
    };
    let slow: Vec<TcpStream> = (0..200).map(|_| connect()).collect();
    let asked = Instant::now();
    assert_eq!(rig.http(admin, "GET /health", "").0, 200);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());

    // Beyond the limit a connection is closed at once.
    let mut more: Vec<TcpStream> = (0..100).map(|_| connect()).collect();
    let asked = Instant::now();
    let ended = more.last_mut().unwrap().read(&mut [0; 1]);
    assert!(!matches!(ended, Ok(1..)) && asked.elapsed() < Duration::from_secs(4), "{ended:?}");
    // And when they are gone there is room again.
    drop((slow, more));
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(admin)
        .and_then(|mut socket| {
            socket.set_read_timeout(Some(Duration::from_millis(200)))?;
            socket.read(&mut [0; 1])
        })
        .is_ok()
    {
        assert!(Instant::now() < deadline, "the places of closed connections are never free again");
    }
    assert_eq!(rig.http(admin, "GET /health", "").0, 200);
    running.shutdown().unwrap();
}

#[test]
fn a_stranger_who_tries_tokens_cannot_make_the_journal_grow() {
    let rig = Rig::with_file_slot();
    let running = rig.start();
    let admin = running.listening().admin;
    let token = issue(&rig, "db1");
    let mut body: EnrolRequest = serde_json::from_str(&enrolment(&token)).unwrap();
    body.endpoint = crate::store::RecordId::random().to_string();
    let body = serde_json::to_string(&body).unwrap();
    for _ in 0..40 {
        assert_eq!(rig.http(admin, "POST /v1/enroll", &body).0, 403);
    }
    running.shutdown().unwrap();
    let journal = std::fs::read_to_string(Layout::new(&rig.dir).journal()).unwrap();
    let refused: Vec<&str> =
        journal.lines().filter(|line| line.contains("\"operation\":\"enrol\"")).collect();
    assert_eq!(refused.len(), 11, "{journal}");
    assert!(refused[10].contains("\"count\":\"30\""), "{}", refused[10]);
}

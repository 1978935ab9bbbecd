//! A TLS server on a loopback port that follows a script.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use strongroom_client::{Endpoint, Options, Session};
use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::message::{
    Failure, RequestItem, RequestMessage, RequestPayload, ResponseHeader, ResponseItem, ResponseMessage,
    ResponsePayload,
};
use strongroom_kmip::operation::{create, discover_versions, locate};
use strongroom_kmip::ttlv::Tag;
use strongroom_kmip::ttlv::{DateTime, Limits, message_length};
use strongroom_kmip::types::{ObjectType, ResultReason};
use strongroom_kmip::version::{LOCATED_ITEMS_FOR_OFFSET, OFFSET_ITEMS_BEFORE_1_3};
use strongroom_testkit::certificates::{Authority, Issued, Validity, write_endpoint_directory};

pub(crate) type Tls = StreamOwned<ServerConnection, TcpStream>;

/// An authority, and what a server and a client of it show.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) server: Issued,
    pub(crate) client: Issued,
}

impl World {
    pub(crate) fn new() -> Self {
        let authority = Authority::new("scripted");
        let server = authority.server(&["localhost", "127.0.0.1"], Validity::Now);
        let client = authority.client("client", Validity::Now);
        Self { authority, server, client }
    }

    /// The TLS configuration of a server that demands a client certificate.
    pub(crate) fn tls(&self) -> Arc<ServerConfig> {
        tls(&self.server, &self.authority)
    }

    /// The endpoint for these servers.
    pub(crate) fn endpoint(&self, servers: &[SocketAddr]) -> Endpoint {
        endpoint(servers, &self.authority.certificate(), &self.client)
    }

    pub(crate) fn session(&self, servers: &[SocketAddr], options: Options) -> Session {
        Session::new(&self.endpoint(servers), options).unwrap()
    }

    /// A server that answers as `script` says, over as many connections as it takes.
    pub(crate) fn kmip(
        &self,
        script: impl Fn(&RequestItem) -> Result<ResponsePayload, Failure> + Send + Sync + 'static,
    ) -> Scripted {
        let config = self.tls();
        serve(move |tcp| {
            let Some(mut tls) = accept(&config, tcp) else { return };
            while let Some(request) = receive(&mut tls) {
                let response = respond(&request, &script);
                send(&mut tls, &response);
            }
        })
    }
}

pub(crate) fn endpoint(servers: &[SocketAddr], ca: &str, client: &Issued) -> Endpoint {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("conf");
    write_endpoint_directory(&dir, servers, ca, client);
    Endpoint::open(Path::new(&dir)).unwrap()
}

pub(crate) fn tls(server: &Issued, client_authority: &Authority) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(client_authority.certificate().as_bytes()).unwrap()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(server.certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

/// A server, and how many connections it has had.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Runs `each` on every connection, in a thread of its own that ends with the test.
pub(crate) fn serve(each: impl Fn(TcpStream) + Send + Sync + 'static) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let (each, counted) = (Arc::new(each), Arc::clone(&connections));
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let each = Arc::clone(&each);
            thread::spawn(move || each(tcp));
        }
    });
    Scripted { address, connections }
}

/// The handshake; `None` when the client broke it off.
pub(crate) fn accept(config: &Arc<ServerConfig>, mut tcp: TcpStream) -> Option<Tls> {
    let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut tcp).ok()?;
    }
    Some(StreamOwned::new(connection, tcp))
}

/// One request; `None` when the client is gone.
pub(crate) fn receive(tls: &mut Tls) -> Option<RequestMessage> {
    let mut head = [0; 8];
    tls.read_exact(&mut head).ok()?;
    let length = message_length(&head, Tag::RequestMessage, &Limits::REQUEST).unwrap();
    let mut message = head.to_vec();
    message.resize(length, 0);
    tls.read_exact(&mut message[8..]).ok()?;
    Some(RequestMessage::decode(&message, &Limits::REQUEST).unwrap())
}

pub(crate) fn send(tls: &mut Tls, response: &ResponseMessage) {
    let bytes = encode(response);
    let _ = tls.write_all(&bytes).and_then(|()| tls.flush());
}

pub(crate) fn encode(response: &ResponseMessage) -> Vec<u8> {
    response.encode_allowing(&[LOCATED_ITEMS_FOR_OFFSET, OFFSET_ITEMS_BEFORE_1_3]).unwrap().to_vec()
}

pub(crate) fn respond(
    request: &RequestMessage,
    script: impl Fn(&RequestItem) -> Result<ResponsePayload, Failure>,
) -> ResponseMessage {
    let items = request.items.iter().map(|item| {
        let result = match &item.payload {
            RequestPayload::DiscoverVersions(_) => match script(item) {
                Err(failure) if failure.reason == ResultReason::GeneralFailure => Ok(all_versions()),
                other => other,
            },
            _ => script(item),
        };
        match result {
            Ok(payload) => ResponseItem::success(item.batch_id.clone(), payload),
            Err(failure) => {
                ResponseItem::failure(Some(item.payload.operation()), item.batch_id.clone(), failure)
            }
        }
    });
    ResponseMessage {
        header: ResponseHeader::new(request.header.version, DateTime(0)),
        items: items.collect(),
    }
}

/// A script's word for what it does not answer; Discover Versions is then answered with all versions.
pub(crate) fn unscripted() -> Result<ResponsePayload, Failure> {
    Err(Failure::new(ResultReason::GeneralFailure, "not in the script"))
}

pub(crate) fn not_found() -> Result<ResponsePayload, Failure> {
    Err(Failure::new(ResultReason::ItemNotFound, "no such object"))
}

pub(crate) fn all_versions() -> ResponsePayload {
    let versions =
        [ProtocolVersion::V1_4, ProtocolVersion::V1_3, ProtocolVersion::V1_2, ProtocolVersion::V1_1];
    discover_versions::Response { versions: versions.to_vec() }.into()
}

pub(crate) fn located(ids: &[&str]) -> ResponsePayload {
    let unique_identifiers = ids.iter().map(ToString::to_string).collect();
    locate::Response { located_items: None, unique_identifiers }.into()
}

pub(crate) fn created(id: &str) -> ResponsePayload {
    create::Response { object_type: ObjectType::SymmetricKey, unique_identifier: id.into(), template: None }
        .into()
}

/// A server that locates nothing and creates `id`.
pub(crate) fn good(item: &RequestItem) -> Result<ResponsePayload, Failure> {
    match item.payload {
        RequestPayload::Locate(_) => Ok(located(&[])),
        RequestPayload::Create(_) => Ok(created("made")),
        _ => unscripted(),
    }
}

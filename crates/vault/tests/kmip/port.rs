//! A vault that serves KMIP on a free port, and clients of it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Once};
use std::time::Duration;

use jiff::SignedDuration;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use strongroom_kmip::attribute::Attribute;
use strongroom_kmip::message::{Failure, RequestMessage, RequestPayload, ResponseMessage};
use strongroom_kmip::operation::{create, get};
use strongroom_kmip::ttlv::Limits;
use strongroom_kmip::types::{CryptographicAlgorithm, ObjectType, UsageMask};
use strongroom_kmip::{ProtocolVersion, ResponsePayload};
use strongroom_vault::audit::Actor;
use strongroom_vault::clock::Clock;
use strongroom_vault::enrolment::{Addresses, EnrolRequest};
use strongroom_vault::listener::{self, ListenerLimits};
use strongroom_vault::root_key::SlotSecret;
use strongroom_vault::vault::{CreateOptions, NewSlot};
use strongroom_vault::{Vault, ca};
use tokio::sync::watch;

/// Long enough for anything that is going to happen on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A vault behind its KMIP port.
pub(crate) struct Port {
    pub(crate) vault: Arc<Vault>,
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    runtime: Option<tokio::runtime::Runtime>,
    served: Option<tokio::task::JoinHandle<io::Result<()>>>,
    _dir: tempfile::TempDir,
}

/// A client's certificate chain and key.
pub(crate) struct Certificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivatePkcs8KeyDer<'static>,
}

/// A TLS connection to the port.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Port {
    pub(crate) fn open(limits: ListenerLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (home, slot) = (dir.path().join("vault"), dir.path().join("slot"));
        let options = CreateOptions {
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            slots: vec![NewSlot::CreateFile(slot.clone())],
            clock: Clock::System,
        };
        Vault::create(&home, options).unwrap();
        let sealed = Vault::open(&home, Clock::System).unwrap();
        let vault =
            Arc::new(sealed.unseal(&SlotSecret::File(slot)).map_err(|failure| failure.error).unwrap());
        let tls = ca::kmip_config(vault.server(), vault.authority().certificate()).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopping) = watch::channel(false);
        let bound = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = bound.local_addr().unwrap();
        let served = runtime.spawn(listener::run(Arc::clone(&vault), bound, tls, limits, stopping));
        Self { vault, address, stop, runtime: Some(runtime), served: Some(served), _dir: dir }
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.as_ref().unwrap().block_on(future)
    }

    /// Stops the port and waits until it is closed.
    pub(crate) fn close(&mut self) {
        self.stop.send_replace(true);
        let served = self.served.take().unwrap();
        self.block_on(async { tokio::time::timeout(PATIENCE, served).await }).unwrap().unwrap().unwrap();
    }

    /// Enrols an endpoint and gives its certificate.
    pub(crate) fn enrol(&self, name: &str) -> Certificate {
        self.block_on(async {
            let addresses =
                Addresses { kmip: vec![self.address.to_string()], admin: vec!["localhost:1".to_owned()] };
            let ttl = SignedDuration::from_hours(1);
            let (_, token) =
                self.vault.add_endpoint(name, ttl, false, &addresses, &Actor::Vault).await.unwrap();
            let key = rcgen::KeyPair::generate().unwrap();
            let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
            let request = EnrolRequest {
                endpoint: token.endpoint().to_string(),
                secret: token.secret().to_text(),
                request,
            };
            let reply = self.vault.enrol(&request, SignedDuration::from_hours(24), None).await.unwrap();
            let chain = [reply.certificate, reply.authority]
                .iter()
                .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
                .collect();
            Certificate { chain, key: key.serialize_der().into() }
        })
    }

    /// Connects with a certificate, or without one, and does not shake hands yet.
    pub(crate) fn connect(&self, certificate: Option<&Certificate>) -> Stream {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Another test of this process may have been first.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        });
        let mut roots = RootCertStore::empty();
        roots.add(self.vault.authority().certificate().clone()).unwrap();
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = match certificate {
            Some(certificate) => builder
                .with_client_auth_cert(
                    certificate.chain.clone(),
                    PrivateKeyDer::Pkcs8(certificate.key.clone_key()),
                )
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        let connection =
            ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        StreamOwned::new(connection, socket)
    }

    pub(crate) fn client(&self, certificate: &Certificate) -> Client {
        Client { stream: self.connect(Some(certificate)), version: ProtocolVersion::V1_4 }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        if self.served.is_some() {
            self.close();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(PATIENCE);
        }
    }
}

/// A session, in messages.
pub(crate) struct Client {
    pub(crate) stream: Stream,
    pub(crate) version: ProtocolVersion,
}

impl Client {
    pub(crate) fn ask(
        &mut self,
        payload: impl Into<RequestPayload>,
    ) -> io::Result<Result<ResponsePayload, Failure>> {
        let request = RequestMessage::single(self.version, payload);
        self.stream.write_all(&request.encode().unwrap())?;
        let mut response = read_message(&mut self.stream)?;
        Ok(response.items.remove(0).result)
    }

    pub(crate) fn create(&mut self, attributes: impl IntoIterator<Item = Attribute>) -> String {
        match self.ask(create_request(attributes)).unwrap() {
            Ok(ResponsePayload::Create(response)) => response.unique_identifier,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn get(&mut self, id: &str) -> io::Result<Vec<u8>> {
        let request = get::Request { unique_identifier: Some(id.to_owned()), ..Default::default() };
        match self.ask(request)? {
            Ok(ResponsePayload::Get(response)) => {
                Ok(response.object.key_block().unwrap().material().unwrap().as_bytes().to_vec())
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Reads one whole response.
pub(crate) fn read_message(stream: &mut impl Read) -> io::Result<ResponseMessage> {
    let mut bytes = vec![0; 8];
    stream.read_exact(&mut bytes)?;
    let length = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
    bytes.resize(8 + length, 0);
    stream.read_exact(&mut bytes[8..])?;
    Ok(ResponseMessage::decode(&bytes, &Limits::RESPONSE).unwrap())
}

pub(crate) fn create_request(attributes: impl IntoIterator<Item = Attribute>) -> create::Request {
    let base = [
        Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES),
        Attribute::CryptographicLength(256),
        Attribute::CryptographicUsageMask(UsageMask::Encrypt | UsageMask::Decrypt),
    ];
    create::Request {
        object_type: ObjectType::SymmetricKey,
        template: base.into_iter().chain(attributes).collect(),
        protection_storage_masks: None,
    }
}

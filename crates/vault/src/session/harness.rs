//! For tests: a vault with two enrolled endpoints, spoken to in whole messages, with a clock that tests move.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::SignedDuration;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use strongroom_kmip::attribute::{Attribute, AttributeName, Attributes, Name};
use strongroom_kmip::message::{
    Failure, RequestHeader, RequestItem, RequestMessage, RequestPayload, ResponseMessage,
};
use strongroom_kmip::operation::{create, get_attributes, locate};
use strongroom_kmip::ttlv::{DateTime, Limits};
use strongroom_kmip::types::{CryptographicAlgorithm, ObjectType, UsageMask};
use strongroom_kmip::{ProtocolVersion, ResponsePayload};
use zeroize::Zeroizing;

use super::Session;
use crate::Vault;
use crate::audit::Actor;
use crate::clock::Clock;
use crate::endpoint::Fingerprint;
use crate::enrolment::{Addresses, EnrolRequest};
use crate::listener::connection::Responder as _;
use crate::root_key::SlotSecret;
use crate::vault::{CreateOptions, NewSlot};

/// When tests begin.
pub(crate) const START: i64 = 1_800_000_000;

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_000);

/// A vault and its clock.
pub(crate) struct Bench {
    pub(crate) vault: Arc<Vault>,
    pub(crate) seconds: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        // A vault is made and unsealed with blocking calls, which an async runtime's thread refuses.
        std::thread::spawn(Self::make).join().unwrap()
    }

    fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let seconds = Arc::new(AtomicI64::new(START));
        let clock = Clock::Manual(Arc::clone(&seconds));
        let (vault_dir, slot) = (dir.path().join("vault"), dir.path().join("slot"));
        let options = CreateOptions {
            slots: vec![NewSlot::CreateFile(slot.clone())],
            clock: clock.clone(),
            ..Default::default()
        };
        Vault::create(&vault_dir, options).unwrap();
        let sealed = Vault::open(&vault_dir, clock).unwrap();
        let vault =
            sealed.unseal(&SlotSecret::File(slot)).map_err(|failure| failure.error.to_string()).unwrap();
        Self { vault: Arc::new(vault), seconds, _dir: dir }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Enrols an endpoint and opens a session with its certificate.
    pub(crate) async fn endpoint(&self, name: &str) -> Client {
        let addresses =
            Addresses { kmip: vec!["localhost:5696".to_owned()], admin: vec!["localhost:5697".to_owned()] };
        let (_, token) = self
            .vault
            .add_endpoint(name, SignedDuration::from_hours(1), false, &addresses, &Actor::Vault)
            .await
            .unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let request = EnrolRequest {
            endpoint: token.endpoint().to_string(),
            secret: token.secret().to_text(),
            request,
        };
        let reply = self.vault.enrol(&request, SignedDuration::from_hours(24), None).await.unwrap();
        let certificate = CertificateDer::from_pem_slice(reply.certificate.as_bytes()).unwrap();
        let session =
            Session::open(Arc::clone(&self.vault), Fingerprint::of(&certificate), PEER, Limits::REQUEST)
                .unwrap();
        Client { session, version: ProtocolVersion::V1_4 }
    }
}

/// One endpoint's session, in messages.
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) version: ProtocolVersion,
}

impl Client {
    /// Sends bytes as they are.
    pub(crate) async fn send_bytes(&mut self, message: &[u8]) -> Zeroizing<Vec<u8>> {
        self.session.respond(message).await.bytes
    }

    /// Sends a whole message.
    pub(crate) async fn send(&mut self, request: &RequestMessage) -> ResponseMessage {
        let exceptions = strongroom_kmip::version::CLIENT_EXCEPTIONS;
        let bytes = self.send_bytes(&request.encode_allowing(&exceptions).unwrap()).await;
        ResponseMessage::decode(&bytes, &Limits::RESPONSE).unwrap()
    }

    /// Performs one operation.
    pub(crate) async fn ask(
        &mut self,
        payload: impl Into<RequestPayload>,
    ) -> Result<ResponsePayload, Failure> {
        let mut response = self.send(&RequestMessage::single(self.version, payload)).await;
        assert_eq!(response.items.len(), 1);
        response.items.remove(0).result
    }

    /// Performs several in one batch.
    pub(crate) async fn batch(
        &mut self,
        change: impl FnOnce(&mut RequestHeader),
        items: Vec<RequestPayload>,
    ) -> ResponseMessage {
        let mut request = RequestMessage { header: RequestHeader::new(self.version), items: Vec::new() };
        change(&mut request.header);
        for (index, payload) in items.into_iter().enumerate() {
            request
                .items
                .push(RequestItem { batch_id: Some(vec![index as u8 + 1]), ..RequestItem::from(payload) });
        }
        self.send(&request).await
    }

    /// Creates an AES-256 key with these further attributes.
    pub(crate) async fn create(&mut self, attributes: impl IntoIterator<Item = Attribute>) -> String {
        match self.ask(create_request(attributes)).await {
            Ok(ResponsePayload::Create(response)) => response.unique_identifier,
            other => panic!("{other:?}"),
        }
    }

    /// The attributes with these names, or all.
    pub(crate) async fn attributes(&mut self, id: &str, names: &[AttributeName]) -> Attributes {
        let request =
            get_attributes::Request { unique_identifier: Some(id.to_owned()), names: names.to_vec() };
        match self.ask(request).await {
            Ok(ResponsePayload::GetAttributes(response)) => response.attributes,
            other => panic!("{other:?}"),
        }
    }

    /// The objects with these attributes.
    pub(crate) async fn locate(&mut self, attributes: impl IntoIterator<Item = Attribute>) -> Vec<String> {
        let request = locate::Request { attributes: attributes.into_iter().collect(), ..Default::default() };
        match self.ask(request).await {
            Ok(ResponsePayload::Locate(response)) => response.unique_identifiers,
            other => panic!("{other:?}"),
        }
    }
}

/// A request for an AES-256 key with these further attributes.
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

/// A Name.
pub(crate) fn name(text: &str) -> Attribute {
    Attribute::Name(Name::text(text))
}

/// An Activation Date that has passed.
pub(crate) fn active() -> Attribute {
    Attribute::ActivationDate(DateTime(START))
}

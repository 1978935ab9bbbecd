//! Sessions: typed calls over a list of servers, of which one is used and the others stand by.
//!
//! A call goes to the server that answered last, and from there through the list, until one answers or the time is over.
//! - **Reads** (Locate, Get, Get Attributes, Query) go to the next server whenever one fails, whatever it did.
//! - **Changes** (Create, Register, Activate, Revoke, Destroy, Add Attribute) are sent once. While nothing has been sent, the next
//!   server is tried; once all of the request is on its way, a lost answer is [`Error::OutcomeUnknown`],
//!   and only the caller can look whether the change was made.
//!
//! A session may be shared by threads: each call has a connection of its own, and idle ones are kept. After a `fork` the child leaves
//! its inherited connections alone and makes new ones when it needs them.

mod answer;
mod call;
mod connection;
mod health;
mod locate;
mod many;
mod negotiate;
mod options;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::ClientConfig;
use strongroom_kmip::attribute::{Attribute, AttributeKind, Attributes};
use strongroom_kmip::message::RequestPayload;
use strongroom_kmip::operation::{
    activate, add_attribute, create, delete_attribute, destroy, get, get_attributes, query, register, revoke,
    rng_retrieve,
};
use strongroom_kmip::types::{ObjectType, QueryFunction, RevocationReasonCode};
use strongroom_kmip::{ManagedObject, Operation, ProtocolVersion, ResponsePayload};
use strongroom_secret::KeyMaterial;

use crate::address::ServerAddress;
use crate::connect::{self, TlsConfigError};
use crate::endpoint_dir::Endpoint;
use crate::error::Error;
use answer::{Answer, unexpected};
use connection::Connection;

pub use answer::AnswerFault;
pub(crate) use connection::exchange;
pub use health::ServerHealth;
pub use many::Fetched;
pub(crate) use negotiate::discover;
pub use options::Options;

/// A session with the servers of an endpoint.
pub struct Session {
    servers: Vec<ServerAddress>,
    tls: Arc<ClientConfig>,
    options: Options,
    /// The server that answered last, as an index.
    last_good: AtomicUsize,
    /// Connections that wait for the next call, with their server's index. Held for a moment only, never during input or output.
    idle: Mutex<Vec<(usize, Connection)>>,
    /// Whether a server refused a batch, so that requests go one by one.
    no_batches: AtomicBool,
    ledger: health::Ledger,
}

/// What became of a change to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was made.
    Done,
    /// The server says that there is no such object.
    NoSuchObject,
}

impl Session {
    /// A session that connects when it is first used.
    ///
    /// # Errors
    /// [`TlsConfigError`] when the endpoint's certificates and key do not go together.
    pub fn new(endpoint: &Endpoint, options: Options) -> Result<Self, TlsConfigError> {
        Ok(Self {
            servers: endpoint.servers.clone(),
            tls: connect::configure(endpoint, options.trust)?,
            options,
            last_good: AtomicUsize::new(0),
            idle: Mutex::new(Vec::new()),
            no_batches: AtomicBool::new(false),
            ledger: health::Ledger::new(endpoint.servers.len()),
        })
    }

    /// A session that has reached one of the servers.
    ///
    /// # Errors
    /// [`Error::TlsConfig`], [`Error::NoServer`].
    pub fn connect(endpoint: &Endpoint, options: Options) -> Result<Self, Error> {
        let session = Self::new(endpoint, options).map_err(Error::TlsConfig)?;
        session.reach()?;
        Ok(session)
    }

    /// The server that answered last; the first of the list before any has.
    #[must_use]
    pub fn server(&self) -> Option<&ServerAddress> {
        self.servers.get(self.last_good.load(Ordering::Relaxed))
    }

    /// How it goes about it.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// How each server has been doing, in the order of the list.
    #[must_use]
    pub fn health(&self) -> Vec<ServerHealth> {
        self.ledger.read(&self.servers, self.last_good.load(Ordering::Relaxed))
    }

    /// Create (KMIP 1.4 §4.1): has the server make a symmetric key, and gives its unique identifier.
    ///
    /// # Errors
    /// [`Error`]; [`Error::OutcomeUnknown`] when the key may have been made.
    pub fn create(&self, attributes: &Attributes) -> Result<String, Error> {
        let answer = self.change(Operation::Create, || {
            create::Request {
                object_type: ObjectType::SymmetricKey,
                template: attributes.clone().into(),
                protection_storage_masks: None,
            }
            .into()
        })?;
        match answer.payload {
            ResponsePayload::Create(created) => Ok(created.unique_identifier),
            other => Err(unexpected(answer.server, Operation::Create, &other)),
        }
    }

    /// Register (KMIP 1.4 §4.3): has the server keep an object, and gives its unique identifier. `object` makes the object each time
    /// that the request has to be written.
    ///
    /// # Errors
    /// [`Error`]; [`Error::OutcomeUnknown`] when the object may have been registered.
    pub fn register(
        &self,
        object_type: ObjectType,
        attributes: &Attributes,
        object: impl Fn() -> ManagedObject,
    ) -> Result<String, Error> {
        let answer = self.change(Operation::Register, || {
            register::Request {
                object_type,
                template: attributes.clone().into(),
                object: object(),
                protection_storage_masks: None,
            }
            .into()
        })?;
        match answer.payload {
            ResponsePayload::Register(registered) => Ok(registered.unique_identifier),
            other => Err(unexpected(answer.server, Operation::Register, &other)),
        }
    }

    /// Get (KMIP 1.4 §4.11): an object with its bytes; `None` when the server says that there is none.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Answer`] when the object is not the one asked for, or a key is not as long as it says.
    pub fn get(&self, id: &str) -> Result<Option<ManagedObject>, Error> {
        let answer = self.read(Operation::Get, || get_request(id))?;
        match answer {
            None => Ok(None),
            Some(answer) => answer.object(id).map(Some),
        }
    }

    /// Get Attributes (KMIP 1.4 §4.12): those of `names` that the object has, or all when `names` is empty; `None` when the server says
    /// that there is no such object.
    ///
    /// # Errors
    /// [`Error`].
    pub fn get_attributes(&self, id: &str, names: &[AttributeKind]) -> Result<Option<Attributes>, Error> {
        let answer = self.read(Operation::GetAttributes, || get_attributes_request(id, names))?;
        match answer {
            None => Ok(None),
            Some(answer) => answer.attributes(id).map(Some),
        }
    }

    /// Activate (KMIP 1.4 §4.19).
    ///
    /// # Errors
    /// [`Error`].
    pub fn activate(&self, id: &str) -> Result<Effect, Error> {
        self.affect(Operation::Activate, || activate::Request { unique_identifier: Some(id.into()) }.into())
    }

    /// Revoke (KMIP 1.4 §4.20). Any reason but a compromise deactivates the object.
    ///
    /// # Errors
    /// [`Error`].
    pub fn revoke(&self, id: &str, reason: RevocationReasonCode) -> Result<Effect, Error> {
        self.affect(Operation::Revoke, || {
            revoke::Request {
                unique_identifier: Some(id.into()),
                reason: strongroom_kmip::attribute::RevocationReason { code: reason, message: None },
                compromise_occurrence_date: None,
            }
            .into()
        })
    }

    /// Delete Attribute (KMIP 1.4 §4.16): the object loses the first attribute of this kind.
    ///
    /// # Errors
    /// [`Error`].
    pub fn delete_attribute(&self, id: &str, kind: AttributeKind) -> Result<Effect, Error> {
        self.affect(Operation::DeleteAttribute, || {
            delete_attribute::Request { unique_identifier: Some(id.into()), name: kind.into(), index: None }
                .into()
        })
    }

    /// Destroy (KMIP 1.4 §4.21).
    ///
    /// # Errors
    /// [`Error`].
    pub fn destroy(&self, id: &str) -> Result<Effect, Error> {
        self.affect(Operation::Destroy, || destroy::Request { unique_identifier: Some(id.into()) }.into())
    }

    /// Add Attribute (KMIP 1.4 §4.14).
    ///
    /// # Errors
    /// [`Error`].
    pub fn add_attribute(&self, id: &str, attribute: &Attribute) -> Result<Effect, Error> {
        self.affect(Operation::AddAttribute, || {
            add_attribute::Request { unique_identifier: Some(id.into()), attribute: attribute.clone().into() }
                .into()
        })
    }

    /// Query (KMIP 1.4 §4.25).
    ///
    /// # Errors
    /// [`Error`].
    pub fn query(&self, functions: &[QueryFunction]) -> Result<query::Response, Error> {
        let answer =
            self.ask(Operation::Query, || query::Request { functions: functions.to_vec() }.into())?;
        match answer.payload {
            ResponsePayload::Query(response) => Ok(response),
            other => Err(unexpected(answer.server, Operation::Query, &other)),
        }
    }

    /// Discover Versions (KMIP 1.4 §4.26): the versions that the server and this client know, as the server orders them.
    ///
    /// # Errors
    /// [`Error`].
    pub fn discover_versions(&self) -> Result<Vec<ProtocolVersion>, Error> {
        let answer = self.ask(Operation::DiscoverVersions, negotiate::discover_versions)?;
        match answer.payload {
            ResponsePayload::DiscoverVersions(response) => Ok(response.versions),
            other => Err(unexpected(answer.server, Operation::DiscoverVersions, &other)),
        }
    }

    /// RNG Retrieve (KMIP 1.4 §4.35): this many random bytes from the server's generator; `None` when the server or its version offers
    /// none.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Answer`] when the bytes are not as many.
    pub fn random(&self, bytes: usize) -> Result<Option<KeyMaterial>, Error> {
        let data_length = i32::try_from(bytes).unwrap_or(i32::MAX);
        match self.ask(Operation::RNGRetrieve, || rng_retrieve::Request { data_length }.into()) {
            Ok(Answer { server, payload: ResponsePayload::RNGRetrieve(response) }) => {
                let got = response.data.len();
                if got == bytes {
                    return Ok(Some(response.data));
                }
                let fault = AnswerFault::RandomLength { asked: bytes, got };
                Err(Error::Answer { server, operation: Operation::RNGRetrieve, fault })
            }
            Ok(answer) => Err(unexpected(answer.server, Operation::RNGRetrieve, &answer.payload)),
            Err(Error::Refused { .. } | Error::Request { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A change to one object.
    fn affect(&self, operation: Operation, payload: impl Fn() -> RequestPayload) -> Result<Effect, Error> {
        match self.change(operation, payload) {
            Ok(_) => Ok(Effect::Done),
            Err(Error::Refused { failure, .. }) if answer::is_absent(&failure) => Ok(Effect::NoSuchObject),
            Err(error) => Err(error),
        }
    }
}

fn get_request(id: &str) -> RequestPayload {
    get::Request { unique_identifier: Some(id.into()), ..get::Request::default() }.into()
}

fn get_attributes_request(id: &str, names: &[AttributeKind]) -> RequestPayload {
    get_attributes::Request {
        unique_identifier: Some(id.into()),
        names: names.iter().map(|&name| name.into()).collect(),
    }
    .into()
}

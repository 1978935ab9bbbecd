//! The one choke point: who may reach which managed object, and how.
//!
//! An operation holds a [`Policy`] and never the vault's records. What it gets from it is an [`Access`]: an opened object
//! together with its record's version and the permission under which it was opened. Only this module makes one, and only this
//! module makes the scope of a search. Every further object an operation refers to (a wrapping key, a link) needs its own.
//!
//! The rule today is short: an endpoint reaches the objects of its default wallet, with every permission, and no others.
//! A foreign object answers exactly as a missing one: both are [`Fault::NotFound`], and nothing else is said.

mod access;
mod search;

use std::borrow::Cow;
use std::net::SocketAddr;

use jiff::Timestamp;
use strongroom_kmip::ttlv::DateTime;
use strongroom_kmip::types::Operation;

pub(crate) use access::{Access, Modify, Permission, ReadAttributes, ReadMaterial};
pub(crate) use search::{Search, Visit};

use crate::Vault;
use crate::audit::{Actor, Event};
use crate::barrier::{Change, CommitError, Record, Scope, Write};
use crate::endpoint::{Fingerprint, Identity};
use crate::objects::{ManagedObject, record, terms};
use crate::operations::Fault;
use crate::store::{Expected, RecordId, RecordKind, WalletId};

/// How often an operation is run again when somebody else changed its object meanwhile. Each round, one of those who
/// contend succeeds.
const CHANGE_ATTEMPTS: usize = 64;

/// What one endpoint may do in one request, at one time.
pub(crate) struct Policy<'v> {
    vault: &'v Vault,
    identity: &'v Identity,
    certificate: &'v Fingerprint,
    peer: SocketAddr,
    now: Timestamp,
}

impl<'v> Policy<'v> {
    /// The policy for a request of `identity`, which has shown `certificate`, from `peer` at `now`.
    pub(crate) fn new(
        vault: &'v Vault,
        identity: &'v Identity,
        certificate: &'v Fingerprint,
        peer: SocketAddr,
        now: Timestamp,
    ) -> Self {
        Self { vault, identity, certificate, peer, now }
    }

    /// Whether the certificate still stands for the endpoint: a long batch may outlive it.
    ///
    /// # Errors
    /// [`Fault::NotAuthenticated`].
    pub(crate) fn still_enrolled(&self) -> Result<(), Fault> {
        match self.vault.identities().identify_at(self.certificate, self.vault.clock().now()) {
            Some(identity) if identity.endpoint == self.identity.endpoint => Ok(()),
            _ => Err(Fault::NotAuthenticated("the endpoint was revoked, or its certificate has expired")),
        }
    }

    /// When the request is taken to happen, to the second as KMIP counts.
    pub(crate) fn now(&self) -> DateTime {
        DateTime(self.now.as_second())
    }

    /// The object with this Unique Identifier, opened under a permission.
    ///
    /// # Errors
    /// [`Fault::NotFound`] whether there is none, it is another wallet's, or the text is no identifier of ours.
    pub(crate) fn access<P: Permission>(&self, unique_identifier: &str) -> Result<Access<P>, Fault> {
        let id: RecordId = unique_identifier.parse().map_err(|_| Fault::NotFound)?;
        let record = self.vault.records().read(RecordKind::OBJECT, id)?.ok_or(Fault::NotFound)?;
        if !self.reaches(record.wallet) {
            return Err(Fault::NotFound);
        }
        self.grant(record)
    }

    /// Keeps a new object in the endpoint's default wallet, journaled as `operation`.
    ///
    /// # Errors
    /// [`Fault::NameTakenAtCreation`]; [`Fault::NotKeepable`]; [`Fault::Vault`]. Nothing is kept then.
    pub(crate) async fn create(
        &self,
        operation: Operation,
        object: &ManagedObject,
    ) -> Result<RecordId, Fault> {
        let id = RecordId::random();
        match self.commit(operation, id, self.identity.wallet, Expected::Absent, object).await? {
            Ok(()) => Ok(id),
            Err(CommitError::NotUnique { .. }) => Err(Fault::NameTakenAtCreation),
            Err(CommitError::Failed(error)) => Err(Fault::Vault(error)),
            // 122 random bits that exist already: not in this universe, but an answer all the same.
            Err(CommitError::Conflict { .. }) => Err(Fault::Contended),
        }
    }

    /// Changes the object with this Unique Identifier, journaled as `operation`.
    ///
    /// `edit` sees the object as it is now. When somebody else changes it before the change is durable, `edit` is run
    /// again on what they left.
    ///
    /// # Errors
    /// Those of [`Policy::access`] and of `edit`; [`Fault::NameTaken`]; [`Fault::Contended`]; [`Fault::Vault`].
    /// Nothing is changed then.
    pub(crate) async fn change<T>(
        &self,
        operation: Operation,
        unique_identifier: &str,
        mut edit: impl FnMut(&mut ManagedObject) -> Result<T, Fault> + Send,
    ) -> Result<(RecordId, T), Fault>
    where
        T: Send,
    {
        for _ in 0..CHANGE_ATTEMPTS {
            let access = self.access::<Modify>(unique_identifier)?;
            let (id, wallet, version) = (access.id(), access.wallet(), access.version());
            let mut object = access.into_object()?;
            let outcome = edit(&mut object)?;
            object.last_change = self.now();
            match self.commit(operation, id, wallet, Expected::Version(version), &object).await? {
                Ok(()) => return Ok((id, outcome)),
                Err(CommitError::Conflict { .. }) => {}
                Err(CommitError::NotUnique { .. }) => return Err(Fault::NameTaken),
                Err(CommitError::Failed(error)) => return Err(Fault::Vault(error)),
            }
        }
        Err(Fault::Contended)
    }

    async fn commit(
        &self,
        operation: Operation,
        id: RecordId,
        wallet: WalletId,
        expected: Expected,
        object: &ManagedObject,
    ) -> Result<Result<(), CommitError>, Fault> {
        let opened = record::encode(object).map_err(|error| Fault::NotKeepable(error.to_string()))?;
        let found_by = terms::of(object);
        let mut event = self.event(operation).on(id);
        if let Some(name) = object.attributes.name() {
            event = event.detail("name", name);
        }
        let pending = self.vault.records().commit(Change {
            writes: vec![Write {
                kind: RecordKind::OBJECT,
                id,
                wallet,
                expected,
                opened,
                terms: found_by.terms,
                unique: found_by.unique,
            }],
            events: vec![event],
            after: None,
        });
        Ok(pending.await.map(|_| ()))
    }

    /// Begins a search over every object this endpoint may see.
    pub(crate) fn search(&self) -> Search<'_> {
        Search::new(self.vault.records(), Scope::new(RecordKind::OBJECT, vec![self.identity.wallet]))
    }

    /// Journals an operation that changed nothing: it released something, or it failed.
    ///
    /// # Errors
    /// When the journal cannot be written. What was to be journaled must not happen then.
    pub(crate) fn journal(
        &self,
        operation: impl Into<Cow<'static, str>>,
        object: Option<RecordId>,
        failure: Option<String>,
    ) -> Result<(), Fault> {
        let mut event = self.event_named(operation.into());
        event.object = object;
        if let Some(reason) = failure {
            event = event.failed(reason);
        }
        Ok(self.vault.journal().record(&event).map_err(crate::Error::from)?)
    }

    fn event(&self, operation: Operation) -> Event {
        self.event_named(operation_name(operation))
    }

    fn event_named(&self, operation: Cow<'static, str>) -> Event {
        let actor = Actor::Endpoint { id: self.identity.endpoint, name: self.identity.name.clone() };
        Event::new(self.now, actor, operation).from_peer(self.peer)
    }

    fn reaches(&self, wallet: WalletId) -> bool {
        wallet == self.identity.wallet
    }

    fn grant<P: Permission>(&self, record: Record) -> Result<Access<P>, Fault> {
        Access::new(record)
    }
}

/// The operation as the journal names it.
pub(crate) fn operation_name(operation: Operation) -> Cow<'static, str> {
    operation.name().map_or_else(|| Cow::Owned(operation.to_string()), Cow::Borrowed)
}

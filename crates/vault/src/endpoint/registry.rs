//! Adding, listing and revoking endpoints.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::record::{Endpoint, EndpointState, Invitation};
use crate::audit::{Actor, Event};
use crate::barrier::{Change, CommitError, Record, Records, Scope, Term, Write};
use crate::enrolment::{Addresses, Token, TokenSecret};
use crate::store::{AfterCommit, Expected, Page, RecordId, RecordKind, WalletId};
use crate::{Error, Vault};

/// Characters of an endpoint's name at most: what a certificate's common name holds.
pub const NAME_LEN_MAX: usize = 64;

/// The field by which an endpoint is found.
const NAME_FIELD: &str = "name";

/// Why an administrative act on an endpoint was not done.
#[derive(Debug)]
pub enum EndpointError {
    /// The caller: not a name for an endpoint.
    BadName {
        /// The name.
        name: String,
    },
    /// The caller: the name is taken.
    Exists {
        /// The name.
        name: String,
    },
    /// The caller: there is no such endpoint.
    NotFound {
        /// The name or id that was given.
        name: String,
    },
    /// The caller: a token cannot live that long, or that short.
    BadTtl,
    /// The vault could not do it.
    Failed(Error),
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName { name } => write!(
                f,
                "{name:?} cannot name an endpoint; use 1 to {NAME_LEN_MAX} printable characters without spaces at the ends"
            ),
            Self::Exists { name } => {
                write!(
                    f,
                    "there is an endpoint named {name} already; choose another name, or issue a new token for it"
                )
            }
            Self::NotFound { name } => {
                write!(f, "there is no endpoint {name}; list them with: strongroom endpoint list")
            }
            Self::BadTtl => write!(f, "a token lives between one second and 366 days"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EndpointError {}

impl From<Error> for EndpointError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Longest life of a token.
const TTL_MAX: SignedDuration = SignedDuration::from_secs(366 * 24 * 60 * 60);

impl Vault {
    /// Adds an endpoint with a wallet of its own, and gives the one-time token with which it enrols.
    ///
    /// With `reissue`, an endpoint of that name that exists gets a new token instead: it keeps its id and its wallet, and
    /// the certificates it has keep working. A token that it had before stops working.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub async fn add_endpoint(
        &self,
        name: &str,
        ttl: SignedDuration,
        reissue: bool,
        addresses: &Addresses,
        actor: &Actor,
    ) -> Result<(Endpoint, Token), EndpointError> {
        check_name(name)?;
        if ttl < SignedDuration::from_secs(1) || ttl > TTL_MAX {
            return Err(EndpointError::BadTtl);
        }
        loop {
            let now = self.clock().now();
            let known = self.endpoint_record(name)?;
            let (mut endpoint, expected) = match known {
                Some(_) if !reissue => return Err(EndpointError::Exists { name: name.to_owned() }),
                Some((endpoint, version)) => (endpoint, version),
                None => (new_endpoint(name, now), Expected::Absent),
            };
            let secret = TokenSecret::random();
            endpoint.invitation = Some(Invitation { secret_hash: secret.hash(), expires: now + ttl });
            if endpoint.state == EndpointState::Revoked {
                // Its old certificates stay refused: a compromised one must not come back with the name.
                endpoint.state = EndpointState::Registered;
                endpoint.certificates.clear();
                endpoint.enrolled_by = None;
            }
            let act = if expected == Expected::Absent { "endpoint add" } else { "endpoint token" };
            let event = Event::new(now, actor.clone(), act).on(endpoint.id).detail("name", name);
            match self.write_endpoint(&endpoint, expected, event, None).await {
                Ok(()) => {
                    let token =
                        Token::new(endpoint.id, secret, self.authority().fingerprint(), addresses.clone());
                    return Ok((endpoint, token));
                }
                // Somebody else was faster; look again.
                Err(CommitError::Conflict { .. } | CommitError::NotUnique { .. }) => {}
                Err(CommitError::Failed(error)) => return Err(error.into()),
            }
        }
    }

    /// All endpoints, newest first.
    ///
    /// # Errors
    /// [`Error`].
    pub fn list_endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        all(self.records())
    }

    /// The endpoint with this name or id.
    ///
    /// # Errors
    /// [`EndpointError::NotFound`], [`EndpointError::Failed`].
    pub fn show_endpoint(&self, name: &str) -> Result<Endpoint, EndpointError> {
        match self.endpoint_record(name)? {
            Some((endpoint, _)) => Ok(endpoint),
            None => Err(EndpointError::NotFound { name: name.to_owned() }),
        }
    }

    /// Revokes the endpoint with this name or id: its certificates and its token are refused from now on, and its open
    /// sessions end. Its objects stay. Revoking again changes nothing.
    ///
    /// # Errors
    /// [`EndpointError::NotFound`], [`EndpointError::Failed`].
    pub async fn revoke_endpoint(&self, name: &str, actor: &Actor) -> Result<Endpoint, EndpointError> {
        loop {
            let Some((mut endpoint, expected)) = self.endpoint_record(name)? else {
                return Err(EndpointError::NotFound { name: name.to_owned() });
            };
            if endpoint.state == EndpointState::Revoked {
                return Ok(endpoint);
            }
            endpoint.state = EndpointState::Revoked;
            endpoint.invitation = None;
            let event = Event::new(self.clock().now(), actor.clone(), "endpoint revoke")
                .on(endpoint.id)
                .detail("name", endpoint.name.as_str());
            let (identities, id) = (Arc::clone(self.identities()), endpoint.id);
            let expel: AfterCommit = Box::new(move |_| identities.expel(id));
            match self.write_endpoint(&endpoint, expected, event, Some(expel)).await {
                Ok(()) => return Ok(endpoint),
                Err(CommitError::Conflict { .. } | CommitError::NotUnique { .. }) => {}
                Err(CommitError::Failed(error)) => return Err(error.into()),
            }
        }
    }

    /// The endpoint with this id, and what a change of it must expect.
    pub(crate) fn endpoint_by_id(&self, id: RecordId) -> Result<Option<(Endpoint, Expected)>, Error> {
        self.records().read(RecordKind::ENDPOINT, id)?.map(|record| opened(&record)).transpose()
    }

    /// Commits a change of one endpoint.
    pub(crate) async fn write_endpoint(
        &self,
        endpoint: &Endpoint,
        expected: Expected,
        event: Event,
        after: Option<AfterCommit>,
    ) -> Result<(), CommitError> {
        let write = Write {
            kind: RecordKind::ENDPOINT,
            id: endpoint.id,
            wallet: WalletId::SYSTEM,
            expected,
            opened: endpoint.encode(),
            terms: Vec::new(),
            unique: vec![Term::new(NAME_FIELD, endpoint.name.as_bytes())],
        };
        self.records().commit(Change { writes: vec![write], events: vec![event], after }).await?;
        Ok(())
    }

    fn endpoint_record(&self, name: &str) -> Result<Option<(Endpoint, Expected)>, Error> {
        let terms = [Term::new(NAME_FIELD, name.as_bytes())];
        let found = self.records().find(&scope(), &terms, Page::first(1))?;
        if let Some(record) = found.records.first() {
            return opened(record).map(Some);
        }
        match name.parse() {
            Ok(id) => self.endpoint_by_id(id),
            Err(_) => Ok(None),
        }
    }
}

fn scope() -> Scope {
    Scope::new(RecordKind::ENDPOINT, vec![WalletId::SYSTEM])
}

/// All endpoints, newest first.
pub(super) fn all(records: &Records) -> Result<Vec<Endpoint>, Error> {
    let found = records.find(&scope(), &[], Page::ALL)?;
    found.records.iter().map(|record| opened(record).map(|(endpoint, _)| endpoint)).collect()
}

fn opened(record: &Record) -> Result<(Endpoint, Expected), Error> {
    let endpoint = Endpoint::decode(record.id, &record.opened)
        .map_err(|bad| Error::Content { id: record.id, detail: bad.detail })?;
    Ok((endpoint, Expected::Version(record.version)))
}

fn new_endpoint(name: &str, now: Timestamp) -> Endpoint {
    Endpoint {
        id: RecordId::random(),
        name: name.to_owned(),
        wallet: WalletId(RecordId::random()),
        state: EndpointState::Registered,
        created: now,
        certificates: Vec::new(),
        invitation: None,
        enrolled_by: None,
    }
}

fn check_name(name: &str) -> Result<(), EndpointError> {
    let printable = !name.chars().any(char::is_control);
    let length = (1..=NAME_LEN_MAX).contains(&name.chars().count());
    if printable && length && name.trim() == name {
        Ok(())
    } else {
        Err(EndpointError::BadName { name: name.to_owned() })
    }
}

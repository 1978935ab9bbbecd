//! What is asked and answered.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::SecretText;
use crate::endpoint::{Endpoint, EndpointError, EndpointState, Fingerprint};
use crate::root_key::SlotError;
use crate::{Error, audit};

/// A command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the vault is.
    Status,
    /// Open it with a passphrase.
    Unseal {
        /// The passphrase.
        passphrase: SecretText,
    },
    /// Open it with a file slot.
    UnsealFile {
        /// Where the slot's key file is now, for the server; absolute.
        path: PathBuf,
    },
    /// Add an endpoint and issue its token.
    EndpointAdd {
        /// Its name.
        name: String,
        /// Seconds that the token may be used for; the configured time unless given.
        ttl_s: Option<u32>,
        /// Issue a new token for an endpoint that exists.
        reissue: bool,
    },
    /// All endpoints.
    EndpointList,
    /// One endpoint, by name or id.
    EndpointShow {
        /// Its name or id.
        name: String,
    },
    /// Refuse an endpoint from now on, by name or id.
    EndpointRevoke {
        /// Its name or id.
        name: String,
    },
    /// Check the audit journal.
    AuditVerify,
    /// Finish the requests in hand and stop.
    Stop,
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// To `status`, `unseal`, `unseal-file` and `stop`.
    Status(Status),
    /// To `endpoint-add`.
    Token(IssuedToken),
    /// To `endpoint-list`, newest first.
    Endpoints(Vec<EndpointInfo>),
    /// To `endpoint-show` and `endpoint-revoke`.
    Endpoint(EndpointInfo),
    /// To `audit-verify`.
    Audit(AuditReport),
    /// It was not done.
    Refused(Refusal),
}

/// Whether the vault's keys are in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SealState {
    /// They are not: no key can be had.
    Sealed,
    /// They are.
    Unsealed,
}

/// How the vault is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The vault's id.
    pub vault: String,
    /// Whether it serves keys.
    pub state: SealState,
    /// Where KMIP is served once unsealed.
    pub kmip: String,
    /// Where enrolment and health are served.
    pub admin: String,
    /// The release.
    pub version: String,
    /// SHA-256 of the certificate authority's certificate.
    pub authority: Option<Fingerprint>,
    /// The server's process.
    pub pid: u32,
}

/// A token, once.
#[derive(Debug, Serialize, Deserialize)]
pub struct IssuedToken {
    /// The endpoint.
    pub endpoint: EndpointInfo,
    /// The token's text.
    pub token: SecretText,
    /// Its last second.
    pub expires: Timestamp,
    /// Where the endpoint enrols.
    pub admin: Vec<String>,
    /// Where the endpoint gets its keys.
    pub kmip: Vec<String>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointInfo {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its default wallet.
    pub wallet: String,
    /// How far it has come.
    pub state: EndpointState,
    /// When it was added.
    pub created: Timestamp,
    /// Until when a token for it may be used.
    pub token_expires: Option<Timestamp>,
    /// Its certificates, oldest first.
    pub certificates: Vec<CertificateInfo>,
}

/// A certificate of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateInfo {
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
    /// When it was signed.
    pub issued: Timestamp,
    /// Its last second.
    pub not_after: Timestamp,
}

/// What a check of the journal found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// Entries, all in order.
    pub entries: u64,
    /// The last change in the journal.
    pub change: u64,
    /// SHA-256 of the last entry.
    pub head: Fingerprint,
}

/// It was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Whose fault it is.
    pub kind: RefusalKind,
    /// What happened, and what to do.
    pub message: String,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The peer may not use the socket.
    Forbidden,
    /// The request cannot be understood or cannot be done as asked.
    BadRequest,
    /// The vault is sealed.
    Sealed,
    /// There is no such thing.
    NotFound,
    /// It exists already.
    Exists,
    /// Wrong passphrase, or no slot that it could open.
    WrongKey,
    /// Something was tampered with or is damaged.
    Integrity,
    /// The disk or the system failed.
    Failed,
}

impl Refusal {
    /// A refusal.
    pub(crate) fn new(kind: RefusalKind, message: impl ToString) -> Self {
        Self { kind, message: message.to_string() }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Slot(
                SlotError::WrongPassphrase | SlotError::WrongFile { .. } | SlotError::NoSuchSlot { .. },
            ) => RefusalKind::WrongKey,
            Error::Slot(SlotError::PassphraseTooShort) => RefusalKind::BadRequest,
            error if error.is_integrity() => RefusalKind::Integrity,
            _ => RefusalKind::Failed,
        };
        Self::new(kind, error)
    }
}

impl From<EndpointError> for Refusal {
    fn from(error: EndpointError) -> Self {
        let kind = match error {
            EndpointError::BadName { .. } | EndpointError::BadTtl => RefusalKind::BadRequest,
            EndpointError::Exists { .. } => RefusalKind::Exists,
            EndpointError::NotFound { .. } => RefusalKind::NotFound,
            EndpointError::Failed(error) => return error.into(),
        };
        Self::new(kind, error)
    }
}

impl From<&Endpoint> for EndpointInfo {
    fn from(endpoint: &Endpoint) -> Self {
        let certificates = endpoint.certificates.iter().map(|certificate| CertificateInfo {
            fingerprint: certificate.fingerprint,
            issued: certificate.issued,
            not_after: certificate.not_after,
        });
        Self {
            id: endpoint.id.to_string(),
            name: endpoint.name.clone(),
            wallet: endpoint.wallet.0.to_string(),
            state: endpoint.state,
            created: endpoint.created,
            token_expires: endpoint.invitation.as_ref().map(|invitation| invitation.expires),
            certificates: certificates.collect(),
        }
    }
}

impl From<audit::Verified> for AuditReport {
    fn from(verified: audit::Verified) -> Self {
        let audit::Position { seq, hash, through, .. } = verified.position;
        Self { entries: seq, change: through, head: Fingerprint(hash) }
    }
}

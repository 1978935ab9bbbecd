//! What can go wrong in the vault, by who is at fault.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::audit::AuditError;
use crate::barrier::SealError;
use crate::store::{RecordId, RecordKind, StoreError};

/// The vault could not do what was asked.
#[derive(Debug)]
pub enum Error {
    /// Storage: the store failed.
    Store(StoreError),
    /// Storage: the audit journal cannot be written or does not fit the store, so nothing that must be journaled can
    /// happen.
    Audit(AuditError),
    /// Storage: a file or directory of the vault could not be used.
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Integrity: a record does not open.
    Record {
        /// What the record is.
        kind: RecordKind,
        /// Which one.
        id: RecordId,
        /// Why.
        fault: SealError,
    },
    /// Integrity: the sealed sum over all records does not open.
    Head(SealError),
    /// Integrity: records were rolled back, dropped or added behind the vault's back.
    RecordSet {
        /// The record that was rolled back, where it can be told.
        suspect: Option<RecordId>,
    },
    /// The vault is closing.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Audit(error) => error.fmt(f),
            Self::File { doing, path, source } => write!(f, "{doing} {}: {source}", path.display()),
            Self::Record { id, fault, .. } => write!(f, "record {id} cannot be used: {fault}"),
            Self::Head(fault) => write!(f, "the seal over the set of records cannot be used: {fault}"),
            Self::RecordSet { suspect: Some(id) } => {
                write!(f, "record {id} was rolled back to an earlier version behind the vault's back")
            }
            Self::RecordSet { suspect: None } => {
                write!(f, "records were dropped, added or rolled back behind the vault's back")
            }
            Self::Closed => write!(f, "the vault is closing; try again when it runs"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Audit(error) => Some(error),
            Self::File { source, .. } => Some(source),
            Self::Record { fault, .. } | Self::Head(fault) => Some(fault),
            Self::RecordSet { .. } | Self::Closed => None,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AuditError> for Error {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

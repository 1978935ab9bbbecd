//! What can go wrong in the vault, by who is at fault.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::audit::AuditError;
use crate::barrier::{KeyringError, SealError};
use crate::ca::CaError;
use crate::root_key::SlotError;
use crate::store::{RecordId, RecordKind, StoreCause, StoreError};

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
    /// Integrity: the index would find a record by other terms than it was stored with.
    RecordTerms {
        /// Which one.
        id: RecordId,
    },
    /// Integrity: a record opens, but is not what it should be.
    Content {
        /// Which one.
        id: RecordId,
        /// What is wrong.
        detail: String,
    },
    /// Integrity: a record that every vault has is missing.
    Missing {
        /// Which one.
        what: &'static str,
    },
    /// Integrity: the keyring in the store does not open with the root key.
    Keyring(KeyringError),
    /// Integrity: `vault.json` and the store belong to different vaults.
    Mismatch {
        /// The vault's directory.
        dir: PathBuf,
    },
    /// Integrity: `vault.json` cannot be understood.
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The caller: the vault was made by a newer release.
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this release knows.
        known: u32,
    },
    /// The caller: there is no vault in the directory.
    NotAVault {
        /// The directory.
        dir: PathBuf,
    },
    /// The caller: a vault cannot be made in a directory that is in use.
    Exists {
        /// The directory.
        dir: PathBuf,
    },
    /// The caller: another process serves this vault.
    InUse {
        /// The vault's directory.
        dir: PathBuf,
    },
    /// Key: the root key was not recovered.
    Slot(SlotError),
    /// A certificate could not be made or used.
    Ca(CaError),
    /// The vault is closing.
    Closed,
}

const RESTORE: &str = "restore the vault's whole directory from one backup";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Audit(error) => error.fmt(f),
            Self::File { doing, path, source } => write!(f, "{doing} {}: {source}", path.display()),
            Self::Record { id, fault, .. } => write!(f, "record {id} cannot be used: {fault}"),
            Self::Head(fault) => write!(f, "the seal over the set of records cannot be used: {fault}"),
            Self::RecordSet { suspect: Some(id) } => {
                write!(
                    f,
                    "record {id} was rolled back to an earlier version behind the vault's back; {RESTORE}"
                )
            }
            Self::RecordTerms { id } => {
                write!(f, "the search terms of record {id} were changed behind the vault's back; {RESTORE}")
            }
            Self::RecordSet { suspect: None } => {
                write!(f, "records were dropped, added or rolled back behind the vault's back; {RESTORE}")
            }
            Self::Content { id, detail } => write!(f, "record {id} is damaged: {detail}; {RESTORE}"),
            Self::Missing { what } => write!(f, "the store lacks the {what}; {RESTORE}"),
            Self::Keyring(error) => write!(f, "the vault's keyring cannot be used: {error}; {RESTORE}"),
            Self::Mismatch { dir } => {
                write!(
                    f,
                    "vault.json and store.sqlite in {} belong to different vaults; {RESTORE}",
                    dir.display()
                )
            }
            Self::Metadata { path, detail } => {
                write!(f, "{} cannot be understood: {detail}; restore it from a backup", path.display())
            }
            Self::NewerFormat { path, found, known } => write!(
                f,
                "{} has format {found}, and this release knows formats up to {known}; use the release that wrote it",
                path.display()
            ),
            Self::NotAVault { dir } => {
                write!(
                    f,
                    "there is no vault in {0}; make one with: strongroom vault init --dir {0}",
                    dir.display()
                )
            }
            Self::Exists { dir } => {
                write!(f, "{} is not empty; nothing was changed, choose another directory", dir.display())
            }
            Self::InUse { dir } => {
                write!(f, "another process uses the vault in {}; stop it first", dir.display())
            }
            Self::Slot(error) => error.fmt(f),
            Self::Ca(error) => error.fmt(f),
            Self::Closed => write!(f, "the vault is closing; try again when it runs"),
        }
    }
}

impl Error {
    /// Whether something was tampered with or is damaged.
    pub fn is_integrity(&self) -> bool {
        match self {
            Self::Record { .. }
            | Self::Head(_)
            | Self::RecordSet { .. }
            | Self::RecordTerms { .. }
            | Self::Content { .. }
            | Self::Missing { .. }
            | Self::Keyring(_)
            | Self::Mismatch { .. }
            | Self::Metadata { .. }
            | Self::Slot(SlotError::Damaged)
            | Self::Ca(CaError::Damaged { .. }) => true,
            Self::Audit(error) => matches!(
                error,
                AuditError::Broken(_) | AuditError::StoreRolledBack { .. } | AuditError::Behind { .. }
            ),
            Self::Store(error) => matches!(error.cause, StoreCause::Corrupt { .. }),
            _ => false,
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
            Self::Slot(error) => Some(error),
            Self::Ca(error) => Some(error),
            _ => None,
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

impl From<SlotError> for Error {
    fn from(error: SlotError) -> Self {
        Self::Slot(error)
    }
}

impl From<CaError> for Error {
    fn from(error: CaError) -> Self {
        Self::Ca(error)
    }
}

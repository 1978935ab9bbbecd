//! Records on disk: sealed bytes, addressed by kind and identifier, found by keyed-hash terms.
//!
//! The store knows nothing of KMIP, of keys or of what a record holds. It sees, in the clear and for the reason given:
//!
//! | column | why it is not sealed |
//! |---|---|
//! | kind, id | the address of a record |
//! | wallet | the scope of every search, and of uniqueness |
//! | version | optimistic concurrency; also part of what the seal binds |
//! | sequence | "newest first", and paging that survives new records |
//! | term | a keyed hash (HMAC-SHA-256, 16 bytes): searchable without saying what is searched |
//!
//! Invariants: a commit is all or nothing; it is acknowledged only when durable; a record is replaced only by who
//! names its current version; a unique term exists once per (kind, wallet).

mod error;
mod sqlite;
#[cfg(test)]
pub(crate) mod suite;
mod types;

pub use error::{StoreCause, StoreError};
pub use sqlite::{SqliteStore, StoreOptions};
pub use types::{
    AdvanceHead, AfterCommit, ChangeNumber, CommitFailure, Conflict, Expected, Head, IndexedTerm, Page,
    PendingCommit, RecordId, RecordKind, RecordVersion, SealedChange, SealedRecord, SealedWrite, Sequence,
    StoreQuery, StoredTerm, WalletId,
};

use crate::barrier::Sealed;

/// A place where sealed records are kept.
///
/// Reads run on the caller's thread. Commits are handed to one committer, which makes many of them durable at once.
pub trait Store: Send + Sync {
    /// The record of this kind and id, if there is one.
    fn read(&self, kind: RecordKind, id: RecordId) -> Result<Option<SealedRecord>, StoreError>;

    /// The records of one kind and wallet that carry every term, newest first.
    fn find(&self, query: &StoreQuery<'_>) -> Result<Vec<SealedRecord>, StoreError>;

    /// How many records [`Store::find`] would give without a limit and an offset.
    fn count(&self, query: &StoreQuery<'_>) -> Result<u64, StoreError>;

    /// Queues a change. The answer comes when it is durable, or has been refused without a trace.
    fn commit(&self, change: SealedChange) -> PendingCommit;

    /// Calls `visit` with every record and the terms by which it is found, in the order of creation.
    fn walk(&self, visit: &mut dyn FnMut(SealedRecord, &[IndexedTerm])) -> Result<(), StoreError>;

    /// The number of the last change, and the sealed head that went with it.
    fn head(&self) -> Result<Head, StoreError>;

    /// The journal entries of changes that the audit journal may not hold yet, in the order of the changes.
    fn outbox(&self) -> Result<Vec<(ChangeNumber, Sealed)>, StoreError>;

    /// Says that the journal holds, durably, the entries of all changes up to this one: they leave the outbox with
    /// one of the next commits.
    fn journaled(&self, through: ChangeNumber);

    /// A small named value that is not a record: the vault's id, the wrapped keyring, the journal's anchor.
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Queues the setting of a named value. The answer comes when it is durable.
    fn put_setting(&self, name: &'static str, value: Vec<u8>) -> PendingCommit;
}

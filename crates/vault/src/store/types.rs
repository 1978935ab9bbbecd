//! The words of the store.

use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::{StoreCause, StoreError};
use crate::barrier::{SealError, Sealed, SetDelta};

/// Identifies a record among those of its kind: 128 random bits, printed as a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// A version 4 (random) UUID, RFC 9562 §5.4.
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        crate::barrier::random(&mut bytes);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Its ASCII text, without the machinery of formatting: several are written for every request.
    pub(crate) fn text(&self) -> [u8; 36] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        text
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The text is not a UUID of the form `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl FromStr for RecordId {
    type Err = NotAnId;

    /// Accepts either case of the hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let text: &[u8; 36] = text.as_bytes().try_into().map_err(|_| NotAnId)?;
        let mut bytes = [0; 16];
        let mut at = 0;
        for (index, byte) in bytes.iter_mut().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                if text[at] != b'-' {
                    return Err(NotAnId);
                }
                at += 1;
            }
            let high = char::from(text[at]).to_digit(16).ok_or(NotAnId)?;
            let low = char::from(text[at + 1]).to_digit(16).ok_or(NotAnId)?;
            *byte = (high << 4 | low) as u8;
            at += 2;
        }
        Ok(Self(bytes))
    }
}

/// What a record is. The numbers are stored: they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKind(pub u8);

impl RecordKind {
    /// A managed object.
    pub const OBJECT: Self = Self(1);
    /// An endpoint, with its certificates and its enrolment.
    pub const ENDPOINT: Self = Self(2);
    /// The certificate authority.
    pub const AUTHORITY: Self = Self(3);
    /// Where the audit journal was last known to stand.
    pub const ANCHOR: Self = Self(253);
    /// An entry on its way to the audit journal.
    pub const OUTBOX: Self = Self(254);
    /// The sum over the set of records.
    pub const HEAD: Self = Self(255);
}

/// A named set of objects that several endpoints may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WalletId(pub RecordId);

impl WalletId {
    /// The vault's own records (endpoints, the certificate authority) live here; no endpoint is ever given it.
    pub const SYSTEM: Self = Self(RecordId([0; 16]));
}

/// Counts the replacements of a record, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordVersion(pub u64);

impl RecordVersion {
    /// The version of a new record.
    pub const FIRST: Self = Self(1);

    /// The version that replaces this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The order in which records were made. Later is larger; gaps are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub u64);

/// The number of a change, from 1, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeNumber(pub u64);

/// A keyed hash under which a record can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoredTerm(pub [u8; 16]);

/// A term of one record, as the index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexedTerm {
    /// The term.
    pub term: StoredTerm,
    /// Whether no other record of the kind and wallet may have it.
    pub alone: bool,
}

impl IndexedTerm {
    /// What the index has of a record with these terms: each once, in order.
    pub fn all(terms: &[StoredTerm], unique: &[StoredTerm]) -> Vec<Self> {
        let alone = unique.iter().map(|&term| Self { term, alone: true });
        let mut all: Vec<Self> = alone.chain(terms.iter().map(|&term| Self { term, alone: false })).collect();
        all.sort_unstable_by_key(|indexed| (indexed.term, !indexed.alone));
        all.dedup_by_key(|indexed| indexed.term);
        all
    }
}

/// A record as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRecord {
    /// What the record is.
    pub kind: RecordKind,
    /// Which one.
    pub id: RecordId,
    /// Where it belongs.
    pub wallet: WalletId,
    /// Its version.
    pub version: RecordVersion,
    /// Its place in the order of creation.
    pub sequence: Sequence,
    /// Its content.
    pub sealed: Sealed,
}

/// What must be true of a record for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No record has this kind and id.
    Absent,
    /// The record has this version.
    Version(RecordVersion),
}

impl Expected {
    /// The version that a write under this expectation makes.
    pub fn next(self) -> RecordVersion {
        match self {
            Self::Absent => RecordVersion::FIRST,
            Self::Version(version) => version.next(),
        }
    }
}

/// One record of a change. Its terms replace those that the record had.
#[derive(Debug)]
pub struct SealedWrite {
    /// What the record is.
    pub kind: RecordKind,
    /// Which one.
    pub id: RecordId,
    /// Where it belongs. A record never changes its wallet by a write.
    pub wallet: WalletId,
    /// What must be true for the change to be made.
    pub expected: Expected,
    /// The new content; sealed for version `expected.next()`.
    pub sealed: Sealed,
    /// Terms by which the record can be found.
    pub terms: Vec<StoredTerm>,
    /// Terms that no other record of the kind and wallet may have; it can be found by them too.
    pub unique: Vec<StoredTerm>,
}

/// Makes the next head from the last one: given the last head, the number of the new change and what it does to the
/// sum over the set of records, seals the next.
pub type AdvanceHead =
    std::sync::Arc<dyn Fn(&Head, ChangeNumber, &SetDelta) -> Result<Sealed, SealError> + Send + Sync>;

/// Called on the committer's thread when a change is durable, before it is acknowledged, in the order of changes.
pub type AfterCommit = Box<dyn FnOnce(ChangeNumber) + Send>;

/// A change: all of it happens, or none.
pub struct SealedChange {
    /// The records written.
    pub writes: Vec<SealedWrite>,
    /// What the change does to the sum over the set of records.
    pub delta: SetDelta,
    /// Entry for the outbox.
    pub entry: Option<Sealed>,
    /// Makes the head that goes with this change.
    pub advance: AdvanceHead,
    /// What to do once it is durable.
    pub after: Option<AfterCommit>,
}

/// The last change and the head sealed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last change; 0 before the first.
    pub change: ChangeNumber,
    /// What [`AdvanceHead`] made of it; nothing before the first.
    pub sealed: Option<Sealed>,
}

/// A search in one wallet.
#[derive(Clone, Copy, Debug)]
pub struct StoreQuery<'a> {
    /// The kind of the records.
    pub kind: RecordKind,
    /// The wallet they belong to.
    pub wallet: WalletId,
    /// Terms they must all carry; none asks for every record.
    pub terms: &'a [StoredTerm],
    /// The part of the answer wanted.
    pub page: Page,
}

/// The part wanted of an answer that is ordered newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only records older than this one.
    pub before: Option<Sequence>,
    /// Records to pass over.
    pub offset: u64,
    /// Records to give at most.
    pub limit: u64,
}

impl Page {
    /// The whole answer.
    pub const ALL: Self = Self { before: None, offset: 0, limit: i64::MAX as u64 };

    /// The first `limit` records.
    pub fn first(limit: u64) -> Self {
        Self { limit, ..Self::ALL }
    }
}

/// Why a change was not made, though the store is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The record is not as expected: somebody else changed it meanwhile.
    Record {
        /// What the record is.
        kind: RecordKind,
        /// Which one.
        id: RecordId,
    },
    /// Another record has one of the unique terms.
    NotUnique {
        /// Index of the write within the change.
        write: usize,
        /// Index of the term within `unique` of the write.
        term: usize,
    },
}

/// The answer to a commit: who awaits it, or calls [`PendingCommit::wait`], gets it once the change is durable.
#[derive(Debug)]
pub struct PendingCommit(oneshot::Receiver<Result<ChangeNumber, CommitFailure>>);

/// Why a commit was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitFailure {
    /// It met another change.
    Conflict(Conflict),
    /// The store failed.
    Store(StoreError),
    /// The head that goes with the change could not be made.
    Head(SealError),
}

impl PendingCommit {
    /// A commit, and where to send its answer.
    pub fn new() -> (oneshot::Sender<Result<ChangeNumber, CommitFailure>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// Blocks this thread until the answer is there. Not for use on an async runtime's thread.
    pub fn wait(self) -> Result<ChangeNumber, CommitFailure> {
        self.0.blocking_recv().unwrap_or_else(|_| Err(closed()))
    }
}

impl Future for PendingCommit {
    type Output = Result<ChangeNumber, CommitFailure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or_else(|_| Err(closed())))
    }
}

fn closed() -> CommitFailure {
    CommitFailure::Store(StoreError { doing: "committing", cause: StoreCause::Closed })
}

//! Records: the barrier in front of the store. The rest of the vault reads and changes records here.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use super::{Barrier, Opened, RecordAddress, SealError, Sealed, SetDelta};
use crate::Error;
use crate::audit::{AuditError, Event, Journal};
use crate::store::{
    AdvanceHead, AfterCommit, ChangeNumber, CommitFailure, Conflict, Expected, Head, IndexedTerm, Page,
    PendingCommit, RecordId, RecordKind, RecordVersion, SealedChange, SealedRecord, SealedWrite, Sequence,
    Store, StoreQuery, StoredTerm, WalletId,
};

/// A record, opened.
#[derive(Debug)]
pub struct Record {
    /// What the record is.
    pub kind: RecordKind,
    /// Which one.
    pub id: RecordId,
    /// Where it belongs.
    pub wallet: WalletId,
    /// Its version: a change of this record must expect it.
    pub version: RecordVersion,
    /// Its place in the order of creation.
    pub sequence: Sequence,
    /// Its content.
    pub opened: Opened,
}

/// Something by which a record can be found: a field and a value. The store sees a keyed hash of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term<'a> {
    /// The field, such as `name`.
    pub field: Cow<'a, str>,
    /// The value.
    pub value: Cow<'a, [u8]>,
}

impl<'a> Term<'a> {
    /// A term of borrowed parts.
    pub fn new(field: &'a str, value: &'a [u8]) -> Self {
        Self { field: Cow::Borrowed(field), value: Cow::Borrowed(value) }
    }
}

/// The wallets that a search may look into. For managed objects, only `policy` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    kind: RecordKind,
    wallets: Vec<WalletId>,
}

impl Scope {
    /// Records of one kind in these wallets.
    pub(crate) fn new(kind: RecordKind, wallets: Vec<WalletId>) -> Self {
        Self { kind, wallets }
    }
}

/// The answer to a search.
#[derive(Debug)]
pub struct Found {
    /// The records of the page asked for, newest first.
    pub records: Vec<Record>,
}

/// One record of a change. Its terms replace those that the record had.
#[derive(Debug)]
pub struct Write<'a> {
    /// What the record is.
    pub kind: RecordKind,
    /// Which one.
    pub id: RecordId,
    /// Where it belongs; the wallet of an existing record cannot be changed by a write.
    pub wallet: WalletId,
    /// What must be true for the change to be made.
    pub expected: Expected,
    /// The new content.
    pub opened: Opened,
    /// Terms by which the record can be found.
    pub terms: Vec<Term<'a>>,
    /// Terms that no other record of the kind and wallet may have; it can be found by them too.
    pub unique: Vec<Term<'a>>,
}

/// A change: all its records are written and its events journaled, or nothing is.
#[derive(Default)]
pub struct Change<'a> {
    /// The records written.
    pub writes: Vec<Write<'a>>,
    /// What the audit journal says about the change. At least one event belongs to every change.
    pub events: Vec<Event>,
    /// What to do when the change is durable, before it is acknowledged; in the order of changes.
    pub after: Option<AfterCommit>,
}

/// Why a change was not made. Nothing of it was kept.
#[derive(Debug)]
pub enum CommitError {
    /// The record has another version by now, or exists already: read again and decide anew.
    Conflict {
        /// What the record is.
        kind: RecordKind,
        /// Which one.
        id: RecordId,
    },
    /// Another record of the wallet has one of the unique terms.
    NotUnique {
        /// The record that was to be written.
        id: RecordId,
        /// The field of the term.
        field: String,
    },
    /// The vault could not do it.
    Failed(Error),
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { id, .. } => {
                write!(f, "record {id} was changed by somebody else meanwhile; try again")
            }
            Self::NotUnique { field, .. } => {
                write!(f, "another record has the same {field}; choose another {field}")
            }
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CommitError {}

/// What the walk over all records showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrityReport {
    /// Records in the store.
    pub records: u64,
    /// The last change.
    pub change: ChangeNumber,
    /// Records that the current data key has sealed, as last stored.
    pub seals: u64,
}

/// The one way to the records of a vault.
pub struct Records {
    store: Arc<dyn Store>,
    barrier: Arc<Barrier>,
    journal: Arc<Journal>,
    advance: AdvanceHead,
}

impl Records {
    /// Puts the barrier in front of the store.
    pub fn new(store: Arc<dyn Store>, barrier: Arc<Barrier>, journal: Arc<Journal>) -> Self {
        let sealer = Arc::clone(&barrier);
        let advance = Arc::new(move |head: &Head, change, delta: &SetDelta| {
            let last = HeadContent::open(&sealer, head)?;
            let (key, seals) = (sealer.current_key(), sealer.seals() + 1);
            HeadContent { sum: last.sum.plus(*delta), key, seals }.seal(&sealer, change)
        });
        Self { store, barrier, journal, advance }
    }

    /// The record of this kind and id. Who asks for a managed object goes through `policy`.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Record`] when the record does not open.
    pub fn read(&self, kind: RecordKind, id: RecordId) -> Result<Option<Record>, Error> {
        self.store.read(kind, id)?.map(|record| self.open(record)).transpose()
    }

    /// The records in scope that carry every term (none asks for all), newest first.
    ///
    /// # Errors
    /// As [`Records::read`].
    pub fn find(&self, scope: &Scope, terms: &[Term<'_>], page: Page) -> Result<Found, Error> {
        let sealed = match scope.wallets[..] {
            [] => Vec::new(),
            [wallet] => {
                let terms = self.stored_terms(scope.kind, wallet, terms);
                self.store.find(&StoreQuery { kind: scope.kind, wallet, terms: &terms, page })?
            }
            // Each wallet gives its newest ones; the newest of all are among them.
            ref wallets => {
                let wide = Page { offset: 0, limit: page.offset.saturating_add(page.limit), ..page };
                let mut all = Vec::new();
                for &wallet in wallets {
                    let terms = self.stored_terms(scope.kind, wallet, terms);
                    all.extend(self.store.find(&StoreQuery {
                        kind: scope.kind,
                        wallet,
                        terms: &terms,
                        page: wide,
                    })?);
                }
                all.sort_by_key(|record| std::cmp::Reverse(record.sequence));
                let offset = usize::try_from(page.offset).unwrap_or(usize::MAX);
                let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
                all.into_iter().skip(offset).take(limit).collect()
            }
        };
        let records = sealed.into_iter().map(|record| self.open(record)).collect::<Result<_, _>>()?;
        Ok(Found { records })
    }

    /// How many records in scope carry every term.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn count(&self, scope: &Scope, terms: &[Term<'_>]) -> Result<u64, Error> {
        let mut total = 0;
        for &wallet in &scope.wallets {
            let terms = self.stored_terms(scope.kind, wallet, terms);
            total +=
                self.store.count(&StoreQuery { kind: scope.kind, wallet, terms: &terms, page: Page::ALL })?;
        }
        Ok(total)
    }

    /// Seals a change and queues it. Await the answer, or [`Pending::wait`] for it.
    pub fn commit(&self, change: Change<'_>) -> Pending {
        match self.seal_change(&change) {
            Ok((writes, delta, entry, body)) => {
                let journal = Arc::clone(&self.journal);
                let then = change.after;
                let sealed = SealedChange {
                    writes,
                    delta,
                    entry: Some(entry),
                    advance: Arc::clone(&self.advance),
                    after: Some(Box::new(move |number| {
                        journal.append_change(number, &body);
                        if let Some(then) = then {
                            then(number);
                        }
                    })),
                };
                let names = change
                    .writes
                    .iter()
                    .map(|write| (write.id, write.unique.iter().map(|term| term.field.to_string()).collect()))
                    .collect();
                Pending { state: PendingState::Queued(self.store.commit(sealed)), names }
            }
            Err(error) => Pending { state: PendingState::Refused(Some(error)), names: Vec::new() },
        }
    }

    /// Walks over all records and compares them with the sealed sum, and the index of terms with the records.
    ///
    /// # Errors
    /// [`Error::RecordSet`] when records were rolled back, dropped or added; [`Error::RecordTerms`] when one would be
    /// found by other terms than it was stored with; [`Error::Store`].
    pub fn verify(&self) -> Result<IntegrityReport, Error> {
        let head = self.store.head()?;
        let expected = HeadContent::open(&self.barrier, &head).map_err(Error::Head)?;
        let mut sum = SetDelta::default();
        let mut seen = Vec::new();
        let mut misplaced = None;
        self.store.walk(&mut |record, terms| {
            let (kind, id, version) = (record.kind, record.id, record.version);
            sum = sum.plus(self.barrier.element(kind, id, version));
            seen.push((kind, id, version));
            // A record that does not open is said by who reads it: the others go on being served.
            if let Ok((_, digest)) = self.open_with_terms(record)
                && digest != TermsDigest::of(terms)
            {
                misplaced.get_or_insert(id);
            }
        })?;
        if sum != expected.sum {
            return Err(Error::RecordSet { suspect: self.name_rolled_back(expected.sum.minus(sum), &seen) });
        }
        if let Some(id) = misplaced {
            return Err(Error::RecordTerms { id });
        }
        let seals = if expected.key == self.barrier.current_key() { expected.seals } else { 0 };
        Ok(IntegrityReport { records: seen.len() as u64, change: head.change, seals })
    }

    /// Looks for the one record whose rollback, or whose removal, explains the difference between the sums.
    fn name_rolled_back(
        &self,
        missing: SetDelta,
        seen: &[(RecordKind, RecordId, RecordVersion)],
    ) -> Option<RecordId> {
        /// Versions ahead of the one found that are tried.
        const AHEAD_MAX: u64 = 64;
        seen.iter().find_map(|&(kind, id, version)| {
            let here = self.barrier.element(kind, id, version);
            (1..=AHEAD_MAX)
                .map(|ahead| self.barrier.element(kind, id, RecordVersion(version.0 + ahead)))
                .any(|later| later.minus(here) == missing)
                .then_some(id)
        })
    }

    /// Journals the changes that were made but that the journal lacks, as after a crash.
    ///
    /// # Errors
    /// [`Error::Audit`] when the journal and the store do not belong together; [`Error::Store`]; [`Error::Record`].
    pub(crate) fn replay_outbox(&self) -> Result<(), Error> {
        let last = self.store.head()?.change;
        let journaled = ChangeNumber(self.journal.position().through);
        if journaled > last {
            return Err(AuditError::StoreRolledBack { store: last.0, journal: journaled.0 }.into());
        }
        let waiting = self.store.outbox()?;
        // A change leaves the outbox when the journal has it for good.
        let has_left = waiting.first().map_or(last.0, |(first, _)| first.0.saturating_sub(1));
        if journaled.0 < has_left {
            return Err(AuditError::Behind { store: has_left, journal: journaled.0 }.into());
        }
        for (change, sealed) in waiting.into_iter().filter(|(change, _)| *change > journaled) {
            let bodies = self.barrier.open(&OUTBOX_ADDRESS, &sealed).map_err(|fault| Error::Record {
                kind: OUTBOX_ADDRESS.kind,
                id: OUTBOX_ADDRESS.id,
                fault,
            })?;
            self.journal.append_change(change, bodies.as_bytes());
        }
        let durable = self.journal.sync()?;
        self.store.journaled(ChangeNumber(durable.through));
        Ok(())
    }

    fn seal_change(
        &self,
        change: &Change<'_>,
    ) -> Result<(Vec<SealedWrite>, SetDelta, Sealed, Vec<u8>), Error> {
        self.journal.ready()?;
        let mut delta = SetDelta::default();
        let mut writes = Vec::with_capacity(change.writes.len());
        for write in &change.writes {
            let version = write.expected.next();
            let address = RecordAddress { kind: write.kind, id: write.id, wallet: write.wallet, version };
            delta = delta.plus(self.barrier.element(write.kind, write.id, version));
            if let Expected::Version(old) = write.expected {
                delta = delta.minus(self.barrier.element(write.kind, write.id, old));
            }
            let terms = self.stored_terms(write.kind, write.wallet, &write.terms);
            let unique = self.stored_terms(write.kind, write.wallet, &write.unique);
            let digest = TermsDigest::of(&IndexedTerm::all(&terms, &unique));
            let mut content =
                Zeroizing::new(Vec::with_capacity(write.opened.as_bytes().len() + TermsDigest::LEN));
            content.extend_from_slice(write.opened.as_bytes());
            content.extend_from_slice(&digest.0);
            writes.push(SealedWrite {
                kind: write.kind,
                id: write.id,
                wallet: write.wallet,
                expected: write.expected,
                sealed: self.seal(&address, &Opened::new(content))?,
                terms,
                unique,
            });
        }
        let body = Event::bodies(&change.events);
        let entry = self.seal(&OUTBOX_ADDRESS, &Opened::new(Zeroizing::new(body.clone())))?;
        Ok((writes, delta, entry, body))
    }

    fn seal(&self, address: &RecordAddress, opened: &Opened) -> Result<Sealed, Error> {
        self.barrier.seal(address, opened).map_err(|fault| Error::Record {
            kind: address.kind,
            id: address.id,
            fault,
        })
    }

    fn open(&self, record: SealedRecord) -> Result<Record, Error> {
        self.open_with_terms(record).map(|(record, _)| record)
    }

    fn open_with_terms(&self, record: SealedRecord) -> Result<(Record, TermsDigest), Error> {
        let SealedRecord { kind, id, wallet, version, sequence, sealed } = record;
        let (opened, digest) = self
            .barrier
            .open(&RecordAddress { kind, id, wallet, version }, &sealed)
            .and_then(|opened| opened.split_last_chunk().ok_or(SealError::Malformed))
            .map_err(|fault| Error::Record { kind, id, fault })?;
        Ok((Record { kind, id, wallet, version, sequence, opened }, TermsDigest(digest)))
    }

    fn stored_terms(&self, kind: RecordKind, wallet: WalletId, terms: &[Term<'_>]) -> Vec<StoredTerm> {
        terms.iter().map(|term| self.barrier.term(kind, wallet, &term.field, &term.value)).collect()
    }
}

/// What a record remembers of the terms that it is found by, sealed after its content: the first 16 bytes of SHA-256
/// over them in order, each (16) with whether it must be alone (1).
///
/// The index is outside the seals. Without this, who writes the disk could hide a record from searches, or let one
/// be found in another's stead.
#[derive(Clone, Copy, PartialEq, Eq)]
struct TermsDigest([u8; TermsDigest::LEN]);

impl TermsDigest {
    const LEN: usize = 16;

    fn of(terms: &[IndexedTerm]) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        for indexed in terms {
            hash.update(&indexed.term.0);
            hash.update(&[u8::from(indexed.alone)]);
        }
        let mut first = [0; Self::LEN];
        first.copy_from_slice(&hash.finish().as_ref()[..Self::LEN]);
        Self(first)
    }
}

/// Entries wait in the outbox for a moment only; they carry their change's number in the journal.
const OUTBOX_ADDRESS: RecordAddress = RecordAddress {
    kind: RecordKind::OUTBOX,
    id: WalletId::SYSTEM.0,
    wallet: WalletId::SYSTEM,
    version: RecordVersion::FIRST,
};

/// What the sealed head holds: the sum (32), the number of the current data key (4) and its seals so far (8).
struct HeadContent {
    sum: SetDelta,
    key: u32,
    seals: u64,
}

impl HeadContent {
    fn address(change: ChangeNumber) -> RecordAddress {
        let id = WalletId::SYSTEM.0;
        RecordAddress {
            kind: RecordKind::HEAD,
            id,
            wallet: WalletId::SYSTEM,
            version: RecordVersion(change.0),
        }
    }

    fn open(barrier: &Barrier, head: &Head) -> Result<Self, SealError> {
        let Some(sealed) = &head.sealed else {
            // A store in which nothing was ever committed. One that lost its head cannot pretend to be new, because
            // the journal knows the number of the last change.
            return Ok(Self { sum: SetDelta::default(), key: 0, seals: 0 });
        };
        let opened = barrier.open(&Self::address(head.change), sealed)?;
        let content: &[u8; 44] = opened.as_bytes().try_into().map_err(|_| SealError::Malformed)?;
        let (sum, rest) = content.split_first_chunk::<32>().ok_or(SealError::Malformed)?;
        let (key, seals) = rest.split_first_chunk::<4>().ok_or(SealError::Malformed)?;
        let seals = u64::from_be_bytes(seals.try_into().map_err(|_| SealError::Malformed)?);
        Ok(Self { sum: SetDelta(*sum), key: u32::from_be_bytes(*key), seals })
    }

    fn seal(&self, barrier: &Barrier, change: ChangeNumber) -> Result<Sealed, SealError> {
        let mut content = Zeroizing::new(Vec::with_capacity(44));
        content.extend_from_slice(&self.sum.0);
        content.extend_from_slice(&self.key.to_be_bytes());
        content.extend_from_slice(&self.seals.to_be_bytes());
        barrier.seal(&Self::address(change), &Opened::new(content))
    }
}

/// The answer to [`Records::commit`].
pub struct Pending {
    state: PendingState,
    /// Id and unique fields of each write, to name the one that collided.
    names: Vec<(RecordId, Vec<String>)>,
}

enum PendingState {
    Queued(PendingCommit),
    Refused(Option<Error>),
}

impl Pending {
    /// Blocks this thread until the answer is there. Not for use on an async runtime's thread.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn wait(self) -> Result<ChangeNumber, CommitError> {
        match self.state {
            PendingState::Queued(pending) => pending.wait().map_err(|failure| explain(&self.names, failure)),
            PendingState::Refused(error) => Err(refused(error)),
        }
    }
}

impl Future for Pending {
    type Output = Result<ChangeNumber, CommitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match &mut this.state {
            PendingState::Queued(pending) => {
                Pin::new(pending).poll(cx).map_err(|failure| explain(&this.names, failure))
            }
            PendingState::Refused(error) => Poll::Ready(Err(refused(error.take()))),
        }
    }
}

fn refused(error: Option<Error>) -> CommitError {
    // A future is polled once after it is ready; the error is there.
    CommitError::Failed(error.unwrap_or(Error::Closed))
}

fn explain(names: &[(RecordId, Vec<String>)], failure: CommitFailure) -> CommitError {
    match failure {
        CommitFailure::Conflict(Conflict::Record { kind, id }) => CommitError::Conflict { kind, id },
        CommitFailure::Conflict(Conflict::NotUnique { write, term }) => match names.get(write) {
            Some((id, fields)) => {
                CommitError::NotUnique { id: *id, field: fields.get(term).cloned().unwrap_or_default() }
            }
            None => CommitError::Failed(Error::Closed),
        },
        CommitFailure::Store(error) => CommitError::Failed(Error::Store(error)),
        CommitFailure::Head(fault) => CommitError::Failed(Error::Head(fault)),
    }
}

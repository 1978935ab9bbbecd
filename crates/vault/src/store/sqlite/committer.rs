//! The one thread that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use super::cache::{Address, RecordCache};
use super::fault::{failed, is_duplicate};
use super::schema;
use crate::barrier::SetDelta;
use crate::store::{
    AdvanceHead, AfterCommit, ChangeNumber, CommitFailure, Conflict, Expected, IndexedTerm, SealedChange,
    SealedWrite, StoreCause, StoreError,
};

/// Changes that share a commit at most.
const BATCH_MAX: usize = 256;
const DOING: &str = "committing";
/// Bytes free before a disk that was full counts as having space again: more than a batch needs. At the brink small
/// commits still fit while large ones fail, and the log would fill with the news.
const SPACE_AGAIN: u64 = 1 << 20;

/// Where the answer to a job goes.
pub(super) type Answer = oneshot::Sender<Result<ChangeNumber, CommitFailure>>;

/// Something to write.
pub(super) enum Job {
    /// A change of records.
    Change {
        /// The change.
        change: SealedChange,
        /// Who waits for it.
        answer: Answer,
    },
    /// A named value.
    Setting {
        /// Its name.
        name: &'static str,
        /// The value.
        value: Vec<u8>,
        /// Who waits for it.
        answer: Answer,
    },
}

impl Job {
    /// Answers without doing anything. Who no longer waits does not mind.
    pub(super) fn answer(self, result: Result<ChangeNumber, CommitFailure>) {
        let (Self::Change { answer, .. } | Self::Setting { answer, .. }) = self;
        let _ = answer.send(result);
    }
}

/// A job that is part of the transaction.
struct Made {
    number: ChangeNumber,
    after: Option<AfterCommit>,
    answer: Answer,
}

/// The committer's state.
pub(super) struct Committer {
    connection: Connection,
    jobs: Receiver<Job>,
    journaled: Arc<AtomicU64>,
    cache: Arc<RecordCache>,
    /// After a disk error, what is on disk is not known: nothing more is written until the store is opened anew.
    broken: Option<StoreError>,
    /// Whether a commit found no space. Said once, and once more when there is space again.
    full: bool,
}

/// Why one change of a batch was not made.
enum Refusal {
    /// The others go on.
    Conflict(Conflict),
    /// The transaction is lost.
    Store(StoreError),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(failed(DOING)(error))
    }
}

impl Committer {
    pub(super) fn new(
        connection: Connection,
        jobs: Receiver<Job>,
        journaled: Arc<AtomicU64>,
        cache: Arc<RecordCache>,
    ) -> Self {
        Self { connection, jobs, journaled, cache, broken: None, full: false }
    }

    /// Until the queue is closed.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.jobs.recv() {
            let mut batch = vec![first];
            batch.extend(self.jobs.try_iter().take(BATCH_MAX - 1));
            self.commit(batch);
        }
    }

    fn commit(&mut self, batch: Vec<Job>) {
        if let Some(error) = &self.broken {
            for job in batch {
                job.answer(Err(CommitFailure::Store(error.clone())));
            }
            return;
        }
        let mut made = Vec::with_capacity(batch.len());
        let mut refused = Vec::new();
        let mut written = Vec::new();
        match self.transact(batch, &mut made, &mut refused, &mut written) {
            Ok(()) => {
                // Before the first answer: who was told of a change never reads what was there before it.
                self.cache.committed(&written);
                if self.full && self.has_space() {
                    self.full = false;
                    tracing::info!(store = self.connection.path(), "the store's disk has space again");
                }
                for Made { number, after, answer } in made {
                    if let Some(after) = after {
                        after(number);
                    }
                    let _ = answer.send(Ok(number));
                }
                for (answer, conflict) in refused {
                    let _ = answer.send(Err(CommitFailure::Conflict(conflict)));
                }
            }
            Err(failure) => {
                // A full disk may have ended the transaction already; a second rollback says so and does nothing.
                let _ = self.connection.execute_batch("ROLLBACK");
                self.cache.clear();
                if let CommitFailure::Store(error) = &failure {
                    self.remember(error);
                }
                // Even a conflict counts as failed: what it met may have been lost with the transaction.
                let answers = made.into_iter().map(|made| made.answer);
                for answer in answers.chain(refused.into_iter().map(|(answer, _)| answer)) {
                    let _ = answer.send(Err(failure.clone()));
                }
            }
        }
    }

    /// Whether more than the last commit fits on the store's disk. Where the system does not say, that it fitted has
    /// to do.
    fn has_space(&self) -> bool {
        let disk = self.connection.path().map(rustix::fs::statvfs);
        disk.and_then(Result::ok)
            .is_none_or(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= SPACE_AGAIN)
    }

    /// Draws the consequences of a failure, and tells the administrator once, however many requests meet it.
    fn remember(&mut self, error: &StoreError) {
        let store = self.connection.path();
        match &error.cause {
            StoreCause::Io { detail } | StoreCause::Corrupt { detail } => {
                tracing::error!(store, %error, "no more changes are made until the vault is restarted");
                let detail = detail.clone();
                self.broken = Some(StoreError { doing: DOING, cause: StoreCause::Stopped { detail } });
            }
            StoreCause::DiskFull if !self.full => {
                self.full = true;
                tracing::error!(
                    store,
                    "no space is left on the store's disk: changes are refused, keys are still served; \
                     free some space and the vault goes on by itself"
                );
            }
            _ => {}
        }
    }

    /// Makes the batch durable, or fails as a whole. Every answer ends up in `made` or `refused`, the address of every
    /// record written in `written`.
    fn transact(
        &self,
        batch: Vec<Job>,
        made: &mut Vec<Made>,
        refused: &mut Vec<(Answer, Conflict)>,
        written: &mut Vec<Address>,
    ) -> Result<(), CommitFailure> {
        let store = |error| CommitFailure::Store(failed(DOING)(error));
        let mut lost: Option<StoreError> = None;
        let head = self
            .connection
            .execute_batch("BEGIN IMMEDIATE")
            .and_then(|()| schema::read_head(&self.connection))
            .map_err(|error| lost = Some(failed(DOING)(error)));
        let mut number = head.as_ref().map_or(ChangeNumber(0), |head| head.change);
        let mut delta = SetDelta::default();
        let mut advance: Option<AdvanceHead> = None;
        for job in batch {
            match job {
                Job::Change { change, answer } => {
                    let next = ChangeNumber(number.0 + 1);
                    let applied = if lost.is_none() { self.apply(&change, next) } else { Ok(()) };
                    match applied {
                        Ok(()) => {
                            number = next;
                            delta = delta.plus(change.delta);
                            advance = Some(change.advance);
                            written.extend(change.writes.iter().map(|write| (write.kind, write.id)));
                            made.push(Made { number, after: change.after, answer });
                        }
                        Err(Refusal::Conflict(conflict)) => refused.push((answer, conflict)),
                        Err(Refusal::Store(error)) => {
                            lost = Some(error);
                            made.push(Made { number, after: None, answer });
                        }
                    }
                }
                Job::Setting { name, value, answer } => {
                    if lost.is_none() {
                        lost = self
                            .connection
                            .prepare_cached("INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)")
                            .and_then(|mut statement| statement.execute(params![name, value]))
                            .err()
                            .map(failed(DOING));
                    }
                    made.push(Made { number, after: None, answer });
                }
            }
        }
        if let Some(error) = lost {
            return Err(CommitFailure::Store(error));
        }
        if let (Ok(head), Some(advance)) = (head, advance) {
            let sealed = advance(&head, number, &delta).map_err(CommitFailure::Head)?;
            self.connection
                .prepare_cached("UPDATE head SET change = ?1, sealed = ?2")
                .and_then(|mut statement| statement.execute(params![number, sealed.as_bytes()]))
                .map_err(store)?;
        }
        self.connection
            .prepare_cached("DELETE FROM outbox WHERE change <= ?1")
            .and_then(|mut statement| {
                statement.execute([ChangeNumber(self.journaled.load(Ordering::Relaxed))])
            })
            .map_err(store)?;
        self.connection.execute_batch("COMMIT").map_err(store)
    }

    /// Makes one change inside a savepoint of its own.
    fn apply(&self, change: &SealedChange, number: ChangeNumber) -> Result<(), Refusal> {
        self.connection.prepare_cached("SAVEPOINT change")?.execute([])?;
        let made = self.write_all(change, number);
        if let Err(Refusal::Conflict(_)) = made {
            self.connection.prepare_cached("ROLLBACK TO change")?.execute([])?;
        }
        if !matches!(made, Err(Refusal::Store(_))) {
            self.connection.prepare_cached("RELEASE change")?.execute([])?;
        }
        made
    }

    fn write_all(&self, change: &SealedChange, number: ChangeNumber) -> Result<(), Refusal> {
        for (index, write) in change.writes.iter().enumerate() {
            let sequence = self.write(write)?;
            self.index(write, sequence).map_err(|refusal| match refusal {
                Refusal::Conflict(Conflict::NotUnique { term, .. }) => {
                    Refusal::Conflict(Conflict::NotUnique { write: index, term })
                }
                other => other,
            })?;
        }
        if let Some(entry) = &change.entry {
            self.connection
                .prepare_cached("INSERT INTO outbox (change, entry) VALUES (?1, ?2)")?
                .execute(params![number, entry.as_bytes()])?;
        }
        Ok(())
    }

    /// Writes the record and gives its sequence number.
    fn write(&self, write: &SealedWrite) -> Result<i64, Refusal> {
        let conflict = Refusal::Conflict(Conflict::Record { kind: write.kind, id: write.id });
        match write.expected {
            Expected::Absent => {
                let inserted = self
                    .connection
                    .prepare_cached(
                        "INSERT INTO records (kind, id, wallet, version, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![
                        write.kind.0,
                        write.id.0,
                        write.wallet.0.0,
                        write.expected.next(),
                        write.sealed.as_bytes()
                    ]);
                match inserted {
                    Ok(_) => Ok(self.connection.last_insert_rowid()),
                    Err(error) if is_duplicate(&error) => Err(conflict),
                    Err(error) => Err(error.into()),
                }
            }
            Expected::Version(version) => self
                .connection
                .prepare_cached(
                    "UPDATE records SET version = ?5, sealed = ?6 \
                     WHERE kind = ?1 AND id = ?2 AND wallet = ?3 AND version = ?4 RETURNING sequence",
                )?
                .query_row(
                    params![
                        write.kind.0,
                        write.id.0,
                        write.wallet.0.0,
                        version,
                        version.next(),
                        write.sealed.as_bytes()
                    ],
                    |row| row.get(0),
                )
                .optional()?
                .ok_or(conflict),
        }
    }

    /// Gives the record its terms, and no others.
    fn index(&self, write: &SealedWrite, sequence: i64) -> Result<(), Refusal> {
        let wanted = IndexedTerm::all(&write.terms, &write.unique);
        if write.expected != Expected::Absent {
            let mut statement = self
                .connection
                .prepare_cached("SELECT term, alone FROM terms WHERE sequence = ?1 ORDER BY term")?;
            let present = statement
                .query_map([sequence], super::indexed_term)?
                .collect::<rusqlite::Result<Vec<IndexedTerm>>>()?;
            // Most changes of a record leave its terms alone.
            if present == wanted {
                return Ok(());
            }
            self.connection.prepare_cached("DELETE FROM terms WHERE sequence = ?1")?.execute([sequence])?;
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO terms (kind, wallet, term, sequence, alone) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for IndexedTerm { term, alone } in wanted {
            let inserted = insert.execute(params![write.kind.0, write.wallet.0.0, term.0, sequence, alone]);
            match inserted {
                Ok(_) => {}
                Err(error) if is_duplicate(&error) => {
                    let term = write.unique.iter().position(|unique| *unique == term).unwrap_or_default();
                    return Err(Refusal::Conflict(Conflict::NotUnique { write: 0, term }));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

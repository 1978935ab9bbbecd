//! The store in one SQLite file, for a vault on one machine.
//!
//! Write-ahead log, `synchronous=FULL`: a commit is on disk before it is acknowledged. One thread commits; while it waits
//! for the disk, further changes queue up and share the next commit. Reads run on the caller's thread, on a
//! connection of their own, and are never blocked by the committer. Records that were read lately are kept in memory, sealed.

mod cache;
mod columns;
mod committer;
mod fault;
mod schema;
#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params, params_from_iter};

use self::cache::RecordCache;
use self::committer::{Committer, Job};
use self::fault::failed;
use super::{
    ChangeNumber, CommitFailure, Head, IndexedTerm, PendingCommit, RecordId, RecordKind, SealedChange,
    SealedRecord, Store, StoreCause, StoreError, StoreQuery, StoredTerm, WalletId,
};
use crate::barrier::Sealed;

/// Kept small: a vault's hot records fit, and memory is a promise (docs: footprint).
const READER_CACHE_KIB: i64 = 512;

/// How the store is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreOptions {
    /// Make the file; it must not exist.
    Create,
    /// Use the file; it must exist.
    #[default]
    Open,
}

/// The store in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    /// Connections that no thread is reading on.
    idle: Mutex<Vec<Connection>>,
    queue: Option<mpsc::Sender<Job>>,
    committer: Option<JoinHandle<()>>,
    cache: Arc<RecordCache>,
    journaled: Arc<AtomicU64>,
}

impl SqliteStore {
    /// Opens or makes the store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        keep_private(path, options).map_err(|error| StoreError {
            doing: "opening its file",
            cause: StoreCause::Io { detail: format!("{}: {error}", path.display()) },
        })?;
        let connection = connect(path, options)?;
        schema::prepare(&connection, options)?;
        let journaled = Arc::new(AtomicU64::new(0));
        let (queue, jobs) = mpsc::channel();
        let cache = Arc::new(RecordCache::new());
        let committer = Committer::new(connection, jobs, Arc::clone(&journaled), Arc::clone(&cache));
        let committer = std::thread::Builder::new()
            .name("store-commit".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || committer.run())
            .map_err(|error| StoreError {
                doing: "starting the committer",
                cause: StoreCause::Io { detail: error.to_string() },
            })?;
        Ok(Self {
            path: path.to_owned(),
            idle: Mutex::default(),
            queue: Some(queue),
            committer: Some(committer),
            cache,
            journaled,
        })
    }

    /// Runs `read` on a connection that no other thread uses.
    fn reading<T>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let connection = connect(&self.path, StoreOptions::Open)?;
                connection
                    .pragma_update(None, "query_only", true)
                    .and_then(|()| connection.pragma_update(None, "cache_size", -READER_CACHE_KIB))
                    .map_err(failed(doing))?;
                connection
            }
        };
        let answer = read(&connection).map_err(failed(doing));
        self.idle().push(connection);
        answer
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, job: impl FnOnce(committer::Answer) -> Job) -> PendingCommit {
        let (answer, pending) = PendingCommit::new();
        let job = job(answer);
        let refused = match &self.queue {
            Some(queue) => queue.send(job).err().map(|unsent| unsent.0),
            None => Some(job),
        };
        if let Some(job) = refused {
            let closed = StoreError { doing: "committing", cause: StoreCause::Closed };
            job.answer(Err(CommitFailure::Store(closed)));
        }
        pending
    }
}

impl Store for SqliteStore {
    fn read(&self, kind: RecordKind, id: RecordId) -> Result<Option<SealedRecord>, StoreError> {
        if let Some(record) = self.cache.get(kind, id) {
            return Ok(Some(record));
        }
        let mark = self.cache.mark();
        let record = self.reading("reading a record", |connection| {
            connection
                .prepare_cached(
                    "SELECT kind, id, wallet, version, sequence, sealed FROM records WHERE kind = ?1 AND id = ?2",
                )?
                .query_row(params![kind.0, id.0], sealed_record)
                .optional()
        })?;
        if let Some(record) = &record {
            self.cache.keep(record, mark);
        }
        Ok(record)
    }

    fn find(&self, query: &StoreQuery<'_>) -> Result<Vec<SealedRecord>, StoreError> {
        self.reading("searching", |connection| {
            let sql = format!(
                "SELECT r.kind, r.id, r.wallet, r.version, r.sequence, r.sealed {} AND {} < ?{} \
                 ORDER BY {} DESC LIMIT ?{} OFFSET ?{}",
                matching(query.terms.len()),
                sequence_column(query.terms.len()),
                query.terms.len() + 3,
                sequence_column(query.terms.len()),
                query.terms.len() + 4,
                query.terms.len() + 5,
            );
            let before = query.page.before.map_or(i64::MAX as u64, |sequence| sequence.0);
            let mut values = match_values(query);
            values.extend([before, query.page.limit, query.page.offset].map(clamped));
            connection.prepare_cached(&sql)?.query_map(params_from_iter(values), sealed_record)?.collect()
        })
    }

    fn count(&self, query: &StoreQuery<'_>) -> Result<u64, StoreError> {
        self.reading("counting", |connection| {
            let sql = format!("SELECT count(*) {}", matching(query.terms.len()));
            let total: i64 = connection
                .prepare_cached(&sql)?
                .query_row(params_from_iter(match_values(query)), |row| row.get(0))?;
            Ok(total.unsigned_abs())
        })
    }

    fn commit(&self, change: SealedChange) -> PendingCommit {
        self.submit(|answer| Job::Change { change, answer })
    }

    fn walk(&self, visit: &mut dyn FnMut(SealedRecord, &[IndexedTerm])) -> Result<(), StoreError> {
        self.reading("walking over the records", |connection| {
            // Records and terms of one moment.
            let connection = connection.unchecked_transaction()?;
            let mut records = connection.prepare(
                "SELECT kind, id, wallet, version, sequence, sealed FROM records ORDER BY sequence",
            )?;
            let mut terms = connection.prepare_cached(
                "SELECT term, alone FROM terms WHERE sequence = ?1 AND kind = ?2 AND wallet = ?3 ORDER BY term",
            )?;
            let mut rows = records.query([])?;
            while let Some(row) = rows.next()? {
                let record = sealed_record(row)?;
                let indexed = terms
                    .query_map(params![record.sequence, record.kind.0, record.wallet.0.0], indexed_term)?
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                visit(record, &indexed);
            }
            Ok(())
        })
    }

    fn head(&self) -> Result<Head, StoreError> {
        self.reading("reading the head", schema::read_head)
    }

    fn outbox(&self) -> Result<Vec<(ChangeNumber, Sealed)>, StoreError> {
        self.reading("reading the outbox", |connection| {
            let mut statement = connection.prepare("SELECT change, entry FROM outbox ORDER BY change")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, Sealed::from_store(row.get(1)?))))?;
            rows.collect()
        })
    }

    fn journaled(&self, through: ChangeNumber) {
        self.journaled.fetch_max(through.0, Ordering::Relaxed);
    }

    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.reading("reading a setting", |connection| {
            connection
                .query_row("SELECT value FROM settings WHERE name = ?1", [name], |row| row.get(0))
                .optional()
        })
    }

    fn put_setting(&self, name: &'static str, value: Vec<u8>) -> PendingCommit {
        self.submit(|answer| Job::Setting { name, value, answer })
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The committer ends when its queue is closed and empty; the last connection then folds the log into the file.
        self.queue = None;
        if let Some(committer) = self.committer.take()
            && committer.thread().id() != std::thread::current().id()
        {
            let _ = committer.join();
        }
    }
}

/// Makes the file 0600 before SQLite would make it as the umask says, and takes back what others were given since.
/// The log and its index get the mode of the main file from SQLite.
fn keep_private(path: &Path, options: StoreOptions) -> io::Result<()> {
    if options == StoreOptions::Create {
        return OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop);
    }
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match fs::metadata(&file) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                fs::set_permissions(&file, Permissions::from_mode(0o600))?;
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn connect(path: &Path, options: StoreOptions) -> Result<Connection, StoreError> {
    let create = match options {
        StoreOptions::Create => OpenFlags::SQLITE_OPEN_CREATE,
        StoreOptions::Open => OpenFlags::empty(),
    };
    // No mutex: a connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let connection = Connection::open_with_flags(path, flags).map_err(failed("opening its file"))?;
    schema::configure(&connection).map_err(failed("opening its file"))?;
    Ok(connection)
}

/// `FROM` and `WHERE` of a search with this many terms. Parameters: kind, wallet, then the terms.
///
/// With terms, the walk goes along the first one in the order of the index; the others are looked up.
fn matching(terms: usize) -> String {
    if terms == 0 {
        return "FROM records r WHERE r.kind = ?1 AND r.wallet = ?2".to_owned();
    }
    // A term in another kind's or wallet's place finds nothing: only `walk` compares the index with the records.
    let mut sql =
        "FROM terms t JOIN records r ON r.sequence = t.sequence AND r.kind = t.kind AND r.wallet = t.wallet \
                   WHERE t.kind = ?1 AND t.wallet = ?2 AND t.term = ?3"
            .to_owned();
    for further in 4..terms + 3 {
        sql.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM terms u WHERE u.kind = ?1 AND u.wallet = ?2 AND u.term = ?{further} \
             AND u.sequence = t.sequence)"
        ));
    }
    sql
}

fn sequence_column(terms: usize) -> &'static str {
    if terms == 0 { "r.sequence" } else { "t.sequence" }
}

fn match_values(query: &StoreQuery<'_>) -> Vec<Value> {
    let mut values = Vec::with_capacity(query.terms.len() + 5);
    values.push(Value::Integer(i64::from(query.kind.0)));
    values.push(Value::Blob(query.wallet.0.0.to_vec()));
    values.extend(query.terms.iter().map(|term| Value::Blob(term.0.to_vec())));
    values
}

/// SQLite counts in signed numbers; nothing real is beyond them.
fn clamped(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn indexed_term(row: &Row<'_>) -> rusqlite::Result<IndexedTerm> {
    Ok(IndexedTerm { term: StoredTerm(row.get(0)?), alone: row.get(1)? })
}

fn sealed_record(row: &Row<'_>) -> rusqlite::Result<SealedRecord> {
    Ok(SealedRecord {
        kind: RecordKind(row.get(0)?),
        id: RecordId(row.get(1)?),
        wallet: WalletId(RecordId(row.get(2)?)),
        version: row.get(3)?,
        sequence: row.get(4)?,
        sealed: Sealed::from_store(row.get(5)?),
    })
}

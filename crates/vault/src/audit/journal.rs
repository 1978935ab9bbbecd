//! Appending to the journal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::{AuditError, BrokenChain, Fault};
use super::event::{Actor, Event};
use super::line::Position;
use super::verify;
use crate::store::ChangeNumber;

/// An entry is durable within twice this: one interval waiting, one for the disk.
const SYNC_INTERVAL: Duration = Duration::from_millis(40);

/// What still fits into the last block of a file on a full disk. Only when more than that was written is there space again.
const BLOCK_BYTES: usize = 4096;

/// Called, on the journal's own thread, with each position up to which the journal is durable.
pub type OnDurable = Box<dyn Fn(&Position) + Send>;

/// The journal, open for appending. Shared by all threads.
pub struct Journal {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    file: File,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    /// After the last line written.
    position: Position,
    /// After the last line that is durable.
    durable: u64,
    /// Entries of changes that were made but could not be written yet, in order.
    backlog: Vec<(ChangeNumber, Vec<u8>)>,
    /// Why the journal cannot be used any more, until the vault is restarted.
    broken: Option<AuditBreak>,
    /// While writes fail: bytes written since the last that did. Said once, and once more when writing works again.
    failing: Option<usize>,
    closing: bool,
    /// A line is put together here, so that it is one write.
    line: Vec<u8>,
}

/// A failure that lasts.
#[derive(Clone, Debug)]
enum AuditBreak {
    /// What reached the disk is unknown.
    Sync(String),
    /// The file is not where it was.
    Replaced,
    /// A write failed half-way, and what it left could not be taken back.
    Torn(String),
}

impl Journal {
    /// Opens the journal at `path`, or makes it when `anchor` does not say that there was one.
    ///
    /// `anchor` is a position that is known to be in the journal; the chain is checked from there to the end. A torn last
    /// line, as a crash leaves it, is cut off, and an entry says so.
    ///
    /// # Errors
    /// [`AuditError::Broken`] when the journal does not have `anchor` or its chain is broken after it;
    /// [`AuditError::Io`].
    pub fn open(path: &Path, anchor: Option<&Position>, now: jiff::Timestamp) -> Result<Self, AuditError> {
        let io_error = |doing, error: &io::Error| AuditError::io(doing, path, error);
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(0o600);
        let anchored = anchor.is_some_and(|anchor| anchor.seq > 0);
        let file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(anchor) = anchor.filter(|_| anchored) {
                    let broken = BrokenChain { path: path.to_owned(), line: anchor.seq, fault: Fault::Cut };
                    return Err(AuditError::Broken(broken));
                }
                let file =
                    options.create_new(true).open(path).map_err(|error| io_error("creating", &error))?;
                sync_parent(path).map_err(|error| io_error("creating", &error))?;
                file
            }
            Err(error) => return Err(io_error("opening", &error)),
        };
        let tail = verify::follow(path, anchor)?;
        if tail.torn_bytes > 0 {
            file.set_len(tail.position.end).map_err(|error| io_error("repairing", &error))?;
        }
        file.sync_all().map_err(|error| io_error("syncing", &error))?;
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            file,
            state: Mutex::new(State {
                position: tail.position,
                durable: tail.position.seq,
                backlog: Vec::new(),
                broken: None,
                failing: None,
                closing: false,
                line: Vec::with_capacity(1024),
            }),
            wake: Condvar::new(),
        });
        let journal = Self { shared };
        if tail.torn_bytes > 0 {
            let event = Event::new(now, Actor::Vault, "audit repair")
                .detail("bytes of a torn last line that were cut off", tail.torn_bytes.to_string());
            journal.record(&event)?;
        }
        Ok(journal)
    }

    /// Starts making entries durable in the background, and reports how far they are.
    ///
    /// # Errors
    /// [`AuditError::Io`] when no thread can be started.
    pub fn start(&self, on_durable: OnDurable) -> Result<(), AuditError> {
        let shared = Arc::clone(&self.shared);
        std::thread::Builder::new()
            .name("audit-sync".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || shared.keep_durable(&on_durable))
            .map_err(|error| AuditError::io("starting", &self.shared.path, &error))?;
        Ok(())
    }

    /// Whether entries can be written. A change is not begun while they cannot.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), AuditError> {
        let mut state = self.shared.lock();
        self.shared.usable(&mut state)
    }

    /// Writes an entry. When this returns, the entry is the system's; it is on disk within 100 ms. Call it before the
    /// reply that releases a key.
    ///
    /// # Errors
    /// [`AuditError`]: the entry is not in the journal, and what it describes must not happen.
    pub fn record(&self, event: &Event) -> Result<(), AuditError> {
        // Before the lock is taken, which every request needs.
        let mut body = Vec::with_capacity(512);
        event.write_body(&mut body);
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        self.shared.usable(state)?;
        // The buffer lives in the state, so that a line costs no allocation.
        let mut line = std::mem::take(&mut state.line);
        line.clear();
        let next = state.position.write_line(&mut line, None, &body);
        let written = self.shared.append(state, &line);
        state.line = line;
        written?;
        self.shared.advanced(state, next);
        Ok(())
    }

    /// Writes the entries of a change that is durable in the store. What cannot be written now is kept and written
    /// later; until then [`Journal::ready`] says no.
    pub(crate) fn append_change(&self, change: ChangeNumber, bodies: &[u8]) {
        let mut state = self.shared.lock();
        if change.0 <= state.position.through {
            return;
        }
        if !state.backlog.is_empty() || self.shared.append_change(&mut state, change, bodies).is_err() {
            state.backlog.push((change, bodies.to_vec()));
        }
    }

    /// The position after the last entry.
    pub fn position(&self) -> Position {
        self.shared.lock().position
    }

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn sync(&self) -> Result<Position, AuditError> {
        let position = self.shared.sync_once()?;
        self.shared.usable(&mut self.shared.lock())?;
        Ok(position)
    }

    /// The journal's file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }
}

impl Drop for Journal {
    /// The background thread syncs once more and ends. It is not waited for: the last owner may be the store's
    /// committer, on which that thread may be waiting in turn.
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each update leaves the state consistent, so a panic elsewhere does not make it unusable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no lasting failure has happened.
    fn unbroken(&self, state: &State) -> Result<(), AuditError> {
        let lasting = |doing, detail: &str| AuditError::Lasting {
            doing,
            path: self.path.clone(),
            detail: detail.to_owned(),
        };
        match &state.broken {
            None => Ok(()),
            Some(AuditBreak::Replaced) => Err(AuditError::Replaced { path: self.path.clone() }),
            Some(AuditBreak::Sync(detail)) => Err(lasting("syncing", detail)),
            Some(AuditBreak::Torn(detail)) => Err(lasting("writing", detail)),
        }
    }

    /// Tries to write the backlog first: a journal whose disk has room again heals by itself.
    fn usable(&self, state: &mut State) -> Result<(), AuditError> {
        self.unbroken(state)?;
        while !state.backlog.is_empty() {
            let (change, bodies) = state.backlog.remove(0);
            if self.append_change(state, change, &bodies).is_err() {
                state.backlog.insert(0, (change, bodies));
                return Err(AuditError::Backlog { changes: state.backlog.len() });
            }
        }
        Ok(())
    }

    fn append_change(
        &self,
        state: &mut State,
        change: ChangeNumber,
        bodies: &[u8],
    ) -> Result<(), AuditError> {
        let mut lines = Vec::with_capacity(bodies.len() + 512);
        let mut next = state.position;
        for body in bodies.split(|&byte| byte == b'\n') {
            next = next.write_line(&mut lines, Some(change), body);
        }
        self.append(state, &lines)?;
        self.advanced(state, next);
        Ok(())
    }

    /// One write. When it fails half-way, what it left is taken back, so that the next line does not follow a torn one.
    fn append(&self, state: &mut State, lines: &[u8]) -> Result<(), AuditError> {
        let mut file = &self.file;
        let Err(error) = file.write_all(lines) else {
            if let Some(since) = &mut state.failing {
                *since += lines.len();
                if *since > BLOCK_BYTES {
                    state.failing = None;
                    tracing::info!(journal = %self.path.display(), "the audit journal can be written again");
                }
            }
            return Ok(());
        };
        let fault = AuditError::io("writing", &self.path, &error);
        if state.failing.replace(0).is_none() {
            tracing::error!(
                journal = %self.path.display(),
                error = %fault,
                "requests are refused while the audit journal cannot be written; the vault goes on by itself when it can"
            );
        }
        if let Err(error) = self.file.set_len(state.position.end) {
            // The next start repairs a torn last line; a line after it would make it a break in the chain.
            tracing::error!(
                journal = %self.path.display(),
                %error,
                "a torn line could not be taken back: requests are refused until the vault is restarted"
            );
            state.broken = Some(AuditBreak::Torn(error.to_string()));
        }
        Err(fault)
    }

    fn advanced(&self, state: &mut State, next: Position) {
        let idle = state.durable == state.position.seq;
        state.position = next;
        if idle {
            self.wake.notify_one();
        }
    }

    fn keep_durable(&self, on_durable: &OnDurable) {
        loop {
            let mut state = self.lock();
            while state.durable == state.position.seq && !state.closing {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let closing = state.closing;
            if !closing {
                // Entries gather for a moment, so that many share a sync.
                let (waited, _) =
                    self.wake.wait_timeout(state, SYNC_INTERVAL).unwrap_or_else(PoisonError::into_inner);
                state = waited;
            }
            let pending = state.durable != state.position.seq;
            let broken = state.broken.is_some();
            drop(state);
            if pending && !broken {
                match self.sync_once() {
                    Ok(position) => on_durable(&position),
                    Err(error) => tracing::error!(%error, "audit journal"),
                }
            }
            if closing || broken {
                return;
            }
        }
    }

    /// Makes what is written durable, also when a backlog cannot be written.
    fn sync_once(&self) -> Result<Position, AuditError> {
        let position = {
            let mut state = self.lock();
            self.unbroken(&state)?;
            // Whoever needs the backlog in the journal asks `usable` for its answer.
            let _ = self.usable(&mut state);
            state.position
        };
        let synced = self.file.sync_data();
        // A journal that was unlinked or renamed away still takes writes, which nobody would ever see.
        let in_place = std::fs::metadata(&self.path).is_ok_and(|named| {
            self.file.metadata().is_ok_and(|open| (open.dev(), open.ino()) == (named.dev(), named.ino()))
        });
        let mut state = self.lock();
        match synced {
            Ok(()) if in_place => {
                state.durable = state.durable.max(position.seq);
                Ok(position)
            }
            Ok(()) => {
                state.broken = Some(AuditBreak::Replaced);
                self.unbroken(&state).map(|()| position)
            }
            Err(error) => {
                // After a failed sync the kernel may forget the dirty pages: trying again would lie.
                state.broken = Some(AuditBreak::Sync(error.to_string()));
                self.unbroken(&state).map(|()| position)
            }
        }
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

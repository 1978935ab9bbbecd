//! Rotating the master key of MySQL's tablespaces: every tablespace key of a data directory is wrapped anew, and no page but
//! the first of each file is touched.
//!
//! The order of effects: the new master key is durable in the keyring; a journal of all changes is durable; the heads are
//! written; they are durable, all at once; the journal is removed. In between, every file is readable under the old or the
//! new master key, and [`resume`] finishes what was begun. Old master keys are never removed: backups need them.
//!
//! The new key's number is always higher than any number in use ([`Survey::next_number`]). A server that rotates by itself
//! takes the highest number it has met plus one and, should the keyring have such a key already, silently uses that one again.

mod head;
mod redo;
mod steady;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use strongroom_secret::KeyMaterial;

use crate::disk::walk::{FileKind, Found};
use crate::disk::{Access, Disk, folder_of, read_exactly};
use crate::journal::{Change, Entry, Journal, JournalError, Patch};
use crate::keys::{KeySourceError, MasterKeySource};
use crate::mysql::information::MASTER_KEY_PREFIX;
use crate::mysql::{MasterKeyId, ServerUuid};
use crate::run::Run;
use head::{Head, Kept, Rewrap};

pub use head::HeadFault;
pub use redo::{RedoFault, check_shutdown};

/// What there is to rotate.
#[derive(Debug)]
pub struct Survey {
    /// Files that hold a wrapped key.
    pub encrypted: Vec<Wrapped>,
    /// Files that hold none.
    pub plain: usize,
    /// The highest number of a master key, for each server that one belongs to: in the files and in the keyring.
    pub highest: BTreeMap<ServerUuid, u32>,
}

/// A file that holds a wrapped key, with what its head said when it was looked at.
#[derive(Debug, Clone)]
pub struct Wrapped {
    /// The file.
    pub found: Found,
    /// Nothing where its head is too much to keep, and is read again.
    kept: Option<Kept>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The server's uuid.
    pub server_uuid: ServerUuid,
    /// The number of the new master key.
    pub number: u32,
    /// Files that are under it now and were not before.
    pub changed: usize,
    /// Files that were under it already.
    pub unchanged: usize,
    /// Files of an interrupted rotation that are no longer there.
    pub gone: Vec<PathBuf>,
}

/// Why a rotation was not begun, or not finished.
#[derive(Debug)]
pub enum RotateError {
    /// A file's head.
    Head(PathBuf, HeadFault),
    /// A file cannot be written.
    Write(PathBuf, io::Error),
    /// A file is no longer as it was when it was looked at.
    Changed(PathBuf),
    /// What was written cannot be made durable.
    Sync(io::Error),
    /// The journal.
    Journal(JournalError),
    /// The keyring could not be asked.
    Keys(KeySourceError),
    /// The keyring does not have the master key of the rotation that was interrupted.
    KeyGone(String),
    /// The journal is about something else: it is resumed by another verb.
    OtherChange,
    /// The journal names a server by something that is not a uuid.
    Uuid,
}

impl From<JournalError> for RotateError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl RotateError {
    /// Whether the rotation has begun, so that it must be resumed.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        matches!(
            self,
            Self::Write(..) | Self::Changed(_) | Self::Sync(_) | Self::Journal(JournalError::Unfinished(_))
        )
    }
}

/// Looks at the heads of files, and at the keyring.
///
/// # Errors
/// [`RotateError::Head`] for a file whose head cannot be read or makes no sense, or that is encrypted and may not be written;
/// [`RotateError::Keys`].
pub fn survey(
    disk: &dyn Disk,
    files: &[Found],
    keys: &dyn MasterKeySource,
    run: Run<'_>,
) -> Result<Survey, RotateError> {
    let heads = in_parallel(files, run, |found| {
        let in_file = |fault| RotateError::Head(found.path.clone(), fault);
        let Some(head) = read_to_write(disk, found).map_err(in_file)? else { return Ok(None) };
        let Some(information) = &head.information else { return Ok(None) };
        let key = information.master_key().clone();
        Ok(Some((key, head.kept().map_err(in_file)?)))
    })?;
    let mut survey = Survey { encrypted: Vec::new(), plain: 0, highest: BTreeMap::new() };
    let mut meet = |uuid: ServerUuid, number: u32| {
        let highest = survey.highest.entry(uuid).or_default();
        *highest = number.max(*highest);
    };
    for (found, head) in files.iter().zip(heads) {
        match head {
            None => survey.plain += 1,
            Some((key, kept)) => {
                if let MasterKeyId::Uuid { uuid, number } = key {
                    meet(uuid, number);
                }
                survey.encrypted.push(Wrapped { found: found.clone(), kept });
            }
        }
    }
    for (uuid, number) in numbered(keys)? {
        meet(uuid, number);
    }
    Ok(survey)
}

impl Survey {
    /// The number that the next master key of a server must have.
    #[must_use]
    pub fn next_number(&self, uuid: ServerUuid) -> Option<u32> {
        self.highest.get(&uuid).map_or(Some(1), |highest| highest.checked_add(1))
    }
}

/// The head of a file that is to be written if it is encrypted. One that may not be written is met here, before anything has begun.
fn read_to_write(disk: &dyn Disk, found: &Found) -> Result<Option<Head>, HeadFault> {
    let forbidden = match Head::read(disk, &found.path, found.kind, Access::Write) {
        Err(HeadFault::Io(error)) if is_forbidden(&error) => error,
        read => return read,
    };
    match Head::read(disk, &found.path, found.kind, Access::Read)? {
        Some(Head { information: Some(_), .. }) => Err(HeadFault::Io(forbidden)),
        head => Ok(head),
    }
}

fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// The master keys of a keyring: server and number.
///
/// # Errors
/// [`RotateError::Keys`].
pub fn numbered(keys: &dyn MasterKeySource) -> Result<Vec<(ServerUuid, u32)>, RotateError> {
    let ids = keys.mysql_key_ids(MASTER_KEY_PREFIX).map_err(RotateError::Keys)?;
    Ok(ids
        .iter()
        .filter_map(|id| {
            let (uuid, number) = id.strip_prefix(MASTER_KEY_PREFIX)?.rsplit_once('-')?;
            Some((ServerUuid::new(uuid.as_bytes())?, number.parse().ok()?))
        })
        .collect())
}

/// Puts files that a survey found under a master key that is durable in the keyring. `folder` is where the journal is kept;
/// paths of files are below it or absolute.
///
/// # Errors
/// [`RotateError`]. Unless [`RotateError::has_begun`], no file was changed.
#[allow(clippy::too_many_arguments)]
pub fn rotate(
    disk: &dyn Disk,
    folder: &Path,
    files: &[Wrapped],
    keys: &dyn MasterKeySource,
    server_uuid: ServerUuid,
    number: u32,
    master: &KeyMaterial,
    run: Run<'_>,
) -> Result<Rotated, RotateError> {
    let id = MasterKeyId::Uuid { uuid: server_uuid, number };
    let rewrap = Rewrap { id: &id, master, keys };
    Journal::clear_draft(disk, folder)?;
    let patches = in_parallel(files, run, |Wrapped { found, kept }| {
        let in_file = |fault| RotateError::Head(found.path.clone(), fault);
        let patches = kept.as_ref().map(|kept| kept.rewrapped(rewrap)).transpose().map_err(in_file)?;
        if let Some(patches) = patches.flatten() {
            return Ok(patches);
        }
        match Head::read(disk, &found.path, found.kind, Access::Write).map_err(in_file)? {
            Some(head) => head.rewrapped(rewrap).map_err(in_file),
            None => Ok(Vec::new()),
        }
    })?;
    let entries: Vec<Entry> = files
        .iter()
        .zip(patches)
        .filter(|(_, patches)| !patches.is_empty())
        .map(|(Wrapped { found, .. }, patches)| Entry { path: Entry::relative(&found.path, folder), patches })
        .collect();
    let rotated = Rotated {
        server_uuid,
        number,
        changed: entries.len(),
        unchanged: files.len() - entries.len(),
        gone: Vec::new(),
    };
    if entries.is_empty() {
        return Ok(rotated);
    }
    let journal = Journal {
        change: Change::Rotate,
        server_uuid: server_uuid.to_string(),
        master_key_id: number,
        entries,
    };
    journal.begin(disk, folder)?;
    write(disk, folder, &journal.entries, &journal.entries, run)?;
    Journal::end(disk, folder)?;
    Ok(rotated)
}

/// Writes patches whose old bytes are there, and makes them durable, all at once, together with whatever else was written to
/// the files of `there`, which are all files of the rotation: an interrupted run has written some, and nobody knows whether
/// they are durable.
fn write(
    disk: &dyn Disk,
    folder: &Path,
    entries: &[Entry],
    there: &[Entry],
    run: Run<'_>,
) -> Result<(), RotateError> {
    let mut folders: Vec<PathBuf> =
        there.iter().map(|entry| folder_of(&entry.path_from(folder)).to_owned()).collect();
    folders.sort();
    folders.dedup();
    let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
    let bulk = disk.begin_bulk(&folders).map_err(RotateError::Sync)?;
    in_parallel(entries, run, |entry| {
        let path = entry.path_from(folder);
        let failed = |error| RotateError::Write(path.clone(), error);
        let file = disk.open(&path, Access::Write).map_err(failed)?;
        for patch @ Patch { offset, new, .. } in &entry.patches {
            let mut found = vec![0; new.len()];
            read_exactly(&*file, &mut found, *offset).map_err(failed)?;
            if !patch.is_between(*offset, &found) {
                return Err(RotateError::Changed(path.clone()));
            }
            file.write_at(new, *offset).map_err(failed)?;
            // What all threads have sent on its way is waited for by one.
            file.was_written(&(*offset..*offset + new.len() as u64));
        }
        run.progress.advance(1);
        Ok(())
    })?;
    bulk.sync().map_err(RotateError::Sync)
}

/// Finishes the rotation that was interrupted in a folder; `None` if there was none.
///
/// # Errors
/// [`RotateError`]. The journal stays, and this can be called again.
pub fn resume(
    disk: &dyn Disk,
    folder: &Path,
    keys: &dyn MasterKeySource,
    run: Run<'_>,
) -> Result<Option<Rotated>, RotateError> {
    let Some(journal) = Journal::find_to_resume(disk, folder)? else { return Ok(None) };
    if journal.change != Change::Rotate {
        return Err(RotateError::OtherChange);
    }
    let server_uuid = ServerUuid::new(journal.server_uuid.as_bytes()).ok_or(RotateError::Uuid)?;
    let id = MasterKeyId::Uuid { uuid: server_uuid, number: journal.master_key_id };
    let key_id = id.to_string();
    let master = keys.mysql_key(&key_id).map_err(RotateError::Keys)?.ok_or(RotateError::KeyGone(key_id))?;
    let rewrap = Rewrap { id: &id, master: &master, keys };
    run.progress.expect(journal.entries.len() as u64);
    let left = in_parallel(&journal.entries, run, |entry| {
        let path = entry.path_from(folder);
        let in_file = |fault| RotateError::Head(path.clone(), fault);
        let kind = crate::disk::walk::kind_of(&path).unwrap_or(FileKind::Named);
        let head = match Head::read(disk, &path, kind, Access::Read) {
            Err(HeadFault::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            head => head.map_err(in_file)?,
        };
        let Some(head) = head else { return Ok(None) };
        // A head that is whole may have been changed by a server since, so it is looked at as if it were the first time. One
        // that is not can only be what the journal says that it becomes.
        let patches = match head.check() {
            Ok(()) => head.rewrapped(rewrap).map_err(in_file)?,
            Err(_) => {
                head.completed(&entry.patches, rewrap).map_err(in_file)?;
                entry.patches.clone()
            }
        };
        Ok(Some(Entry { path: entry.path.clone(), patches }))
    })?;
    let gone = journal.entries.iter().zip(&left).filter(|(_, left)| left.is_none());
    let gone = gone.map(|(entry, _)| entry.path_from(folder)).collect();
    let there: Vec<Entry> = left.into_iter().flatten().collect();
    let changed: Vec<Entry> = there.iter().filter(|entry| !entry.patches.is_empty()).cloned().collect();
    write(disk, folder, &changed, &there, run)?;
    Journal::end(disk, folder)?;
    Ok(Some(Rotated {
        server_uuid,
        number: journal.master_key_id,
        changed: changed.len(),
        unchanged: there.len() - changed.len(),
        gone,
    }))
}

/// Does the same with every item, on as many threads as the run has. The first error ends it.
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    run: Run<'_>,
    work: impl Fn(&T) -> Result<R, RotateError> + Sync,
) -> Result<Vec<R>, RotateError> {
    /// Items that a thread takes at once.
    const BUNCH: usize = 16;
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Vec<R>)>> = Mutex::default();
    let failed: Mutex<Option<(usize, RotateError)>> = Mutex::default();
    let hand = || {
        while failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_none() {
            let from = next.fetch_add(BUNCH, Ordering::Relaxed);
            let Some(bunch) = items.get(from..items.len().min(from.saturating_add(BUNCH))) else { break };
            if bunch.is_empty() {
                break;
            }
            match bunch.iter().map(&work).collect() {
                Ok(results) => {
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((from, results));
                }
                Err(error) => {
                    let mut failed = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    // The first in the order of the items, so that the same input gives the same message.
                    if failed.as_ref().is_none_or(|(at, _)| *at > from) {
                        *failed = Some((from, error));
                    }
                }
            }
        }
    };
    let jobs = run.jobs.get().min(items.len().div_ceil(BUNCH)).max(1);
    std::thread::scope(|scope| {
        for _ in 1..jobs {
            scope.spawn(hand);
        }
        hand();
    });
    if let Some((_, error)) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(error);
    }
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(from, _)| *from);
    Ok(done.into_iter().flat_map(|(_, results)| results).collect())
}

impl fmt::Display for RotateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(path, fault) => write!(f, "{}: {fault}", path.display()),
            Self::Write(path, error) => write!(
                f,
                "{} cannot be written: {error}; every file is readable under the old or the new master key: put that right \
                 and finish with --resume",
                path.display()
            ),
            Self::Changed(path) => write!(
                f,
                "{} was changed by somebody else since the rotation looked at it, and was left alone; end what else works \
                 there and finish with --resume",
                path.display()
            ),
            Self::Sync(error) => write!(
                f,
                "what was written cannot be made durable: {error}; every file is readable under the old or the new master \
                 key: look at the disk and finish with --resume"
            ),
            Self::Journal(error) => error.fmt(f),
            Self::Keys(error) => error.fmt(f),
            Self::KeyGone(id) => write!(
                f,
                "the keyring does not have {id}, to which the interrupted rotation goes; use the keyring that it was begun \
                 with"
            ),
            Self::OtherChange => {
                f.write_str("what was interrupted here is no rotation; finish it with rekey --resume")
            }
            Self::Uuid => f.write_str("the journal names no server"),
        }
    }
}

impl std::error::Error for RotateError {}

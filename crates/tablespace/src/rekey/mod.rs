//! New tablespace keys for many files of MySQL, in place: every page is encrypted anew.
//!
//! The order of effects: the new keys, wrapped, are durable in a journal; then file by file the result is written beside it, made
//! durable and put in its place in one step; then the journal is removed. In between every file is whole, under its old key or
//! its new one, and [`resume`] finishes what was begun.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::walk::{FileKind, Found, kind_of};
use crate::disk::{Access, Disk, folder_of};
use crate::file::convert::{self, Random, Target};
use crate::file::{FileFault, Refusal, Source};
use crate::journal::{Change, Entry, Journal, JournalError, Patch};
use crate::keys::MasterKeySource;
use crate::mysql::Information;
use crate::page::Policy;
use crate::run::Run;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Files that were encrypted anew.
    pub changed: Vec<PathBuf>,
    /// Files of an interrupted run that had been already.
    pub unchanged: usize,
    /// Files of an interrupted run that are no longer there.
    pub gone: Vec<PathBuf>,
}

/// Why it was not begun, or not finished.
#[derive(Debug)]
pub enum RekeyError {
    /// A file, before anything has begun.
    File(PathBuf, FileFault),
    /// A file, while the journal is there.
    Interrupted(PathBuf, FileFault),
    /// The journal.
    Journal(JournalError),
    /// The journal is about something else: it is resumed by another verb.
    OtherChange,
    /// A file has neither its old nor its new key.
    Foreign(PathBuf),
}

impl From<JournalError> for RekeyError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// Gives files new tablespace keys; each is open only as long as it is worked on, because a data directory has more files
/// than a process may have open. `folder` is where the journal is kept; paths of files are below it or absolute.
///
/// # Errors
/// [`RekeyError`]. If the journal is there afterwards, it has begun and must be resumed.
pub fn rekey(
    disk: &dyn Disk,
    folder: &Path,
    files: &[Found],
    keys: &Arc<dyn MasterKeySource>,
    random: &Random<'_>,
    run: Run<'_>,
) -> Result<Rekeyed, RekeyError> {
    Journal::clear_draft(disk, folder)?;
    let mut entries = Vec::with_capacity(files.len());
    for found in files {
        let in_file = |fault| RekeyError::File(found.path.clone(), fault);
        let source = Source::open(disk, &found.path, found.kind, Policy::Any).map_err(in_file)?;
        // What no run could ever finish is not begun.
        if let Some(fault) = source.space.cut_off(source.size) {
            return Err(in_file(FileFault::Pages(vec![fault])));
        }
        let (old, new) = convert::new_information(&source, keys.as_ref(), random).map_err(in_file)?;
        let offset = source.space.geometry.encryption_offset() as u64;
        let patch = Patch { offset, old: old.to_bytes(), new: new.to_bytes() };
        entries.push(Entry { path: Entry::relative(&found.path, folder), patches: vec![patch] });
    }
    if entries.is_empty() {
        return Ok(Rekeyed::default());
    }
    let journal = Journal { change: Change::Rekey, server_uuid: String::new(), master_key_id: 0, entries };
    journal.begin(disk, folder)?;
    let mut rekeyed = Rekeyed::default();
    for (found, entry) in files.iter().zip(&journal.entries) {
        one(disk, &found.path, found.kind, entry, keys, run)?;
        rekeyed.changed.push(found.path.clone());
    }
    Journal::end(disk, folder)?;
    Ok(rekeyed)
}

/// Finishes what was interrupted in a folder; `None` if nothing was.
///
/// # Errors
/// [`RekeyError`]. The journal stays, and this can be called again.
pub fn resume(
    disk: &dyn Disk,
    folder: &Path,
    keys: &Arc<dyn MasterKeySource>,
    run: Run<'_>,
) -> Result<Option<Rekeyed>, RekeyError> {
    let Some(journal) = Journal::find_to_resume(disk, folder)? else { return Ok(None) };
    if journal.change != Change::Rekey {
        return Err(RekeyError::OtherChange);
    }
    let mut rekeyed = Rekeyed::default();
    for entry in &journal.entries {
        let path = entry.path_from(folder);
        match state(disk, &path, entry)? {
            State::Gone => rekeyed.gone.push(path),
            State::New => {
                // The name that it took may not be durable yet.
                disk.sync_folder(folder_of(&path))
                    .map_err(|error| RekeyError::Interrupted(path.clone(), FileFault::Write(error)))?;
                rekeyed.unchanged += 1;
            }
            State::Old => {
                let kind = kind_of(&path).unwrap_or(FileKind::Named);
                one(disk, &path, kind, entry, keys, run)?;
                rekeyed.changed.push(path);
            }
        }
    }
    Journal::end(disk, folder)?;
    Ok(Some(rekeyed))
}

fn one(
    disk: &dyn Disk,
    path: &Path,
    kind: FileKind,
    entry: &Entry,
    keys: &Arc<dyn MasterKeySource>,
    run: Run<'_>,
) -> Result<(), RekeyError> {
    let in_file = |fault| RekeyError::Interrupted(path.to_owned(), fault);
    let source = Source::open(disk, path, kind, Policy::Any).map_err(in_file)?;
    run.progress.expect(source.size);
    let new = entry.patches.first().map(|patch| Information::parse(&patch.new));
    let Some(Ok(Some(new))) = new else { return Err(RekeyError::Foreign(path.to_owned())) };
    match convert::rekey_mysql(disk, &source, keys, &new, Target::in_place(path), run) {
        // What a server has decrypted since is to stay so.
        Err(FileFault::Refused(Refusal::Plain)) => Ok(()),
        done => done.map_err(in_file),
    }
}

enum State {
    Old,
    New,
    Gone,
}

/// Which key a file has. It was put in its place as a whole, so there is nothing in between.
fn state(disk: &dyn Disk, path: &Path, entry: &Entry) -> Result<State, RekeyError> {
    let failed = |error| RekeyError::Interrupted(path.to_owned(), FileFault::Read(error));
    let Some(patch) = entry.patches.first() else { return Err(RekeyError::Foreign(path.to_owned())) };
    let file = match disk.open(path, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Gone),
        file => file.map_err(failed)?,
    };
    let mut bytes = vec![0; patch.old.len()];
    let count = file.read_at(&mut bytes, patch.offset).map_err(failed)?;
    bytes.truncate(count);
    if bytes == patch.new {
        Ok(State::New)
    } else if bytes == patch.old {
        Ok(State::Old)
    } else {
        Err(RekeyError::Foreign(path.to_owned()))
    }
}

impl fmt::Display for RekeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, fault) => write!(f, "{}: {fault}", path.display()),
            Self::Interrupted(path, fault) => write!(
                f,
                "{}: {fault}; the rekey has begun and is not finished, and every file is readable under its old or its new \
                 key: put that right (a damaged file is restored from a backup, or moved away) and finish with --resume",
                path.display()
            ),
            Self::Journal(error) => error.fmt(f),
            Self::OtherChange => {
                f.write_str("what was interrupted here is no rekey; finish it with rotate --resume")
            }
            Self::Foreign(path) => write!(
                f,
                "{} has neither the key that it had nor the one that it was to get, so a server has changed it since; move \
                 the journal away and begin again",
                path.display()
            ),
        }
    }
}

impl std::error::Error for RekeyError {}

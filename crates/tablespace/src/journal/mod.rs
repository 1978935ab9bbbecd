//! The journal of a change to many files: what each was, and what it becomes, written whole and synced before the first of
//! them is touched, and removed when all of them are durable (`docs/formats/rotate-journal.md`).
//!
//! As long as a journal is there, a change was begun and not finished. It holds wrapped keys only, as the files do.

mod bytes;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::disk::draft::draft_name;
use crate::disk::{Access, Disk, Draft, draft::Place, folder_of, read_exactly};

pub use bytes::Damage;

/// The name of a journal in the folder whose files it is about.
pub const FILE_NAME: &str = "strongroom-tablespace.journal";
/// The longest journal that is read, in bytes: room for a million tablespaces.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// Bytes that are compared at once, because most of a page does not change.
const COMPARED_BYTES: usize = 512;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Tablespace keys are wrapped by another master key.
    Rotate,
    /// Tablespaces get new keys, and all their pages are encrypted again.
    Rekey,
}

/// A change to many files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// What is done.
    pub change: Change,
    /// The server that the new master key belongs to.
    pub server_uuid: String,
    /// The number of the new master key.
    pub master_key_id: u32,
    /// The files.
    pub entries: Vec<Entry>,
}

/// A change to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file: relative to the folder of the journal where it is below it.
    pub path: PathBuf,
    /// What changes in it, in the order of the offsets.
    pub patches: Vec<Patch>,
}

/// Bytes that change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Where they are in the file.
    pub offset: u64,
    /// What they were.
    pub old: Vec<u8>,
    /// What they become; as many.
    pub new: Vec<u8>,
}

/// Why a journal cannot be used.
#[derive(Debug)]
pub enum JournalError {
    /// There is one already: an earlier change was not finished.
    Unfinished(PathBuf),
    /// It is no journal of ours, or a part of it is missing or changed.
    Damaged(PathBuf, Damage),
    /// The system's answer.
    Io(PathBuf, io::Error),
}

impl Journal {
    /// Where the journal of a folder is.
    #[must_use]
    pub fn path_in(folder: &Path) -> PathBuf {
        folder.join(FILE_NAME)
    }

    /// Makes the journal of a folder durable: from now on, the change counts as begun.
    ///
    /// # Errors
    /// [`JournalError::Unfinished`], [`JournalError::Io`]. Nothing has begun, unless the folder could not be synced, after
    /// which the journal may be there.
    pub fn begin(&self, disk: &dyn Disk, folder: &Path) -> Result<(), JournalError> {
        let path = Self::path_in(folder);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => JournalError::Unfinished(path.clone()),
            _ => JournalError::Io(path.clone(), error),
        };
        if disk.exists(&path).map_err(failed)? {
            return Err(JournalError::Unfinished(path));
        }
        let draft = Draft::new(disk, &path).map_err(failed)?;
        draft.file().write_at(&self.to_bytes(), 0).map_err(failed)?;
        draft.publish(Place::Free).map_err(failed)
    }

    /// The journal of a folder, if a change was begun there and not finished.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], [`JournalError::Io`].
    pub fn find(disk: &dyn Disk, folder: &Path) -> Result<Option<Self>, JournalError> {
        let path = Self::path_in(folder);
        let failed = |error| JournalError::Io(path.clone(), error);
        if !disk.exists(&path).map_err(failed)? {
            return Ok(None);
        }
        let file = disk.open(&path, Access::Read).map_err(failed)?;
        let size = file.size().map_err(failed)?;
        if size > FILE_BYTES_MAX {
            return Err(JournalError::Damaged(path, Damage::TooLong));
        }
        let mut text = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        read_exactly(&*file, &mut text, 0).map_err(failed)?;
        Self::parse(&text).map(Some).map_err(|damage| JournalError::Damaged(path, damage))
    }

    /// The same for who finishes the change. That there is none is durable afterwards: the run that was interrupted may have
    /// removed its journal and not lived to sync the folder.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_to_resume(disk: &dyn Disk, folder: &Path) -> Result<Option<Self>, JournalError> {
        Self::clear_draft(disk, folder)?;
        let found = Self::find(disk, folder)?;
        if found.is_none() {
            disk.sync_folder(folder).map_err(|error| JournalError::Io(folder.to_owned(), error))?;
        }
        Ok(found)
    }

    /// Ends the change: its files are durable.
    ///
    /// # Errors
    /// [`JournalError::Io`], after which the journal may still be there.
    pub fn end(disk: &dyn Disk, folder: &Path) -> Result<(), JournalError> {
        let path = Self::path_in(folder);
        disk.remove(&path)
            .and_then(|()| disk.sync_folder(folder_of(&path)))
            .map_err(|error| JournalError::Io(path, error))
    }

    /// Removes what a run left that was killed before its change had begun.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn clear_draft(disk: &dyn Disk, folder: &Path) -> Result<(), JournalError> {
        let path = draft_name(&Self::path_in(folder));
        match disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(JournalError::Io(path, error)),
            _ => Ok(()),
        }
    }
}

impl Entry {
    /// The file, for a journal in this folder.
    #[must_use]
    pub fn path_from(&self, folder: &Path) -> PathBuf {
        // Joining leaves an absolute path as it is.
        folder.join(&self.path)
    }

    /// The path that an entry has for a file.
    #[must_use]
    pub fn relative(path: &Path, folder: &Path) -> PathBuf {
        path.strip_prefix(folder).unwrap_or(path).to_owned()
    }
}

impl Patch {
    /// The stretches in which two versions of the same bytes differ. Differences that are closer together than `gap` bytes
    /// are one.
    #[must_use]
    pub fn between(offset: u64, old: &[u8], new: &[u8], gap: usize) -> Vec<Self> {
        let mut stretches: Vec<Range<usize>> = Vec::new();
        let runs = old.chunks(COMPARED_BYTES).zip(new.chunks(COMPARED_BYTES)).enumerate();
        for (run, (old, new)) in runs.filter(|(_, (old, new))| old != new) {
            let differs = old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new);
            for at in differs.map(|(at, _)| run * COMPARED_BYTES + at) {
                match stretches.last_mut() {
                    Some(last) if at < last.end + gap => last.end = at + 1,
                    _ => stretches.push(at..at + 1),
                }
            }
        }
        let patch = |stretch: Range<usize>| Self {
            offset: offset + stretch.start as u64,
            old: old[stretch.clone()].to_vec(),
            new: new[stretch].to_vec(),
        };
        stretches.into_iter().map(patch).collect()
    }

    /// Where these bytes are in a buffer that begins at `start` of the file.
    fn range_in(&self, start: u64) -> Option<Range<usize>> {
        let at = usize::try_from(self.offset.checked_sub(start)?).ok()?;
        Some(at..at.checked_add(self.new.len())?)
    }

    /// Whether every byte is what it was or what it becomes, as after a write that was cut short.
    #[must_use]
    pub fn is_between(&self, start: u64, buffer: &[u8]) -> bool {
        self.range_in(start).and_then(|range| buffer.get(range)).is_some_and(|found| {
            found
                .iter()
                .zip(self.old.iter().zip(&self.new))
                .all(|(found, (old, new))| found == old || found == new)
        })
    }

    /// Puts the new bytes into a buffer that begins at `start` of the file and holds them.
    pub fn apply(&self, start: u64, buffer: &mut [u8]) {
        if let Some(place) = self.range_in(start).and_then(|range| buffer.get_mut(range)) {
            place.copy_from_slice(&self.new);
        }
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished(path) => {
                write!(
                    f,
                    "an earlier change was not finished ({} is there); finish it with --resume",
                    path.display()
                )
            }
            Self::Damaged(path, damage) => write!(
                f,
                "{} is not whole ({damage}); move it away, let verify tell whether every file is whole, and begin again",
                path.display()
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for JournalError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_that_are_close_are_one_patch() {
        let (old, mut new) = (vec![0; 100], vec![0; 100]);
        for at in [3, 5, 50, 99] {
            new[at] = 1;
        }
        let patches = Patch::between(1000, &old, &new, 4);
        let places: Vec<_> = patches.iter().map(|patch| (patch.offset, patch.new.len())).collect();
        assert_eq!(places, [(1003, 3), (1050, 1), (1099, 1)]);
        let mut again = old.clone();
        patches.iter().for_each(|patch| patch.apply(1000, &mut again));
        assert_eq!(again, new);
    }

    #[test]
    fn a_byte_that_is_neither_old_nor_new_is_noticed() {
        let patch = Patch { offset: 2, old: vec![1, 1], new: vec![2, 2] };
        assert!(patch.is_between(0, &[0, 0, 1, 2]));
        assert!(!patch.is_between(0, &[0, 0, 1, 3]));
        assert!(!patch.is_between(0, &[0, 0, 1]));
        assert!(!patch.is_between(3, &[1, 1, 1]));
    }
}

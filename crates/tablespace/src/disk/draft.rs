//! A new file that others see only when it is whole: written under another name in the same folder, synced, renamed, and the
//! folder synced.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::{Access, Disk, DiskFile, folder_of};

/// What the names of unfinished files end with. Whatever has such a name was left by a run that was killed.
pub const DRAFT_SUFFIX: &str = ".strongroom-draft";

/// A file that is being written. Dropped unpublished, it is removed.
pub struct Draft<'a> {
    disk: &'a dyn Disk,
    file: Box<dyn DiskFile>,
    at: PathBuf,
    target: PathBuf,
    is_published: bool,
}

/// What may stand where a draft is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nothing: an existing file is left alone.
    Free,
    /// The file that the draft replaces.
    Taken,
}

/// The name that the draft of a file has.
#[must_use]
pub fn draft_name(target: &Path) -> PathBuf {
    let mut name = target.file_name().map_or_else(OsString::new, OsString::from);
    name.push(DRAFT_SUFFIX);
    target.with_file_name(name)
}

impl<'a> Draft<'a> {
    /// Begins a file that will be `target`. A draft that a killed run left behind is removed first; one that a run is writing
    /// is not, because that run would publish this one's.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::ResourceBusy`] where another run is writing the same file.
    pub fn new(disk: &'a dyn Disk, target: &Path) -> io::Result<Self> {
        let at = draft_name(target);
        let file = match disk.create(&at) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let left = disk.open(&at, Access::Write)?;
                if !left.claim()? {
                    return Err(busy(&at));
                }
                disk.remove(&at)?;
                disk.create(&at)?
            }
            created => created?,
        };
        if !file.claim()? {
            return Err(busy(&at));
        }
        Ok(Self { disk, file, at, target: target.to_owned(), is_published: false })
    }

    /// The file to write to.
    #[must_use]
    pub fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    /// Makes the file durable, then gives it its name, then makes the name durable.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::AlreadyExists`] where the place is to be free and is not. Nothing has been published
    /// unless the last step failed, after which the file is there and may be gone again after a power cut.
    pub fn publish(mut self, place: Place) -> io::Result<()> {
        self.file.sync()?;
        match place {
            Place::Free => self.disk.rename_new(&self.at, &self.target)?,
            Place::Taken => self.disk.rename(&self.at, &self.target)?,
        }
        self.is_published = true;
        self.disk.sync_folder(folder_of(&self.target))
    }
}

fn busy(at: &Path) -> io::Error {
    let text = format!("another run is writing {}; let it end first", at.display());
    io::Error::new(io::ErrorKind::ResourceBusy, text)
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_published {
            // Left behind, it is removed by the next run.
            let _ = self.disk.remove(&self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::disk::SystemDisk;

    #[test]
    fn a_draft_is_not_seen_before_it_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("t.ibd");
        // Left by a run that was killed.
        fs::write(draft_name(&target), "half").unwrap();
        let draft = Draft::new(&SystemDisk, &target).unwrap();
        draft.file().write_at(b"whole", 0).unwrap();
        assert!(!target.exists());
        draft.publish(Place::Free).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert!(!draft_name(&target).exists());
    }

    #[test]
    fn a_file_in_the_way_is_left_alone_unless_it_is_to_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("t.ibd");
        fs::write(&target, "old").unwrap();
        let draft = |text: &[u8]| {
            let draft = Draft::new(&SystemDisk, &target).unwrap();
            draft.file().write_at(text, 0).unwrap();
            draft
        };
        assert_eq!(draft(b"new").publish(Place::Free).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        draft(b"new").publish(Place::Taken).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_draft_that_another_run_is_writing_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("t.ibd");
        let first = Draft::new(&SystemDisk, &target).unwrap();
        first.file().write_at(b"first", 0).unwrap();
        let second = Draft::new(&SystemDisk, &target).err().unwrap();
        assert_eq!(second.kind(), io::ErrorKind::ResourceBusy);
        first.publish(Place::Free).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"first");
    }

    #[test]
    fn a_draft_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(Draft::new(&SystemDisk, &folder.path().join("t.ibd")).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

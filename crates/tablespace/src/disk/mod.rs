//! Files, as the tools that rewrite tablespaces need them.
//!
//! What changes a file goes through [`Disk`] and [`DiskFile`], which name exactly the steps that a crash can fall between: a
//! write, a sync, a rename. The tests put a disk behind them that fails, stops or loses what was not synced, at any step.
//!
//! | module | what it does |
//! |---|---|
//! | [`system`] | the real thing |
//! | [`draft`] | a new file, seen by others only when it is whole |
//! | [`in_use`] | whether a server has a file open |
//! | [`walk`] | the files of a directory, of a whole data directory |

pub mod draft;
pub mod in_use;
pub mod system;
pub mod walk;

use std::io;
use std::ops::Range;
use std::path::Path;

pub use draft::Draft;
pub use system::SystemDisk;

/// Bytes that a disk writes as one: what a power cut can leave half old and half new is made of these.
pub const SECTOR_BYTES: usize = 512;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

/// A file system.
///
/// A change is durable when the file, or for a name the folder it is in, has been synced afterwards.
pub trait Disk: Send + Sync {
    /// Opens a file that exists.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// Makes a file that nobody but its owner can read, and opens it for writing.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::AlreadyExists`].
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in place of whatever had it.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a name that nothing has.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::AlreadyExists`].
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Whether there is something of this name.
    ///
    /// # Errors
    /// The system's.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes everything durable that was written to files below these folders since `begin_bulk`, of which there are many.
    ///
    /// # Errors
    /// The system's.
    fn begin_bulk(&self, folders: &[&Path]) -> io::Result<Box<dyn Bulk>>;
}

/// Many files that are written, then synced at once.
pub trait Bulk: Send {
    /// Makes everything durable that was written since this was made.
    ///
    /// # Errors
    /// The system's, also for a write of before that failed only now.
    fn sync(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// The system's.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buffer` with what is at `offset`. Where the file ends before, the count is smaller.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `data` at `offset`.
    ///
    /// # Errors
    /// The system's.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()>;

    /// Says that a stretch is written and stays so, so that the disk can begin and a sync has less to wait for. Nothing but
    /// advice: only a sync makes it durable.
    fn was_written(&self, stretch: &Range<u64>) {
        let _ = stretch;
    }

    /// Cuts the file off or, with a hole, makes it longer.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// The next stretch at or behind `offset` that is stored; what lies between is a hole and reads as zeros. Where the
    /// file system knows no holes, all of the file is stored.
    ///
    /// # Errors
    /// The system's.
    fn stored(&self, offset: u64) -> io::Result<Option<Range<u64>>>;

    /// Takes over mode, owner, times and extended attributes of the file at `path`.
    ///
    /// # Errors
    /// The system's.
    fn take_after(&self, path: &Path) -> io::Result<()>;

    /// Makes what was written durable.
    ///
    /// # Errors
    /// The system's.
    fn sync(&self) -> io::Result<()>;

    /// Takes the file for this process, until it is closed. `false` where another has it, or where it has no name any more. A
    /// file system that cannot tell gives it to everybody.
    ///
    /// # Errors
    /// The system's.
    fn claim(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// Fills `buffer` from a place in a file that has as many bytes there.
///
/// # Errors
/// The system's; [`io::ErrorKind::UnexpectedEof`] where the file ends before.
pub fn read_exactly(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let count = file.read_at(buffer, offset)?;
    if count < buffer.len() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// The folder a path is in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

//! Whether a data directory's server was shut down cleanly: whether its redo log has anything that a start would replay.
//!
//! A server that starts applies what the log holds behind its last checkpoint, and would put old pages over new ones. After a clean
//! shutdown there is nothing: the checkpoint is the end of the log, and page 0 of the system tablespace names the same log
//! sequence number (`FIL_PAGE_FILE_FLUSH_LSN`).
//!
//! | where | offset | bytes | what |
//! |---|---|---|---|
//! | header, block 0 | 0 | 4 | format: 6 since MySQL 8.0.30, 1 to 5 before |
//! | | 8 | 8 | log sequence number at which the file's blocks begin |
//! | blocks 1 and 3 | 8 | 8 | checkpoint |
//! | | 16 | 8 | before 8.0.30: where that is in the files, as if they were one |
//! | | 508 | 4 | CRC-32C of the block |
//! | each block from 4 on | 0 | 4 | number: log sequence number / 512 + 1; the highest bit is a flag |
//! | | 4 | 2 | bytes used, with the 12 of this header; the highest bit says encrypted |

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::in_use::SYSTEM_TABLESPACE;
use crate::disk::walk::{FileKind, Found};
use crate::disk::{Access, Disk, DiskFile};
use crate::page::header::{FLUSH_LSN, HEADER_BYTES, u32_at, u64_at};

const BLOCK_BYTES: u64 = 512;
const BLOCK: usize = 512;
/// Blocks of a file's header.
const HEADER_BLOCKS: u64 = 4;
const FILE_HEADER_BYTES: u64 = HEADER_BLOCKS * BLOCK_BYTES;
/// The first format whose files name their own log sequence numbers.
const FORMAT_8_0_30: u32 = 6;
/// The highest format of MySQL that is known here. MariaDB's have larger numbers.
const FORMAT_MAX: u32 = 64;
const FILE_START: usize = 8;
const CHECKPOINTS: [usize; 2] = [BLOCK, 3 * BLOCK];
const CHECKPOINT_LSN: usize = 8;
const CHECKPOINT_OFFSET: usize = 16;
const CHECKSUM: usize = 508;
const BLOCK_NUMBER_MASK: u32 = 0x3FFF_FFFF;
const USED: usize = 4;
const USED_MASK: u16 = 0x7FFF;

/// Why a data directory is not one to rotate in.
#[derive(Debug)]
pub enum RedoFault {
    /// The system's answer.
    Io(PathBuf, io::Error),
    /// There is no redo log among the files.
    None,
    /// The system tablespace is not in the data directory, nor among the files.
    NoSystem(PathBuf),
    /// No file has a checkpoint that is whole.
    NoCheckpoint,
    /// The log is of a format that is not known.
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The system tablespace was last flushed at another place than the checkpoint.
    Flushed {
        /// The log sequence number in the system tablespace.
        flushed: u64,
        /// The checkpoint.
        checkpoint: u64,
    },
    /// The log goes on behind the checkpoint.
    Behind {
        /// The checkpoint.
        checkpoint: u64,
    },
}

struct LogFile<'a> {
    path: &'a Path,
    file: Box<dyn DiskFile>,
    start: u64,
    size: u64,
}

struct Checkpoint {
    lsn: u64,
    offset: u64,
}

/// Refuses a data directory whose redo log would be replayed. `files` are those found in it, redo log included.
///
/// # Errors
/// [`RedoFault`].
pub fn check_shutdown(disk: &dyn Disk, data_directory: &Path, files: &[Found]) -> Result<(), RedoFault> {
    let (mut logs, mut checkpoint, mut is_old) = (Vec::new(), None::<Checkpoint>, false);
    let mut blank = None;
    for found in files.iter().filter(|found| found.kind == FileKind::Redo) {
        let failed = |error| RedoFault::Io(found.path.clone(), error);
        let file = disk.open(&found.path, Access::Read).map_err(failed)?;
        let mut head = vec![0; HEADER_BLOCKS as usize * BLOCK];
        if file.read_at(&mut head, 0).map_err(failed)? < head.len() {
            continue;
        }
        if head.iter().all(|&byte| byte == 0) {
            blank.get_or_insert(&found.path);
            continue;
        }
        let format = u32_at(&head, 0);
        if format == 0 || format > FORMAT_MAX {
            return Err(RedoFault::Format { path: found.path.clone(), format });
        }
        is_old |= format < FORMAT_8_0_30;
        for at in CHECKPOINTS {
            let block = &head[at..at + BLOCK];
            let lsn = u64_at(block, CHECKPOINT_LSN);
            let is_whole = crc32c::crc32c(&block[..CHECKSUM]) == u32_at(block, CHECKSUM);
            if is_whole && lsn > checkpoint.as_ref().map_or(0, |known| known.lsn) {
                checkpoint = Some(Checkpoint { lsn, offset: u64_at(block, CHECKPOINT_OFFSET) });
            }
        }
        let size = file.size().map_err(failed)?;
        logs.push(LogFile { path: &found.path, file, start: u64_at(&head, FILE_START), size });
    }
    // Until 8.0.29 a server writes the header of a file when it comes to it for the first time. Any other is damaged.
    if let (Some(path), false) = (blank, is_old) {
        return Err(RedoFault::Format { path: path.clone(), format: 0 });
    }
    if logs.is_empty() {
        return Err(RedoFault::None);
    }
    let checkpoint = checkpoint.ok_or(RedoFault::NoCheckpoint)?;
    let flushed = flushed(disk, data_directory, files)?;
    if flushed != checkpoint.lsn {
        return Err(RedoFault::Flushed { flushed, checkpoint: checkpoint.lsn });
    }
    let place = match is_old {
        true => place_in_group(&logs, &checkpoint),
        false => place_in_files(&logs, &checkpoint),
    };
    match place {
        Some((log, offset)) if goes_on(log, offset, checkpoint.lsn)? => {
            Err(RedoFault::Behind { checkpoint: checkpoint.lsn })
        }
        _ => Ok(()),
    }
}

/// The log sequence number that page 0 of the system tablespace names.
fn flushed(disk: &dyn Disk, data_directory: &Path, files: &[Found]) -> Result<u64, RedoFault> {
    // It may be elsewhere (`innodb_data_home_dir`).
    let is_system = |found: &&Found| found.path.file_name().is_some_and(|name| name == SYSTEM_TABLESPACE);
    let mut path = data_directory.join(SYSTEM_TABLESPACE);
    if !disk.exists(&path).map_err(|error| RedoFault::Io(path.clone(), error))? {
        let named = files.iter().find(is_system);
        path = named.ok_or_else(|| RedoFault::NoSystem(data_directory.to_owned()))?.path.clone();
    }
    let mut head = [0; HEADER_BYTES];
    disk.open(&path, Access::Read)
        .and_then(|file| crate::disk::read_exactly(&*file, &mut head, 0))
        .map_err(|error| RedoFault::Io(path, error))?;
    Ok(u64_at(&head, FLUSH_LSN))
}

/// The block of the checkpoint, since MySQL 8.0.30.
fn place_in_files<'a>(logs: &'a [LogFile<'a>], checkpoint: &Checkpoint) -> Option<(&'a LogFile<'a>, u64)> {
    let block = checkpoint.lsn / BLOCK_BYTES * BLOCK_BYTES;
    let log = logs
        .iter()
        .find(|log| log.start <= block && block - log.start < log.size.saturating_sub(FILE_HEADER_BYTES))?;
    Some((log, FILE_HEADER_BYTES + block - log.start))
}

/// The block of the checkpoint, before: all files of a group have the same size.
fn place_in_group<'a>(logs: &'a [LogFile<'a>], checkpoint: &Checkpoint) -> Option<(&'a LogFile<'a>, u64)> {
    let size = logs.first()?.size.max(1);
    let number = usize::try_from(checkpoint.offset / size).ok()?;
    let name = format!("ib_logfile{number}");
    let log = logs.iter().find(|log| log.path.file_name().is_some_and(|file| *file == *name))?;
    Some((log, checkpoint.offset % size / BLOCK_BYTES * BLOCK_BYTES))
}

/// Whether the block of the checkpoint is written beyond it. A block that is not the expected one was never written.
fn goes_on(log: &LogFile<'_>, offset: u64, checkpoint: u64) -> Result<bool, RedoFault> {
    let mut block = [0; BLOCK];
    let count =
        log.file.read_at(&mut block, offset).map_err(|error| RedoFault::Io(log.path.to_owned(), error))?;
    let number = u32::try_from((checkpoint / BLOCK_BYTES + 1) & u64::from(BLOCK_NUMBER_MASK)).unwrap_or(0);
    if count < BLOCK || u32_at(&block, 0) & BLOCK_NUMBER_MASK != number {
        return Ok(false);
    }
    let used = crate::page::header::u16_at(&block, USED) & USED_MASK;
    Ok(u64::from(used) > checkpoint % BLOCK_BYTES)
}

impl fmt::Display for RedoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::None => f.write_str(
                "the data directory has no redo log, so nobody can tell whether its server was shut down cleanly; name the \
                 folder of the redo log as well",
            ),
            Self::NoSystem(path) => write!(
                f,
                "{} has no {SYSTEM_TABLESPACE}, so nobody can tell whether its server was shut down cleanly; name that file as \
                 well (SELECT @@innodb_data_home_dir tells where it is)",
                path.display()
            ),
            Self::NoCheckpoint => f.write_str(
                "the redo log has no checkpoint that is whole; start the server, shut it down cleanly, and run it again",
            ),
            Self::Format { path, format } => write!(
                f,
                "{} is a redo log of format {format:#x}, which is none of MySQL's that is known here; use a newer release of \
                 strongroom",
                path.display()
            ),
            Self::Flushed { flushed, checkpoint } => write!(
                f,
                "the server was not shut down cleanly: the system tablespace was flushed at {flushed} and the checkpoint of \
                 the redo log is {checkpoint}; start the server and shut it down (innodb_fast_shutdown 0 or 1): recovery would \
                 put the old headers back"
            ),
            Self::Behind { checkpoint } => write!(
                f,
                "the server was not shut down cleanly: its redo log goes on behind the last checkpoint, {checkpoint}; start \
                 the server and shut it down (innodb_fast_shutdown 0 or 1): recovery would put the old headers back"
            ),
        }
    }
}

impl std::error::Error for RedoFault {}

//! Redo logs and binary logs of MySQL, decrypted for who wants to look into them.

use std::path::Path;

use zeroize::Zeroizing;

use super::convert::{Target, check_place};
use super::{FileFault, Refusal};
use crate::codec::CodecError;
use crate::disk::{Access, Disk, DiskFile, Draft};
use crate::keys::MasterKeySource;
use crate::mysql::binlog::{self, BinlogHeader};
use crate::mysql::redo::{self, RedoCodec, RedoHeader};
use crate::mysql::{Information, TablespaceKey};
use crate::run::{Run, pipeline};

/// What a log file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// A redo log.
    Redo,
    /// A binary or relay log.
    Binary,
}

/// What became of a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decrypted {
    /// What it is.
    pub log: Log,
    /// Whether it says that it is encrypted. One that does not is copied.
    pub was_encrypted: bool,
}

/// The key of a redo log, from that of its files which has it.
///
/// # Errors
/// [`FileFault`].
pub fn redo_key(
    disk: &dyn Disk,
    path: &Path,
    keys: &dyn MasterKeySource,
) -> Result<Option<TablespaceKey>, FileFault> {
    let file = disk.open(path, Access::Read).map_err(FileFault::Read)?;
    let head = start(&*file, redo::HEADER_BYTES)?;
    let Ok(header) = RedoHeader::parse(&head) else { return Ok(None) };
    match header.information.map_err(FileFault::Information)? {
        Some(information) => unlock(&information, keys).map(Some),
        None => Ok(None),
    }
}

fn unlock(information: &Information, keys: &dyn MasterKeySource) -> Result<TablespaceKey, FileFault> {
    information.unlock(keys).map_err(FileFault::Unlock)
}

/// Writes a log file without its encryption. `redo_key` is that of the log which a redo file belongs to: only one of its files
/// has it.
///
/// # Errors
/// [`FileFault`]; [`Refusal::NoLog`], [`Refusal::MariaDbLog`].
pub fn decrypt(
    disk: &dyn Disk,
    path: &Path,
    keys: &dyn MasterKeySource,
    redo_key: Option<&TablespaceKey>,
    target: Target<'_>,
    run: Run<'_>,
) -> Result<Decrypted, FileFault> {
    let file = disk.open(path, Access::Read).map_err(FileFault::Read)?;
    let head = start(&*file, redo::HEADER_BYTES)?;
    let size = file.size().map_err(FileFault::Read)?;
    let draft = |size: u64, offset: u64, work: &pipeline::Work<'_>| {
        check_place(disk, target)?;
        let draft = Draft::new(disk, target.path).map_err(FileFault::Write)?;
        let behind = Behind { file: &*file, offset };
        pipeline::send(&behind, Some(draft.file()), size, redo::BLOCK_BYTES, run, work)?;
        draft.file().take_after(path).map_err(FileFault::Write)?;
        draft.publish(target.place).map_err(FileFault::Write)
    };
    match binlog::is_encrypted(&head) {
        Some(true) => {
            let header = BinlogHeader::parse(&head).map_err(FileFault::Binlog)?;
            let behind = head.get(binlog::HEADER_BYTES..).unwrap_or_default();
            let key = header.unlock(keys, behind).map_err(FileFault::BinlogKey)?;
            let offset = binlog::HEADER_BYTES as u64;
            draft(size.saturating_sub(offset), offset, &|first, bytes| {
                key.apply(u64::from(first) * redo::BLOCK_BYTES as u64, bytes);
                Ok(Vec::new())
            })?;
            return Ok(Decrypted { log: Log::Binary, was_encrypted: true });
        }
        Some(false) if binlog::is_mariadb_encrypted(&head) => {
            return Err(FileFault::Refused(Refusal::MariaDbLog));
        }
        Some(false) => {
            draft(size, 0, &|_, _| Ok(Vec::new()))?;
            return Ok(Decrypted { log: Log::Binary, was_encrypted: false });
        }
        None => {}
    }
    let header = RedoHeader::parse(&head).map_err(|_| FileFault::Refused(Refusal::NoLog))?;
    let own = match header.information.map_err(FileFault::Information)? {
        Some(information) => Some(unlock(&information, keys)?),
        None => None,
    };
    let codec = RedoCodec::new(own.as_ref().or(redo_key));
    let header_blocks = redo::HEADER_BYTES / redo::BLOCK_BYTES;
    let was_encrypted = std::sync::atomic::AtomicBool::new(own.is_some());
    let fault = std::sync::Mutex::new(None);
    let done = draft(size, 0, &|first, bytes| {
        let begin = if first == 0 { header_blocks * redo::BLOCK_BYTES } else { 0 };
        if first == 0 && redo::set_plain(bytes).is_err() {
            return Ok(Vec::new());
        }
        let blocks = bytes.get_mut(begin..).unwrap_or_default();
        let some_are = blocks.chunks(redo::BLOCK_BYTES).any(redo::is_encrypted);
        was_encrypted.fetch_or(some_are, std::sync::atomic::Ordering::Relaxed);
        let faults = codec.decrypt(blocks)?;
        match faults.into_iter().find(|fault| matches!(fault, redo::RedoFault::EncryptedWithoutKey { .. })) {
            Some(found) => {
                *fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(found);
                Err(CodecError::NoKey)
            }
            // A log is a ring: what lies behind its end is of earlier times, and may be half written over.
            None => Ok(Vec::new()),
        }
    });
    match (done, fault.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)) {
        (Err(FileFault::Codec(CodecError::NoKey)), Some(fault)) => Err(FileFault::Redo(fault)),
        (done, _) => done.map(|()| Decrypted { log: Log::Redo, was_encrypted: was_encrypted.into_inner() }),
    }
}

fn start(file: &dyn DiskFile, len: usize) -> Result<Zeroizing<Vec<u8>>, FileFault> {
    let mut bytes = Zeroizing::new(vec![0; len]);
    let count = file.read_at(&mut bytes, 0).map_err(FileFault::Read)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// What lies behind an offset of a file, as if it were a file.
struct Behind<'a> {
    file: &'a dyn DiskFile,
    offset: u64,
}

impl DiskFile for Behind<'_> {
    fn size(&self) -> std::io::Result<u64> {
        Ok(self.file.size()?.saturating_sub(self.offset))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.file.read_at(buffer, self.offset + offset)
    }

    fn write_at(&self, _: &[u8], _: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn set_len(&self, _: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn stored(&self, offset: u64) -> std::io::Result<Option<std::ops::Range<u64>>> {
        let size = self.size()?;
        Ok((offset < size).then_some(offset..size))
    }

    fn take_after(&self, _: &Path) -> std::io::Result<()> {
        Err(std::io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> std::io::Result<()> {
        Ok(())
    }
}

//! The part of a file that says under which master key it is: page 0 of a tablespace, or a block of a redo log's header.

use std::fmt;
use std::io;
use std::path::Path;

use strongroom_secret::KeyMaterial;

use super::steady::{self, SPARE_BYTES};
use crate::disk::walk::FileKind;
use crate::disk::{Access, Disk, DiskFile};
use crate::journal::Patch;
use crate::keys::MasterKeySource;
use crate::mysql::redo::{HEADER_BYTES as HEADER_BYTES_OF_REDO, INFORMATION_OFFSET};
use crate::mysql::{self, Information, InformationFault, MasterKeyId, TablespaceKey, UnlockError};
use crate::page::{Algorithm, Fault, Geometry, Policy, checksum};
use crate::tablespace::{DetectError, Encryption, HEAD_BYTES, Tablespace};

/// Bytes that are read first: a page of the usual size.
const FIRST_READ_BYTES: usize = 16384;
/// Bytes that InnoDB reserves for encryption information (`Encryption::INFO_MAX_SIZE`).
const RESERVED_BYTES: usize = 115;
/// Differences that are closer together are written as one.
const PATCH_GAP_BYTES: usize = 64;

/// What a file's head says, and its bytes.
pub(super) struct Head {
    bytes: Vec<u8>,
    layout: Layout,
    /// The wrapped key; `None` for a file that is not encrypted.
    pub(super) information: Option<Information>,
}

/// Of a head that was found to be whole, what another master key needs: a hundredth of the page, so that those of a whole data
/// directory are kept from one reading.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Where the bytes reserved for the information are in the file, and what is in them.
    at: usize,
    reserved: Vec<u8>,
    /// Whether the page's checksum covers them, and must be kept what it is.
    is_covered: bool,
    information: Information,
}

#[derive(Clone, Copy)]
enum Layout {
    Page { geometry: Geometry, algorithm: Option<Algorithm> },
    Redo,
}

/// What is wrong with a head.
#[derive(Debug)]
pub enum HeadFault {
    /// The system's answer.
    Io(io::Error),
    /// It is no tablespace.
    NotATablespace(DetectError),
    /// It is MariaDB's, which wraps no keys.
    MariaDb,
    /// Page 0 is damaged.
    Damaged(Fault),
    /// The encryption information makes no sense.
    Information(InformationFault),
    /// The tablespace key cannot be had.
    Unlock(UnlockError),
    /// The new master key is not 32 bytes long.
    MasterKeyLength(usize),
    /// What was made does not give the tablespace key again.
    NotReadBack,
    /// Bytes are neither what the journal says they were nor what they become.
    Foreign,
}

/// Heads re-wrapped under one master key.
#[derive(Clone, Copy)]
pub(super) struct Rewrap<'a> {
    pub(super) id: &'a MasterKeyId,
    pub(super) master: &'a KeyMaterial,
    pub(super) keys: &'a dyn MasterKeySource,
}

impl Head {
    /// Reads the head of a file. `None` for files that have none to re-wrap: those whose name says that the server
    /// makes them anew, and later files of a system tablespace.
    pub(super) fn read(
        disk: &dyn Disk,
        path: &Path,
        kind: FileKind,
        access: Access,
    ) -> Result<Option<Self>, HeadFault> {
        match kind {
            FileKind::Temporary | FileKind::Doublewrite => return Ok(None),
            _ => {}
        }
        let file = disk.open(path, access).map_err(HeadFault::Io)?;
        Self::of(&*file, kind)
    }

    pub(super) fn of(file: &dyn DiskFile, kind: FileKind) -> Result<Option<Self>, HeadFault> {
        if kind == FileKind::Redo {
            let bytes = read(file, HEADER_BYTES_OF_REDO)?;
            let Some(at) = bytes.get(INFORMATION_OFFSET..) else { return Ok(None) };
            let information = Information::parse(at).map_err(HeadFault::Information)?;
            return Ok(Some(Self { bytes, layout: Layout::Redo, information }));
        }
        let mut bytes = read(file, FIRST_READ_BYTES)?;
        let mut detected = Tablespace::detect(&bytes);
        if matches!(detected, Err(DetectError::Short { .. })) && bytes.len() == FIRST_READ_BYTES {
            bytes = read(file, HEAD_BYTES)?;
            detected = Tablespace::detect(&bytes);
        }
        let space = match detected {
            Ok(space) => space,
            Err(DetectError::Zero) => return Ok(None),
            Err(DetectError::Number { .. }) if kind == FileKind::System => return Ok(None),
            Err(fault) => return Err(HeadFault::NotATablespace(fault)),
        };
        let information = match space.encryption {
            Encryption::None => None,
            Encryption::MySql(mysql::Encryption { information, .. }) => {
                match (information, space.head.clone()) {
                    (Ok(information), _) => Some(information),
                    (Err(_), Err(fault)) => return Err(HeadFault::Damaged(fault)),
                    (Err(fault), Ok(_)) => return Err(HeadFault::Information(fault)),
                }
            }
            Encryption::MariaDb(_) => return Err(HeadFault::MariaDb),
        };
        bytes.truncate(space.geometry.physical());
        let layout = Layout::Page { geometry: space.geometry, algorithm: space.head.ok() };
        Ok(Some(Self { bytes, layout, information }))
    }

    /// Refuses a page 0 that is damaged.
    pub(super) fn check(&self) -> Result<(), HeadFault> {
        match self.layout {
            Layout::Page { geometry, algorithm: None } => {
                checksum::verify(geometry, &self.bytes, Policy::Any).map_err(HeadFault::Damaged).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// What changes in it, or nothing if it is under the new master key already.
    pub(super) fn rewrapped(&self, rewrap: Rewrap<'_>) -> Result<Vec<Patch>, HeadFault> {
        self.check()?;
        let Some(old) = &self.information else { return Ok(Vec::new()) };
        if let Some(patches) = self.kept()?.map(|kept| kept.rewrapped(rewrap)).transpose()?.flatten() {
            return Ok(patches);
        }
        let Some((key, new)) = rewrap.information(old)? else { return Ok(Vec::new()) };
        let mut bytes = self.bytes.clone();
        let written = new.to_bytes();
        if let Layout::Page { geometry, algorithm } = self.layout {
            // Where the old information was longer, what is left of it goes.
            let at = self.information_offset();
            bytes[at..at + written.len().max(old.to_bytes().len())].fill(0);
            bytes[at..at + written.len()].copy_from_slice(&written);
            checksum::write(geometry, &mut bytes, algorithm.unwrap_or(Algorithm::Crc32));
            checksum::verify(geometry, &bytes, Policy::Any).map_err(|_| HeadFault::NotReadBack)?;
        }
        let patches = Patch::between(0, &self.bytes, &bytes, PATCH_GAP_BYTES);
        let again = Self { bytes, layout: self.layout, information: Some(new) };
        let same = again.reread()?.unlock_with(rewrap.master).map_err(|_| HeadFault::NotReadBack)?;
        if same.as_bytes() == key.as_bytes() { Ok(patches) } else { Err(HeadFault::NotReadBack) }
    }

    /// What is enough for [`Kept::rewrapped`]; nothing for a file that is not encrypted, and for a page whose checksum has to
    /// change.
    pub(super) fn kept(&self) -> Result<Option<Kept>, HeadFault> {
        self.check()?;
        let Some(information) = &self.information else { return Ok(None) };
        let is_covered = match self.layout {
            Layout::Redo => false,
            Layout::Page { algorithm: None | Some(Algorithm::Crc32), .. } => true,
            Layout::Page { algorithm: Some(Algorithm::None), .. } => false,
            Layout::Page { algorithm: Some(_), .. } => return Ok(None),
        };
        let at = self.information_offset();
        let end = self.bytes.len().min(at + RESERVED_BYTES);
        let reserved = self.bytes.get(at..end).unwrap_or_default().to_vec();
        Ok(Some(Kept { at, reserved, is_covered, information: information.clone() }))
    }

    /// What completes a change that was cut short in the middle of these patches.
    pub(super) fn completed(mut self, patches: &[Patch], rewrap: Rewrap<'_>) -> Result<(), HeadFault> {
        if !patches.iter().all(|patch| patch.is_between(0, &self.bytes)) {
            return Err(HeadFault::Foreign);
        }
        patches.iter().for_each(|patch| patch.apply(0, &mut self.bytes));
        if let Layout::Page { geometry, .. } = self.layout {
            checksum::verify(geometry, &self.bytes, Policy::Any).map_err(HeadFault::Damaged)?;
        }
        self.reread()?.unlock_with(rewrap.master).map_err(HeadFault::Unlock).map(|_| ())
    }

    fn information_offset(&self) -> usize {
        match self.layout {
            Layout::Page { geometry, .. } => geometry.encryption_offset(),
            Layout::Redo => INFORMATION_OFFSET,
        }
    }

    /// The information as its bytes have it.
    fn reread(&self) -> Result<Information, HeadFault> {
        let bytes = self.bytes.get(self.information_offset()..).unwrap_or_default();
        Information::parse(bytes).map_err(HeadFault::Information)?.ok_or(HeadFault::NotReadBack)
    }
}

impl Kept {
    /// What changes in the file, all of it in the bytes that are reserved for the information, or nothing if it is under the
    /// new master key already. `None` where there is no room for bytes that keep the checksum.
    pub(super) fn rewrapped(&self, rewrap: Rewrap<'_>) -> Result<Option<Vec<Patch>>, HeadFault> {
        let Some((key, new)) = rewrap.information(&self.information)? else { return Ok(Some(Vec::new())) };
        let written = new.to_bytes();
        // Where the old information was longer, what is left of it goes.
        let len = written.len().max(self.information.to_bytes().len());
        let end = if self.is_covered { len + SPARE_BYTES } else { len };
        let Some(old) = self.reserved.get(..end) else { return Ok(None) };
        let mut bytes = written;
        bytes.resize(len, 0);
        if self.is_covered {
            let difference: Vec<u8> = old.iter().zip(&bytes).map(|(old, new)| old ^ new).collect();
            bytes.extend(old[len..].iter().zip(steady::cancel(&difference)).map(|(old, by)| old ^ by));
            // Equal here, it is equal for whatever surrounds them.
            if crc32c::crc32c(old) != crc32c::crc32c(&bytes) {
                return Err(HeadFault::NotReadBack);
            }
        }
        let again = Information::parse(&bytes).map_err(HeadFault::Information)?;
        let same = again.and_then(|again| again.unlock_with(rewrap.master).ok());
        if same.is_none_or(|same| same.as_bytes() != key.as_bytes()) {
            return Err(HeadFault::NotReadBack);
        }
        Ok(Some(Patch::between(self.at as u64, old, &bytes, PATCH_GAP_BYTES)))
    }
}

impl Rewrap<'_> {
    /// The tablespace key, and what wraps it anew; nothing where it is under the new master key already.
    fn information(&self, old: &Information) -> Result<Option<(TablespaceKey, Information)>, HeadFault> {
        if old.master_key() == self.id {
            // Proves that the keyring's key is the one that wraps.
            old.unlock_with(self.master).map_err(HeadFault::Unlock)?;
            return Ok(None);
        }
        let key = old.unlock(self.keys).map_err(HeadFault::Unlock)?;
        let new = old
            .rewrap(&key, self.id.clone(), self.master)
            .ok_or(HeadFault::MasterKeyLength(self.master.len()))?;
        Ok(Some((key, new)))
    }
}

fn read(file: &dyn DiskFile, len: usize) -> Result<Vec<u8>, HeadFault> {
    let mut bytes = vec![0; len];
    let count = file.read_at(&mut bytes, 0).map_err(HeadFault::Io)?;
    bytes.truncate(count);
    Ok(bytes)
}

impl fmt::Display for HeadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotATablespace(fault) => fault.fmt(f),
            Self::MariaDb => f.write_str(
                "MariaDB wraps no tablespace keys, so there is nothing to rotate; rekey moves its pages to a newer version of \
                 their key",
            ),
            Self::Damaged(fault) => write!(f, "page 0 is damaged: {fault}"),
            Self::Information(fault) => fault.fmt(f),
            Self::Unlock(error) => error.fmt(f),
            Self::MasterKeyLength(bytes) => write!(f, "the new master key has {bytes} bytes, and 32 are needed"),
            Self::NotReadBack => {
                f.write_str("what was wrapped does not come out again, and was not written; test this machine's memory")
            }
            Self::Foreign => f.write_str(
                "its first page is damaged, and not as an interrupted rotation leaves it; restore it from a backup",
            ),
        }
    }
}

impl std::error::Error for HeadFault {}

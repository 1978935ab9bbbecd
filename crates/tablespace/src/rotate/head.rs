//! The part of a file that says under which master key it is: page 0 of a tablespace, or a block of a redo log's header.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use strongroom_secret::KeyMaterial;

use super::steady::Steady;
use crate::disk::walk::FileKind;
use crate::disk::{Access, Disk, DiskFile};
use crate::journal::Patch;
use crate::keys::MasterKeySource;
use crate::mysql::redo::{HEADER_BYTES as HEADER_BYTES_OF_REDO, INFORMATION_OFFSET};
use crate::mysql::{self, Information, InformationFault, MasterKeyId, UnlockError};
use crate::page::header::{HEADER_BYTES, SPACE_ID, TRAILER_BYTES};
use crate::page::{Algorithm, Fault, Geometry, Policy, checksum};
use crate::tablespace::{DetectError, Encryption, HEAD_BYTES, Tablespace};

/// Bytes that are read first: a page of the usual size.
const FIRST_READ_BYTES: usize = 16384;
/// Bytes that InnoDB reserves for encryption information (`Encryption::INFO_MAX_SIZE`).
const RESERVED_BYTES: usize = 115;
/// Bytes of them that are free as long as the information has its usual length.
const SPARE_BYTES: usize = 4;
/// Differences that are closer together are written as one.
const PATCH_GAP_BYTES: usize = 64;

/// What a file's head says, and its bytes.
pub(super) struct Head {
    bytes: Vec<u8>,
    layout: Layout,
    /// The wrapped key; `None` for a file that is not encrypted.
    pub(super) information: Option<Information>,
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
pub(super) struct Rewrap<'a> {
    pub(super) id: &'a MasterKeyId,
    pub(super) master: &'a KeyMaterial,
    pub(super) keys: &'a dyn MasterKeySource,
    steady: Mutex<Vec<(usize, std::sync::Arc<Steady>)>>,
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
    pub(super) fn rewrapped(&self, rewrap: &Rewrap<'_>) -> Result<Vec<Patch>, HeadFault> {
        self.check()?;
        let Some(old) = &self.information else { return Ok(Vec::new()) };
        if old.master_key() == rewrap.id {
            // Proves that the keyring's key is the one that wraps.
            old.unlock_with(rewrap.master).map_err(HeadFault::Unlock)?;
            return Ok(Vec::new());
        }
        let key = old.unlock(rewrap.keys).map_err(HeadFault::Unlock)?;
        let new = old
            .rewrap(&key, rewrap.id.clone(), rewrap.master)
            .ok_or(HeadFault::MasterKeyLength(rewrap.master.len()))?;
        let mut bytes = self.bytes.clone();
        let written = new.to_bytes();
        match self.layout {
            Layout::Redo => {
                bytes[INFORMATION_OFFSET..INFORMATION_OFFSET + written.len()].copy_from_slice(&written);
            }
            Layout::Page { geometry, algorithm } => {
                let algorithm = algorithm.unwrap_or(Algorithm::Crc32);
                let at = geometry.encryption_offset();
                // Where the old information was longer, what is left of it goes.
                let len = written.len().max(old.to_bytes().len());
                bytes[at..at + len].fill(0);
                bytes[at..at + written.len()].copy_from_slice(&written);
                if algorithm == Algorithm::Crc32 && len + SPARE_BYTES <= RESERVED_BYTES {
                    rewrap.keep_checksum(geometry, &self.bytes, &mut bytes, at + len);
                } else {
                    checksum::write(geometry, &mut bytes, algorithm);
                }
                checksum::verify(geometry, &bytes, Policy::Any).map_err(|_| HeadFault::NotReadBack)?;
            }
        }
        let patches = Patch::between(0, &self.bytes, &bytes, PATCH_GAP_BYTES);
        let again = Self { bytes, layout: self.layout, information: Some(new) };
        let same = again.reread()?.unlock_with(rewrap.master).map_err(|_| HeadFault::NotReadBack)?;
        if same.as_bytes() == key.as_bytes() { Ok(patches) } else { Err(HeadFault::NotReadBack) }
    }

    /// What completes a change that was cut short in the middle of these patches.
    pub(super) fn completed(mut self, patches: &[Patch], rewrap: &Rewrap<'_>) -> Result<(), HeadFault> {
        if !patches.iter().all(|patch| patch.is_between(0, &self.bytes)) {
            return Err(HeadFault::Foreign);
        }
        patches.iter().for_each(|patch| patch.apply(0, &mut self.bytes));
        if let Layout::Page { geometry, .. } = self.layout {
            checksum::verify(geometry, &self.bytes, Policy::Any).map_err(HeadFault::Damaged)?;
        }
        self.reread()?.unlock_with(rewrap.master).map_err(HeadFault::Unlock).map(|_| ())
    }

    /// The information as its bytes have it.
    fn reread(&self) -> Result<Information, HeadFault> {
        let at = match self.layout {
            Layout::Page { geometry, .. } => geometry.encryption_offset(),
            Layout::Redo => INFORMATION_OFFSET,
        };
        let bytes = self.bytes.get(at..).unwrap_or_default();
        Information::parse(bytes).map_err(HeadFault::Information)?.ok_or(HeadFault::NotReadBack)
    }
}

impl<'a> Rewrap<'a> {
    pub(super) fn new(id: &'a MasterKeyId, master: &'a KeyMaterial, keys: &'a dyn MasterKeySource) -> Self {
        Self { id, master, keys, steady: Mutex::default() }
    }

    /// Puts bytes at `spare` with which the checksum of `new` is that of `old`: see [`Steady`].
    fn keep_checksum(&self, geometry: Geometry, old: &[u8], new: &mut [u8], spare: usize) {
        let covered = match geometry.is_compressed() {
            true => SPACE_ID..new.len(),
            false => HEADER_BYTES..new.len() - TRAILER_BYTES,
        };
        new[spare..spare + SPARE_BYTES].fill(0);
        let difference = crc32c::crc32c(&old[covered.clone()]) ^ crc32c::crc32c(&new[covered.clone()]);
        let bytes = self.steady_for(covered.end - spare - SPARE_BYTES).bytes(difference);
        new[spare..spare + SPARE_BYTES].copy_from_slice(&bytes);
    }

    /// There are as many as there are page sizes in a data directory, which is one or a few.
    fn steady_for(&self, behind: usize) -> std::sync::Arc<Steady> {
        let mut known = self.steady.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, steady)) = known.iter().find(|(distance, _)| *distance == behind) {
            return steady.clone();
        }
        let steady = std::sync::Arc::new(Steady::new(behind));
        known.push((behind, steady.clone()));
        steady
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

//! A tablespace file that is open, with what its page 0 says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::FileFault;
use crate::codec::{Options, PageCodec};
use crate::disk::walk::FileKind;
use crate::disk::{Access, Disk, DiskFile, read_exactly};
use crate::keys::MasterKeySource;
use crate::mysql::head::doublewrite_pages;
use crate::page::{Algorithm, Policy, is_zero};
use crate::tablespace::{DetectError, Encryption, HEAD_BYTES, Tablespace};

/// The page of the system tablespace that says where the doublewrite buffer is (`TRX_SYS_PAGE_NO`).
const TRANSACTION_SYSTEM_PAGE: usize = 5;

/// What the names of a system tablespace's files begin with.
const SYSTEM_FILES: &str = "ibdata";

/// An open file.
pub struct Source {
    /// Its path.
    pub path: PathBuf,
    /// What its name says that it is.
    pub kind: FileKind,
    /// What its page 0 says.
    pub space: Tablespace,
    /// Its length in bytes.
    pub size: u64,
    /// Number of its first page: 0 but for later files of a system tablespace.
    pub first_page: u32,
    /// How its pages are judged.
    pub options: Options,
    file: Box<dyn DiskFile>,
    head: Vec<u8>,
}

impl Source {
    /// Opens a file and reads its page 0.
    ///
    /// # Errors
    /// [`FileFault::Read`], [`FileFault::Detect`].
    pub fn open(disk: &dyn Disk, path: &Path, kind: FileKind, checksums: Policy) -> Result<Self, FileFault> {
        let file = disk.open(path, Access::Read).map_err(FileFault::Read)?;
        let size = file.size().map_err(FileFault::Read)?;
        let mut head = vec![0; HEAD_BYTES];
        let count = file.read_at(&mut head, 0).map_err(FileFault::Read)?;
        head.truncate(count);
        let space = match Tablespace::detect(&head) {
            Err(DetectError::Zero) if !is_zero_throughout(&*file, size)? => return Err(FileFault::HeadLost),
            detected => detected.map_err(FileFault::Detect)?,
        };
        head.truncate(space.geometry.physical());
        let mut options = Options { checksums, ..Options::default() };
        if space.space_id == 0 {
            let physical = space.geometry.physical();
            let mut page = vec![0; physical];
            match read_exactly(&*file, &mut page, (TRANSACTION_SYSTEM_PAGE * physical) as u64) {
                Ok(()) => options.doublewrite = doublewrite_pages(space.geometry, &page),
                // Cut off: the check of its pages says so.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(FileFault::Read(error)),
            }
        }
        Ok(Self { path: path.to_owned(), kind, space, size, first_page: 0, options, file, head })
    }

    /// Opens a later file of a system tablespace (`ibdata2`…), to look at: page sizes and key are in the first file, which is
    /// beside it, and its pages are numbered on from those before. `None` if its name is not that of one.
    ///
    /// # Errors
    /// [`FileFault`], also for the files before it.
    pub fn open_later(disk: &dyn Disk, path: &Path, checksums: Policy) -> Result<Option<Self>, FileFault> {
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix(SYSTEM_FILES)?.parse::<u32>().ok());
        let Some(number @ 2..) = number else { return Ok(None) };
        let beside = |number: u32| path.with_file_name(format!("{SYSTEM_FILES}{number}"));
        let mut source = Self::open(disk, &beside(1), FileKind::System, checksums)?;
        let mut bytes = source.size;
        for earlier in 2..number {
            let file = disk.open(&beside(earlier), Access::Read).map_err(FileFault::Read)?;
            bytes = bytes.saturating_add(file.size().map_err(FileFault::Read)?);
        }
        source.first_page = u32::try_from(bytes / source.page_bytes() as u64).unwrap_or(u32::MAX);
        source.file = disk.open(path, Access::Read).map_err(FileFault::Read)?;
        source.size = source.file.size().map_err(FileFault::Read)?;
        source.path = path.to_owned();
        source.head = Vec::new();
        Ok(Some(source))
    }

    /// Whether a file that is no tablespace is one for nobody: new and empty, or a later file of a system tablespace, whose page
    /// sizes only the first one tells.
    #[must_use]
    pub fn is_passed_over(kind: FileKind, fault: &FileFault) -> bool {
        match fault {
            FileFault::Detect(DetectError::Zero) => true,
            FileFault::Detect(DetectError::Number { .. }) => kind == FileKind::System,
            _ => false,
        }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    /// Its page 0.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The checksum algorithm of page 0.
    ///
    /// # Errors
    /// [`FileFault::Head`] where page 0 is damaged.
    pub fn algorithm(&self) -> Result<Algorithm, FileFault> {
        self.space.head.clone().map_err(FileFault::Head)
    }

    /// Whether page 0 says anything about encryption.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.space.encryption != Encryption::None
    }

    /// What reads its pages.
    ///
    /// # Errors
    /// [`FileFault::Open`].
    pub fn codec(&self, keys: &Arc<dyn MasterKeySource>) -> Result<Box<dyn PageCodec>, FileFault> {
        self.space.open(keys, self.options.clone()).map_err(FileFault::Open)
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_bytes(&self) -> usize {
        self.space.geometry.physical()
    }
}

/// Whether there is nothing but zeros in a file, as in one that a server has created and not yet written.
fn is_zero_throughout(file: &dyn DiskFile, size: u64) -> Result<bool, FileFault> {
    let mut chunk = vec![0; HEAD_BYTES];
    let mut at = 0;
    while let Some(stored) = file.stored(at).map_err(FileFault::Read)? {
        at = stored.start;
        let count = file.read_at(&mut chunk, at).map_err(FileFault::Read)?;
        if !is_zero(&chunk[..count]) {
            return Ok(false);
        }
        at += count as u64;
        if count == 0 || at >= size {
            break;
        }
    }
    Ok(true)
}

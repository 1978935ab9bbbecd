//! An application's own file of pages, encrypted as MySQL encrypts a tablespace: a key of the file's own encrypts its pages, a
//! master key from a keyring wraps that key, and rotating the master key rewrites one page.
//!
//! ```
//! use std::io::Cursor;
//! use std::sync::Arc;
//!
//! use strongroom_secret::KeyMaterial;
//! use strongroom_tablespace::mysql::{MasterKeyId, ServerUuid};
//! use strongroom_tablespace::{KeysInMemory, MasterKeySource, PagedFile};
//!
//! # fn random(bytes: &mut [u8]) -> Result<(), std::io::Error> { bytes.fill(7); Ok(()) }
//! // The application has an identity of its own, and two versions of its master key. Here they are in memory; they may as
//! // well come from a vault, through any implementation of `MasterKeySource`.
//! let owner = ServerUuid::new(b"5d1f3f0a-7c3e-4d0e-9a52-2b6f0c7a9e11").expect("a uuid");
//! let keys: Arc<dyn MasterKeySource> = Arc::new(
//!     KeysInMemory::new()
//!         .with_mysql_key(format!("INNODBKey-{owner}-1"), KeyMaterial::try_fill(32, random)?)
//!         .with_mysql_key(format!("INNODBKey-{owner}-2"), KeyMaterial::try_fill(32, random)?),
//! );
//! let first = MasterKeyId::Uuid { uuid: owner, number: 1 };
//! let second = MasterKeyId::Uuid { uuid: owner, number: 2 };
//!
//! // The rest of the application reads and writes pages, and notices nothing.
//! let mut file = PagedFile::create(Cursor::new(Vec::new()), 16384, 1, first, keys.as_ref(), random)?;
//! let mut page = vec![0; file.content_bytes()];
//! page[..18].copy_from_slice(b"balance: 1,000,000");
//! file.write(1, &page)?;
//! file.write(2, &page)?;
//!
//! // Nobody finds the balance in the file.
//! let stored = file.into_inner().into_inner();
//! assert!(!stored.windows(7).any(|bytes| bytes == b"balance"));
//!
//! // Another master key: a page is written, however large the file is.
//! let mut file = PagedFile::open(Cursor::new(stored), keys.as_ref())?;
//! file.rotate(second, keys.as_ref())?;
//! let stored = file.into_inner().into_inner();
//!
//! let mut file = PagedFile::open(Cursor::new(stored), keys.as_ref())?;
//! file.read(2, &mut page)?;
//! assert_eq!(page[..18], *b"balance: 1,000,000");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/vault.rs` is the same with a file on disk and master keys in a vault: `cargo run -p strongroom-tablespace --example vault`.
//!
//! The file is a tablespace: `strongroom tablespace` inspects, verifies, rotates and decrypts it. What InnoDB's format does not
//! give, it does not give here either: all pages have one initialisation vector, so that pages which begin equally are
//! encrypted equally as far as they are equal; and a checksum notices damage, not somebody who knows what he does.

use std::error::Error;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::codec::{CodecError, Options, PageCodec};
use crate::keys::{KeySourceError, MasterKeySource};
use crate::mysql::{self, Information, InformationFault, MasterKeyId, TablespaceKey, UnlockError, head};
use crate::page::header::{
    FSP_FLAGS, FSP_SIZE, FSP_SPACE_ID, HEADER_BYTES, NEXT, NUMBER, PREVIOUS, SPACE_ID, TRAILER_BYTES, TYPE,
    put,
};
use crate::page::{Algorithm, Geometry, PageFault, PageType, checksum};
use crate::tablespace::{DetectError, Encryption, HEAD_BYTES, Tablespace};

/// What pages of an application have for a type: a large object.
const CONTENT: PageType = PageType(10);
/// No page, in a list of pages.
const NO_PAGE: [u8; 4] = u32::MAX.to_be_bytes();

/// An encrypted file of pages. Page 0 is the file's own; the application has pages 1 and on.
///
/// Nothing is synced: the application decides when, through [`get_ref`](Self::get_ref).
pub struct PagedFile<F> {
    file: F,
    geometry: Geometry,
    codec: mysql::Codec,
    head: Vec<u8>,
    algorithm: Algorithm,
    information: Information,
    space_id: u32,
}

impl<F: Read + Write + Seek> PagedFile<F> {
    /// Makes a file with pages of `page_bytes` (a power of two from 4096 to 65536) and a new key, which `random` draws and
    /// `master_key` wraps. `id` is a number of the application's choice, from 1, by which pages of its files are told
    /// apart.
    ///
    /// # Errors
    /// [`PagedFileError`]; [`PagedFileError::NotEmpty`] for a file that has anything in it, which stays as it is.
    pub fn create<E: Into<Box<dyn Error + Send + Sync>>>(
        mut file: F,
        page_bytes: u32,
        id: u32,
        master_key: MasterKeyId,
        keys: &dyn MasterKeySource,
        random: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, PagedFileError> {
        let geometry =
            Geometry::uncompressed(page_bytes).ok_or(PagedFileError::PageBytes(page_bytes as usize))?;
        let key = TablespaceKey::generate(random).map_err(|error| PagedFileError::Random(error.into()))?;
        let information = Information::wrap(&key, master_key.clone(), &master(&master_key, keys)?);
        let information = information.ok_or(PagedFileError::MasterKeyBytes)?;
        let mut head = blank(geometry, 0, PageType::SPACE_HEADER, id);
        put(&mut head, FSP_SPACE_ID, &id.to_be_bytes());
        put(&mut head, FSP_SIZE, &1_u32.to_be_bytes());
        put(&mut head, FSP_FLAGS, &mysql::flags::of(geometry).to_be_bytes());
        head::set_information(geometry, &mut head, &information, Algorithm::Crc32);
        // Page 0 of an existing file has the only copy of its key.
        if file.seek(SeekFrom::End(0))? > 0 {
            return Err(PagedFileError::NotEmpty);
        }
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&head)?;
        let codec = mysql::Codec::new(geometry, id, Some(&key), Options::default());
        Ok(Self { file, geometry, codec, head, algorithm: Algorithm::Crc32, information, space_id: id })
    }

    /// Opens a file with the master key that it names.
    ///
    /// # Errors
    /// [`PagedFileError`].
    pub fn open(mut file: F, keys: &dyn MasterKeySource) -> Result<Self, PagedFileError> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        file.seek(SeekFrom::Start(0))?;
        Read::by_ref(&mut file).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        let tablespace = Tablespace::detect(&head).map_err(PagedFileError::Detect)?;
        let Encryption::MySql(encryption) = tablespace.encryption else {
            return Err(PagedFileError::NotEncrypted);
        };
        let information = encryption.information.map_err(PagedFileError::Information)?;
        let key = information.unlock(keys).map_err(PagedFileError::Unlock)?;
        let geometry = tablespace.geometry;
        head.truncate(geometry.physical());
        // A rotation that was cut off between two sectors leaves the checksum behind. The key has its own.
        let algorithm = tablespace.head.unwrap_or(Algorithm::Crc32);
        let space_id = tablespace.space_id;
        let codec = mysql::Codec::new(geometry, space_id, Some(&key), Options::default());
        Ok(Self { file, geometry, codec, head, algorithm, information, space_id })
    }

    /// Bytes of a page that are the application's.
    #[must_use]
    pub fn content_bytes(&self) -> usize {
        self.geometry.physical() - HEADER_BYTES - TRAILER_BYTES
    }

    /// Reads the contents of page `number`, from 1. A page that was never written, between others that were, is all zeros.
    ///
    /// # Errors
    /// [`PagedFileError::Page`] for a page that is damaged, and others.
    pub fn read(&mut self, number: u32, content: &mut [u8]) -> Result<(), PagedFileError> {
        self.check(number, content.len())?;
        let mut page = vec![0; self.geometry.physical()];
        self.file.seek(self.place(number))?;
        self.file.read_exact(&mut page)?;
        fault(self.codec.decrypt(number, &mut page)?)?;
        content.copy_from_slice(&page[HEADER_BYTES..page.len() - TRAILER_BYTES]);
        Ok(())
    }

    /// Writes the contents of page `number`, from 1.
    ///
    /// # Errors
    /// [`PagedFileError`].
    pub fn write(&mut self, number: u32, content: &[u8]) -> Result<(), PagedFileError> {
        self.check(number, content.len())?;
        let mut page = blank(self.geometry, number, CONTENT, self.space_id);
        put(&mut page, HEADER_BYTES, content);
        checksum::write(self.geometry, &mut page, self.algorithm);
        fault(self.codec.encrypt(number, &mut page)?)?;
        self.file.seek(self.place(number))?;
        self.file.write_all(&page)?;
        Ok(())
    }

    /// Wraps the file's key with another master key. Only page 0 is written, and of it only the key and the checksums
    /// change; the key lies within one sector of 512 bytes, so that a write cut off leaves the file readable under one
    /// master key or the other. Keep the old one until the file is synced, and as long as there are copies of it.
    ///
    /// # Errors
    /// [`PagedFileError`]; the file is as it was unless it is [`PagedFileError::Io`].
    pub fn rotate(
        &mut self,
        master_key: MasterKeyId,
        keys: &dyn MasterKeySource,
    ) -> Result<(), PagedFileError> {
        let key = self.information.unlock(keys).map_err(PagedFileError::Unlock)?;
        let master = master(&master_key, keys)?;
        let information = self.information.rewrap(&key, master_key, &master);
        let information = information.ok_or(PagedFileError::MasterKeyBytes)?;
        let mut head = self.head.clone();
        head::set_information(self.geometry, &mut head, &information, self.algorithm);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&head)?;
        (self.head, self.information) = (head, information);
        Ok(())
    }

    /// The master key that wraps the file's key.
    #[must_use]
    pub fn master_key(&self) -> &MasterKeyId {
        self.information.master_key()
    }

    /// The file, for example to sync it.
    pub fn get_ref(&self) -> &F {
        &self.file
    }

    /// The file.
    pub fn into_inner(self) -> F {
        self.file
    }

    fn check(&self, number: u32, content: usize) -> Result<(), PagedFileError> {
        if number == 0 {
            return Err(PagedFileError::PageZero);
        }
        if content != self.content_bytes() {
            return Err(PagedFileError::ContentBytes { given: content, needed: self.content_bytes() });
        }
        Ok(())
    }

    fn place(&self, number: u32) -> SeekFrom {
        SeekFrom::Start(u64::from(number) * self.geometry.physical() as u64)
    }
}

/// A page with its header and no contents.
fn blank(geometry: Geometry, number: u32, page_type: PageType, space_id: u32) -> Vec<u8> {
    let mut page = vec![0; geometry.physical()];
    put(&mut page, NUMBER, &number.to_be_bytes());
    if number > 0 {
        put(&mut page, PREVIOUS, &NO_PAGE);
        put(&mut page, NEXT, &NO_PAGE);
    }
    put(&mut page, TYPE, &page_type.0.to_be_bytes());
    put(&mut page, SPACE_ID, &space_id.to_be_bytes());
    page
}

fn master(
    id: &MasterKeyId,
    keys: &dyn MasterKeySource,
) -> Result<strongroom_secret::KeyMaterial, PagedFileError> {
    let absent = || PagedFileError::Unlock(UnlockError::Absent { key: id.clone() });
    let key_id = id.key_id().ok_or_else(absent)?;
    keys.mysql_key(&key_id).map_err(PagedFileError::Source)?.ok_or_else(absent)
}

fn fault(faults: Vec<PageFault>) -> Result<(), PagedFileError> {
    faults.into_iter().next().map_or(Ok(()), |fault| Err(PagedFileError::Page(fault)))
}

/// Why an encrypted file of pages could not be made, opened, read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum PagedFileError {
    /// The system's answer. A page beyond the end of the file is [`io::ErrorKind::UnexpectedEof`].
    Io(io::Error),
    /// There is something in the file that was to be made.
    NotEmpty,
    /// No page has this size.
    PageBytes(usize),
    /// Page 0 is the file's own.
    PageZero,
    /// The contents are not as long as those of a page.
    ContentBytes {
        /// Bytes given.
        given: usize,
        /// Bytes of a page that are the application's.
        needed: usize,
    },
    /// No key could be drawn.
    Random(Box<dyn Error + Send + Sync>),
    /// The master key to wrap with is not 32 bytes long.
    MasterKeyBytes,
    /// The keyring could not be asked for the master key to wrap with.
    Source(KeySourceError),
    /// The file is none of this kind.
    Detect(DetectError),
    /// The file is not encrypted, or not in this way.
    NotEncrypted,
    /// What the file says about its key is damaged.
    Information(InformationFault),
    /// The file's key cannot be had.
    Unlock(UnlockError),
    /// The page is damaged.
    Page(PageFault),
    /// The page could not be encrypted or decrypted.
    Codec(CodecError),
}

impl From<io::Error> for PagedFileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<CodecError> for PagedFileError {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

impl fmt::Display for PagedFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotEmpty => f.write_str(
                "the file is not empty, and making it anew would lose its key; open it, or use another file",
            ),
            Self::PageBytes(bytes) => {
                write!(f, "a page has 4096, 8192, 16384, 32768 or 65536 bytes, not {bytes}")
            }
            Self::PageZero => f.write_str("page 0 is the file's own: the first page of contents is 1"),
            Self::ContentBytes { given, needed } => {
                write!(f, "a page holds {needed} bytes, and {given} were given")
            }
            Self::Random(error) => write!(f, "no key could be drawn: {error}"),
            Self::MasterKeyBytes => {
                f.write_str("a master key has 32 bytes, and the one to wrap with does not")
            }
            Self::Source(error) => error.fmt(f),
            Self::Detect(error) => error.fmt(f),
            Self::NotEncrypted => f.write_str("the file is not encrypted under a master key"),
            Self::Information(fault) => fault.fmt(f),
            Self::Unlock(error) => error.fmt(f),
            Self::Page(fault) => fault.fmt(f),
            Self::Codec(error) => error.fmt(f),
        }
    }
}

impl Error for PagedFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Random(error) => Some(&**error),
            Self::Source(error) => Some(error),
            Self::Unlock(error) => Some(error),
            Self::Codec(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use strongroom_secret::KeyMaterial;

    use super::*;
    use crate::KeysInMemory;
    use crate::mysql::ServerUuid;

    const UUID: &[u8] = b"00000000-1111-4222-8333-444444444444";

    fn id(number: u32) -> MasterKeyId {
        MasterKeyId::Uuid { uuid: ServerUuid::new(UUID).expect("a uuid"), number }
    }

    fn keys() -> KeysInMemory {
        (1..=3_u8).fold(KeysInMemory::new(), |keys, number| {
            let key_id = id(number.into()).key_id().expect("it has one");
            keys.with_mysql_key(key_id, KeyMaterial::new(&[number; 32]))
        })
    }

    fn random(bytes: &mut [u8]) -> Result<(), io::Error> {
        bytes.fill(0x3C);
        Ok(())
    }

    fn made(page_bytes: u32) -> PagedFile<Cursor<Vec<u8>>> {
        let file = Cursor::new(Vec::new());
        PagedFile::create(file, page_bytes, 9, id(1), &keys(), random).expect("it is made")
    }

    #[test]
    fn pages_of_every_size_come_back_and_the_file_is_a_tablespace() {
        for page_bytes in [4096, 8192, 16384, 32768, 65536] {
            let mut file = made(page_bytes);
            let content: Vec<u8> = (0..file.content_bytes()).map(|at| at as u8).collect();
            file.write(1, &content).expect("written");
            file.write(3, &content).expect("written");
            let stored = file.into_inner().into_inner();
            let mut file = PagedFile::open(Cursor::new(stored.clone()), &keys()).expect("it opens");
            let mut read = vec![1; content.len()];
            file.read(3, &mut read).expect("read");
            assert!(read == content);
            file.read(2, &mut read).expect("a hole");
            assert!(read.iter().all(|byte| *byte == 0));
            assert!(matches!(file.read(4, &mut read), Err(PagedFileError::Io(_))));
            let tablespace = Tablespace::detect(&stored).expect("a tablespace");
            assert_eq!((tablespace.space_id, tablespace.head), (9, Ok(Algorithm::Crc32)));
        }
    }

    #[test]
    fn a_file_that_has_a_key_is_not_made_anew() {
        let mut stored = made(4096).into_inner().into_inner();
        let before = stored.clone();
        let again = PagedFile::create(Cursor::new(&mut stored), 4096, 9, id(2), &keys(), random);
        assert!(matches!(again, Err(PagedFileError::NotEmpty)));
        assert_eq!(stored, before);
    }

    /// A write of page 0 that stops between any two sectors leaves the key readable with one of the master keys.
    #[test]
    fn a_rotation_cut_off_at_any_sector_leaves_the_file_readable() {
        for page_bytes in [4096, 8192, 16384, 32768, 65536] {
            let mut file = made(page_bytes);
            let content = vec![7; file.content_bytes()];
            file.write(1, &content).expect("written");
            let before = file.get_ref().get_ref().clone();
            file.rotate(id(2), &keys()).expect("rotated");
            let after = file.into_inner().into_inner();
            assert_ne!(before, after);
            for sectors in 0..=page_bytes as usize / 512 {
                let mut torn = after.clone();
                torn[sectors * 512..page_bytes as usize]
                    .copy_from_slice(&before[sectors * 512..page_bytes as usize]);
                let mut file = PagedFile::open(Cursor::new(torn), &keys()).expect("it opens");
                assert!([1, 2].contains(&file.master_key().number()));
                let mut read = vec![0; content.len()];
                file.read(1, &mut read).expect("read");
                assert_eq!(read, content);
                file.rotate(id(3), &keys()).expect("rotated");
                let stored = file.into_inner().into_inner();
                assert!(Tablespace::detect(&stored).expect("a tablespace").head.is_ok());
            }
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let mut file = made(4096);
        let mut content = vec![0; file.content_bytes()];
        assert!(matches!(file.write(0, &content), Err(PagedFileError::PageZero)));
        assert!(matches!(
            file.read(1, &mut content[1..]),
            Err(PagedFileError::ContentBytes { given: 4049, .. })
        ));
        assert!(matches!(
            file.rotate(id(4), &keys()),
            Err(PagedFileError::Unlock(UnlockError::Absent { .. }))
        ));
        file.write(1, &content).expect("written");
        let mut stored = file.into_inner().into_inner();
        stored[5000] ^= 1;
        let mut file = PagedFile::open(Cursor::new(stored), &keys()).expect("it opens");
        assert!(matches!(file.read(1, &mut content), Err(PagedFileError::Page(_))));
        let odd = PagedFile::create(Cursor::new(Vec::new()), 5000, 9, id(1), &keys(), random);
        assert!(matches!(odd.map(|_| ()), Err(PagedFileError::PageBytes(5000))));
    }
}

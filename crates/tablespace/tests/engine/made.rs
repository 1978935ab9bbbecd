//! Tablespaces of MySQL, made here from the format, with keys that no other run has.

use std::sync::Arc;

use strongroom_secret::KeyMaterial;
use strongroom_tablespace::mysql::{Information, MasterKeyId, ServerUuid, TablespaceKey, head, redo};
use strongroom_tablespace::page::header::{
    FSP_FLAGS, FSP_SIZE, FSP_SPACE_ID, LSN, NUMBER, SPACE_ID, TYPE, put,
};
use strongroom_tablespace::page::{Algorithm, Geometry, PageType, checksum};
use strongroom_tablespace::{KeysInMemory, MasterKeySource, Options, Tablespace};

use crate::simulated::Draw;

pub(crate) const UUID: &str = "0a1b2c3d-0000-11ee-8000-0123456789ab";
const SPACE: u32 = 7;

pub(crate) fn uuid() -> ServerUuid {
    ServerUuid::new(UUID.as_bytes()).unwrap()
}

/// A key that is new in every run.
pub(crate) fn new_key() -> KeyMaterial {
    KeyMaterial::try_fill(32, random).unwrap()
}

pub(crate) fn random(bytes: &mut [u8]) -> Result<(), rustix::io::Errno> {
    rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty()).map(|_| ())
}

pub(crate) fn key_id(number: u32) -> String {
    format!("INNODBKey-{UUID}-{number}")
}

/// How the wrapped key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `lCC`.
    Now,
    /// `lCB`, with a zero word behind the number.
    Wide57,
    /// `lCA`, which names no server.
    Oldest,
    /// `lCC` of a tablespace of which a server that was interrupted had encrypted the first half.
    Half,
}

/// Where page 0 says how far that server came, behind the start of the wrapped key.
const PROGRESS: usize = 123;

/// What a made tablespace is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) geometry: Geometry,
    pub(crate) algorithm: Algorithm,
    pub(crate) layout: Layout,
}

/// Page sizes, checksums and layouts that differ in where a power cut can fall.
pub(crate) fn kinds() -> Vec<Kind> {
    let plain = |logical| Geometry::uncompressed(logical).unwrap();
    let small = |physical| Geometry::compressed(16384, physical).unwrap();
    let kind = |name, geometry, algorithm, layout| Kind { name, geometry, algorithm, layout };
    vec![
        kind("d/s/16k.ibd", plain(16384), Algorithm::Crc32, Layout::Now),
        kind("d/s/4k.ibd", plain(4096), Algorithm::Crc32, Layout::Now),
        kind("d/s/64k.ibd", plain(65536), Algorithm::Crc32, Layout::Now),
        kind("d/s/kbs8.ibd", small(8192), Algorithm::Crc32, Layout::Now),
        kind("d/s/kbs2.ibd", small(2048), Algorithm::Crc32, Layout::Now),
        kind("d/s/innodb.ibd", plain(16384), Algorithm::InnoDb, Layout::Now),
        kind("d/s/none.ibd", plain(16384), Algorithm::None, Layout::Now),
        kind("d/t/57.ibd", plain(16384), Algorithm::Crc32, Layout::Wide57),
        kind("d/t/8k.ibd", plain(8192), Algorithm::Crc32, Layout::Now),
        kind("d/t/32k.ibd", plain(32768), Algorithm::Crc32, Layout::Now),
        kind("d/t/kbs1.ibd", small(1024), Algorithm::Crc32, Layout::Now),
        kind("d/t/kbs4.ibd", small(4096), Algorithm::InnoDb, Layout::Now),
        kind("d/t/57first.ibd", plain(4096), Algorithm::Crc32, Layout::Oldest),
        kind("d/t/half.ibd", plain(4096), Algorithm::Crc32, Layout::Half),
    ]
}

impl Kind {
    fn flags(&self) -> u32 {
        let shift = |bytes: usize| (bytes / 512).trailing_zeros();
        let logical = if self.geometry.logical() == 16384 { 0 } else { shift(self.geometry.logical()) << 6 };
        let physical = if self.geometry.is_compressed() { shift(self.geometry.physical()) << 1 } else { 0 };
        0x21 | logical | physical
    }

    /// The pages before encryption: page 0 and `pages` more, of which one in eight is all zero.
    pub(crate) fn plain(&self, pages: u32) -> Vec<u8> {
        let size = self.geometry.physical();
        let mut draw = Draw(u64::from(pages) ^ size as u64);
        let mut file = vec![0; size * (pages as usize + 1)];
        for (number, page) in (0..).zip(file.chunks_mut(size)) {
            if number % 8 == 7 {
                continue;
            }
            page.fill_with(|| draw.next() as u8 & 0x3F);
            put(page, NUMBER, &u32::to_be_bytes(number));
            put(page, LSN, &(0x1000 + u64::from(number)).to_be_bytes());
            let page_type = if number == 0 { PageType::SPACE_HEADER } else { PageType::INDEX };
            put(page, TYPE, &page_type.0.to_be_bytes());
            put(page, TYPE + 2, &[0; 8]);
            put(page, SPACE_ID, &SPACE.to_be_bytes());
            if !self.geometry.is_compressed() {
                put(page, size - 4, &(0x1000 + number).to_be_bytes());
            }
            if number == 0 {
                // Everything that a space header means something by.
                page[38..].fill(0);
                put(page, FSP_SPACE_ID, &SPACE.to_be_bytes());
                put(page, FSP_SIZE, &(pages + 1).to_be_bytes());
                put(page, FSP_FLAGS, &self.flags().to_be_bytes());
                if !self.geometry.is_compressed() {
                    put(page, size - 4, &0x1000_u32.to_be_bytes());
                }
            }
            checksum::write(self.geometry, page, self.algorithm);
        }
        file
    }

    /// The same, encrypted under a master key.
    pub(crate) fn encrypted(&self, pages: u32, number: u32, master: &KeyMaterial) -> Vec<u8> {
        let mut file = self.plain(pages);
        let key = TablespaceKey::generate(random).unwrap();
        let id = MasterKeyId::Uuid { uuid: uuid(), number };
        let information = Information::wrap(&key, id, master).unwrap();
        let now = information.to_bytes();
        let then = match self.layout {
            Layout::Now | Layout::Half => now,
            Layout::Wide57 => [b"lCB", &now[3..7], &[0; 4], &now[7..]].concat(),
            Layout::Oldest => [b"lCA", &now[3..7], &now[43..]].concat(),
        };
        let information = Information::parse(&then).unwrap().unwrap();
        let size = self.geometry.physical();
        let encrypted_pages = match self.layout {
            Layout::Half => {
                let at = self.geometry.encryption_offset() + PROGRESS;
                put(&mut file, at, &[1]);
                put(&mut file, at + 1, &(pages / 2).to_be_bytes());
                pages as usize / 2
            }
            _ => pages as usize,
        };
        head::set_information(self.geometry, &mut file[..size], &information, self.algorithm);
        let keys: Arc<dyn MasterKeySource> =
            Arc::new(KeysInMemory::new().with_mysql_key(key_id(number), master.duplicate()));
        let space = Tablespace::detect(&file).unwrap();
        let codec = space.open(&keys, Options::default()).unwrap();
        assert_eq!(codec.encrypt(1, &mut file[size..size * (encrypted_pages + 1)]).unwrap(), []);
        file
    }
}

/// The header of a redo log file with a key of its own, and some bytes behind it.
pub(crate) fn redo_header(number: u32, master: &KeyMaterial) -> Vec<u8> {
    let mut file = vec![0; redo::HEADER_BYTES + 2 * redo::BLOCK_BYTES];
    put(&mut file, 0, &6_u32.to_be_bytes());
    let key = TablespaceKey::generate(random).unwrap();
    let id = MasterKeyId::Uuid { uuid: uuid(), number };
    redo::set_information(&mut file, &Information::wrap(&key, id, master).unwrap()).unwrap();
    file
}

/// The pages behind page 0, decrypted; page 0 must be whole and every page good.
pub(crate) fn decrypted(file: &[u8], keys: &Arc<dyn MasterKeySource>) -> Result<Vec<u8>, String> {
    let space = Tablespace::detect(file).map_err(|error| error.to_string())?;
    space.head.clone().map_err(|fault| fault.to_string())?;
    let codec = space.open(keys, Options::default()).map_err(|error| error.to_string())?;
    let mut pages = file[codec.geometry().physical()..].to_vec();
    match codec.decrypt(1, &mut pages) {
        Ok(faults) if faults.is_empty() => Ok(pages),
        Ok(faults) => Err(format!("{faults:?}")),
        Err(error) => Err(error.to_string()),
    }
}

//! MariaDB's files on disks that fail. They need no journal: each says itself how it is encrypted, so that a run is repeated.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use strongroom_tablespace::disk::walk::FileKind;
use strongroom_tablespace::file::convert::{self, RandomFailed, Target};
use strongroom_tablespace::file::{FileFault, Source, mariadb, verify};
use strongroom_tablespace::mariadb::{CryptData, Format, Mode, head};
use strongroom_tablespace::page::header::{
    FSP_FLAGS, FSP_SIZE, FSP_SPACE_ID, LSN, NUMBER, SPACE_ID, TYPE, put,
};
use strongroom_tablespace::page::{Algorithm, Fault, PageFault, PageType, Policy, checksum};
use strongroom_tablespace::run::Run;
use strongroom_tablespace::{Encryption, KeysInMemory, MasterKeySource};

use crate::made::{new_key, random};
use crate::simulated::{Draw, SimulatedDisk, every_fault};

const PATH: &str = "d/s/t.ibd";
const OUT: &str = "d/out.ibd";
const KEY_ID: u32 = 7;
const SPACE: u32 = 12;
const PAGES: u32 = 5;

/// What a file is like, and how it is encrypted.
#[derive(Debug, Clone, Copy)]
struct Kind {
    flags: u32,
    /// Of a page in the file.
    bytes: usize,
    /// Nothing for `full_crc32`.
    checksum: Option<Algorithm>,
    mode: Mode,
}

/// Page sizes, checksums, layouts and ways to encrypt.
const KINDS: [Kind; 6] = [
    Kind { flags: 0x13, bytes: 4096, checksum: None, mode: Mode::Cbc },
    Kind { flags: 0x15, bytes: 16384, checksum: None, mode: Mode::Ctr },
    Kind { flags: 0x21, bytes: 16384, checksum: Some(Algorithm::Crc32), mode: Mode::Cbc },
    Kind { flags: 0x121, bytes: 8192, checksum: Some(Algorithm::InnoDb), mode: Mode::Ctr },
    Kind { flags: 0x21, bytes: 16384, checksum: Some(Algorithm::None), mode: Mode::Cbc },
    // ROW_FORMAT=COMPRESSED
    Kind { flags: 0x27, bytes: 4096, checksum: Some(Algorithm::Crc32), mode: Mode::Cbc },
];

impl Kind {
    /// A plain file.
    fn plain(self) -> Vec<u8> {
        let format = Format::parse(self.flags).unwrap();
        assert_eq!(format.geometry.physical(), self.bytes);
        let mut file = vec![0; self.bytes * PAGES as usize];
        let mut draw = Draw(1);
        for (number, page) in (0_u32..).zip(file.chunks_mut(self.bytes)) {
            match number {
                3 => continue,
                0 => {
                    put(page, FSP_SPACE_ID, &SPACE.to_be_bytes());
                    put(page, FSP_SIZE, &PAGES.to_be_bytes());
                    put(page, FSP_FLAGS, &self.flags.to_be_bytes());
                }
                _ => page[38..].fill_with(|| draw.next() as u8),
            }
            let page_type = if number == 0 { PageType::SPACE_HEADER } else { PageType::INDEX };
            put(page, NUMBER, &number.to_be_bytes());
            put(page, LSN, &(0x2000 + u64::from(number)).to_be_bytes());
            put(page, TYPE, &page_type.0.to_be_bytes());
            put(page, SPACE_ID, &SPACE.to_be_bytes());
            match self.checksum {
                Some(algorithm) => {
                    if !format.geometry.is_compressed() {
                        put(page, self.bytes - 4, &(0x2000 + number).to_be_bytes());
                    }
                    checksum::write(format.geometry, page, algorithm);
                }
                None => {
                    put(page, self.bytes - 8, &(0x2000 + number).to_be_bytes());
                    let sum = crc32c::crc32c(&page[..self.bytes - 4]);
                    put(page, self.bytes - 4, &sum.to_be_bytes());
                }
            }
        }
        file
    }
}

struct Keys {
    one: Arc<dyn MasterKeySource>,
    two: Arc<dyn MasterKeySource>,
}

impl Keys {
    /// A keyring before a newer version of the key was added, and after.
    fn new() -> Self {
        let (first, third) = (new_key(), new_key());
        let one = KeysInMemory::new().with_mariadb_key(KEY_ID, 1, first.duplicate());
        let two = KeysInMemory::new().with_mariadb_key(KEY_ID, 1, first).with_mariadb_key(KEY_ID, 3, third);
        Self { one: Arc::new(one), two: Arc::new(two) }
    }
}

fn fill(bytes: &mut [u8]) -> Result<(), RandomFailed> {
    random(bytes).map_err(|_| RandomFailed)
}

fn run<'a>() -> Run<'a> {
    Run { jobs: NonZeroUsize::MIN, ..Run::default() }
}

fn open(disk: &SimulatedDisk, path: &str) -> Result<Source, FileFault> {
    Source::open(disk, Path::new(path), FileKind::Tablespace, Policy::Any)
}

fn encrypt(disk: &SimulatedDisk, kind: Kind, keys: &Keys, target: Target<'_>) -> Result<(), String> {
    open(disk, PATH)
        .and_then(|source| {
            mariadb::encrypt(disk, &source, &keys.one, KEY_ID, kind.mode, &fill, target, run())
        })
        .map_err(|error| error.to_string())
}

/// The file decrypted, every page of it good, and the lowest key version; 0 for one that is plain.
fn decrypted(disk: &SimulatedDisk, path: &str, keys: &Keys) -> (Vec<u8>, u32) {
    let whole = SimulatedDisk::new([(path, disk.content(Path::new(path)).unwrap())]);
    let source = open(&whole, path).unwrap();
    let verified = verify::verify(&source, &keys.two, run()).unwrap();
    assert_eq!(verified.faults, []);
    let version = match &source.space.encryption {
        Encryption::MariaDb(Ok(data)) => data.min_key_version,
        Encryption::None => return (whole.content(Path::new(path)).unwrap(), 0),
        other => panic!("{other:?}"),
    };
    let plain = Target::new_file(Path::new("d/decrypted"));
    convert::decrypt(&whole, &source, &keys.two, plain, run()).unwrap();
    (whole.content(Path::new("d/decrypted")).unwrap(), version)
}

#[test]
fn encryption_that_is_interrupted_leaves_the_plain_file_and_no_half_of_another() {
    for kind in KINDS {
        let (keys, plain) = (Keys::new(), kind.plain());
        every_fault(
            || SimulatedDisk::new([(PATH, plain.clone())]),
            |disk| encrypt(disk, kind, &keys, Target::new_file(Path::new(OUT))),
            |disk, done, story| {
                assert_eq!(disk.content(Path::new(PATH)).as_ref(), Some(&plain), "{kind:?}: {story}");
                match disk.content(Path::new(OUT)) {
                    Some(_) => {
                        assert_eq!(decrypted(disk, OUT, &keys), (plain.clone(), 1), "{kind:?}: {story}");
                    }
                    None => assert!(!done, "{story}"),
                }
            },
        );
    }
}

#[test]
fn encryption_and_decryption_in_place_that_are_interrupted_leave_a_whole_file() {
    for kind in KINDS {
        let (keys, plain) = (Keys::new(), kind.plain());
        let in_place = Target::in_place(Path::new(PATH));
        every_fault(
            || SimulatedDisk::new([(PATH, plain.clone())]),
            |disk| encrypt(disk, kind, &keys, in_place),
            |disk, done, story| {
                let (now, version) = decrypted(disk, PATH, &keys);
                assert_eq!(now, plain, "{kind:?}: {story}");
                assert!(version == 1 || (version == 0 && !done), "{kind:?}: {story}");
            },
        );
        let disk = SimulatedDisk::new([(PATH, plain.clone())]);
        encrypt(&disk, kind, &keys, in_place).unwrap();
        let encrypted = disk.content(Path::new(PATH)).unwrap();
        every_fault(
            || SimulatedDisk::new([(PATH, encrypted.clone())]),
            |disk| {
                open(disk, PATH)
                    .and_then(|source| convert::decrypt(disk, &source, &keys.one, in_place, run()))
                    .map_err(|error| error.to_string())
            },
            |disk, done, story| {
                let (now, version) = decrypted(disk, PATH, &keys);
                assert_eq!(now, plain, "{kind:?}: {story}");
                assert!(version == 0 || (version == 1 && !done), "{kind:?}: {story}");
            },
        );
    }
}

#[test]
fn rekeying_that_is_interrupted_leaves_a_whole_file_and_is_repeated() {
    for kind in KINDS {
        let (keys, plain) = (Keys::new(), kind.plain());
        let disk = SimulatedDisk::new([(PATH, plain.clone())]);
        encrypt(&disk, kind, &keys, Target::new_file(Path::new(OUT))).unwrap();
        let before = disk.content(Path::new(OUT)).unwrap();
        let rekey = |disk: &SimulatedDisk| {
            open(disk, PATH)
                .and_then(|source| {
                    mariadb::rekey(disk, &source, &keys.two, Target::in_place(Path::new(PATH)), run())
                })
                .map_err(|error| error.to_string())
        };
        every_fault(
            || SimulatedDisk::new([(PATH, before.clone())]),
            rekey,
            |disk, done, story| {
                let (now, version) = decrypted(disk, PATH, &keys);
                assert_eq!(now, plain, "{kind:?}: {story}");
                assert!(version == 3 || (version == 1 && !done), "{kind:?}: {story}");
                rekey(disk).unwrap();
                assert_eq!(decrypted(disk, PATH, &keys), (plain.clone(), 3), "{kind:?}: {story}");
            },
        );
    }
}

/// `inspect` and `verify` of a file of the older layout, of whose last page only some bytes were there, ended in a panic: a fuzzer
/// found it.
#[test]
fn a_page_that_is_cut_off_by_the_end_of_the_file_is_named() {
    let keys = Keys::new();
    // Pages of 16 KiB of the older layout, as 10.1 to 10.4 write them.
    let mut page_0 = vec![0; 16384];
    put(&mut page_0, TYPE, &PageType::SPACE_HEADER.0.to_be_bytes());
    for at in [SPACE_ID, FSP_SPACE_ID] {
        put(&mut page_0, at, &SPACE.to_be_bytes());
    }
    put(&mut page_0, FSP_SIZE, &1_u32.to_be_bytes());
    put(&mut page_0, FSP_FLAGS, &0x21_u32.to_be_bytes());
    let format = Format::parse(0x21).unwrap();
    head::set_crypt_data(format, &mut page_0, &CryptData::new(KEY_ID, 1, [5; 16]), Algorithm::Crc32);
    for bytes in [1, 2, 29, 30, 33, 37, 38, 45, 46, 1000, 16383] {
        let disk = SimulatedDisk::new([(PATH, [&page_0[..], &vec![0x5A; bytes]].concat())]);
        let source = open(&disk, PATH).unwrap();
        let verified = verify::verify(&source, &keys.one, run()).unwrap();
        assert_eq!(verified.faults, [PageFault { page: 1, fault: Fault::Partial { bytes } }]);
        assert_eq!(verified.counts.pages, 2);
    }
}

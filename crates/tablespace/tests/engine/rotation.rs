//! Master key rotation: only heads change, and nothing that goes wrong at any step loses a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_secret::KeyMaterial;
use strongroom_tablespace::disk::walk::{FileKind, Found};
use strongroom_tablespace::disk::{Access, Disk};
use strongroom_tablespace::journal::Journal;
use strongroom_tablespace::mysql::{Information, redo};
use strongroom_tablespace::page::Algorithm;
use strongroom_tablespace::rotate::{self, RotateError, Rotated};
use strongroom_tablespace::run::Run;
use strongroom_tablespace::{KeySourceError, KeysInMemory, MasterKeySource, Tablespace};

use crate::made::{Kind, decrypted, key_id, kinds, new_key, redo_header, uuid};
use crate::simulated::{SimulatedDisk, every_fault};

const OLD: u32 = 4;
const NEW: u32 = 5;
const PAGES: u32 = 1;
const REDO: &str = "d/#innodb_redo/#ib_redo3";

struct Directory {
    old: KeyMaterial,
    new: KeyMaterial,
    files: Vec<(Kind, Vec<u8>)>,
    /// The header of a redo log file, whose key is that of its log.
    redo: Vec<u8>,
}

impl Directory {
    fn new() -> Self {
        let (old, new) = (new_key(), new_key());
        let files = kinds().into_iter().map(|kind| (kind, kind.encrypted(PAGES, OLD, &old)));
        Self { files: files.collect(), redo: redo_header(OLD, &old), old, new }
    }

    fn disk(&self) -> SimulatedDisk {
        let files = self.files.iter().map(|(kind, bytes)| (kind.name, bytes.clone()));
        SimulatedDisk::new(files.chain([(REDO, self.redo.clone())]))
    }

    fn found(&self) -> Vec<Found> {
        let found = |(kind, _): &(Kind, _)| Found { path: kind.name.into(), kind: FileKind::Tablespace };
        let redo = Found { path: REDO.into(), kind: FileKind::Redo };
        self.files.iter().map(found).chain([redo]).collect()
    }

    fn keys(&self) -> Arc<dyn MasterKeySource> {
        Arc::new(
            KeysInMemory::new()
                .with_mysql_key(key_id(OLD), self.old.duplicate())
                .with_mysql_key(key_id(NEW), self.new.duplicate()),
        )
    }

    fn new_key_only(&self) -> Arc<dyn MasterKeySource> {
        Arc::new(KeysInMemory::new().with_mysql_key(key_id(NEW), self.new.duplicate()))
    }

    fn rotate(&self, disk: &SimulatedDisk) -> Result<Rotated, String> {
        let keys = self.keys();
        let run = Run { jobs: std::num::NonZeroUsize::MIN, ..Run::default() };
        rotate::survey(disk, &self.found(), &*keys, run)
            .and_then(|survey| {
                rotate::rotate(disk, Path::new("d"), &survey.encrypted, &*keys, uuid(), NEW, &self.new, run)
            })
            .map_err(|error| error.to_string())
    }

    fn resume(&self, disk: &SimulatedDisk) -> Option<Rotated> {
        rotate::resume(disk, Path::new("d"), &*self.keys(), Run::default()).unwrap()
    }

    /// The number of the master key of the redo log, whose key must be readable.
    fn redo_number(&self, disk: &SimulatedDisk, keys: &dyn MasterKeySource) -> u32 {
        let information = redo_information(&disk.content(Path::new(REDO)).unwrap());
        let first = redo_information(&self.redo).unlock(&*self.keys()).unwrap();
        assert_eq!(information.unlock(keys).unwrap().as_bytes(), first.as_bytes());
        information.master_key().number()
    }

    fn content(&self, disk: &SimulatedDisk, kind: &Kind) -> Vec<u8> {
        disk.content(Path::new(kind.name)).unwrap()
    }
}

fn redo_information(file: &[u8]) -> Information {
    Information::parse(&file[redo::INFORMATION_OFFSET..]).unwrap().unwrap()
}

/// Whether the head of this kind changes in one sector, so that no state in between exists.
fn is_steady(kind: &Kind) -> bool {
    kind.algorithm != Algorithm::InnoDb && !["d/s/kbs2.ibd", "d/t/57.ibd"].contains(&kind.name)
}

fn number(file: &[u8]) -> u32 {
    let strongroom_tablespace::Encryption::MySql(encryption) = Tablespace::detect(file).unwrap().encryption
    else {
        panic!("it is encrypted");
    };
    encryption.information.unwrap().master_key().number()
}

#[test]
fn every_file_is_put_under_the_new_key_and_only_its_head_is_touched() {
    let directory = Directory::new();
    let disk = directory.disk();
    let rotated = directory.rotate(&disk).unwrap();
    assert_eq!((rotated.changed, rotated.unchanged, rotated.number), (kinds().len() + 1, 0, NEW));
    assert_eq!(directory.redo_number(&disk, &*directory.new_key_only()), NEW);
    for (kind, before) in &directory.files {
        let after = directory.content(&disk, kind);
        let size = kind.geometry.physical();
        assert_eq!(before[size..], after[size..], "{}", kind.name);
        assert_eq!(number(&after), NEW, "{}", kind.name);
        assert_eq!(decrypted(&after, &directory.new_key_only()), decrypted(before, &directory.keys()));
        if kind.algorithm == Algorithm::Crc32 && is_steady(kind) {
            // The whole difference is within the 115 bytes that are reserved for it.
            let at = kind.geometry.encryption_offset();
            let differs = (0..size).filter(|&byte| before[byte] != after[byte]);
            assert!(differs.clone().all(|byte| (at..at + 115).contains(&byte)), "{}", kind.name);
        }
    }
    let names: Vec<PathBuf> = disk.names();
    assert_eq!(names.len(), kinds().len() + 1, "nothing is left behind: {names:?}");
    let again = directory.rotate(&disk).unwrap();
    assert_eq!((again.changed, again.unchanged), (0, kinds().len() + 1));
}

#[test]
fn whatever_goes_wrong_every_file_is_readable_and_resume_finishes() {
    rotate_with_every_fault();
}

/// With as many outcomes of a power cut as `./soak` says.
#[test]
#[ignore = "soak: many outcomes of each power cut"]
fn whatever_a_power_cut_leaves_every_file_is_readable_and_resume_finishes() {
    rotate_with_every_fault();
}

fn rotate_with_every_fault() {
    let directory = Directory::new();
    let (keys, new_only) = (directory.keys(), directory.new_key_only());
    let plain: Vec<Vec<u8>> =
        directory.files.iter().map(|(_, bytes)| decrypted(bytes, &keys).unwrap()).collect();
    let mut interrupted = 0;
    let states = every_fault(
        || directory.disk(),
        |disk| directory.rotate(disk).map(|_| ()),
        |disk, done, story| {
            for ((kind, _), plain) in directory.files.iter().zip(&plain) {
                let now = decrypted(&directory.content(disk, kind), &keys);
                if is_steady(kind) {
                    assert_eq!(now.as_ref(), Ok(plain), "{}: {story}", kind.name);
                }
            }
            directory.redo_number(disk, &*keys);
            let resumed = directory.resume(disk);
            interrupted += usize::from(resumed.is_some());
            let numbers: Vec<u32> =
                directory.files.iter().map(|(kind, _)| number(&directory.content(disk, kind))).collect();
            let expected = if resumed.is_some() || done { NEW } else { numbers[0] };
            assert!(numbers.iter().all(|number| *number == expected), "{numbers:?}: {story}");
            assert_eq!(directory.redo_number(disk, &*keys), expected, "{story}");
            let readable = if expected == NEW { &new_only } else { &keys };
            // What was resumed is durable.
            let disk = disk.reboot(crate::simulated::Loss::Everything);
            for ((kind, _), plain) in directory.files.iter().zip(&plain) {
                let now = decrypted(&directory.content(&disk, kind), readable);
                assert_eq!(now.as_ref(), Ok(plain), "{}: {story}", kind.name);
            }
            assert_eq!(Journal::find(&disk, Path::new("d")).unwrap(), None, "{story}");
        },
    );
    assert!(states > 150 && interrupted > 50, "{states} states, {interrupted} interrupted");
}

#[test]
fn a_resumption_may_itself_be_interrupted_at_any_step() {
    let directory = Directory::new();
    let (keys, new_only) = (directory.keys(), directory.new_key_only());
    // Stopped when half of the heads were written, and not synced.
    let half = directory.disk().with_fault(8, crate::simulated::Fault::StopHalfway);
    assert!(directory.rotate(&half).is_err());
    for loss in
        [crate::simulated::Loss::Nothing, crate::simulated::Loss::Some(3), crate::simulated::Loss::Some(9)]
    {
        let half = half.reboot(loss);
        assert!(Journal::find(&half, Path::new("d")).unwrap().is_some());
        every_fault(
            || half.reboot(crate::simulated::Loss::Nothing),
            |disk| {
                rotate::resume(
                    disk,
                    Path::new("d"),
                    &*keys,
                    Run { jobs: std::num::NonZeroUsize::MIN, ..Run::default() },
                )
                .map(|_| ())
                .map_err(|error| error.to_string())
            },
            |disk, _, story| {
                directory.resume(disk);
                for (kind, before) in &directory.files {
                    let now = decrypted(&directory.content(disk, kind), &new_only);
                    assert_eq!(now, decrypted(before, &keys), "{}: {story}", kind.name);
                }
            },
        );
    }
}

#[test]
fn a_head_that_is_damaged_stops_it_before_anything_is_written() {
    let directory = Directory::new();
    let disk = directory.disk();
    let path = Path::new(directory.files[3].0.name);
    let file = Disk::open(&disk, path, Access::Write);
    file.unwrap().write_at(&[0xFF], 600).unwrap();
    let steps = disk.steps();
    let error = directory.rotate(&disk).unwrap_err();
    assert!(error.contains("d/s/kbs8.ibd: page 0 is damaged"), "{error}");
    assert_eq!(disk.steps(), steps);
}

#[test]
fn a_head_that_is_neither_old_nor_new_is_not_written_over() {
    let directory = Directory::new();
    let disk = directory.disk().with_fault(9, crate::simulated::Fault::Stop);
    assert!(directory.rotate(&disk).is_err());
    let disk = disk.reboot(crate::simulated::Loss::Nothing);
    let (kind, before) = &directory.files[0];
    let file = Disk::open(&disk, Path::new(kind.name), Access::Write);
    file.unwrap().write_at(&[0xEE; 8], kind.geometry.encryption_offset() as u64 + 50).unwrap();
    let error = rotate::resume(&disk, Path::new("d"), &*directory.keys(), Run::default()).unwrap_err();
    assert!(error.to_string().contains("not as an interrupted rotation leaves it"), "{error}");
    assert_eq!(disk.content(Path::new(kind.name)).unwrap().len(), before.len());
    assert!(Journal::find(&disk, Path::new("d")).unwrap().is_some());
}

/// Keys, and somebody who changes a file while they are asked for.
struct Meddling<'a> {
    keys: Arc<dyn MasterKeySource>,
    disk: &'a SimulatedDisk,
    path: &'a Path,
    head: Vec<u8>,
}

impl MasterKeySource for Meddling<'_> {
    fn mysql_key(&self, key_id: &str) -> Result<Option<KeyMaterial>, KeySourceError> {
        self.disk.open(self.path, Access::Write).unwrap().write_at(&self.head, 0).unwrap();
        self.keys.mysql_key(key_id)
    }

    fn mysql_key_ids(&self, prefix: &str) -> Result<Vec<String>, KeySourceError> {
        self.keys.mysql_key_ids(prefix)
    }

    fn mariadb_key(&self, key_id: u32, version: u32) -> Result<Option<KeyMaterial>, KeySourceError> {
        self.keys.mariadb_key(key_id, version)
    }

    fn mariadb_latest_version(&self, key_id: u32) -> Result<Option<u32>, KeySourceError> {
        self.keys.mariadb_latest_version(key_id)
    }
}

#[test]
fn a_head_that_another_run_has_rotated_meanwhile_is_not_written_over() {
    let directory = Directory::new();
    let disk = directory.disk();
    let other = directory.disk();
    directory.rotate(&other).unwrap();
    let (kind, before) = &directory.files[0];
    let head = directory.content(&other, kind)[..kind.geometry.physical()].to_vec();
    let keys = Meddling { keys: directory.keys(), disk: &disk, path: Path::new(kind.name), head };
    let run = Run { jobs: std::num::NonZeroUsize::MIN, ..Run::default() };
    let survey = rotate::survey(&disk, &directory.found()[..1], &keys, run).unwrap();
    // A number of its own, as the second of two runs would take.
    let refused =
        rotate::rotate(&disk, Path::new("d"), &survey.encrypted, &keys, uuid(), NEW + 1, &new_key(), run);
    let refused = refused.unwrap_err();
    assert!(matches!(refused, RotateError::Changed(_)), "{refused}");
    assert!(refused.has_begun());
    let now = decrypted(&directory.content(&disk, kind), &directory.new_key_only());
    assert_eq!(now, decrypted(before, &directory.keys()));
}

#[test]
fn a_new_number_is_above_all_that_the_files_and_the_keyring_have() {
    let directory = Directory::new();
    let keys = KeysInMemory::new()
        .with_mysql_key(key_id(9), new_key())
        .with_mysql_key("INNODBKey-1-30", new_key())
        .with_mysql_key("INNODBKey-0a1b2c3d-0000-11ee-8000-ffffffffffff-40", new_key());
    let survey = rotate::survey(&directory.disk(), &directory.found(), &keys, Run::default()).unwrap();
    assert_eq!(survey.next_number(uuid()), Some(10));
    assert_eq!((survey.encrypted.len(), survey.plain), (kinds().len() + 1, 0));
    let keys = KeysInMemory::new();
    let survey = rotate::survey(&directory.disk(), &directory.found(), &keys, Run::default()).unwrap();
    assert_eq!(survey.next_number(uuid()), Some(OLD + 1));
}

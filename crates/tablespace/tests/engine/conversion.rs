//! Files decrypted, encrypted and encrypted anew, and what is left where that goes wrong.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use strongroom_secret::KeyMaterial;
use strongroom_tablespace::disk::draft::draft_name;
use strongroom_tablespace::disk::walk::{FileKind, Found};
use strongroom_tablespace::disk::{Access, Disk};
use strongroom_tablespace::file::convert::{self, MasterKey, RandomFailed, Target};
use strongroom_tablespace::file::{FileFault, Refusal, Source, transfer, verify};
use strongroom_tablespace::journal::Journal;
use strongroom_tablespace::mysql::MasterKeyId;
use strongroom_tablespace::page::header::{FSP_SPACE_ID, SPACE_ID, put};
use strongroom_tablespace::page::{Policy, checksum};
use strongroom_tablespace::rekey::{self, RekeyError};
use strongroom_tablespace::run::Run;
use strongroom_tablespace::{KeysInMemory, MasterKeySource};

use crate::made::{Kind, Layout, decrypted, key_id, kinds, new_key, random, uuid};
use crate::simulated::{Loss, SimulatedDisk, every_fault};

const NUMBER: u32 = 3;
const PAGES: u32 = 9;
const PATH: &str = "d/s/t.ibd";
const OUT: &str = "d/out.ibd";

fn fill(bytes: &mut [u8]) -> Result<(), RandomFailed> {
    random(bytes).map_err(|_| RandomFailed)
}

fn keys(master: &KeyMaterial) -> Arc<dyn MasterKeySource> {
    Arc::new(KeysInMemory::new().with_mysql_key(key_id(NUMBER), master.duplicate()))
}

fn master(material: &KeyMaterial) -> MasterKey {
    MasterKey { id: MasterKeyId::Uuid { uuid: uuid(), number: NUMBER }, material: material.duplicate() }
}

fn source(disk: &SimulatedDisk, path: &str) -> Source {
    Source::open(disk, Path::new(path), FileKind::Tablespace, Policy::Any).unwrap()
}

fn found<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<Found> {
    let found = |path: &str| Found { path: path.into(), kind: FileKind::Tablespace };
    paths.into_iter().map(found).collect()
}

fn one_job<'a>() -> Run<'a> {
    Run { jobs: NonZeroUsize::MIN, ..Run::default() }
}

fn content(disk: &SimulatedDisk, path: &str) -> Vec<u8> {
    disk.content(Path::new(path)).unwrap()
}

#[test]
fn what_is_decrypted_is_what_it_was_before_encryption_and_back() {
    for kind in kinds() {
        let key = new_key();
        let plain = kind.plain(PAGES);
        let disk = SimulatedDisk::new([(PATH, kind.encrypted(PAGES, NUMBER, &key))]);
        let out = Target::new_file(Path::new(OUT));
        convert::decrypt(&disk, &source(&disk, PATH), &keys(&key), out, Run::default()).unwrap();
        assert_eq!(content(&disk, OUT), plain, "{}", kind.name);

        let again = Target::new_file(Path::new("d/again.ibd"));
        convert::encrypt_mysql(&disk, &source(&disk, OUT), &master(&key), &fill, again, Run::default())
            .unwrap();
        let encrypted = content(&disk, "d/again.ibd");
        assert_eq!(decrypted(&encrypted, &keys(&key)).unwrap(), plain[kind.geometry.physical()..]);
        for (page, before) in
            encrypted.chunks(kind.geometry.physical()).zip(plain.chunks(kind.geometry.physical())).skip(1)
        {
            let is_zero = before.iter().all(|byte| *byte == 0);
            assert_eq!(page[38..] == before[38..], is_zero, "{}", kind.name);
        }
    }
}

#[test]
fn a_new_tablespace_key_takes_every_page_along_in_place() {
    for kind in whole_kinds() {
        let key = new_key();
        let before = kind.encrypted(PAGES, NUMBER, &key);
        let disk = SimulatedDisk::new([(PATH, before.clone())]);
        let done =
            rekey::rekey(&disk, Path::new("d"), &found([PATH]), &keys(&key), &fill, Run::default()).unwrap();
        assert_eq!(done.changed, [Path::new(PATH)]);
        let after = content(&disk, PATH);
        assert_eq!(decrypted(&after, &keys(&key)), decrypted(&before, &keys(&key)), "{}", kind.name);
        assert_ne!(after[kind.geometry.physical() + 38..], before[kind.geometry.physical() + 38..]);
        assert_eq!(disk.names(), [Path::new(PATH)]);
    }
}

#[test]
fn a_transfer_file_takes_a_tablespace_to_another_keyring() {
    let kind = kinds()[0];
    let (key, other) = (new_key(), new_key());
    let disk = SimulatedDisk::new([(PATH, kind.encrypted(PAGES, NUMBER, &key))]);
    let transfer_path = transfer::beside(Path::new(PATH));
    assert_eq!(transfer_path, Path::new("d/s/t.cfp"));
    let tablespace = source(&disk, PATH);
    transfer::export(&disk, &tablespace, keys(&key).as_ref(), &fill, Target::new_file(&transfer_path))
        .unwrap();
    let carried = transfer::read(&disk, &transfer_path).unwrap();
    let out = Target::new_file(Path::new(OUT));
    convert::adopt_mysql(&disk, &tablespace, &carried, &master(&other), out, Run::default()).unwrap();
    assert_eq!(decrypted(&content(&disk, OUT), &keys(&other)), decrypted(&content(&disk, PATH), &keys(&key)));

    // The transfer file of another tablespace is noticed by the pages.
    let stranger = SimulatedDisk::new([(PATH, kind.encrypted(PAGES, NUMBER, &key))]);
    let out = Target::new_file(Path::new(OUT));
    let refused = convert::adopt_mysql(
        &stranger,
        &source(&stranger, PATH),
        &carried,
        &master(&other),
        out,
        Run::default(),
    );
    assert!(matches!(refused, Err(FileFault::Pages(_))), "{refused:?}");
    assert_eq!(stranger.names(), [Path::new(PATH)]);
}

#[test]
fn each_bad_page_is_named_and_nothing_is_written_from_it() {
    let kind = kinds()[0];
    let key = new_key();
    let mut bytes = kind.encrypted(PAGES, NUMBER, &key);
    for page in [2, 5] {
        bytes[page * 16384 + 9000] ^= 1;
    }
    let disk = SimulatedDisk::new([(PATH, bytes.clone())]);
    let verified = verify::verify(&source(&disk, PATH), &keys(&key), Run::default()).unwrap();
    assert_eq!(verified.faults.iter().map(|fault| fault.page).collect::<Vec<_>>(), [2, 5]);
    assert_eq!((verified.counts.pages, verified.counts.zero, verified.counts.encrypted_pages()), (10, 1, 8));
    assert!((verified.counts.encrypted_share() - 1.0).abs() < f64::EPSILON);

    let out = Target::new_file(Path::new(OUT));
    let refused = convert::decrypt(&disk, &source(&disk, PATH), &keys(&key), out, Run::default());
    assert!(matches!(refused, Err(FileFault::Pages(_))), "{refused:?}");
    let refused = rekey::rekey(&disk, Path::new("d"), &found([PATH]), &keys(&key), &fill, Run::default());
    assert!(matches!(refused, Err(RekeyError::Interrupted(_, FileFault::Pages(_)))), "{refused:?}");
    assert_eq!(content(&disk, PATH), bytes);
    assert!(!disk.names().contains(&OUT.into()));
}

#[test]
fn a_wrong_master_key_is_told_from_damage() {
    let kind = kinds()[0];
    let disk = SimulatedDisk::new([(PATH, kind.encrypted(PAGES, NUMBER, &new_key()))]);
    let out = Target::new_file(Path::new(OUT));
    let refused =
        convert::decrypt(&disk, &source(&disk, PATH), &keys(&new_key()), out, Run::default()).unwrap_err();
    assert!(refused.to_string().contains("is not the master key"), "{refused}");
    let none: Arc<dyn MasterKeySource> = Arc::new(KeysInMemory::new());
    let refused = convert::decrypt(&disk, &source(&disk, PATH), &none, out, Run::default()).unwrap_err();
    assert!(refused.to_string().contains("does not have the master key"), "{refused}");
}

#[test]
fn verbs_refuse_what_is_not_for_them() {
    let kind = kinds()[0];
    let key = new_key();
    let disk =
        SimulatedDisk::new([(PATH, kind.encrypted(PAGES, NUMBER, &key)), ("d/plain.ibd", kind.plain(PAGES))]);
    let (encrypted, plain) = (source(&disk, PATH), source(&disk, "d/plain.ibd"));
    let out = Target::new_file(Path::new(OUT));
    let run = Run::default;
    let refusal = |done: Result<(), FileFault>| match done {
        Err(FileFault::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(convert::decrypt(&disk, &plain, &keys(&key), out, run())), Refusal::Plain);
    assert_eq!(
        refusal(convert::encrypt_mysql(&disk, &encrypted, &master(&key), &fill, out, run())),
        Refusal::Encrypted
    );
    let in_place = Target::in_place(Path::new(PATH));
    assert_eq!(refusal(convert::decrypt(&disk, &encrypted, &keys(&key), in_place, run())), Refusal::InPlace);
    let in_place = Target::in_place(Path::new("d/plain.ibd"));
    assert_eq!(
        refusal(convert::encrypt_mysql(&disk, &plain, &master(&key), &fill, in_place, run())),
        Refusal::InPlace
    );
    let existing = Target::new_file(Path::new("d/plain.ibd"));
    let steps = disk.steps();
    let taken = convert::decrypt(&disk, &encrypted, &keys(&key), existing, run());
    assert_eq!(disk.steps(), steps, "no work is done in vain");
    assert!(
        matches!(taken, Err(FileFault::Write(error)) if error.kind() == std::io::ErrorKind::AlreadyExists)
    );
    assert_eq!(content(&disk, "d/plain.ibd"), kind.plain(PAGES));
}

/// Kinds that get a new tablespace key: neither those that a server is to finish first, nor those that name no server.
fn whole_kinds() -> Vec<Kind> {
    let is_whole = |kind: &Kind| matches!(kind.layout, Layout::Now | Layout::Wide57);
    kinds().into_iter().filter(is_whole).collect()
}

/// Pages of files of which every state is decrypted: as many as make a few sectors, and one that is never written.
fn few_pages(kind: &Kind) -> u32 {
    if kind.geometry.physical() > 8192 { 1 } else { 7 }
}

#[test]
fn encryption_that_is_interrupted_leaves_the_plain_file_and_no_half_of_another() {
    for kind in whole_kinds() {
        let key = new_key();
        let plain = kind.plain(few_pages(&kind));
        let mut outcomes = [0; 2];
        every_fault(
            || SimulatedDisk::new([(PATH, plain.clone())]),
            |disk| {
                let source = Source::open(disk, Path::new(PATH), FileKind::Tablespace, Policy::Any)
                    .map_err(|error| error.to_string())?;
                let out = Target::new_file(Path::new(OUT));
                convert::encrypt_mysql(disk, &source, &master(&key), &fill, out, one_job())
                    .map_err(|error| error.to_string())
            },
            |disk, done, story| {
                assert_eq!(content(disk, PATH), plain, "{story}");
                let out = disk.content(Path::new(OUT));
                assert!(out.is_some() || !done, "{story}");
                outcomes[usize::from(out.is_some())] += 1;
                if let Some(out) = out {
                    let pages = decrypted(&out, &keys(&key));
                    assert_eq!(pages.as_deref(), Ok(&plain[kind.geometry.physical()..]), "{story}");
                }
            },
        );
        assert!(outcomes[0] > 30 && outcomes[1] > 0, "{}: {outcomes:?}", kind.name);
    }
}

#[test]
fn rekeying_that_is_interrupted_leaves_whole_files_and_is_finished_by_resuming() {
    // Two at a time, because every state of all files is decrypted twice.
    whole_kinds().chunks(2).for_each(rekey_with_every_fault);
}

fn rekey_with_every_fault(kinds: &[Kind]) {
    let key = new_key();
    let files: Vec<(Kind, Vec<u8>)> =
        kinds.iter().map(|kind| (*kind, kind.encrypted(few_pages(kind).min(3), NUMBER, &key))).collect();
    let plain: Vec<_> = files.iter().map(|(_, bytes)| decrypted(bytes, &keys(&key)).unwrap()).collect();
    let mut resumed = 0;
    every_fault(
        || SimulatedDisk::new(files.iter().map(|(kind, bytes)| (kind.name, bytes.clone()))),
        |disk| {
            let sources = found(files.iter().map(|(kind, _)| kind.name));
            rekey::rekey(disk, Path::new("d"), &sources, &keys(&key), &fill, one_job())
                .map(|_| ())
                .map_err(|error| error.to_string())
        },
        |disk, done, story| {
            let whole = |disk: &SimulatedDisk| {
                for ((kind, _), plain) in files.iter().zip(&plain) {
                    let now = decrypted(&content(disk, kind.name), &keys(&key));
                    assert_eq!(now.as_ref(), Ok(plain), "{}: {story}", kind.name);
                }
            };
            whole(disk);
            let finished = rekey::resume(disk, Path::new("d"), &keys(&key), one_job()).unwrap();
            resumed += usize::from(finished.is_some());
            let disk = disk.reboot(Loss::Everything);
            whole(&disk);
            // All of them or none.
            let first_is_new = content(&disk, files[0].0.name) != files[0].1;
            assert!(first_is_new || !(finished.is_some() || done), "{story}");
            for (kind, before) in &files {
                assert_eq!(content(&disk, kind.name) != *before, first_is_new, "{}: {story}", kind.name);
                assert!(
                    finished.is_none() || !disk.exists(&draft_name(Path::new(kind.name))).unwrap(),
                    "{story}"
                );
            }
            assert_eq!(Journal::find(&disk, Path::new("d")).unwrap(), None);
        },
    );
    assert!(resumed > 100, "{resumed}");
}

#[test]
fn a_damaged_page_found_while_resuming_stops_it_with_the_file_as_it_was() {
    let key = new_key();
    let kind = kinds()[1];
    let before = kind.encrypted(PAGES, NUMBER, &key);
    let disk = SimulatedDisk::new([(PATH, before)]).with_fault(6, crate::simulated::Fault::Stop);
    let sources = found([PATH]);
    assert!(rekey::rekey(&disk, Path::new("d"), &sources, &keys(&key), &fill, one_job()).is_err());
    let disk = disk.reboot(Loss::Nothing);
    let damaged = 3 * kind.geometry.physical() as u64 + 100;
    disk.open(Path::new(PATH), Access::Write).unwrap().write_at(&[1, 2, 3], damaged).unwrap();
    let now = content(&disk, PATH);
    let error = rekey::resume(&disk, Path::new("d"), &keys(&key), one_job()).unwrap_err();
    assert!(error.to_string().contains("page 3"), "{error}");
    assert_eq!(content(&disk, PATH), now);
}

#[test]
fn a_file_that_was_cut_off_between_pages_is_refused_before_anything_has_begun() {
    let kind = kinds()[0];
    let key = new_key();
    let mut cut = kind.encrypted(PAGES, NUMBER, &key);
    cut.truncate(4 * kind.geometry.physical());
    let disk = SimulatedDisk::new([(PATH, kind.encrypted(PAGES, NUMBER, &key)), ("d/s/u.ibd", cut)]);
    let steps = disk.steps();
    let refused =
        rekey::rekey(&disk, Path::new("d"), &found([PATH, "d/s/u.ibd"]), &keys(&key), &fill, one_job());
    assert!(matches!(refused, Err(RekeyError::File(_, FileFault::Pages(_)))), "{refused:?}");
    assert_eq!(disk.steps(), steps);
}

#[test]
fn a_system_tablespace_of_several_files_gets_no_new_key_in_one_of_them() {
    let kind = kinds()[0];
    let key = new_key();
    let mut first = kind.encrypted(PAGES, NUMBER, &key);
    first.truncate(4 * kind.geometry.physical());
    let page_0 = &mut first[..kind.geometry.physical()];
    for at in [SPACE_ID, FSP_SPACE_ID] {
        put(page_0, at, &[0; 4]);
    }
    checksum::write(kind.geometry, page_0, kind.algorithm);
    let path = "d/ibdata1";
    let disk = SimulatedDisk::new([(path, first.clone())]);
    let refused = rekey::rekey(&disk, Path::new("d"), &found([path]), &keys(&key), &fill, one_job());
    assert!(
        matches!(refused, Err(RekeyError::File(_, FileFault::Refused(Refusal::SeveralFiles)))),
        "{refused:?}"
    );
    assert_eq!(content(&disk, path), first);
}

#[test]
fn a_first_page_that_is_lost_is_not_taken_for_a_file_that_was_never_written() {
    let kind = kinds()[0];
    let mut lost = kind.encrypted(PAGES, NUMBER, &new_key());
    lost[..5 * kind.geometry.physical()].fill(0);
    let disk = SimulatedDisk::new([(PATH, lost), ("d/new.ibd", vec![0; 7 * 16384])]);
    let open = |path: &str| {
        let opened = Source::open(&disk, Path::new(path), FileKind::Tablespace, Policy::Any);
        opened.map(|_| ()).unwrap_err()
    };
    let fault = open(PATH);
    assert!(matches!(fault, FileFault::HeadLost), "{fault}");
    assert!(!Source::is_passed_over(FileKind::Tablespace, &fault));
    assert!(Source::is_passed_over(FileKind::Tablespace, &open("d/new.ibd")));
}

#[test]
fn a_later_file_of_a_system_tablespace_is_verified_with_the_key_and_the_numbers_of_the_first() {
    let kind = kinds()[0];
    let key = new_key();
    let mut whole = kind.encrypted(PAGES, NUMBER, &key);
    let size = kind.geometry.physical();
    let (mut second, mut third) = (whole.split_off(4 * size), Vec::new());
    third.append(&mut second.split_off(2 * size));
    third[size + 9000] ^= 1;
    let names = ["d/ibdata1", "d/ibdata2", "d/ibdata3"];
    let disk = SimulatedDisk::new(names.into_iter().zip([whole, second, third]));
    let verify = |path: &str| {
        let source = Source::open_later(&disk, Path::new(path), Policy::Any).unwrap()?;
        let verified = verify::verify(&source, &keys(&key), Run::default()).unwrap();
        Some((verified.counts.pages, verified.faults.iter().map(|fault| fault.page).collect::<Vec<_>>()))
    };
    assert_eq!(verify("d/ibdata1"), None);
    assert_eq!(verify("d/ibdata2"), Some((2, vec![])));
    let (pages, faults) = verify("d/ibdata3").unwrap();
    assert_eq!(pages, 4);
    assert_eq!(faults, [7]);
}

//! Whether a server was shut down cleanly, told from its redo log: as MySQL has it since 8.0.30, and as it was before.

use std::path::Path;

use strongroom_tablespace::disk::walk::{FileKind, Found};
use strongroom_tablespace::rotate::{RedoFault, check_shutdown};

use crate::simulated::SimulatedDisk;

const BLOCK: usize = 512;
const HEADER: usize = 4 * BLOCK;
const SIZE: usize = HEADER + 16 * BLOCK;
/// Where the log begins; the checkpoint is 5 blocks and 100 bytes further.
const START: u64 = 8704;
const CHECKPOINT: u64 = START + 5 * 512 + 100;

fn checksum(block: &mut [u8]) {
    let sum = crc32c::crc32c(&block[..508]).to_be_bytes();
    block[508..].copy_from_slice(&sum);
}

/// A log file with blocks filled up to `end`.
fn log(format: u32, start: u64, checkpoint: Option<(u64, u64)>, end: u64) -> Vec<u8> {
    let mut file = vec![0; SIZE];
    file[..4].copy_from_slice(&format.to_be_bytes());
    file[8..16].copy_from_slice(&start.to_be_bytes());
    checksum(&mut file[..BLOCK]);
    if let Some((lsn, offset)) = checkpoint {
        let block = &mut file[BLOCK..2 * BLOCK];
        block[8..16].copy_from_slice(&lsn.to_be_bytes());
        block[16..24].copy_from_slice(&offset.to_be_bytes());
        checksum(block);
    }
    for (at, block) in file[HEADER..].chunks_mut(BLOCK).enumerate() {
        let lsn = start + (at * BLOCK) as u64;
        if lsn >= end {
            break;
        }
        let used = (end - lsn).min(512) as u16;
        block[..4].copy_from_slice(&(lsn / 512 + 1).to_be_bytes()[4..]);
        block[4..6].copy_from_slice(&used.to_be_bytes());
    }
    file
}

fn system_tablespace(flushed: u64) -> Vec<u8> {
    let mut page = vec![0; 16384];
    page[26..34].copy_from_slice(&flushed.to_be_bytes());
    page
}

fn check(logs: &[(&str, Vec<u8>)], flushed: u64) -> Result<(), RedoFault> {
    let files = logs.iter().map(|(name, bytes)| (format!("d/{name}"), bytes.clone()));
    let disk = SimulatedDisk::new(files.chain([("d/ibdata1".to_owned(), system_tablespace(flushed))]));
    let found: Vec<Found> = logs
        .iter()
        .map(|(name, _)| Found { path: format!("d/{name}").into(), kind: FileKind::Redo })
        .collect();
    check_shutdown(&disk, Path::new("d"), &found)
}

/// The same log in the two ways of keeping it: many files that name their places, or a group of equal ones.
fn both(end: u64, flushed: u64) -> [Result<(), RedoFault>; 2] {
    let before = START - (SIZE - HEADER) as u64;
    let offset = (SIZE + HEADER) as u64 + (CHECKPOINT - START);
    [
        check(
            &[
                ("#ib_redo7", log(6, before, Some((before + 100, 0)), START)),
                ("#ib_redo8", log(6, START, Some((CHECKPOINT, 0)), end)),
            ],
            flushed,
        ),
        check(
            &[
                ("ib_logfile0", log(4, before, Some((CHECKPOINT, offset)), START)),
                ("ib_logfile1", log(4, START, None, end)),
            ],
            flushed,
        ),
    ]
}

#[test]
fn a_log_that_ends_at_its_checkpoint_is_clean() {
    for verdict in both(CHECKPOINT, CHECKPOINT) {
        assert!(verdict.is_ok(), "{verdict:?}");
    }
}

#[test]
fn a_log_that_goes_on_behind_its_checkpoint_is_not() {
    for end in [CHECKPOINT + 1, CHECKPOINT + 400, CHECKPOINT + 3000] {
        for verdict in both(end, CHECKPOINT) {
            assert!(
                matches!(verdict, Err(RedoFault::Behind { checkpoint: CHECKPOINT })),
                "{end}: {verdict:?}"
            );
        }
    }
}

#[test]
fn a_system_tablespace_that_was_flushed_elsewhere_is_not() {
    for verdict in both(CHECKPOINT, CHECKPOINT - 512) {
        assert!(matches!(verdict, Err(RedoFault::Flushed { checkpoint: CHECKPOINT, .. })), "{verdict:?}");
    }
}

#[test]
fn what_cannot_be_told_is_refused() {
    assert!(matches!(check(&[], CHECKPOINT), Err(RedoFault::None)));
    let nothing = log(6, START, None, CHECKPOINT);
    assert!(matches!(check(&[("#ib_redo1", nothing)], CHECKPOINT), Err(RedoFault::NoCheckpoint)));
    let mut torn = log(6, START, Some((CHECKPOINT, 0)), CHECKPOINT);
    torn[BLOCK + 9] ^= 1;
    assert!(matches!(check(&[("#ib_redo1", torn)], CHECKPOINT), Err(RedoFault::NoCheckpoint)));
    // MariaDB's begin with letters.
    let other = log(0x5068_7973, START, Some((CHECKPOINT, 0)), CHECKPOINT);
    assert!(matches!(check(&[("ib_logfile0", other)], CHECKPOINT), Err(RedoFault::Format { .. })));
}

#[test]
fn a_system_tablespace_that_is_elsewhere_is_to_be_named() {
    let name = "d/ib_logfile0";
    let log = log(1, START, Some((CHECKPOINT, HEADER as u64)), START);
    let elsewhere = "e/ibdata1";
    let disk = SimulatedDisk::new([(name, log), (elsewhere, system_tablespace(CHECKPOINT))]);
    let mut found = vec![Found { path: name.into(), kind: FileKind::Redo }];
    let verdict = check_shutdown(&disk, Path::new("d"), &found);
    assert!(matches!(verdict, Err(RedoFault::NoSystem(_))), "{verdict:?}");
    found.push(Found { path: elsewhere.into(), kind: FileKind::System });
    check_shutdown(&disk, Path::new("d"), &found).unwrap();
}

/// MySQL 5.7 makes all files of the group at once, and writes the header of each when it first comes to it.
#[test]
fn a_file_that_the_log_has_not_come_to_yet_is_no_part_of_it() {
    let offset = HEADER as u64 + (CHECKPOINT - START);
    let group = |end| {
        let first = log(1, START, Some((CHECKPOINT, offset)), end);
        check(&[("ib_logfile0", first), ("ib_logfile1", vec![0; SIZE])], CHECKPOINT)
    };
    group(CHECKPOINT).unwrap();
    assert!(matches!(group(CHECKPOINT + 1), Err(RedoFault::Behind { .. })));
    // Where no file tells that it is such a group, a file of zeros is none that a server left.
    let alone = check(&[("ib_logfile0", vec![0; SIZE])], CHECKPOINT);
    assert!(matches!(alone, Err(RedoFault::Format { format: 0, .. })), "{alone:?}");
    let newer = log(6, START, Some((CHECKPOINT, 0)), CHECKPOINT);
    let newer = check(&[("#ib_redo8", newer), ("#ib_redo9", vec![0; SIZE])], CHECKPOINT);
    assert!(matches!(newer, Err(RedoFault::Format { format: 0, .. })), "{newer:?}");
}

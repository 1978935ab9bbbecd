//! Damage: every region of a file flipped is noticed and named, and no bytes make the crate panic.

use std::sync::Arc;

use proptest::prelude::*;
use strongroom_secret::KeyMaterial;
use strongroom_tablespace::mysql::binlog::BinlogHeader;
use strongroom_tablespace::mysql::redo::{self, LogBlock, RedoCodec, RedoHeader};
use strongroom_tablespace::mysql::{Information, TablespaceKey, doublewrite, transfer};
use strongroom_tablespace::page::{Fault, PageFault};
use strongroom_tablespace::{Encryption, KeysInMemory, MasterKeySource, OpenError, Options, Tablespace};

use crate::writer::{Checksum, Kind, Layout, UUID, master_key, pair};

fn keyring() -> Arc<dyn MasterKeySource> {
    let key = KeyMaterial::new(&master_key());
    Arc::new(KeysInMemory::new().with_mysql_key(format!("INNODBKey-{UUID}-3"), key))
}

const KINDS: [(usize, Option<usize>, Checksum); 6] = [
    (4096, None, Checksum::Crc32),
    (16384, None, Checksum::Crc32),
    (16384, None, Checksum::InnoDb),
    (16384, Some(8192), Checksum::Crc32),
    (8192, Some(1024), Checksum::InnoDb),
    (65536, None, Checksum::Crc32),
];

fn kind((logical, physical, checksum): (usize, Option<usize>, Checksum)) -> Kind {
    Kind { logical, physical, checksum, information: Layout::V3 }
}

/// What damage leads to.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The file is not opened.
    Refused,
    /// These pages are named.
    Pages(Vec<u32>),
}

/// What comes of a file of which a byte of `page` was changed: other pages are looked at only where page 0 could mislead.
fn verdict(bytes: &[u8], page: usize, size: usize) -> Verdict {
    let Ok(tablespace) = Tablespace::detect(bytes) else { return Verdict::Refused };
    let run = if page == 0 { bytes } else { &bytes[page * size..(page + 1) * size] };
    match tablespace.open(&keyring(), Options::default()) {
        Ok(codec) => {
            let faults = codec.decrypt(page as u32, &mut run.to_vec()).expect("decrypted");
            Verdict::Pages(faults.into_iter().map(|fault| fault.page).collect())
        }
        Err(OpenError::Damaged(_)) => {
            assert!(tablespace.head.is_err());
            Verdict::Refused
        }
        Err(other) => panic!("page 0 was flipped, and what is said is: {other}"),
    }
}

/// Whether InnoDB's format has no way to notice that this byte changed.
fn is_unprotected(kind: Kind, built: &[u8], at: usize) -> bool {
    let (number, at) = (at / kind.page_bytes(), at % kind.page_bytes());
    let page = &built[number * kind.page_bytes()..(number + 1) * kind.page_bytes()];
    if page.iter().all(|byte| *byte == 0) {
        return false;
    }
    let page_type = u16::from_be_bytes([page[24], page[25]]);
    match at {
        // ROW_FORMAT=COMPRESSED leaves both out of its checksum, and where the page type was kept is zeroed by decryption.
        16..24 | 26..28 | 30..34 => kind.physical.is_some() || (page_type == 17 && at >= 26),
        28..30 => page_type == 17 || (kind.physical.is_some() && page_type != 15),
        _ => false,
    }
}

#[test]
fn every_flipped_byte_is_noticed_and_its_page_named() {
    for kind in KINDS.map(kind) {
        let mut bytes = kind.build().encrypted;
        let size = kind.page_bytes();
        assert_eq!(verdict(&bytes, 0, size), Verdict::Pages(Vec::new()));
        for page in 0..bytes.len() / size {
            let inside = (0..40).chain((40..size - 12).step_by(size / 5)).chain(size - 12..size);
            for at in inside.map(|at| page * size + at) {
                for flip in [0x01, 0x80] {
                    bytes[at] ^= flip;
                    let found = verdict(&bytes, page, size);
                    bytes[at] ^= flip;
                    let wanted = Verdict::Pages(vec![page as u32]);
                    let noticed = found == wanted || (page == 0 && found == Verdict::Refused);
                    assert_eq!(
                        noticed,
                        !is_unprotected(kind, &bytes, at),
                        "{kind:?} page {page} byte {}: {found:?}",
                        at % size
                    );
                }
            }
        }
    }
}

/// A file that ends early has no bad page, but too few of them.
#[test]
fn a_file_that_was_cut_off_is_told_from_its_page_0() {
    for kind in KINDS.map(kind) {
        let bytes = kind.build().encrypted;
        let tablespace = Tablespace::detect(&bytes).expect("a tablespace");
        let (size, pages) = (kind.page_bytes() as u64, tablespace.pages);
        assert_eq!(tablespace.cut_off(u64::from(pages) * size), None);
        assert_eq!(tablespace.cut_off(u64::from(pages + 7) * size), None);
        // What is left of a page is named as a part of it; only whole pages are missing.
        for (bytes, page) in [(u64::from(pages - 1) * size - 1, pages - 1), (3 * size, 3), (2 * size + 1, 3)]
        {
            let fault = Fault::Missing { pages: pages - page };
            assert_eq!(tablespace.cut_off(bytes), Some(PageFault { page, fault }));
        }
    }
}

/// Nothing that is encrypted is written where a plain page does not check.
#[test]
fn a_damaged_plain_page_is_not_encrypted() {
    let kind = kind(KINDS[1]);
    let built = kind.build();
    let tablespace = Tablespace::detect(&built.encrypted).expect("a tablespace");
    let codec = tablespace.open(&keyring(), Options::default()).expect("its key");
    let mut plain = built.plain.clone();
    plain[3 * 16384 + 5000] ^= 1;
    let mut run = plain.clone();
    let faults = codec.encrypt(0, &mut run).expect("encrypted");
    assert_eq!(faults.iter().map(|fault| fault.page).collect::<Vec<_>>(), [3]);
    assert!(run[3 * 16384..4 * 16384] == plain[3 * 16384..4 * 16384]);
    // Encrypting what is encrypted already is refused page by page.
    let faults = codec.encrypt(0, &mut built.encrypted.clone()).expect("nothing done");
    assert_eq!(faults.len(), 11);
}

/// Bytes of a redo log with some blocks encrypted, and the key.
fn redo_log() -> (Vec<u8>, TablespaceKey) {
    let key = TablespaceKey::new(&pair());
    let kind = kind(KINDS[1]);
    let mut log = vec![0; redo::HEADER_BYTES];
    log[3] = 6;
    log[16..27].copy_from_slice(b"MySQL 8.4.0");
    log[512 + 8..512 + 16].copy_from_slice(&12345_u64.to_be_bytes());
    let information = kind.information();
    log[redo::INFORMATION_OFFSET..][..information.len()].copy_from_slice(&information);
    for block in [0, 1] {
        let sum = crate::writer::crc(&log[block * 512..block * 512 + 508]);
        log[block * 512 + 508..(block + 1) * 512].copy_from_slice(&sum.to_be_bytes());
    }
    for number in 1..20_u32 {
        let mut block: Vec<u8> = (0..512).map(|at| (at * number as usize) as u8).collect();
        block[..4].copy_from_slice(&number.to_be_bytes());
        block[4..6].copy_from_slice(&512_u16.to_be_bytes());
        block[6..8].copy_from_slice(&12_u16.to_be_bytes());
        let sum = crate::writer::crc(&block[..508]);
        block[508..].copy_from_slice(&sum.to_be_bytes());
        if number % 3 > 0 {
            crate::writer::encrypt_region(&mut block[12..]);
            block[4] |= 0x80;
        }
        log.extend(block);
    }
    log.extend([0; 1024]);
    (log, key)
}

#[test]
fn a_redo_log_with_plain_and_encrypted_blocks_is_decrypted_and_damage_named() {
    let (log, key) = redo_log();
    let header = RedoHeader::parse(&log).expect("a header");
    assert_eq!(
        (header.format, header.checkpoint(), header.creator.as_str()),
        (6, Some(12345), "MySQL 8.4.0")
    );
    let information = header.information.expect("sound").expect("the log's key");
    assert_eq!(information.unlock(keyring().as_ref()).expect("its key").as_bytes(), key.as_bytes());
    let codec = RedoCodec::new(Some(&key));
    let mut run = log[redo::HEADER_BYTES..].to_vec();
    assert_eq!(codec.decrypt(&mut run).expect("decrypted"), []);
    let blocks: Vec<Option<LogBlock>> =
        run.chunks(512).map(|block| LogBlock::parse(block).expect("a block")).collect();
    assert_eq!(
        blocks.iter().flatten().map(|block| block.number).collect::<Vec<_>>(),
        (1..20).collect::<Vec<_>>()
    );
    assert_eq!(blocks[19..], [None, None]);
    for at in (0..512).filter(|at| !(4..6).contains(at)) {
        let mut run = log[redo::HEADER_BYTES..].to_vec();
        run[512 + at] ^= 0x40;
        let faults = codec.decrypt(&mut run).expect("decrypted");
        assert!(matches!(faults[..], [redo::RedoFault::Checksum { block: 1, .. }]), "byte {at}: {faults:?}");
    }
    let faults =
        RedoCodec::new(None).decrypt(&mut log[redo::HEADER_BYTES..].to_vec()).expect("nothing to do");
    assert_eq!(faults.len(), 13);
}

/// Everything that reads bytes from outside.
fn read_all(bytes: &[u8]) {
    if let Ok(tablespace) = Tablespace::detect(bytes) {
        if let Encryption::MySql(encryption) = &tablespace.encryption
            && let Ok(information) = &encryption.information
        {
            assert!(information.to_bytes().len() <= 115);
        }
        if let Ok(codec) = tablespace.open(&keyring(), Options::default()) {
            let mut run = bytes.to_vec();
            for (number, page) in (0..).zip(run.chunks(tablespace.geometry.physical())) {
                codec.classify(number, page);
                let _ = codec.check(number, page);
            }
            codec.expand(0, &mut run.clone());
            codec.decrypt(0, &mut run).expect("decrypted");
            let mut plain = bytes.to_vec();
            let _ = codec.encrypt(0, &mut plain);
        }
    }
    let _ = Information::parse(bytes);
    let _ = transfer::read(bytes);
    let _ = BinlogHeader::parse(bytes);
    let _ = RedoHeader::parse(bytes);
    let mut run = bytes.to_vec();
    RedoCodec::new(Some(&TablespaceKey::new(&pair()))).decrypt(&mut run).expect("decrypted");
    assert!(doublewrite::copies(bytes, 4096).count() <= bytes.len() / 4096);
}

/// Few, unless the environment asks for a number.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

proptest! {
    // Each case builds and reads a whole file.
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// A file with any few bytes changed, cut anywhere.
    #[test]
    fn a_mutated_file_never_panics(
        which in 0..KINDS.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        near_the_start in proptest::collection::vec((0..200_usize, any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
        fix in any::<bool>(),
    ) {
        let kind = kind(KINDS[which]);
        let mut bytes = kind.build().encrypted;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for (at, byte) in near_the_start {
            bytes[at] = byte;
        }
        // With a right checksum the damage gets further.
        if fix {
            kind.checksum(&mut bytes[..kind.page_bytes()]);
        }
        read_all(&bytes);
        let end = end.index(bytes.len());
        read_all(&bytes[..end]);
    }

    /// The header of a page-compressed page with anything in it.
    #[test]
    fn a_compressed_page_with_any_header_never_panics(header in any::<[u8; 12]>(), body in any::<[u8; 64]>()) {
        let mut bytes = kind(KINDS[1]).build().encrypted;
        for page in 9..14 {
            bytes[page * 16384 + 26..page * 16384 + 34].copy_from_slice(&header[..8]);
            bytes[page * 16384 + 38..page * 16384 + 102].copy_from_slice(&body);
            if header[8] & 1 == 1 {
                bytes[page * 16384 + 26] = 1 + header[9] % 2;
                bytes[page * 16384 + 27] = 1 + header[10] % 2;
                bytes[page * 16384 + 30..page * 16384 + 32].copy_from_slice(&16346_u16.to_be_bytes());
            }
            if header[8] & 2 == 2 {
                bytes[page * 16384 + 25] = 14;
            }
        }
        read_all(&bytes);
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000), magic in 0..6_usize) {
        let mut bytes = bytes;
        let start: &[u8] = [&b"lCA"[..], b"lCB", b"lCC", b"\xFDbin\x01", &[0, 0, 0, 6], &[]][magic];
        if bytes.len() >= start.len() {
            bytes[..start.len()].copy_from_slice(start);
        }
        read_all(&bytes);
    }
}

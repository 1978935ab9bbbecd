//! Every tablespace in the data directory of a real MariaDB.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_secret::KeyMaterial;
use strongroom_tablespace::mariadb::{Codec, Mode};
use strongroom_tablespace::mysql::head::doublewrite_pages;
use strongroom_tablespace::page::{Algorithm, Fault};
use strongroom_tablespace::{
    Encryption, Evidence, Family, KeysInMemory, MasterKeySource, Options, PageCodec, PageState, Tablespace,
};
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mariadb::{self, Series, Server};
use strongroom_testkit::{every_series, need};

pub(crate) const MARKER: &[u8] = b"a row nobody may find on disk";
const KEYS: [(u32, [u8; 16]); 2] = [(1, *b"the system's key"), (33, *b"a table's own...")];
const TRANSACTION_SYSTEM_PAGE: usize = 5;

every_series!(
    full_crc32_of_16_kib,
    full_crc32_in_counter_mode_of_4_kib,
    full_crc32_of_64_kib,
    the_older_layout_of_16_kib,
    the_older_layout_in_counter_mode_of_8_kib,
);

fn full_crc32_of_16_kib(series: Series) {
    every_file(series, 16384, Mode::Cbc, "full_crc32");
}

fn full_crc32_in_counter_mode_of_4_kib(series: Series) {
    every_file(series, 4096, Mode::Ctr, "full_crc32");
}

fn full_crc32_of_64_kib(series: Series) {
    every_file(series, 65536, Mode::Cbc, "full_crc32");
}

fn the_older_layout_of_16_kib(series: Series) {
    every_file(series, 16384, Mode::Cbc, "crc32");
}

fn the_older_layout_in_counter_mode_of_8_kib(series: Series) {
    every_file(series, 8192, Mode::Ctr, "crc32");
}

pub(crate) fn keys() -> Arc<dyn MasterKeySource> {
    Arc::new(KEYS.iter().fold(KeysInMemory::new(), |keys, (id, bytes)| {
        keys.with_mariadb_key(*id, 1, KeyMaterial::new(bytes))
    }))
}

/// What makes a server encrypt with [`KEYS`].
pub(crate) fn encrypting(series: Series, folder: &Scratch, mode: Mode) -> mariadb::Options {
    let path = folder.path().join("keys");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines: String = KEYS.iter().map(|(id, bytes)| format!("{id};{}\n", hex(bytes))).collect();
    fs::write(&path, lines).expect("a key file");
    let algorithm = match mode {
        Mode::Cbc => "aes_cbc",
        Mode::Ctr => "aes_ctr",
    };
    mariadb::Options::default()
        .on(series)
        .load("file_key_management")
        .arg(format!("--file-key-management-filename={}", path.display()))
        .arg(format!("--file-key-management-encryption-algorithm={algorithm}"))
}

/// The tables of [`fill`]: name and options.
pub(crate) fn kinds(page_bytes: u32) -> Vec<(&'static str, &'static str)> {
    let mut kinds = vec![
        ("plain", "ENCRYPTED=NO"),
        ("whole", "ENCRYPTED=YES"),
        ("own", "ENCRYPTED=YES ENCRYPTION_KEY_ID=33"),
        ("packed", "ENCRYPTED=YES PAGE_COMPRESSED=1"),
        ("packed_plain", "ENCRYPTED=NO PAGE_COMPRESSED=1"),
        ("redundant", "ENCRYPTED=YES ROW_FORMAT=REDUNDANT"),
    ];
    if page_bytes <= 16384 {
        kinds.push(("block1", "ENCRYPTED=YES ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=1"));
        kinds.push(("block4", "ENCRYPTED=YES ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4"));
        kinds.push(("block_plain", "ENCRYPTED=NO ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4"));
    }
    kinds
}

/// Makes tables of every kind in the database `shop`.
pub(crate) fn fill(server: &mut Server, page_bytes: u32) {
    let marker = String::from_utf8_lossy(MARKER);
    server.sql("CREATE DATABASE shop");
    for (table, options) in kinds(page_bytes) {
        server.sql(&format!(
            "CREATE TABLE shop.{table} (id INT PRIMARY KEY, note TEXT, large LONGTEXT) {options}"
        ));
        server.sql(&format!(
            "INSERT INTO shop.{table} SELECT seq, '{marker}', REPEAT(SHA2(seq, 256), 1 + seq % 5 * 40) FROM shop.seq_1_to_300"
        ));
    }
    // In the older layout the nodes of a spatial index cannot be encrypted, and the server refuses to be asked.
    server.sql("CREATE TABLE shop.place (id INT PRIMARY KEY, at POINT NOT NULL, SPATIAL INDEX (at))");
    server.sql("INSERT INTO shop.place SELECT seq, POINT(seq, seq * 7 % 900) FROM shop.seq_1_to_900");
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

pub(crate) fn contains(bytes: &[u8], marker: &[u8]) -> bool {
    bytes.windows(marker.len()).any(|window| window == marker)
}

pub(crate) fn options(tablespace: &Tablespace, stored: &[u8]) -> Options {
    let size = tablespace.geometry.physical();
    let doublewrite = match tablespace.space_id {
        0 => doublewrite_pages(tablespace.geometry, &stored[TRANSACTION_SYSTEM_PAGE * size..][..size]),
        _ => Vec::new(),
    };
    Options { doublewrite, ..Options::default() }
}

/// After a clean stop every page of every tablespace is right, and encrypting again gives back the file.
fn every_file(series: Series, page_bytes: u32, mode: Mode, checksum: &str) {
    let folder = Scratch::new("keys");
    let mut server = need!(Server::start(mariadb::Options {
        page_bytes: Some(page_bytes),
        ..encrypting(series, &folder, mode)
            .arg(format!("--innodb-checksum-algorithm={checksum}"))
            .arg("--innodb-encrypt-tables=ON")
            .arg("--innodb-encryption-threads=2")
    }));
    fill(&mut server, page_bytes);
    server.stop();
    let mut seen = Vec::new();
    for path in files(&server.data()) {
        let stored = fs::read(&path).expect("a file");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let Ok(tablespace) = Tablespace::detect(&stored) else { continue };
        assert!(tablespace.head.is_ok(), "{name}: {:?}", tablespace.head);
        let size = tablespace.geometry.physical();
        let codec = tablespace.open(&keys(), options(&tablespace, &stored)).expect("its crypt data");
        let mut run = stored.clone();
        assert_eq!(codec.decrypt(0, &mut run).expect("decrypted"), [], "{name}");
        let mut expanded = run.clone();
        assert_eq!(codec.expand(0, &mut expanded), [], "{name}");
        for (page, number) in expanded.chunks(size).zip(0..) {
            assert_eq!(codec.check(number, page), Ok(()), "{name} page {number}");
        }
        if kinds(page_bytes).iter().any(|(table, _)| name == format!("{table}.ibd"))
            && !name.contains("block")
        {
            assert!(contains(&expanded, MARKER), "{name} has lost its rows");
        }
        let count = |wanted: fn(PageState) -> bool| {
            let pages = stored.chunks(size).zip(0..);
            pages.filter(|(page, number)| wanted(codec.classify(*number, page).state)).count()
        };
        let encrypted = count(|state| matches!(state, PageState::Encrypted { key_version: 1 }));
        seen.push((name.clone(), encrypted, tablespace.evidence, tablespace.head.clone()));
        if tablespace.encryption == Encryption::None {
            assert!(run == stored, "{name}");
            assert_eq!(encrypted, 0);
            continue;
        }
        assert_eq!(tablespace.family, Family::MariaDb);
        assert!(encrypted > 0, "{name}");
        assert!(!contains(&stored, MARKER), "{name} shows rows");
        again(&stored, &run, &tablespace, mode, &name);
        damaged(&stored, &tablespace, &name);
    }
    for wanted in kinds(page_bytes).iter().map(|(table, _)| *table).chain(["place"]) {
        let name = format!("{wanted}.ibd");
        assert!(seen.iter().any(|(seen, ..)| *seen == name), "{wanted} is not among {seen:?}");
    }
    let (_, _, evidence, head) = seen.iter().find(|(name, ..)| name == "whole.ibd").expect("a table");
    match checksum {
        "full_crc32" => assert_eq!((*evidence, head), (Evidence::FullCrc32, &Ok(Algorithm::FullCrc32))),
        _ => assert_eq!((*evidence, head), (Evidence::CryptData, &Ok(Algorithm::Crc32))),
    }
}

/// A flipped bit in an encrypted page is noticed, and no page but that one is named for it.
fn damaged(stored: &[u8], tablespace: &Tablespace, name: &str) {
    let size = tablespace.geometry.physical();
    let codec = tablespace.open(&keys(), options(tablespace, stored)).expect("its crypt data");
    let pages = stored
        .chunks(size)
        .zip(0_u32..)
        .filter(|(page, number)| matches!(codec.classify(*number, page).state, PageState::Encrypted { .. }));
    for (page, number) in pages.take(3) {
        // Behind a page-compressed page, and in its last eight bytes, nothing is protected.
        let end = match codec.classify(number, page).page_compressed {
            true => page.iter().rposition(|byte| *byte != 0).unwrap_or(0),
            false => size,
        };
        let odd = (1..end).step_by(end / 23 + 1);
        for at in [0, 4, 7, 16, 23, 24, 25, 26, 29, 30, 33, 34, 37, 38, end - 9, end - 5, end - 1]
            .into_iter()
            .chain(odd)
        {
            let mut flipped = page.to_vec();
            flipped[at] ^= 0x10;
            let faults = codec.decrypt(number, &mut flipped).expect("decrypted");
            let named: Vec<u32> = faults.iter().map(|fault| fault.page).collect();
            assert_eq!(named, [number], "{name}: byte {at}");
        }
        let faults = codec.decrypt(number + 1, &mut page.to_vec()).expect("decrypted");
        assert_eq!(faults.len(), 1, "{name}: in the place of another page");
    }
    // Keys that are not the file's, and none.
    let other: Arc<dyn MasterKeySource> = Arc::new(KEYS.iter().fold(KeysInMemory::new(), |keys, (id, _)| {
        keys.with_mariadb_key(*id, 1, KeyMaterial::new(b"quite other keys"))
    }));
    let none: Arc<dyn MasterKeySource> = Arc::new(KeysInMemory::new());
    for (keys, wrong) in [(other, true), (none, false)] {
        let codec = tablespace.open(&keys, options(tablespace, stored)).expect("its crypt data");
        let faults = codec.decrypt(0, &mut stored.to_vec()).expect("decrypted");
        assert!(!faults.is_empty());
        for fault in faults {
            match fault.fault {
                Fault::WrongKey { version: 1, .. } => assert!(wrong, "{name}"),
                Fault::KeyAbsent { version: 1, .. } => assert!(!wrong, "{name}"),
                other => panic!("{name}: {other}"),
            }
        }
    }
}

/// Pages that were encrypted are, when encrypted again, what they were.
fn again(stored: &[u8], plain: &[u8], tablespace: &Tablespace, mode: Mode, name: &str) {
    let Encryption::MariaDb(Ok(data)) = &tablespace.encryption else { panic!("{name} has no crypt data") };
    let format = tablespace.mariadb_format().expect("MariaDB's");
    let codec = Codec::new(format, tablespace.space_id, Some((data, &keys())), options(tablespace, stored))
        .in_mode(mode);
    let mut run = plain.to_vec();
    assert_eq!(codec.encrypt(0, &mut run).expect("encrypted"), [], "{name}");
    let size = tablespace.geometry.physical();
    for ((before, after), number) in stored.chunks(size).zip(run.chunks(size)).zip(0..) {
        if let PageState::Encrypted { .. } = codec.classify(number, before).state {
            assert!(before == after, "{name} page {number} differs when encrypted again");
        }
    }
    let faults = codec.encrypt(0, &mut run).expect("encrypted");
    assert!(faults.iter().any(|fault| fault.fault == Fault::AlreadyEncrypted));
}

//! Every encrypted file in the data directory of a real MySQL.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_tablespace::mysql::binlog::{self, BinlogHeader};
use strongroom_tablespace::mysql::redo::{self, RedoCodec, RedoHeader};
use strongroom_tablespace::mysql::{TablespaceKey, doublewrite, head};
use strongroom_tablespace::page::Geometry;
use strongroom_tablespace::{Encryption, MasterKeySource, Options, PageState, Tablespace};
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mysql::{self, Server};
use strongroom_testkit::need;

use crate::keyring_file;

const MARKER: &[u8] = b"a row nobody may find on disk";

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
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

/// A server that encrypts everything it can, with rows in every kind of tablespace, killed so that its logs are in use.
fn encrypted_server(keys: &Scratch) -> Result<Server, strongroom_testkit::skip::Unavailable> {
    let path = keys.path().join("keyring.json");
    let configuration = format!("{{\"path\": \"{}\", \"read_only\": false}}", path.display());
    let mut server = Server::start(
        mysql::Options::default()
            .component("component_keyring_file", configuration)
            .arg("--innodb-redo-log-encrypt=ON")
            .arg("--innodb-undo-log-encrypt=ON")
            .arg("--log-bin=log")
            .arg("--binlog-encryption=ON"),
    )?;
    let marker = String::from_utf8_lossy(MARKER);
    server.sql("ALTER TABLESPACE mysql ENCRYPTION='Y'");
    server.sql("CREATE DATABASE shop");
    server.sql("CREATE TABLESPACE general ADD DATAFILE 'general.ibd' ENCRYPTION='Y'");
    for (table, rest) in [
        ("plain", "ENCRYPTION='N'"),
        ("whole", "ENCRYPTION='Y'"),
        ("zlib", "ENCRYPTION='Y' COMPRESSION='zlib'"),
        ("lz4", "ENCRYPTION='Y' COMPRESSION='lz4'"),
        ("block1", "ENCRYPTION='Y' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=1"),
        ("block2", "ENCRYPTION='Y' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=2"),
        ("block4", "ENCRYPTION='Y' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4"),
        ("block16", "ENCRYPTION='Y' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=16"),
        ("redundant", "ENCRYPTION='Y' ROW_FORMAT=REDUNDANT"),
        ("in_general", "TABLESPACE general ENCRYPTION='Y'"),
    ] {
        server.sql(&format!(
            "CREATE TABLE shop.{table} (id INT PRIMARY KEY, note TEXT, large LONGTEXT) {rest}"
        ));
        server.sql(&format!(
            "INSERT INTO shop.{table} WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 300)
             SELECT id, '{marker}', REPEAT(SHA2(id, 256), 1 + id % 5 * 40) FROM n"
        ));
    }
    server.sql("CREATE TABLE shop.place (id INT PRIMARY KEY, at POINT NOT NULL SRID 0, SPATIAL INDEX (at)) ENCRYPTION='Y'");
    server.sql(
        "INSERT INTO shop.place WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 900)
         SELECT id, ST_SRID(POINT(id, id * 7 % 900), 0) FROM n",
    );
    server.sql("ALTER INSTANCE ROTATE INNODB MASTER KEY");
    server.sql("ALTER INSTANCE ROTATE BINLOG MASTER KEY");
    server.sql("UPDATE shop.whole SET note = REVERSE(note) WHERE id % 2 = 0");
    Ok(server)
}

/// After a clean stop every page of every tablespace is right, and re-encryption gives back the file.
#[test]
fn every_tablespace_of_a_real_server_is_decrypted_checked_and_encrypted_again() {
    let folder = Scratch::new("keys");
    let mut server = need!(encrypted_server(&folder));
    server.stop();
    let keys = keyring_file::keys(&std::fs::read(folder.path().join("keyring.json")).expect("a keyring"));
    let mut encrypted = Vec::new();
    for path in files(&server.data()) {
        let stored = std::fs::read(&path).expect("a file");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        // A doublewrite file may begin with a copy of some page 0, and is no tablespace for that.
        if doublewrite::page_bytes(&name).is_some() {
            continue;
        }
        let Ok(tablespace) = Tablespace::detect(&stored) else { continue };
        assert!(tablespace.head.is_ok(), "{name}: {:?}", tablespace.head);
        let size = tablespace.geometry.physical();
        let mut options = Options::default();
        if tablespace.space_id == 0 {
            options.doublewrite = head::doublewrite_pages(tablespace.geometry, &stored[5 * size..6 * size]);
        }
        assert_eq!(tablespace.cut_off(stored.len() as u64), None, "{name}");
        let codec = tablespace.open(&keys, options).expect("its key");
        let mut run = stored.clone();
        assert_eq!(codec.decrypt(0, &mut run).expect("decrypted"), [], "{name}");
        if tablespace.encryption == Encryption::None {
            assert!(run == stored);
            continue;
        }
        let mixed = stored
            .chunks(size)
            .zip(0..)
            .any(|(page, number)| number > 0 && codec.classify(number, page).state == PageState::Plain);
        if !mixed {
            let mut again = run.clone();
            assert_eq!(codec.encrypt(0, &mut again).expect("encrypted"), [], "{name}");
            assert!(again == stored, "{name} differs when encrypted again");
        }
        assert!(!contains(&stored, MARKER), "{name} shows rows");
        encrypted.push((name, mixed));
    }
    for wanted in [
        "whole.ibd",
        "zlib.ibd",
        "block1.ibd",
        "place.ibd",
        "general.ibd",
        "mysql.ibd",
        "undo_001",
        "undo_002",
    ] {
        assert!(encrypted.iter().any(|(name, _)| name == wanted), "{wanted} is not among {encrypted:?}");
    }
}

/// A server that expands a page-compressed page and writes it uncompressed leaves the header of the compression behind, in
/// bytes that are zero otherwise. Such a page is sound, and was once called damaged.
#[test]
fn pages_that_a_server_expanded_are_right() {
    let folder = Scratch::new("keys");
    let path = folder.path().join("keyring.json");
    let configuration = format!("{{\"path\": \"{}\", \"read_only\": false}}", path.display());
    let mut server =
        need!(Server::start(mysql::Options::default().component("component_keyring_file", configuration)));
    server.sql("CREATE DATABASE shop");
    let tables = [("zlib", "Y"), ("zlib", "N"), ("lz4", "Y")];
    for (algorithm, encryption) in tables {
        let table = format!("shop.{algorithm}_{encryption}");
        server.sql(&format!(
            "CREATE TABLE {table} (id INT PRIMARY KEY, note VARCHAR(200), at POINT NOT NULL SRID 0, SPATIAL INDEX (at))
             ENCRYPTION='{encryption}' COMPRESSION='{algorithm}'"
        ));
        server.sql(&format!(
            "INSERT INTO {table} WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 900)
             SELECT id, REPEAT('x', 200), ST_SRID(POINT(id, id * 7 % 900), 0) FROM n"
        ));
    }
    server.stop();
    server.restart().expect("it starts");
    for (algorithm, encryption) in tables {
        let table = format!("shop.{algorithm}_{encryption}");
        server.sql(&format!("ALTER TABLE {table} COMPRESSION='none'"));
        server.sql(&format!(
            "UPDATE {table} SET note = REPEAT(SHA2(id, 256), 3), at = ST_SRID(POINT(id % 17, id), 0)"
        ));
    }
    server.stop();
    let keys = keyring_file::keys(&std::fs::read(&path).expect("a keyring"));
    for (algorithm, encryption) in tables {
        let name = format!("{algorithm}_{encryption}.ibd");
        let mut run = std::fs::read(server.data().join("shop").join(&name)).expect("a table");
        let tablespace = Tablespace::detect(&run).expect("a tablespace");
        let codec = tablespace.open(&keys, Options::default()).expect("its key");
        assert_eq!(codec.decrypt(0, &mut run).expect("decrypted"), [], "{name}");
        // Version and algorithm of the compression that is gone, in index pages.
        let left = run.chunks(16384).filter(|page| page[24..26] == [0x45, 0xBF] && page[26] == 2).count();
        assert!(left > 5, "{name} has {left} such pages, and would prove nothing");
    }
}

/// After a kill the logs are full of what was written last.
#[test]
fn the_logs_of_a_killed_server_are_decrypted() {
    let folder = Scratch::new("keys");
    let mut server = need!(encrypted_server(&folder));
    server.kill9();
    let keys = keyring_file::keys(&std::fs::read(folder.path().join("keyring.json")).expect("a keyring"));
    let files = files(&server.data());
    redo_log(&files, &keys);
    binary_logs(&files, &keys);
    doublewrite_files(&files, &keys);
}

fn redo_log(files: &[PathBuf], keys: &Arc<dyn MasterKeySource>) {
    let logs: Vec<Vec<u8>> = files
        .iter()
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("#ib_redo") && !name.ends_with("_tmp")
        })
        .map(|path| std::fs::read(path).expect("a redo log"))
        .collect();
    let headers: Vec<RedoHeader> = logs.iter().map(|log| RedoHeader::parse(log).expect("a header")).collect();
    let latest = headers.iter().max_by_key(|header| header.checkpoint()).expect("a redo log");
    let information = latest.information.clone().expect("a sound header").expect("the log's key");
    assert_eq!(information.master_key().number(), 2);
    let key: TablespaceKey = information.unlock(keys.as_ref()).expect("the master key");
    let codec = RedoCodec::new(Some(&key));
    let (mut blocks, mut found) = (0, false);
    for log in &logs {
        let stored = &log[redo::HEADER_BYTES..];
        let encrypted = stored.chunks(redo::BLOCK_BYTES).filter(|block| redo::is_encrypted(block)).count();
        let mut run = stored.to_vec();
        assert_eq!(codec.decrypt(&mut run).expect("decrypted"), []);
        found |= contains(&run, MARKER);
        blocks += encrypted;
        if encrypted
            == stored.chunks(redo::BLOCK_BYTES).filter(|block| block.iter().any(|byte| *byte != 0)).count()
        {
            assert_eq!(codec.encrypt(&mut run).expect("encrypted"), []);
            assert!(run == stored);
        }
    }
    assert!(blocks > 100 && found);
}

fn binary_logs(files: &[PathBuf], keys: &Arc<dyn MasterKeySource>) {
    let mut found = 0;
    for path in files {
        let stored = std::fs::read(path).expect("a file");
        if binlog::is_encrypted(&stored) != Some(true) {
            continue;
        }
        let header = BinlogHeader::parse(&stored).expect("a header");
        let (head, body) = stored.split_at(binlog::HEADER_BYTES);
        assert_eq!(header.to_bytes(), head);
        let key = header.unlock(keys.as_ref(), body).expect("the master key");
        let mut log = body.to_vec();
        key.apply(0, &mut log);
        found += usize::from(contains(&log, MARKER));
        assert!(!contains(body, MARKER));
    }
    assert!(found > 0);
}

fn doublewrite_files(files: &[PathBuf], keys: &Arc<dyn MasterKeySource>) {
    let spaces: BTreeMap<u32, Tablespace> = files
        .iter()
        .filter_map(|path| Tablespace::detect(&std::fs::read(path).expect("a file")).ok())
        .map(|tablespace| (tablespace.space_id, tablespace))
        .collect();
    let mut decrypted = 0;
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(size) = doublewrite::page_bytes(&name) else { continue };
        assert_eq!(Geometry::uncompressed(16384).map(Geometry::logical), Some(size));
        let stored = std::fs::read(path).expect("a file");
        for copy in doublewrite::copies(&stored, size) {
            // A tablespace may be gone, or its page 0 not yet written.
            let Some(space) = spaces.get(&copy.space_id).filter(|space| space.head.is_ok()) else { continue };
            let mut page = stored[copy.offset..copy.offset + space.geometry.physical()].to_vec();
            let Ok(codec) = space.open(keys, Options::default()) else { continue };
            let faults = codec.decrypt(copy.number, &mut page).expect("decrypted");
            assert_eq!(faults, [], "{name} {copy:?}");
            decrypted += u32::from(copy.page_type.is_mysql_encrypted());
        }
    }
    assert!(decrypted > 0);
}

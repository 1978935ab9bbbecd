//! Data directories with other page sizes and checksum algorithms. A page size is chosen when a data directory is made, so
//! mysqld makes one, runs our statements while it does, and stops cleanly.

use std::path::{Path, PathBuf};

use strongroom_tablespace::mysql::MasterKeyId;
use strongroom_tablespace::page::{Algorithm, Policy};
use strongroom_tablespace::{DetectError, Encryption, Options, Tablespace};
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mysql::{self, Server};
use strongroom_testkit::{need, skip::Unavailable};

use crate::keyring_file;
use crate::live::{contains, files};

const MARKER: &str = "a row nobody may find on disk";

struct Made {
    data: PathBuf,
    keyring: PathBuf,
    _folder: Scratch,
}

/// A data directory with encrypted tables of every kind that its page size allows.
fn make(page_bytes: u32, checksum: &str) -> Result<Made, Unavailable> {
    let server = Server::prepare(mysql::Options::default())?;
    let folder = Scratch::new("page-size");
    let (data, keyring) = (folder.path().join("data"), folder.path().join("keyring.json"));
    let statements = folder.path().join("statements.sql");
    server.configure(
        "component_keyring_file",
        &format!("{{\"path\": \"{}\", \"read_only\": false}}", keyring.display()),
    );
    write(&server.manifest(), "{\"components\": \"file://component_keyring_file\"}");
    write(&statements, &script(page_bytes));
    let installation = mysql::installation()?;
    let mut command = installation.command(&server.program());
    command
        .arg("--no-defaults")
        .arg(format!("--basedir={}", installation.base.display()))
        .arg(format!("--lc-messages-dir={}", installation.messages.display()))
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--plugin-dir={}", server.plugin_dir().display()))
        .arg(format!("--init-file={}", statements.display()))
        .arg(format!("--innodb-page-size={page_bytes}"))
        .arg(format!("--innodb-checksum-algorithm={checksum}"))
        .args(["--initialize-insecure", "--innodb-undo-log-encrypt=ON", "--innodb-redo-log-capacity=8M"])
        // Two files of one system tablespace.
        .args(["--innodb-data-file-path=ibdata1:12M;ibdata2:12M:autoextend", "--secure-file-priv=NULL"]);
    if rustix::process::geteuid().is_root() {
        command.arg("--user=root");
    }
    let output = command.output().expect("mysqld runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(Made { data, keyring, _folder: folder })
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a scratch file");
}

/// One statement in each line.
fn script(page_bytes: u32) -> String {
    let mut tables = vec![
        ("plain", "ENCRYPTION='N'".to_owned()),
        ("whole", "ENCRYPTION='Y'".to_owned()),
        ("redundant", "ENCRYPTION='Y' ROW_FORMAT=REDUNDANT".to_owned()),
    ];
    if page_bytes > 4096 {
        tables.push(("zlib", "ENCRYPTION='Y' COMPRESSION='zlib'".to_owned()));
        tables.push(("lz4", "ENCRYPTION='Y' COMPRESSION='lz4'".to_owned()));
    }
    if page_bytes <= 16384 {
        let block = page_bytes / 2048;
        tables.push(("block", format!("ENCRYPTION='Y' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE={block}")));
    }
    let mut lines = vec![
        "CREATE DATABASE shop;".to_owned(),
        "ALTER TABLESPACE mysql ENCRYPTION='Y';".to_owned(),
        "CREATE TABLE shop.place (id INT PRIMARY KEY, at POINT NOT NULL SRID 0, SPATIAL INDEX (at)) ENCRYPTION='Y';".to_owned(),
        "INSERT INTO shop.place WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 900) SELECT id, ST_SRID(POINT(id, id * 7 % 900), 0) FROM n;".to_owned(),
    ];
    // Enough to reach the second file.
    lines.push(
        "CREATE TABLE shop.in_system (id INT PRIMARY KEY, large LONGTEXT) TABLESPACE innodb_system;"
            .to_owned(),
    );
    lines.push("INSERT INTO shop.in_system WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 300) SELECT id, REPEAT(SHA2(id, 256), 800) FROM n;".to_owned());
    for (table, rest) in tables {
        lines.push(format!(
            "CREATE TABLE shop.{table} (id INT PRIMARY KEY, note VARCHAR(60), large LONGTEXT) {rest};"
        ));
        lines.push(format!(
            "INSERT INTO shop.{table} WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 300) SELECT id, '{MARKER}', REPEAT(SHA2(id, 256), 1 + id % 5 * 40) FROM n;"
        ));
    }
    lines.join("\n") + "\n"
}

/// Every tablespace is decrypted, checked with that checksum alone, and encrypted again.
fn check(made: &Made, page_bytes: u32, algorithm: Algorithm) {
    let keys = keyring_file::keys(&std::fs::read(&made.keyring).expect("a keyring"));
    let mut encrypted = Vec::new();
    let system = std::fs::read(made.data.join("ibdata1")).expect("the system tablespace");
    for path in files(&made.data) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let stored = std::fs::read(&path).expect("a file");
        let options = Options { checksums: Policy::Strict(algorithm), ..Options::default() };
        if name == "ibdata2" {
            let first = u32::try_from(system.len()).expect("small") / page_bytes;
            let Err(DetectError::Number { number }) = Tablespace::detect(&stored) else {
                panic!("ibdata2 begins anew")
            };
            assert_eq!(number, first);
            let codec =
                Tablespace::detect(&system).expect("a tablespace").open(&keys, options).expect("no key");
            assert_eq!(codec.decrypt(first, &mut stored.clone()).expect("checked"), []);
            continue;
        }
        let Ok(tablespace) = Tablespace::detect(&stored) else { continue };
        assert_eq!(tablespace.geometry.logical(), page_bytes as usize, "{name}");
        assert_eq!(tablespace.head, Ok(algorithm), "{name}");
        assert_eq!(tablespace.cut_off(stored.len() as u64), None, "{name}");
        let codec = tablespace.open(&keys, options).expect("its key");
        let mut run = stored.clone();
        assert_eq!(codec.decrypt(0, &mut run).expect("decrypted"), [], "{name}");
        let Encryption::MySql(encryption) = &tablespace.encryption else { continue };
        let information = encryption.information.as_ref().expect("sound");
        assert_ne!(information.master_key(), &MasterKeyId::Default, "{name}");
        if !name.starts_with("undo") {
            let mut again = run.clone();
            assert_eq!(codec.encrypt(0, &mut again).expect("encrypted"), [], "{name}");
            assert!(again == stored, "{name} differs when encrypted again");
            assert_eq!(codec.expand(0, &mut run), []);
            assert_eq!(codec.decrypt(0, &mut run.clone()).expect("checked"), [], "{name} when expanded");
        }
        if ["whole.ibd", "redundant.ibd", "zlib.ibd", "lz4.ibd"].contains(&name.as_str()) {
            assert!(contains(&run, MARKER.as_bytes()), "{name} has lost rows");
        }
        assert!(!contains(&stored, MARKER.as_bytes()), "{name} shows rows");
        encrypted.push(name);
    }
    for wanted in ["whole.ibd", "redundant.ibd", "place.ibd", "mysql.ibd", "undo_001"] {
        assert!(encrypted.iter().any(|name| name == wanted), "{wanted} is not among {encrypted:?}");
    }
}

#[test]
fn pages_of_8_kib_with_innodb_checksums_and_two_system_files_are_read() {
    let made = need!(make(8192, "innodb"));
    check(&made, 8192, Algorithm::InnoDb);
}

#[test]
#[ignore = "soak: makes six data directories"]
fn every_page_size_and_checksum_algorithm_of_a_real_server_is_read() {
    for (page_bytes, checksum, algorithm) in [
        (4096, "strict_crc32", Algorithm::Crc32),
        (4096, "innodb", Algorithm::InnoDb),
        (16384, "strict_none", Algorithm::None),
        (32768, "crc32", Algorithm::Crc32),
        (65536, "strict_innodb", Algorithm::InnoDb),
        (65536, "none", Algorithm::None),
    ] {
        let made = need!(make(page_bytes, checksum));
        check(&made, page_bytes, algorithm);
    }
}

//! Files that this crate decrypted, encrypted and encrypted anew, imported and read by a real MariaDB.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_secret::KeyMaterial;
use strongroom_tablespace::disk::system::SystemDisk;
use strongroom_tablespace::disk::walk::FileKind;
use strongroom_tablespace::file::convert::{self, RandomFailed, Target};
use strongroom_tablespace::file::{Source, mariadb as file};
use strongroom_tablespace::mariadb::Mode;
use strongroom_tablespace::page::Policy;
use strongroom_tablespace::run::Run;
use strongroom_tablespace::{KeysInMemory, MasterKeySource};
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mariadb::{self, Series, Server};
use strongroom_testkit::{every_series, need, plugin};

use crate::mariadb::{MARKER, contains, encrypting, fill, keys, kinds};

const PAGE_BYTES: u32 = 16384;
const DEFINITION: &str = "(id INT PRIMARY KEY, note TEXT, large LONGTEXT)";

every_series!(
    decrypted_files_are_imported,
    encrypted_files_are_imported,
    encrypted_files_of_counter_mode_are_imported,
    files_of_a_newer_key_version_are_imported,
);

fn random(bytes: &mut [u8]) -> Result<(), RandomFailed> {
    rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty())
        .map(|_| ())
        .map_err(|_| RandomFailed)
}

fn source(path: &Path) -> Source {
    Source::open(&SystemDisk, path, FileKind::Tablespace, Policy::Any).expect("a tablespace")
}

fn checksum(server: &mut Server, table: &str) -> String {
    server.value(&format!("SELECT SHA2(GROUP_CONCAT(id, note, large ORDER BY id), 256) FROM shop.{table}"))
}

/// The files of a table as a server gives them away: tablespace and description.
fn export(server: &mut Server, table: &str, to: &Path) -> PathBuf {
    server.sql(&format!("FLUSH TABLES shop.{table} FOR EXPORT"));
    for suffix in ["ibd", "cfg"] {
        let name = format!("{table}.{suffix}");
        fs::copy(server.data().join("shop").join(&name), to.join(&name)).expect("copied");
    }
    server.sql("UNLOCK TABLES");
    to.join(format!("{table}.ibd"))
}

/// Gives a file to a server as a table with these options; what the rows are then.
fn import(server: &mut Server, table: &str, options: &str, ibd: &Path) -> String {
    server.sql(&format!("CREATE TABLE shop.{table} {DEFINITION} {options}"));
    server.sql(&format!("ALTER TABLE shop.{table} DISCARD TABLESPACE"));
    let folder = server.data().join("shop");
    fs::copy(ibd, folder.join(format!("{table}.ibd"))).expect("copied");
    let description = ibd.with_file_name(format!("{table}.cfg"));
    fs::copy(description, folder.join(format!("{table}.cfg"))).expect("copied");
    server.sql(&format!("ALTER TABLE shop.{table} IMPORT TABLESPACE"));
    good(server, table);
    checksum(server, table)
}

/// Makes a server write until its log is further than another's. MariaDB looks at the log sequence number of the root page of
/// an encrypted file before it decrypts it, and imports none, not even one of its own, that is ahead of its log.
fn overtake(server: &mut Server, other: &mut Server) {
    let lsn = |server: &mut Server| {
        let row = server.sql("SHOW GLOBAL STATUS LIKE 'Innodb_lsn_current'").remove(0);
        row[1].as_deref().and_then(|lsn| lsn.parse::<u64>().ok()).expect("a number")
    };
    let goal = lsn(other);
    server.sql("CREATE TABLE shop.ballast (a LONGTEXT)");
    while lsn(server) <= goal {
        server.sql("INSERT INTO shop.ballast SELECT REPEAT('x', 10000) FROM shop.seq_1_to_100");
    }
}

/// What the server itself thinks of a table.
fn good(server: &mut Server, table: &str) {
    let rows = server.sql(&format!("CHECK TABLE shop.{table} EXTENDED"));
    let verdict: Vec<_> = rows.iter().map(|row| row.last().cloned().flatten()).collect();
    assert_eq!(verdict, [Some("OK".to_owned())], "{table}: {rows:?}");
}

/// After a restart nothing comes from memory.
fn good_after_restart(server: &mut Server, table: &str, rows: &str) {
    server.stop();
    server.restart().expect("starts");
    good(server, table);
    assert_eq!(checksum(server, table), rows, "{table}");
}

fn without_encryption(options: &str) -> String {
    options.replace("ENCRYPTION_KEY_ID=33", "").replace("ENCRYPTED=YES", "").replace("ENCRYPTED=NO", "")
}

fn decrypted_files_are_imported(series: Series) {
    let folder = Scratch::new("exchange");
    let mut giver = need!(Server::start(encrypting(series, &folder, Mode::Cbc)));
    let mut taker = need!(Server::start(mariadb::Options::default().on(series)));
    fill(&mut giver, PAGE_BYTES);
    taker.sql("CREATE DATABASE shop");
    for (table, options) in kinds(PAGE_BYTES) {
        if !options.contains("ENCRYPTED=YES") {
            continue;
        }
        let rows = checksum(&mut giver, table);
        let ibd = export(&mut giver, table, folder.path());
        let out = folder.path().join(format!("out-{table}"));
        convert::decrypt(&SystemDisk, &source(&ibd), &keys(), Target::new_file(&out), Run::default())
            .expect("decrypted");
        assert!(!source(&out).is_encrypted());
        fs::rename(&out, &ibd).expect("renamed");
        assert_eq!(import(&mut taker, table, &without_encryption(options), &ibd), rows, "{table}");
        if table == "packed" {
            good_after_restart(&mut taker, table, &rows);
        }
    }
}

fn encrypted_files_are_imported(series: Series) {
    encrypted_by_us(series, Mode::Cbc);
}

fn encrypted_files_of_counter_mode_are_imported(series: Series) {
    encrypted_by_us(series, Mode::Ctr);
}

fn encrypted_by_us(series: Series, mode: Mode) {
    let folder = Scratch::new("exchange");
    let mut giver = need!(Server::start(encrypting(series, &folder, mode)));
    let mut taker = need!(Server::start(encrypting(series, &folder, mode)));
    fill(&mut giver, PAGE_BYTES);
    taker.sql("CREATE DATABASE shop");
    overtake(&mut taker, &mut giver);
    for (table, options) in kinds(PAGE_BYTES) {
        if !options.contains("ENCRYPTED=NO") {
            continue;
        }
        let rows = checksum(&mut giver, table);
        let ibd = export(&mut giver, table, folder.path());
        let out = folder.path().join(format!("out-{table}"));
        let target = Target::new_file(&out);
        file::encrypt(&SystemDisk, &source(&ibd), &keys(), 33, mode, &random, target, Run::default())
            .expect("encrypted");
        assert!(!contains(&fs::read(&out).expect("a file"), MARKER));
        fs::rename(&out, &ibd).expect("renamed");
        let options = options.replace("ENCRYPTED=NO", "ENCRYPTED=YES ENCRYPTION_KEY_ID=33");
        assert_eq!(import(&mut taker, table, &options, &ibd), rows, "{table}");
        let key_id = format!(
            "SELECT CURRENT_KEY_ID FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE NAME = 'shop/{table}'"
        );
        assert_eq!(taker.value(&key_id), "33", "{table}");
        good_after_restart(&mut taker, table, &rows);
    }
}

/// Version 1 of each key is what [`keys`] has; version 5 exists only here.
fn files_of_a_newer_key_version_are_imported(series: Series) {
    let folder = Scratch::new("exchange");
    let mut giver = need!(Server::start(encrypting(series, &folder, Mode::Cbc)));
    fill(&mut giver, PAGE_BYTES);
    let newer = Scratch::new("newer");
    let library = "strongroom_file_key_management";
    let plugins = plugin(library);
    let stock = encrypting(series, &newer, Mode::Cbc);
    let path = newer.path().join("keys");
    let text = fs::read_to_string(&path).expect("a key file");
    fs::write(&path, format!("{text}1;5;{}\n33;5;{}\n", "5a".repeat(16), "5b".repeat(32))).expect("written");
    let options = mariadb::Options {
        plugin_load_add: vec![library.to_owned()],
        plugin_dir: Some(plugins.path().to_path_buf()),
        ..stock
    };
    let mut taker = need!(Server::start(options));
    taker.sql("CREATE DATABASE shop");
    overtake(&mut taker, &mut giver);
    let memory = [(1, 5, KeyMaterial::new(&[0x5A; 16])), (33, 5, KeyMaterial::new(&[0x5B; 32]))]
        .into_iter()
        .fold(KeysInMemory::new(), |keys, (id, version, key)| keys.with_mariadb_key(id, version, key));
    let both: Arc<dyn MasterKeySource> = Arc::new([1, 33].into_iter().fold(memory, |memory, id| {
        let key = keys().mariadb_key(id, 1).expect("memory answers").expect("a key");
        memory.with_mariadb_key(id, 1, key)
    }));
    for (table, options) in kinds(PAGE_BYTES) {
        if !options.contains("ENCRYPTED=YES") {
            continue;
        }
        let rows = checksum(&mut giver, table);
        let ibd = export(&mut giver, table, folder.path());
        let out = folder.path().join(format!("out-{table}"));
        file::rekey(&SystemDisk, &source(&ibd), &both, Target::new_file(&out), Run::default())
            .expect("rekeyed");
        fs::rename(&out, &ibd).expect("renamed");
        assert_eq!(import(&mut taker, table, options, &ibd), rows, "{table}");
        let version = format!(
            "SELECT MIN_KEY_VERSION FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE NAME = 'shop/{table}'"
        );
        assert_eq!(taker.value(&version), "5", "{table}");
        if table == "own" {
            good_after_restart(&mut taker, table, &rows);
        }
    }
}

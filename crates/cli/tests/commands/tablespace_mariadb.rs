//! Tablespaces between a real MariaDB and the command: what one writes the other opens, and the rows are the same.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use strongroom_testkit::built::PluginFolder;
use strongroom_testkit::mariadb::{Options, Series, Server};
use strongroom_testkit::{Unavailable, need};

use crate::{Ran, args, strongroom};

const PLUGIN: &str = "strongroom_file_key_management";
const TABLES: [(&str, &str); 5] = [
    ("one", "ENCRYPTED=YES"),
    ("seven", "ENCRYPTED=YES ENCRYPTION_KEY_ID=7"),
    ("squeezed", "ENCRYPTED=YES PAGE_COMPRESSED=1"),
    ("block8", "ENCRYPTED=YES ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8"),
    ("plain", "ENCRYPTED=NO"),
];

struct Rig {
    server: Server,
    folder: tempfile::TempDir,
    /// Removed with the rig.
    _plugins: PluginFolder,
}

impl Rig {
    fn start(series: Series) -> Result<Self, Unavailable> {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        Ran::of(&mut strongroom(args!["keyfile", "create", &keys])).ok();
        Ran::of(strongroom(args!["keyfile", "add", &keys]).args(["--key-id", "7", "--bits", "128"])).ok();
        let plugins = strongroom_testkit::plugin(PLUGIN);
        let server = Server::start(
            Options { plugin_dir: Some(plugins.path().to_path_buf()), ..Options::default() }
                .on(series)
                .load(PLUGIN)
                .arg(format!("--file-key-management-filename={}", keys.display()))
                // The server leaves alone what is not to be encrypted, and does nothing in the background.
                .arg("--innodb-encrypt-tables=OFF")
                .arg("--innodb-encrypt-log=ON"),
        )?;
        let mut rig = Self { server, folder, _plugins: plugins };
        rig.server.sql("CREATE DATABASE shop");
        for (table, rest) in TABLES {
            rig.server
                .sql(&format!("CREATE TABLE shop.{table} (id INT PRIMARY KEY, note VARCHAR(200)) {rest}"));
            rig.server.sql(&format!(
                "INSERT INTO shop.{table} SELECT seq, CONCAT('a row nobody may find ', SHA2(seq, 256)) FROM shop.seq_1_to_500"
            ));
        }
        // The server may be another user's.
        let far = rig.path("far");
        fs::create_dir(&far).unwrap();
        fs::set_permissions(&far, fs::Permissions::from_mode(0o777)).unwrap();
        let far = far.display();
        rig.server.sql(&format!(
            "CREATE TABLE shop.far (id INT PRIMARY KEY, note VARCHAR(200)) ENCRYPTED=YES DATA DIRECTORY='{far}'"
        ));
        rig.server.sql("INSERT INTO shop.far SELECT * FROM shop.one");
        Ok(rig)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tablespace(&self, verb: &str, rest: &[&str]) -> Ran {
        let keys = format!("keyfile:{}", self.path("keys").display());
        Ran::of(strongroom(args!["tablespace", verb, "--keys", keys]).args(rest)).unwrapped()
    }

    fn file(&self, table: &str) -> String {
        self.server.data().join(format!("shop/{table}.ibd")).display().to_string()
    }

    fn rows(&mut self) -> Vec<String> {
        let tables = TABLES.iter().map(|(table, _)| *table).chain(["far"]);
        tables.map(|table| checked(&mut self.server, table)).collect()
    }
}

/// The checksum of a table's rows, once the server has found it whole.
fn checked(server: &mut Server, table: &str) -> String {
    let check = server.sql(&format!("CHECK TABLE shop.{table} EXTENDED"));
    let verdict = check.last().and_then(|row| row.last()).cloned().flatten();
    assert_eq!(verdict.as_deref(), Some("OK"), "{table}: {check:?}");
    format!(
        "{:?}",
        server.sql(&format!("SELECT COUNT(*), SUM(CRC32(CONCAT(id, ':', note))) FROM shop.{table}"))
    )
}

fn export(server: &mut Server, table: &str, to: &Path) -> PathBuf {
    let copy = to.join(format!("{table}.ibd"));
    server.sql(&format!("FLUSH TABLES shop.{table} FOR EXPORT"));
    fs::copy(server.data().join(format!("shop/{table}.ibd")), &copy).unwrap();
    server.sql("UNLOCK TABLES");
    copy
}

fn import(server: &mut Server, table: &str, rest: &str, file: &Path) -> String {
    server.sql(&format!("CREATE TABLE shop.{table} (id INT PRIMARY KEY, note VARCHAR(200)) {rest}"));
    server.sql(&format!("ALTER TABLE shop.{table} DISCARD TABLESPACE"));
    let to = server.data().join(format!("shop/{table}.ibd"));
    fs::copy(file, &to).unwrap();
    let owner = fs::metadata(server.data()).unwrap();
    std::os::unix::fs::chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    server.sql(&format!("ALTER TABLE shop.{table} IMPORT TABLESPACE"));
    checked(server, table)
}

fn back_and_forth(series: Series) -> Result<(), Unavailable> {
    let mut rig = Rig::start(series)?;
    let rows = rig.rows();
    let data = rig.server.data().display().to_string();
    let text = |path: &Path| path.display().to_string();
    let folder = rig.path("");

    // Imported without a key, and with one.
    for table in ["one", "squeezed"] {
        let exported = export(&mut rig.server, table, &folder);
        let plain = rig.path(&format!("{table}_plain.ibd"));
        rig.tablespace("decrypt", &[&text(&exported), "-o", &text(&plain)]).ok();
        let rest = if table == "squeezed" { "ENCRYPTED=NO PAGE_COMPRESSED=1" } else { "ENCRYPTED=NO" };
        let own = checked(&mut rig.server, table);
        assert_eq!(import(&mut rig.server, &format!("{table}_plain"), rest, &plain), own);
    }
    let exported = export(&mut rig.server, "plain", &folder);
    let encrypted = rig.path("encrypted.ibd");
    rig.tablespace("encrypt", &["--key-id", "7", &text(&exported), "-o", &text(&encrypted)]).ok();
    rig.tablespace("verify", &[&text(&encrypted)]).ok();
    let own = checked(&mut rig.server, "plain");
    assert_eq!(import(&mut rig.server, "encrypted", "ENCRYPTED=YES ENCRYPTION_KEY_ID=7", &encrypted), own);

    // A running server's files are its own, whatever is to be done with them.
    let (one, out) = (rig.file("one"), text(&rig.path("out")));
    for (verb, rest) in [
        ("inspect", vec![&*data]),
        ("verify", vec![&data]),
        ("decrypt", vec![&one, "--in-place"]),
        ("decrypt", vec![&one, "-o", &out]),
        ("encrypt", vec![&one, "--key-id", "7", "--in-place"]),
        ("rekey", vec![&data, "--in-place"]),
    ] {
        let refused = rig.tablespace(verb, &rest).failed(1);
        assert!(refused.contains("is open in another process"), "{verb}: {refused}");
    }
    rig.server.stop();

    // A newer version of the key for all of the data directory.
    rig.tablespace("verify", &[&data]).ok();
    Ran::of(strongroom(args!["keyfile", "rotate", rig.path("keys")]).args(["--key-id", "1"])).ok();
    rig.tablespace("rekey", &[&data, "--in-place"]).ok();
    // Elsewhere as well: the server keeps a link to it in its data directory.
    for file in [rig.file("one"), text(&rig.path("far/shop/far.ibd"))] {
        let report: serde_json::Value =
            serde_json::from_str(&rig.tablespace("inspect", &[&file, "--json"]).ok()).unwrap();
        assert_eq!(
            (report[0]["key_id"].as_u64(), report[0]["min_key_version"].as_u64()),
            (Some(1), Some(3)),
            "{report}"
        );
    }
    let again = rig.tablespace("rekey", &[&data, "--in-place"]).ok();
    assert!(again.contains("nothing was left to do"), "{again}");
    rig.tablespace("verify", &[&data]).ok();

    // In place, because MariaDB's files say themselves how they are encrypted.
    rig.tablespace("decrypt", &[&rig.file("one"), "--in-place"]).ok();
    rig.tablespace("encrypt", &["--key-id", "7", &rig.file("plain"), "--in-place"]).ok();
    rig.server.restart().unwrap();
    assert_eq!(rig.rows(), rows);
    for (table, _) in TABLES {
        rig.server.sql(&format!("UPDATE shop.{table} SET note = REVERSE(note)"));
    }
    let rows = rig.rows();
    rig.server.stop();
    rig.tablespace("verify", &[&data]).ok();
    rig.server.restart().unwrap();
    assert_eq!(rig.rows(), rows);

    rig.server.stop();
    let refused = rig.tablespace("rotate", &[&data]).failed(1);
    assert!(refused.contains("rekey"), "{refused}");
    Ok(())
}

#[test]
fn files_go_back_and_forth_with_mariadb_10_11() {
    need!(back_and_forth(Series::V10_11));
}

#[test]
fn files_go_back_and_forth_with_mariadb_11_8() {
    need!(back_and_forth(Series::V11_8));
}

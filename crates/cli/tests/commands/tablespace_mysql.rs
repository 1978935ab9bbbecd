//! Tablespaces between a real MySQL and the command: what one writes the other opens, and the rows are the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use strongroom_testkit::Unavailable;
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::need;

use crate::{Ran, args, strongroom};

const MARKER: &str = "a row nobody may find on disk";
const TABLES: [(&str, &str); 7] = [
    ("whole", "ENCRYPTION='Y'"),
    ("zlib", "ENCRYPTION='Y' COMPRESSION='zlib'"),
    ("lz4", "ENCRYPTION='Y' COMPRESSION='lz4'"),
    ("block8", "ENCRYPTION='Y' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8"),
    ("block2", "ENCRYPTION='Y' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=2"),
    ("parts", "ENCRYPTION='Y' PARTITION BY HASH (id) PARTITIONS 2"),
    ("plain", "ENCRYPTION='N'"),
];

/// A server with MySQL's own keyring component.
struct Rig {
    server: Server,
    keys: Scratch,
    /// A folder outside the data directory, for a table of its own.
    far: Scratch,
}

impl Rig {
    fn start() -> Result<Self, Unavailable> {
        Self::start_with(&[])
    }

    fn start_with(args: &[&str]) -> Result<Self, Unavailable> {
        let (keys, far) = (Scratch::new("keys"), Scratch::new("far"));
        let path = keys.path().join("keyring.json");
        let configuration = format!("{{\"path\": \"{}\", \"read_only\": false}}", path.display());
        let options = Options::default()
            .component("component_keyring_file", configuration)
            .arg("--innodb-redo-log-encrypt=ON")
            .arg("--innodb-undo-log-encrypt=ON")
            .arg(format!("--innodb-directories={}", far.path().display()));
        let server = Server::start(args.iter().fold(options, |options, arg| options.arg(*arg)))?;
        Ok(Self { server, keys, far })
    }

    fn keyring(&self) -> String {
        format!("json:{}", self.keys.path().join("keyring.json").display())
    }

    fn fill(&mut self) {
        let server = &mut self.server;
        server.sql("CREATE DATABASE shop");
        for (table, rest) in TABLES {
            server.sql(&format!("CREATE TABLE shop.{table} (id INT PRIMARY KEY, note TEXT) {rest}"));
            server.sql(&format!(
                "INSERT INTO shop.{table} WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 400)
                 SELECT id, CONCAT('{MARKER} ', SHA2(id, 256)) FROM n"
            ));
        }
        server.sql("ALTER TABLESPACE mysql ENCRYPTION='Y'");
        server.sql("CREATE TABLESPACE general ADD DATAFILE 'general.ibd' ENCRYPTION='Y'");
        server.sql(
            "CREATE TABLE shop.shared (id INT PRIMARY KEY, note TEXT) TABLESPACE general ENCRYPTION='Y'",
        );
        server.sql("INSERT INTO shop.shared SELECT * FROM shop.whole");
        server.sql(&format!(
            "CREATE TABLE shop.far (id INT PRIMARY KEY, note TEXT) DATA DIRECTORY='{}' ENCRYPTION='Y'",
            self.far.path().display()
        ));
        server.sql("INSERT INTO shop.far SELECT * FROM shop.whole");
    }

    /// What a server says of every table: its rows, and that they are whole.
    fn rows(&mut self) -> BTreeMap<String, String> {
        let tables = TABLES.iter().map(|(table, _)| *table).chain(["shared", "far"]);
        tables.map(|table| (table.to_owned(), checked(&mut self.server, table))).collect()
    }

    fn tablespace(&self, verb: &str, rest: &[&str]) -> Ran {
        let mut command = strongroom(args!["tablespace", verb, "--keys", self.keyring()]);
        Ran::of(command.args(rest)).unwrapped()
    }

    fn data(&self) -> String {
        self.server.data().display().to_string()
    }

    fn far(&self) -> String {
        self.far.path().display().to_string()
    }
}

/// The checksum of a table's rows, once the server has found it whole.
fn checked(server: &mut Server, table: &str) -> String {
    let check = server.sql(&format!("CHECK TABLE shop.{table} EXTENDED"));
    let verdict = check.last().and_then(|row| row.last()).cloned().flatten();
    assert_eq!(verdict.as_deref(), Some("OK"), "{table}: {check:?}");
    let sum = server.sql(&format!("SELECT COUNT(*), SUM(CRC32(CONCAT(id, ':', note))) FROM shop.{table}"));
    format!("{sum:?}")
}

fn json(ran: Ran) -> serde_json::Value {
    serde_json::from_str(&ran.ok()).unwrap()
}

#[test]
fn a_whole_data_directory_is_rotated_and_rekeyed_and_the_server_goes_on() {
    let mut rig = need!(Rig::start());
    rig.fill();
    let (rows, uuid, data, far) = (rig.rows(), rig.server.uuid(), rig.data(), rig.far());

    // A running server's files are its own, whatever is to be done with them.
    let (one, out) = (format!("{data}/shop/whole.ibd"), format!("{far}/out"));
    for (verb, rest) in [
        ("inspect", vec![&*data]),
        ("verify", vec![&data]),
        ("decrypt", vec![&one, "-o", &out]),
        ("encrypt", vec![&one, "-o", &out]),
        ("rotate", vec![&data]),
        ("rekey", vec![&one, "-o", &out]),
        ("rekey", vec![&data, "--in-place"]),
        ("export", vec![&one]),
        ("import", vec![&one, "-o", &out]),
        ("logs", vec![&data, "-o", &out]),
    ] {
        let refused = rig.tablespace(verb, &rest).failed(1);
        assert!(refused.contains("is open in another process"), "{verb}: {refused}");
    }
    assert!(!Path::new(&out).exists());
    rig.server.kill9();
    let refused = rig.tablespace("rotate", &[&data]).failed(1);
    assert!(refused.contains("not shut down cleanly"), "{refused}");
    rig.server.restart().unwrap();
    rig.server.stop();

    let rotated = json(rig.tablespace("rotate", &[&data, &far, "--json"]));
    assert_eq!(rotated["master_key"], format!("INNODBKey-{uuid}-2"));
    // Seven tables with two partitions, mysql, general, the one elsewhere, two undo tablespaces, and the redo log.
    assert!(rotated["changed"].as_u64().unwrap() >= 12, "{rotated}");
    let reports = json(rig.tablespace("inspect", &[&data, &far, "--json"]));
    let is_far = |report: &&serde_json::Value| report["file"].as_str().unwrap().starts_with(&far);
    assert_eq!(reports.as_array().unwrap().iter().filter(is_far).count(), 1);
    for report in reports.as_array().unwrap() {
        let key = &report["master_key"];
        assert!(key.is_null() || *key == format!("INNODBKey-{uuid}-2"), "{report}");
    }
    rig.tablespace("verify", &[&data]).ok();
    rig.server.restart().unwrap();
    assert_eq!(rig.rows(), rows);
    // The server's own rotation goes on from there.
    rig.server.sql("ALTER INSTANCE ROTATE INNODB MASTER KEY");
    rig.server.sql("INSERT INTO shop.whole VALUES (1000, 'written under the third')");
    let rows = rig.rows();
    rig.server.stop();
    let report = json(rig.tablespace("inspect", &[&one, "--json"]));
    assert_eq!(report[0]["master_key_number"], 3, "{report}");

    let rekeyed = json(rig.tablespace("rekey", &[&data, &far, "--in-place", "--json"]));
    assert!(rekeyed["changed"].as_array().unwrap().len() >= 11, "{rekeyed}");
    rig.tablespace("verify", &[&data]).ok();
    rig.server.restart().unwrap();
    assert_eq!(rig.rows(), rows);
    rig.server.sql("UPDATE shop.whole SET note = REVERSE(note)");
    rig.server.stop();
    assert!(!rig.server.files_contain(MARKER.as_bytes()) || contains_only_in_plain(&rig.server));
}

/// The marker is in the files of the plain table alone.
fn contains_only_in_plain(server: &Server) -> bool {
    let holds = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(MARKER.len()).any(|window| window == MARKER.as_bytes())
    };
    let others =
        ["shop/whole.ibd", "shop/zlib.ibd", "shop/block8.ibd", "general.ibd", "mysql.ibd", "undo_001"];
    others.iter().all(|name| !holds(&server.data().join(name)))
}

/// Copies a table's files as `FLUSH TABLES … FOR EXPORT` lets anybody do.
fn export(server: &mut Server, table: &str, to: &Path) -> PathBuf {
    server.sql(&format!("FLUSH TABLES shop.{table} FOR EXPORT"));
    for extension in ["ibd", "cfg", "cfp"] {
        let from = server.data().join(format!("shop/{table}.{extension}"));
        if from.exists() {
            fs::copy(&from, to.join(format!("{table}.{extension}"))).unwrap();
        }
    }
    server.sql("UNLOCK TABLES");
    to.join(format!("{table}.ibd"))
}

/// Puts a file in the place of a new table's and imports it.
fn import(server: &mut Server, table: &str, rest: &str, files: &[&Path]) -> String {
    server.sql(&format!("CREATE TABLE shop.{table} (id INT PRIMARY KEY, note TEXT) {rest}"));
    server.sql(&format!("ALTER TABLE shop.{table} DISCARD TABLESPACE"));
    let owner = fs::metadata(server.data()).unwrap();
    for from in files {
        let extension = from.extension().unwrap().to_str().unwrap();
        let to = server.data().join(format!("shop/{table}.{extension}"));
        fs::copy(from, &to).unwrap();
        use std::os::unix::fs::MetadataExt;
        std::os::unix::fs::chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    server.sql(&format!("ALTER TABLE shop.{table} IMPORT TABLESPACE"));
    checked(server, table)
}

#[test]
fn what_is_decrypted_here_is_imported_without_a_key_and_what_is_encrypted_here_with_a_transfer_file() {
    let mut rig = need!(Rig::start());
    rig.fill();
    let work = Scratch::new("work");
    let path = |name: &str| work.path().join(name);
    let text = |path: &Path| path.display().to_string();
    for table in ["whole", "zlib", "lz4"] {
        let exported = export(&mut rig.server, table, work.path());
        let plain = path(&format!("{table}_plain.ibd"));
        rig.tablespace("decrypt", &[&text(&exported), "-o", &text(&plain)]).ok();
        assert!(fs::read(&plain).unwrap().windows(MARKER.len()).any(|window| window == MARKER.as_bytes()));
        let rows = checked(&mut rig.server, table);
        assert_eq!(
            import(&mut rig.server, &format!("{table}_plain"), "ENCRYPTION='N'", &[&plain]),
            rows,
            "{table}"
        );
    }

    // A plain table of the first server becomes an encrypted one of a second, which has another keyring.
    let mut other = need!(Rig::start());
    other.server.sql("CREATE DATABASE shop");
    other.server.sql("CREATE TABLE shop.first (id INT PRIMARY KEY) ENCRYPTION='Y'");
    let exported = export(&mut rig.server, "plain", work.path());
    let rows = checked(&mut rig.server, "plain");
    let encrypted = path("encrypted.ibd");
    rig.tablespace("encrypt", &[&text(&exported), "-o", &text(&encrypted)]).ok();
    rig.tablespace("verify", &[&text(&encrypted)]).ok();
    rig.tablespace("export", &[&text(&encrypted)]).ok();
    let transfer = path("encrypted.cfp");
    assert_eq!(fs::metadata(&transfer).unwrap().len(), 100);
    assert_eq!(import(&mut other.server, "encrypted", "ENCRYPTION='Y'", &[&encrypted, &transfer]), rows);

    // With a new tablespace key, and with a master key of the second server's, the same.
    let rekeyed = path("rekeyed.ibd");
    rig.tablespace("rekey", &[&text(&encrypted), "-o", &text(&rekeyed)]).ok();
    rig.tablespace("export", &[&text(&rekeyed)]).ok();
    assert_eq!(
        import(&mut other.server, "rekeyed", "ENCRYPTION='Y'", &[&rekeyed, &path("rekeyed.cfp")]),
        rows
    );
    let adopted = path("adopted.ibd");
    other.tablespace("import", &[&text(&encrypted), "-o", &text(&adopted)]).ok();
    rig.tablespace("verify", &[&text(&adopted)]).failed_with(3);
    other.tablespace("verify", &[&text(&adopted)]).ok();
    other.tablespace("export", &[&text(&adopted)]).ok();
    assert_eq!(
        import(&mut other.server, "adopted", "ENCRYPTION='Y'", &[&adopted, &path("adopted.cfp")]),
        rows
    );
}

#[test]
fn a_rotation_that_is_killed_at_any_moment_is_finished_by_resuming() {
    let mut rig = need!(Rig::start());
    rig.fill();
    let (rows, data) = (rig.rows(), rig.data());
    rig.server.stop();
    // Where a kill falls is chance; what must hold afterwards holds in any case.
    for delay_us in [0, 2_000, 10_000, 20_000, 30_000, 40_000, 60_000] {
        let mut child = start_rotation(&rig, &data);
        std::thread::sleep(std::time::Duration::from_micros(delay_us));
        child.kill().unwrap();
        child.wait().unwrap();
        // Readable at once, and in the end.
        rig.tablespace("verify", &[&data]).ok();
        rig.tablespace("rotate", &[&data, "--resume"]).ok();
        rig.tablespace("verify", &[&data]).ok();
    }
    rig.server.restart().unwrap();
    assert_eq!(rig.rows(), rows);
    rig.server.stop();
}

fn start_rotation(rig: &Rig, data: &str) -> Child {
    strongroom(args!["tablespace", "rotate", "--keys", rig.keyring(), data])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Tables with whatever else changes the pages of a file: their names and options, and statements about them.
const MORE: [(&str, &str, &str); 11] = [
    ("`Upper Case-\u{e9}`", "ENCRYPTION='Y'", ""),
    ("grown", "ENCRYPTION='Y' AUTOEXTEND_SIZE=4M", ""),
    (
        "instant",
        "ENCRYPTION='Y'",
        "ALTER TABLE shop.instant ADD COLUMN later INT DEFAULT 7, ALGORITHM=INSTANT",
    ),
    ("words", "ENCRYPTION='Y'", "ALTER TABLE shop.words ADD FULLTEXT INDEX (note)"),
    (
        "ranges",
        "ENCRYPTION='Y' PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (50), PARTITION rest VALUES LESS THAN MAXVALUE)",
        "",
    ),
    ("redundant", "ENCRYPTION='Y' ROW_FORMAT=REDUNDANT", ""),
    ("compact", "ENCRYPTION='Y' ROW_FORMAT=COMPACT", ""),
    ("block1", "ENCRYPTION='Y' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=1", ""),
    ("block4", "ENCRYPTION='Y' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4", ""),
    ("block16", "ENCRYPTION='Y' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=16", ""),
    ("large", "ENCRYPTION='Y'", "UPDATE shop.large SET note = REPEAT(note, 900) WHERE id % 20 = 0"),
];

#[test]
fn whatever_a_server_makes_is_read_with_all_its_master_keys() {
    let mut rig = need!(Rig::start_with(&["--log-bin=bin", "--server-id=1"]));
    let server = &mut rig.server;
    server.sql("CREATE DATABASE shop");
    server.sql("SET GLOBAL binlog_encryption = ON");
    for (at, (table, rest, then)) in MORE.into_iter().enumerate() {
        server.sql(&format!("CREATE TABLE shop.{table} (id INT PRIMARY KEY, note LONGTEXT) {rest}"));
        server.sql(&format!(
            "INSERT INTO shop.{table} WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 100)
             SELECT id, CONCAT('{MARKER} ', SHA2(id, 256)) FROM n"
        ));
        if !then.is_empty() {
            server.sql(then);
        }
        // The files are under several master keys, and so are the logs.
        match at {
            3 | 8 => drop(server.sql("ALTER INSTANCE ROTATE INNODB MASTER KEY")),
            5 => drop(server.sql("FLUSH BINARY LOGS")),
            6 => drop(server.sql("ALTER INSTANCE ROTATE BINLOG MASTER KEY")),
            _ => {}
        }
    }
    server.sql("CREATE UNDO TABLESPACE more ADD DATAFILE 'more.ibu'");
    rig.server.stop();
    // Keys of other kinds are in the keyring too.
    let path = rig.keys.path().join("keyring.json");
    let text = fs::read_to_string(&path).unwrap();
    let others = [16, 32].map(|bytes| {
        let data = "5A".repeat(bytes);
        format!(
            r#"{{"user":"app@%","data_id":"k{bytes}","data_type":"AES","data":"{data}","extension":[]}},"#
        )
    });
    let secret = r#"{"user":"","data_id":"word","data_type":"SECRET","data":"70617373","extension":[]},"#;
    let begin = text.find("\"elements\"").and_then(|at| Some(at + text[at..].find('[')? + 1)).unwrap();
    fs::write(&path, [&text[..begin], &others.concat(), secret, &text[begin..]].concat()).unwrap();

    let (data, work) = (rig.data(), Scratch::new("work"));
    rig.tablespace("verify", &[&data]).ok();
    let text = |name: &str| work.path().join(name).display().to_string();
    let rows = json(rig.tablespace("decrypt", &[&data, "-o", &text("plain"), "--json"]));
    let decrypted = rows.as_array().unwrap().iter().filter(|row| row["outcome"] == "decrypted").count();
    assert!(decrypted > MORE.len(), "{rows}");
    rig.tablespace("verify", &[&text("plain")]).ok();
    // Encrypted again with another tablespace key.
    rig.tablespace("encrypt", &[&text("plain"), "-o", &text("again")]).ok();
    rig.tablespace("verify", &[&text("again")]).ok();

    let logs = json(rig.tablespace("logs", &[&data, "-o", &text("logs"), "--json"]));
    let of_kind = |kind: &str| {
        let all = logs.as_array().unwrap().iter().filter(|row| row["kind"] == kind);
        (all.clone().count(), all.filter(|row| row["was_encrypted"] == true).count())
    };
    let (binary, encrypted) = of_kind("binary log");
    assert!(binary > encrypted && encrypted >= 3, "those of before are plain: {logs}");
    assert!(of_kind("redo log").1 >= 1, "{logs}");
    for row in logs.as_array().unwrap().iter().filter(|row| row["kind"] == "binary log") {
        let bytes = fs::read(row["out"].as_str().unwrap()).unwrap();
        assert_eq!(bytes[..4], *b"\xFEbin", "{row}");
    }
}

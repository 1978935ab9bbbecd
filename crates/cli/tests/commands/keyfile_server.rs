//! MariaDB's key file as real servers read it: with the server's own plugin, and with ours.

use std::fs;
use std::path::Path;
use std::time::Duration;

use strongroom_testkit::mariadb::{Options, Server};
use strongroom_testkit::process::wait_until;

use crate::{Ran, args, strongroom};

const PLUGIN: &str = "strongroom_file_key_management";
const BEHIND: &str = "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
                      WHERE CURRENT_KEY_ID = 1 AND MIN_KEY_VERSION < 3";

fn options(plugins: &Path, library: &str, keys: &Path, secret: &Path) -> Options {
    Options { plugin_dir: Some(plugins.to_path_buf()), ..Options::default() }
        .load(library)
        .arg("--file-key-management=FORCE_PLUS_PERMANENT")
        .arg(format!("--file-key-management-filename={}", keys.display()))
        .arg(format!("--file-key-management-filekey=FILE:{}", secret.display()))
        .arg("--innodb-encrypt-tables=FORCE")
        .arg("--innodb-encryption-threads=2")
        .arg("--innodb-encrypt-log=ON")
        .arg("--aria-encrypt-tables=ON")
        .arg("--encrypt-binlog=ON")
        .arg("--log-bin=bin")
        .arg("--server-id=1")
}

fn status(server: &Server, rest: &[&str]) -> Ran {
    let mut command = strongroom(args!["mariadb", "status", "--socket", server.socket()]);
    Ran::of(command.args(rest)).unwrapped()
}

/// State, oldest and latest version of a tablespace, as the command shows them.
fn status_of(server: &Server, tablespace: &str) -> (String, u64, u64) {
    let status: serde_json::Value = serde_json::from_str(&status(server, &["--json"]).ok()).unwrap();
    let spaces = status["tablespaces"].as_array().unwrap();
    let space = spaces.iter().find(|space| space["name"] == tablespace).unwrap();
    let version = |member: &str| space[member].as_u64().unwrap();
    (space["state"].as_str().unwrap().to_owned(), version("oldest_version"), version("latest_version"))
}

/// The file is encrypted from the beginning and stays it; the server's own plugin reads it until a version is named.
#[test]
fn servers_take_what_is_made_added_and_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, secret) = (folder.path().join("keys"), folder.path().join("secret"));
    fs::write(&secret, "open sesame, please\n").unwrap();
    let keyfile = |verb: &str, rest: &[&str]| {
        let mut command = strongroom(args!["keyfile", verb, &keys, "--filekey", &secret]);
        Ran::of(command.args(rest)).ok()
    };
    keyfile("create", &["--temporary"]);
    keyfile("add", &["--key-id", "7", "--bits", "128"]);

    let installation = strongroom_testkit::need!(strongroom_testkit::mariadb::installation());
    let stock = options(&installation.plugins, "file_key_management", &keys, &secret);
    let mut server = strongroom_testkit::need!(Server::start(stock.clone()));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.one (a INT PRIMARY KEY, b VARCHAR(200))");
    server.sql("CREATE TABLE t.seven (a INT PRIMARY KEY, b VARCHAR(200)) ENCRYPTION_KEY_ID=7");
    for table in ["one", "seven"] {
        server.sql(&format!("INSERT INTO t.{table} SELECT seq, REPEAT('x', 100) FROM t.seq_1_to_500"));
    }
    let before = server.sql("CHECKSUM TABLE t.one, t.seven EXTENDED");

    let plugins = strongroom_testkit::plugin(PLUGIN);
    *server.options_mut() = options(plugins.path(), PLUGIN, &keys, &secret);
    server.restart().expect("starts with our plugin");
    server.sql("SET GLOBAL innodb_encryption_threads = 0");
    assert_eq!(keyfile("rotate", &["--key-id", "1"]), "3\n");
    let socket = server.socket().display().to_string();
    let used = || keyfile("check", &["--socket", &socket]);
    let row = |key: &str, version: &str, used: &str| -> String {
        let row = used.lines().find(|line| line.split_whitespace().take(2).eq([key, version]));
        row.unwrap_or_default().to_owned()
    };
    assert!(row("1", "3", &used()).contains("not loaded yet"), "{}", used());
    server.sql("FLUSH LOCAL FILE_KEY_MANAGEMENT_KEYS");
    let users = row("1", "1", &used());
    assert!(users.split_whitespace().nth(2).is_some_and(|name| name != "-"), "{users}");
    assert!(row("7", "1", &used()).contains("t/seven"), "{}", used());
    let (poorer, without) = (folder.path().join("poorer"), folder.path().join("without"));
    strongroom(args!["keyfile", "decrypt", &keys, "--filekey", &secret, "--out", &poorer]).output().unwrap();
    let lines = fs::read_to_string(&poorer).unwrap();
    fs::write(&without, lines.lines().filter(|line| !line.starts_with("7;")).collect::<Vec<_>>().join("\n"))
        .unwrap();
    let said = Ran::of(&mut strongroom(args!["keyfile", "check", &without, "--socket", &socket]))
        .unwrapped()
        .failed(1);
    assert!(said.contains("version 1 of key 7") && said.contains("t/seven"), "{said}");
    assert_eq!(status_of(&server, "t/one"), ("waiting".to_owned(), 1, 3));
    assert_eq!(status_of(&server, "t/seven"), ("latest".to_owned(), 1, 1));
    let shown = status(&server, &[]).ok();
    assert!(
        shown.contains("waits to be re-encrypted") && shown.contains("innodb_encryption_threads"),
        "{shown}"
    );
    server.sql("SET GLOBAL innodb_encryption_threads = 2");
    server.sql("SET GLOBAL innodb_encryption_rotate_key_age = @@GLOBAL.innodb_encryption_rotate_key_age");
    let done = wait_until(Duration::from_secs(60), || (server.value(BEHIND) == "0").then_some(()));
    assert!(done.is_some(), "pages of key 1 keep their old version\n{}", server.log());
    assert_eq!(server.sql("CHECKSUM TABLE t.one, t.seven EXTENDED"), before);
    // The server goes on saying that it rotates until the last pages are flushed.
    let latest = ("latest".to_owned(), 3, 3);
    let settled =
        wait_until(Duration::from_secs(60), || (status_of(&server, "t/one") == latest).then_some(()));
    assert!(settled.is_some(), "{:?}\n{}", status_of(&server, "t/one"), server.log());
    let shown = status(&server, &[]).ok();
    for holder in ["the redo log", " binary logs", " Aria tables", "backups"] {
        assert!(shown.contains(holder) && !shown.contains("waits"), "{holder}: {shown}");
    }
    let other = Ran::of(&mut strongroom(args!["mysql", "status", "--socket", server.socket()])).failed(1);
    assert!(other.contains("mariadb status"), "{other}");
    let stranger = status(&server, &["--user", "nobody-known"]).failed(4);
    assert!(stranger.contains("Access denied") && stranger.contains("--password-fd"), "{stranger}");

    // A version between the oldest and the latest: no tablespace names it, and pages may have it.
    server.sql("SET GLOBAL innodb_encryption_threads = 0");
    for version in ["3\n", "5\n"] {
        assert_eq!(keyfile("rotate", &["--key-id", "7"]), version);
        server.sql("FLUSH LOCAL FILE_KEY_MANAGEMENT_KEYS");
    }
    assert!(row("7", "3", &used()).contains("t/seven"), "{}", used());
    let between = folder.path().join("between");
    fs::remove_file(&poorer).unwrap();
    strongroom(args!["keyfile", "decrypt", &keys, "--filekey", &secret, "--out", &poorer]).output().unwrap();
    let lines = fs::read_to_string(&poorer).unwrap();
    let lines: Vec<_> = lines.lines().filter(|line| !line.starts_with("7;3;")).collect();
    fs::write(&between, lines.join("\n")).unwrap();
    let said = Ran::of(&mut strongroom(args!["keyfile", "check", &between, "--socket", &socket]))
        .unwrapped()
        .failed(1);
    assert!(said.contains("version 3 of key 7") && said.contains("t/seven"), "{said}");

    server.stop();
    let away = status(&server, &[]).failed(4);
    assert!(away.contains("--socket"), "{away}");
    *server.options_mut() = stock;
    let refused =
        server.restart().expect_err("the server's own plugin refuses versions, as the command said");
    assert!(refused.log.contains("Invalid key at"), "{refused}");
}

use std::fs;
use std::path::Path;
use std::time::Duration;

use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mariadb::{Options, Series, Server};
use strongroom_testkit::{every_series, need};

const MARKER: &str = "a row nobody may find on disk";

/// Two keys for the stock plugin: `id;hex`, 256 bits each.
fn key_file(folder: &Path) -> String {
    let path = folder.join("keys.txt");
    let line = |id: u32, byte: u8| format!("{id};{}\n", format!("{byte:02x}").repeat(32));
    fs::write(&path, line(1, 0x5a) + &line(33, 0xc3)).expect("a key file can be written");
    path.display().to_string()
}

fn encrypting(folder: &Path) -> Options {
    Options::default()
        .load("file_key_management")
        .arg(format!("--file-key-management-filename={}", key_file(folder)))
        .arg("--innodb-encrypt-tables=ON")
        .arg("--innodb-encrypt-log=ON")
        .arg("--innodb-encryption-threads=1")
        .arg("--aria-encrypt-tables=ON")
}

/// The needle really is found where nothing is encrypted: otherwise the next test would prove nothing.
#[test]
fn plain_rows_are_found_in_the_files() {
    let mut server = need!(Server::start(Options::default()));
    server.sql("CREATE DATABASE shop");
    server.sql("CREATE TABLE shop.plain (id INT PRIMARY KEY, note TEXT) ENGINE=InnoDB");
    server.sql(&format!("INSERT INTO shop.plain VALUES (1, '{MARKER}')"));
    server.stop();
    assert!(server.files_contain(MARKER.as_bytes()));
}

every_series!(encrypted_rows_survive_a_restart_and_a_kill_and_are_not_in_the_files);

fn encrypted_rows_survive_a_restart_and_a_kill_and_are_not_in_the_files(series: Series) {
    let keys = Scratch::new("keys");
    let mut server = need!(Server::start(encrypting(keys.path()).on(series)));
    // Some packages add where they are from.
    let version = server.value("SELECT VERSION()");
    assert!(version.starts_with(&server.installation().version), "{version}");
    server.await_encrypted();
    server.sql("CREATE DATABASE shop");
    server.sql("CREATE TABLE shop.inno (id INT PRIMARY KEY, note TEXT) ENGINE=InnoDB ENCRYPTED=YES ENCRYPTION_KEY_ID=33");
    // Not a transactional one: MariaDB encrypts Aria's pages, but writes the rows of such tables to its log in the clear.
    server.sql(
        "CREATE TABLE shop.aria (id INT PRIMARY KEY, note TEXT) ENGINE=Aria TRANSACTIONAL=0 ROW_FORMAT=PAGE",
    );
    for table in ["inno", "aria"] {
        server.sql(&format!("INSERT INTO shop.{table} VALUES (1, '{MARKER}')"));
    }
    server.restart().expect("it starts again");
    for table in ["inno", "aria"] {
        assert_eq!(server.value(&format!("SELECT note FROM shop.{table}")), MARKER);
    }
    server.sql(&format!("INSERT INTO shop.inno VALUES (2, '{MARKER}')"));
    server.kill9();
    assert!(!server.is_running());
    server.restart().expect("it recovers");
    assert_eq!(server.value("SELECT COUNT(*) FROM shop.inno"), "2");
    server.stop();
    assert!(!server.files_contain(MARKER.as_bytes()));
}

/// The tools that come with the server run as it does.
#[test]
fn every_series_has_the_tools_for_its_files() {
    for series in Series::ALL {
        let installation = need!(series.installation());
        for tool in ["mariadb-backup", "innochecksum"] {
            let mut command = need!(installation.tool(tool));
            let output = command.arg("--version").output().expect(tool);
            assert!(output.status.success(), "{tool} of {series}: {output:?}");
        }
        assert!(installation.tool("no-such-tool").is_err());
    }
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let mut server = need!(Server::prepare(
        Options::default()
            .load("file_key_management")
            .arg("--file-key-management=FORCE")
            .arg("--file-key-management-filename=/nonexistent/keys.txt"),
    ));
    let error = server.restart().expect_err("there is no key file");
    assert!(error.log.contains("/nonexistent/keys.txt"), "{error}");
    assert!(!server.is_running());
    server.options_mut().args.clear();
    server.options_mut().plugin_load_add.clear();
    server.restart().expect("it starts without the plugin");
    assert!(server.log_says("ready for connections", Duration::from_secs(10)));
}

#[test]
fn a_statement_that_fails_leaves_the_connection_usable() {
    let mut server = need!(Server::start(Options::default()));
    let error = server.try_sql("CREATE TABLE nowhere.t (id INT)").expect_err("no such database");
    assert!(matches!(&error, mysql::Error::MySqlError(error) if error.code == 1049), "{error}");
    assert_eq!(server.sql("SELECT 1, NULL"), [[Some("1".to_owned()), None]]);
}

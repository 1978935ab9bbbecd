//! Everything that MySQL encrypts, from the first key through rotation to the last restart.

use std::fs;
use std::path::Path;

use strongroom_testkit::mysql::Server;
use strongroom_testkit::need;

use crate::rig::{
    ROTATE, ROTATE_BINLOG, Rig, SECRET, checksums, create_functions, encrypted_table, fill, keys,
    master_keys, status,
};

/// Everything is encrypted unless it says otherwise.
const EVERYTHING: [&str; 6] = [
    "--default-table-encryption=ON",
    "--innodb-redo-log-encrypt=ON",
    "--innodb-undo-log-encrypt=ON",
    "--log-bin=bin",
    "--binlog-encryption=ON",
    "--server-id=1",
];

/// One table, tablespace or log of each kind, all with the same rows.
fn one_of_each(server: &mut Server) {
    encrypted_table(server, "by_name");
    server.sql("CREATE TABLE t.by_default (a INT PRIMARY KEY, b VARCHAR(200))");
    server.sql("CREATE TABLE t.zlib (a INT PRIMARY KEY, b VARCHAR(200)) COMPRESSION='zlib'");
    server.sql("CREATE TABLE t.lz4 (a INT PRIMARY KEY, b VARCHAR(200)) COMPRESSION='lz4'");
    server.sql(
        "CREATE TABLE t.zipped (a INT PRIMARY KEY, b VARCHAR(200)) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8",
    );
    server.sql("CREATE TABLE t.parts (a INT PRIMARY KEY, b VARCHAR(200)) PARTITION BY HASH (a) PARTITIONS 3");
    server.sql("CREATE TABLE t.spatial_ (a INT PRIMARY KEY, b VARCHAR(200), g POINT SRID 0 NOT NULL DEFAULT (POINT(1, 2)), SPATIAL INDEX (g))");
    server.sql("CREATE TABLESPACE general ADD DATAFILE 'general.ibd' ENCRYPTION='Y'");
    server.sql("CREATE TABLE t.in_general (a INT PRIMARY KEY, b VARCHAR(200)) TABLESPACE general");
    server.sql("CREATE UNDO TABLESPACE undo_more ADD DATAFILE 'undo_more.ibu'");
    server.sql("CREATE TABLE t.full_text (a INT PRIMARY KEY, b VARCHAR(200), FULLTEXT (b))");
    for table in ["by_default", "zlib", "lz4", "zipped", "parts", "spatial_", "in_general", "full_text"] {
        fill(server, table);
    }
    // Of the server's own tablespaces, the one with its dictionary.
    server.sql("ALTER TABLESPACE mysql ENCRYPTION='Y'");
}

/// The names of the logs that begin as encrypted ones do.
fn encrypted_logs(data: &Path, prefix: &str) -> (usize, usize) {
    let (mut all, mut encrypted) = (0, 0);
    for entry in fs::read_dir(data).expect("the data directory").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) && !name.ends_with(".index") {
            all += 1;
            let bytes = fs::read(entry.path()).expect("a log");
            encrypted += usize::from(bytes.starts_with(b"\xfdbin"));
        }
    }
    (all, encrypted)
}

#[test]
fn everything_is_encrypted_through_rotations_a_restart_and_a_kill() {
    let rig = Rig::new();
    let mut options = rig.server_for("db1");
    options.args.extend(EVERYTHING.map(String::from));
    let mut server = need!(Server::start(options));
    assert_eq!(status(&mut server, "Component_status"), "Active");
    one_of_each(&mut server);
    let before = checksums(&mut server);
    assert_eq!(
        server.rows("SELECT DISTINCT ENCRYPTION FROM information_schema.INNODB_TABLESPACES WHERE NAME LIKE 't/%' OR NAME = 'general' OR NAME LIKE '%undo%'"
        ),
        ["Y"]
    );

    for _ in 0..3 {
        server.sql(ROTATE);
        server.sql(ROTATE_BINLOG);
        server.sql("FLUSH BINARY LOGS");
        assert_eq!(checksums(&mut server), before);
    }
    let all = keys(&mut server);
    for key in master_keys(&mut server, 4) {
        assert!(all.contains(&key), "{key} of {all:?}");
    }
    assert!(all.iter().any(|key| key.starts_with("MySQLReplicationKey_")), "{all:?}");
    // The probe that InnoDB makes is taken away again.
    assert!(!all.iter().any(|key| key.starts_with("DefaultMasterKey")), "{all:?}");

    // A crash: redo and undo are read with the keys they were written with.
    server.sql("BEGIN");
    server.sql("UPDATE t.by_name SET b = 'never committed'");
    server.kill9();
    server.restart().expect("it recovers");
    assert_eq!(checksums(&mut server), before);
    let events = server.rows("SHOW BINLOG EVENTS IN 'bin.000002' LIMIT 20");
    assert!(!events.is_empty());

    // To plain pages and back, and a tablespace as a whole.
    server.sql("ALTER TABLE t.zlib ENCRYPTION='N'");
    server.sql("ALTER TABLE t.zlib ENCRYPTION='Y'");
    server.sql("ALTER TABLESPACE general ENCRYPTION='N'");
    server.sql("ALTER TABLESPACE general ENCRYPTION='Y'");
    server.sql("ALTER TABLE t.in_general TABLESPACE innodb_file_per_table ENCRYPTION='Y'");
    server.sql(ROTATE);
    assert_eq!(checksums(&mut server), before);
    server.stop();
    assert_eq!(encrypted_logs(&server.data(), "bin.").0, encrypted_logs(&server.data(), "bin.").1);
    server.restart().expect("it starts again");
    assert_eq!(checksums(&mut server), before);
    assert_eq!(status(&mut server, "Component_status"), "Active");
}

#[test]
fn no_file_holds_a_row_in_the_clear() {
    let rig = Rig::new();
    let mut options = rig.server_for("db1");
    options.args.extend(EVERYTHING.map(String::from));
    let mut server = need!(Server::start(options));
    // From here on the system's own tables are encrypted too: they hold column defaults and full-text words.
    server.sql("ALTER TABLESPACE mysql ENCRYPTION='Y'");
    one_of_each_but_full_text(&mut server);
    server.sql(ROTATE);
    server.kill9();
    assert!(!server.files_contain(SECRET.as_bytes()), "a row is in a file in the clear");
}

fn one_of_each_but_full_text(server: &mut Server) {
    encrypted_table(server, "by_name");
    server.sql("CREATE TABLE t.parts (a INT PRIMARY KEY, b VARCHAR(200)) PARTITION BY HASH (a) PARTITIONS 3");
    fill(server, "parts");
}

#[test]
fn performance_schema_shows_the_keys_and_the_vaults_names_for_them() {
    let rig = Rig::new();
    let mut server = need!(Server::start(rig.server_for("db1")));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    assert_eq!(server.value("SELECT keyring_key_generate('mine', 'AES', 32)"), "1");
    let all = server.rows("SELECT KEY_ID, KEY_OWNER, LENGTH(BACKEND_KEY_ID) > 0 FROM performance_schema.keyring_keys ORDER BY KEY_ID",
    );
    let master = master_keys(&mut server, 1).remove(0);
    assert_eq!(all, [format!("{master}  1"), "mine root@localhost 1".to_owned()]);
    assert_eq!(status(&mut server, "Component_name"), "component_keyring_kmip");
    assert_eq!(status(&mut server, "Servers"), rig.vault.kmip().to_string());
    assert_eq!(status(&mut server, "Last_error"), "<NONE>");
}

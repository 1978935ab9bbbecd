//! From the first key through rotation to the last restart.

use strongroom_keyring::versions::KeyId;
use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{BEHIND, FLUSH, Rig, TABLE, eventually, rows, status};

every_series!(
    with_pykmip_keys_rotate_under_a_running_server_and_every_version_stays_readable,
    with_a_vault_keys_rotate_under_a_running_server_and_every_version_stays_readable,
);

const SECRET: &str = "plaintext-that-must-not-reach-a-file";

fn keys_rotate_under_a_running_server_and_every_version_stays_readable(rig: &Rig, series: Series) {
    let mut server = need!(Server::start(rig.options().on(series)));
    assert_eq!(rows(&mut server, TABLE), ["1 1 1", "2 1 1"]);
    server.await_encrypted();
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=InnoDB");
    server.sql("CREATE TABLE t.m (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=Aria TRANSACTIONAL=1");
    // A key made while the server runs is found when a table first asks for it.
    rig.versions().add(KeyId(40), 192).expect("key 40 is made");
    server.sql("CREATE TABLE t.k (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=InnoDB ENCRYPTION_KEY_ID=40");
    for table in ["i", "m", "k"] {
        server
            .sql(&format!("INSERT INTO t.{table} SELECT seq, CONCAT('{SECRET}-', seq) FROM t.seq_1_to_2000"));
    }
    let checksums = |server: &mut Server| rows(server, "CHECKSUM TABLE t.i, t.m, t.k EXTENDED");
    let before = checksums(&mut server);

    // The version rises by two, because InnoDB re-encrypts only what is more than one behind.
    assert_eq!(rig.rotate(1), 3);
    server.sql(FLUSH);
    assert_eq!(rows(&mut server, TABLE), ["1 1 0", "1 3 1", "2 1 1", "40 1 1"]);
    assert_eq!((status(&mut server, "keys"), status(&mut server, "versions")), ("3".into(), "4".into()));
    eventually(&mut server, "every page of key 1 has version 3", |server| server.value(BEHIND) == "0");
    assert_eq!(checksums(&mut server), before);

    // A crash: the redo log, the Aria log and the binary logs are read with the keys they were written with.
    server.kill9();
    server.restart().expect("recovers");
    assert_eq!(checksums(&mut server), before);
    let events = rows(&mut server, "SHOW BINLOG EVENTS IN 'bin.000001' LIMIT 40");
    assert!(events.iter().any(|event| event.contains(SECRET)), "{events:?}");
    server.stop();
    assert!(!server.files_contain(SECRET.as_bytes()), "the rows are in a file in the clear");
    server.restart().expect("starts again");
    assert_eq!(checksums(&mut server), before);
}

fn with_pykmip_keys_rotate_under_a_running_server_and_every_version_stays_readable(series: Series) {
    let rig = need!(Rig::on_pykmip());
    keys_rotate_under_a_running_server_and_every_version_stays_readable(&rig, series);
}

fn with_a_vault_keys_rotate_under_a_running_server_and_every_version_stays_readable(series: Series) {
    let rig = need!(Rig::on_a_vault());
    keys_rotate_under_a_running_server_and_every_version_stays_readable(&rig, series);
}

#[test]
fn nothing_makes_a_key_because_a_table_asked_for_it() {
    let rig = need!(Rig::on_pykmip());
    let mut server = need!(Server::start(rig.options()));
    server.sql("CREATE DATABASE t");
    let error = server.try_sql("CREATE TABLE t.x (a INT) ENCRYPTION_KEY_ID=77").expect_err("no such key");
    assert!(error.to_string().contains("Wrong create options"), "{error}");
    let listed = rig.versions().list().expect("a list");
    assert_eq!(listed.iter().map(|key| key.id.0).collect::<Vec<_>>(), [1, 2]);
    assert!(server.is_running());
}

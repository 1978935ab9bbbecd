//! A new version in the file, and pages that move to it.

use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{FLUSH, KEY_1_LATER, KEYS, Rig, WAKE, Whose, checksums, eventually, fill, rotated};

every_series!(
    pages_that_stock_wrote_are_re_encrypted_and_survive_a_crash_half_way,
    the_note_of_flush_says_what_wakes_an_idle_server,
    a_version_that_a_table_asks_for_is_found_without_a_flush,
);

/// The version rises by two, because InnoDB re-encrypts only what is more than one behind.
fn pages_that_stock_wrote_are_re_encrypted_and_survive_a_crash_half_way(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut server = need!(Server::start(rig.encrypting(Whose::Stock, "aes_ctr")));
    fill(&mut server, 3000);
    let before = checksums(&mut server);
    *server.options_mut() = rig.encrypting(Whose::Ours, "aes_ctr");
    server.restart().expect("starts with our plugin");
    rig.set_keys(format!("{KEYS}{KEY_1_LATER}"));
    server.sql(FLUSH);
    server.sql(WAKE);
    server.kill9();
    server.restart().expect("recovers with pages of both versions");
    assert_eq!(checksums(&mut server), before);
    rotated(&mut server);
    assert_eq!(checksums(&mut server), before);
    server.sql("FLUSH LOCAL BINARY LOGS");
    server.restart().expect("starts again");
    assert_eq!(checksums(&mut server), before);
    assert_eq!(
        server.sql("SHOW BINLOG EVENTS IN 'bin.000001' LIMIT 5").len(),
        5,
        "the old version is still readable"
    );
}

fn the_note_of_flush_says_what_wakes_an_idle_server(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut server = need!(Server::start(rig.encrypting(Whose::Ours, "aes_ctr")));
    fill(&mut server, 500);
    rig.set_keys(format!("{KEYS}{KEY_1_LATER}"));
    server.sql(FLUSH);
    let note = server.sql("SHOW WARNINGS").remove(0)[2].clone().unwrap_or_default();
    let (_, statement) = note.split_once("idle server begin: ").expect("a statement");
    server.sql(statement);
    eventually(&mut server, "pages are re-encrypted", |server| {
        let modified =
            server.sql("SHOW GLOBAL STATUS LIKE 'Innodb_encryption_rotation_pages_modified'").remove(0);
        modified[1].as_deref() != Some("0")
    });
}

fn a_version_that_a_table_asks_for_is_found_without_a_flush(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut server = need!(Server::start(rig.encrypting(Whose::Ours, "aes_cbc")));
    rig.set_keys(format!("{KEYS}50;6;00112233445566778899aabbccddeeff\n"));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.x (a INT) ENCRYPTION_KEY_ID=50");
    let version = server.value(
        "SELECT CURRENT_KEY_VERSION FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE NAME = 't/x'",
    );
    assert_eq!(version, "6");
    let error = server.try_sql("CREATE TABLE t.y (a INT) ENCRYPTION_KEY_ID=51").expect_err("no such key");
    assert!(error.to_string().contains("Wrong create options"), "{error}");
}

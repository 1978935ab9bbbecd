//! A new version, and pages that move to it.

use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::bench::{Bench, KEY_1, KEY_1_LATER, KEY_2, KEY_LAST, checksums, eventually, fill};

every_series!(
    pages_are_re_encrypted_in_the_background_and_survive_a_crash_half_way,
    a_version_made_since_the_start_is_found_without_a_flush,
);

const BEHIND: &str = "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
                      WHERE CURRENT_KEY_ID = 1 AND (MIN_KEY_VERSION < 3 OR CURRENT_KEY_VERSION < 3)";

/// The version rises by two, because InnoDB re-encrypts only what is more than one behind.
fn pages_are_re_encrypted_in_the_background_and_survive_a_crash_half_way(series: Series) {
    let bench = need!(Bench::new(series, &[KEY_1, KEY_2, KEY_LAST]));
    let mut server = need!(Server::start(bench.options("aes_ctr")));
    fill(&mut server, 3000);
    let before = checksums(&mut server);
    assert_ne!(server.value(BEHIND), "0");
    bench.set_keys(&[KEY_1, KEY_1_LATER, KEY_2, KEY_LAST]);
    server.sql("FLUSH BENCH_KEYS_KEYS");
    server.kill9();
    server.restart().expect("recovers with pages of both versions");
    assert_eq!(checksums(&mut server), before);
    eventually(&mut server, "every page of key 1 has version 3", |server| server.value(BEHIND) == "0");
    assert_eq!(checksums(&mut server), before);
    server.restart().expect("starts again");
    assert_eq!(checksums(&mut server), before);
    // A new binary log begins with the new version; the old one is still readable.
    assert!(server.sql("SHOW BINLOG EVENTS IN 'bin.000001' LIMIT 5").len() == 5);
}

fn a_version_made_since_the_start_is_found_without_a_flush(series: Series) {
    let bench = need!(Bench::new(series, &[KEY_1, KEY_2, KEY_LAST]));
    let mut server = need!(Server::start(bench.options("aes_cbc")));
    bench.set_keys(&[KEY_1, KEY_2, KEY_LAST, "50;6;00112233445566778899aabbccddeeff"]);
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.x (a INT) ENCRYPTION_KEY_ID=50");
    let version = server.value(
        "SELECT CURRENT_KEY_VERSION FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE NAME = 't/x'",
    );
    assert_eq!(version, "6");
}

//! What MariaDB can encrypt, it encrypts with our functions, and reads back after a crash.

use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::bench::{Bench, KEY_1, KEY_2, KEY_LAST, SECRET, checksums, fill};

every_series!(
    with_aes_cbc_everything_is_encrypted_and_survives_a_crash,
    with_aes_ctr_everything_is_encrypted_and_survives_a_crash,
    the_search_finds_rows_that_are_not_encrypted,
    a_key_that_does_not_exist_makes_no_table,
    without_the_system_key_the_server_does_not_start_and_says_why,
);

const PLAIN: &str =
    "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE MIN_KEY_VERSION = 0";

fn everything_is_encrypted_and_survives_a_crash(series: Series, algorithm: &str) {
    let bench = need!(Bench::new(series, &[KEY_1, KEY_2, KEY_LAST]));
    let mut server = need!(Server::start(bench.options(algorithm)));
    server.await_encrypted();
    fill(&mut server, 3000);
    // A sort too large for its buffer goes through encrypted temporary files.
    server.sql("SET sort_buffer_size=32768, tmp_memory_table_size=0, max_heap_table_size=16384");
    let sorted = server.sql("SELECT b FROM t.i UNION SELECT b FROM t.m ORDER BY b DESC LIMIT 2");
    assert_eq!(sorted[0][0].as_deref(), Some(&*format!("{SECRET}-999")));
    let before = checksums(&mut server);

    // The redo log has to be read back, and the binary log with it.
    server.kill9();
    server.restart().expect("recovers");
    assert_eq!(checksums(&mut server), before);
    // Statement or row, the text is in an event that can only be shown by decrypting the file.
    let events = server.sql("SHOW BINLOG EVENTS IN 'bin.000001' LIMIT 30");
    assert!(events.iter().any(|event| event[2].as_deref() == Some("Start_encryption")), "{events:?}");
    assert!(
        events.iter().any(|event| event[5].as_deref().is_some_and(|info| info.contains(SECRET))),
        "{events:?}"
    );
    assert_eq!(server.value(PLAIN), "0");

    server.stop();
    assert!(!server.files_contain(SECRET.as_bytes()), "the rows are in a file in the clear");
    server.restart().expect("starts again");
    assert_eq!(checksums(&mut server), before);
}

fn with_aes_cbc_everything_is_encrypted_and_survives_a_crash(series: Series) {
    everything_is_encrypted_and_survives_a_crash(series, "aes_cbc");
}

fn with_aes_ctr_everything_is_encrypted_and_survives_a_crash(series: Series) {
    everything_is_encrypted_and_survives_a_crash(series, "aes_ctr");
}

/// Without this the test above could pass on a server that encrypts nothing.
fn the_search_finds_rows_that_are_not_encrypted(series: Series) {
    let bench = need!(Bench::new(series, &[KEY_1, KEY_2, KEY_LAST]));
    let mut options = bench.options("aes_cbc");
    options.args.retain(|arg| arg.starts_with("--bench") || arg.starts_with("--server"));
    let mut server = need!(Server::start(options));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (b VARCHAR(200)) ENGINE=InnoDB ENCRYPTED=NO");
    server.sql(&format!("INSERT INTO t.i VALUES ('{SECRET}')"));
    server.stop();
    assert!(server.files_contain(SECRET.as_bytes()));
}

fn a_key_that_does_not_exist_makes_no_table(series: Series) {
    let bench = need!(Bench::new(series, &[KEY_1]));
    let mut server = need!(Server::start(bench.options("aes_cbc")));
    server.sql("CREATE DATABASE t");
    let error = server.try_sql("CREATE TABLE t.x (a INT) ENCRYPTION_KEY_ID=77").expect_err("no such key");
    assert!(error.to_string().contains("Wrong create options"), "{error}");
    assert!(server.is_running());
}

fn without_the_system_key_the_server_does_not_start_and_says_why(series: Series) {
    let bench = need!(Bench::new(series, &[KEY_2]));
    let mut server = need!(Server::prepare(bench.options("aes_cbc")));
    let error = server.restart().expect_err("no start");
    assert!(error.log.contains("[ERROR] bench_keys: there is no key with id 1"), "{error}");
}

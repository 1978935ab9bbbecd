//! `FLUSH`, `SHOW`, the table of keys and versions, and who may use them.

use std::time::Duration;

use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::bench::{Bench, KEY_1, KEY_1_LATER, KEY_2, KEY_LAST, eventually};

every_series!(
    flush_brings_new_versions_and_the_table_shows_them,
    a_flush_that_would_lose_a_key_fails_and_changes_nothing,
    the_refresh_thread_finds_new_versions_and_logs_a_fault_once,
    the_table_needs_process_and_flush_needs_reload,
);

const TABLE: &str = "SELECT * FROM information_schema.BENCH_KEYS_KEYS";

fn rows(server: &mut Server, statement: &str) -> Vec<String> {
    let text = |row: Vec<Option<String>>| row.into_iter().flatten().collect::<Vec<_>>().join(" ");
    server.sql(statement).into_iter().map(text).collect()
}

fn flush_brings_new_versions_and_the_table_shows_them(series: Series) {
    let bench = need!(Bench::new(series, &[KEY_1, KEY_LAST]));
    let mut server = need!(Server::start(bench.options("aes_cbc")));
    assert_eq!(rows(&mut server, TABLE), ["1 1 1", "4294967295 1 1"]);
    bench.set_keys(&[KEY_1, KEY_1_LATER, KEY_2, KEY_LAST]);
    server.sql("FLUSH BENCH_KEYS_KEYS");
    let all = ["1 1 0", "1 3 1", "2 1 1", "4294967295 1 1"];
    assert_eq!(rows(&mut server, TABLE), all);
    assert_eq!(rows(&mut server, "SHOW BENCH_KEYS_KEYS"), all);
    assert_eq!(
        rows(
            &mut server,
            "SELECT KEY_VERSION FROM information_schema.BENCH_KEYS_KEYS WHERE LATEST AND KEY_ID = 1"
        ),
        ["3"]
    );
    // The server puts something else in the place of columns that a statement does not ask for.
    assert_eq!(
        rows(&mut server, "SELECT KEY_ID FROM information_schema.BENCH_KEYS_KEYS"),
        ["1", "1", "2", "4294967295"]
    );
    assert_eq!(rows(&mut server, "SELECT COUNT(*) FROM information_schema.BENCH_KEYS_KEYS"), ["4"]);
    assert!(server.log().contains("[Note] bench_keys: key 1 has version 3 now"));
    assert_eq!(
        rows(&mut server, "SHOW STATUS LIKE 'bench_keys_%s'"),
        ["Bench_keys_keys 3", "Bench_keys_versions 4"]
    );
}

fn a_flush_that_would_lose_a_key_fails_and_changes_nothing(series: Series) {
    let bench = need!(Bench::new(series, &[KEY_1, KEY_1_LATER, KEY_LAST]));
    let mut server = need!(Server::start(bench.options("aes_cbc")));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.x (a INT) ENCRYPTION_KEY_ID=4294967295");
    for poorer in [&[KEY_1, KEY_1_LATER][..], &[KEY_1, KEY_LAST], &[KEY_1_LATER, KEY_LAST], &[]] {
        bench.set_keys(poorer);
        let error = server.try_sql("FLUSH BENCH_KEYS_KEYS").expect_err("refused").to_string();
        assert!(error.contains("keys were not refreshed"), "{error}");
        assert_eq!(rows(&mut server, TABLE), ["1 1 0", "1 3 1", "4294967295 1 1"]);
        assert!(
            rows(&mut server, "SHOW STATUS LIKE 'bench_keys_last_refresh'")[0].contains("gone")
                || poorer.len() == 2
        );
    }
    // InnoDB would abort here if the key had been missing for a moment.
    server.sql("INSERT INTO t.x VALUES (1)");
    server.sql("FLUSH TABLES t.x FOR EXPORT");
    server.sql("UNLOCK TABLES");
    bench.set_keys(&[KEY_1, KEY_1_LATER, KEY_LAST]);
    server.sql("FLUSH BENCH_KEYS_KEYS");
    assert_eq!(
        rows(&mut server, "SHOW STATUS LIKE 'bench_keys_last_refresh'"),
        ["Bench_keys_last_refresh OK"]
    );
}

fn the_refresh_thread_finds_new_versions_and_logs_a_fault_once(series: Series) {
    let bench = need!(Bench::new(series, &[KEY_1]));
    let mut server = need!(Server::start(bench.options("aes_cbc").arg("--bench-keys-refresh-interval=1")));
    bench.set_keys(&[KEY_1, KEY_1_LATER]);
    eventually(&mut server, "the version arrives", |server| rows(server, TABLE).len() == 2);
    bench.set_keys(&[KEY_1]);
    assert!(server.log_says("[ERROR] bench_keys: keys were not refreshed", Duration::from_secs(30)));
    let contact = |server: &mut Server| -> u32 {
        let row = rows(server, "SHOW STATUS LIKE 'bench_keys_seconds_since_contact'").remove(0);
        row.split(' ').next_back().and_then(|number| number.parse().ok()).expect("a number")
    };
    eventually(&mut server, "several refreshes have failed", |server| contact(server) >= 4);
    assert_eq!(server.log().matches("keys were not refreshed").count(), 1, "{}", server.log());
    bench.set_keys(&[KEY_1, KEY_1_LATER]);
    assert!(server.log_says("[Note] bench_keys: keys are refreshed again", Duration::from_secs(30)));
    server.sql("SET GLOBAL bench_keys_refresh_interval=0");
    server.stop();
    assert!(server.log().contains("Shutdown complete"));
}

fn the_table_needs_process_and_flush_needs_reload(series: Series) {
    let bench = need!(Bench::new(series, &[KEY_1]));
    let mut server = need!(Server::start(bench.options("aes_cbc")));
    server.sql("CREATE USER curious@localhost IDENTIFIED BY ''");
    server.sql("CREATE USER trusted@localhost IDENTIFIED BY ''");
    server.sql("GRANT PROCESS, RELOAD ON *.* TO trusted@localhost");
    let statement = |user: &str, statement: &str| {
        let options = mysql::OptsBuilder::new()
            .socket(Some(server.socket().to_string_lossy()))
            .user(Some(user))
            .prefer_socket(true);
        let mut connection = mysql::Conn::new(options).expect("connects");
        mysql::prelude::Queryable::query::<mysql::Row, _>(&mut connection, statement)
            .map(|rows| rows.len())
            .map_err(|error| error.to_string())
    };
    for refused in [TABLE, "SHOW BENCH_KEYS_KEYS", "FLUSH BENCH_KEYS_KEYS"] {
        let error = statement("curious", refused).expect_err(refused);
        assert!(error.contains("1227"), "{refused}: {error}");
    }
    assert_eq!(statement("trusted", TABLE), Ok(1));
    assert_eq!(statement("trusted", "FLUSH BENCH_KEYS_KEYS"), Ok(0));
}

//! The key server goes away while the database works.

use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use strongroom_keyring::versions::KeyId;
use strongroom_testkit::mariadb::Server;
use strongroom_testkit::need;

use crate::rig::{FLUSH, Rig, TABLE, eventually, rows, status};

/// The time of one server is two seconds in these tests, so the list has six; the rest is a slow machine.
const BOUND: Duration = Duration::from_secs(20);

fn the_database_works_on(mut rig: Rig) {
    let options = rig.options().arg("--kmip-key-management-refresh-interval=1");
    let mut server = need!(Server::start(options));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.before_ (a INT)");

    rig.keys.kill();
    assert!(server.log_says("[ERROR] kmip_key_management: keys were not refreshed", Duration::from_secs(30)));
    server.sql("CREATE TABLE t.during (a INT)");
    for table in ["before_", "during"] {
        server.sql(&format!("INSERT INTO t.{table} SELECT seq FROM t.seq_1_to_5000"));
    }
    // Written to disk, with keys from memory.
    server.sql("FLUSH TABLES t.before_, t.during FOR EXPORT");
    server.sql("UNLOCK TABLES");
    let start = Instant::now();
    let error = server.try_sql(FLUSH).expect_err("nobody answers").to_string();
    assert!(error.contains("keys were not refreshed") && error.contains("127.0.0.1"), "{error}");
    // A key that nobody asked for before cannot be had now, and the refusal comes in time.
    let error = server.try_sql("CREATE TABLE t.x (a INT) ENCRYPTION_KEY_ID=50").expect_err("no such key");
    assert!(error.to_string().contains("Wrong create options"), "{error}");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    assert_ne!(status(&mut server, "last_refresh"), "OK");
    assert_eq!(rows(&mut server, TABLE), ["1 1 1", "2 1 1"]);

    rig.keys.restart();
    assert!(server.log_says("[Note] kmip_key_management: keys are refreshed again", Duration::from_secs(60)));
    assert_eq!(rig.rotate(1), 3);
    eventually(&mut server, "the new version arrives by itself", |server| rows(server, TABLE).len() == 3);
    assert_eq!(status(&mut server, "last_refresh"), "OK");
    // That a refusal was remembered does not outlast the outage.
    rig.versions().add(KeyId(50), 256).expect("key 50 is made");
    eventually(&mut server, "a table with the new key", |server| {
        server.try_sql("CREATE TABLE IF NOT EXISTS t.x (a INT) ENCRYPTION_KEY_ID=50").is_ok()
    });
    assert_eq!(server.value("SELECT COUNT(*) FROM t.during"), "5000");
    assert_eq!(server.log().matches("refreshed again").count(), 1, "{}", server.log());
}

#[test]
fn while_pykmip_is_gone_the_database_works_on() {
    the_database_works_on(need!(Rig::on_pykmip()));
}

#[test]
fn while_the_vault_is_gone_the_database_works_on() {
    the_database_works_on(need!(Rig::on_a_vault()));
}

#[test]
fn a_key_server_that_hangs_holds_up_no_page_write_and_no_shutdown() {
    let mut rig = need!(Rig::on_pykmip());
    let mut server = need!(Server::start(rig.options().arg("--kmip-key-management-refresh-interval=1")));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT)");
    rig.keys.pause();
    assert!(server.log_says("[ERROR] kmip_key_management: keys were not refreshed", Duration::from_secs(30)));
    let start = Instant::now();
    server.sql("INSERT INTO t.i SELECT seq FROM t.seq_1_to_5000");
    server.sql("FLUSH TABLES t.i FOR EXPORT");
    server.sql("UNLOCK TABLES");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    server.try_sql(FLUSH).expect_err("nobody answers");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    // It stops with a look-up and a reload under way, too.
    let asking = ["CREATE TABLE t.x (a INT) ENCRYPTION_KEY_ID=50", FLUSH].map(|statement| {
        let mut connection = server.connection().expect("a connection");
        std::thread::spawn(move || connection.query_drop(statement).expect_err("nobody answers"))
    });
    let under_way = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND \
                     (INFO LIKE 'CREATE TABLE t.x%' OR INFO LIKE 'FLUSH%')";
    eventually(&mut server, "both wait or have ended", |server| {
        let ended = asking.iter().filter(|asking| asking.is_finished()).count();
        server.value(under_way).parse() == Ok(2 - ended)
    });
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    assert!(server.log().contains("Shutdown complete"));
    for asking in asking {
        asking.join().expect("ends");
    }
    rig.keys.resume();
    server.restart().expect("starts again");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.i"), "5000");
}

/// A statement waits for a key server that hangs. Everything else goes on, other questions to the key server included.
#[test]
fn a_look_up_that_hangs_holds_up_nobody_else() {
    let mut rig = need!(Rig::on_pykmip());
    // Longer than the test takes, so that what does not wait is seen to go on meanwhile.
    let mut server = need!(Server::start(rig.options().arg("--kmip-key-management-timeout=120")));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT)");
    rig.keys.pause();
    let ask = |id: u32| {
        let mut connection = server.connection().expect("a connection");
        std::thread::spawn(move || {
            let statement = format!("CREATE TABLE t.x{id} (a INT) ENCRYPTION_KEY_ID={id}");
            connection.query_drop(statement).expect_err("no such key")
        })
    };
    let asking = [ask(50), ask(51)];
    let flushing = {
        let mut connection = server.connection().expect("a connection");
        std::thread::spawn(move || connection.query_drop(FLUSH).expect("the key server is back"))
    };
    let under_way = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND \
                     (INFO LIKE 'CREATE TABLE t.x%' OR INFO LIKE 'FLUSH%')";
    eventually(&mut server, "three statements wait", |server| server.value(under_way) == "3");
    server.sql("CREATE TABLE t.j (a INT) ENCRYPTION_KEY_ID=2");
    for table in ["i", "j"] {
        server.sql(&format!("INSERT INTO t.{table} SELECT seq FROM t.seq_1_to_5000"));
    }
    server.sql("FLUSH TABLES t.i, t.j FOR EXPORT");
    server.sql("UNLOCK TABLES");
    assert_eq!(rows(&mut server, TABLE), ["1 1 1", "2 1 1"]);
    assert_eq!(status(&mut server, "last_refresh"), "OK");
    assert_eq!(server.value(under_way), "3", "they wait all the same");
    rig.keys.resume();
    for asking in asking {
        let error = asking.join().expect("ends").to_string();
        assert!(error.contains("Wrong create options"), "{error}");
    }
    flushing.join().expect("ends");
}

#[test]
fn without_the_key_server_a_server_with_encrypted_tables_does_not_start_and_loses_nothing() {
    let mut rig = need!(Rig::on_pykmip());
    let mut server = need!(Server::start(rig.options()));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT)");
    server.sql("INSERT INTO t.i VALUES (7)");
    server.stop();
    rig.keys.kill();
    let start = Instant::now();
    let error = server.restart().expect_err("no keys, no start");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    let line =
        error.log.lines().rfind(|line| line.contains("kmip_key_management: not started")).expect("a line");
    assert!(line.contains("[ERROR]") && line.contains("connection refused"), "{line}");
    rig.keys.restart();
    server.restart().expect("starts again");
    assert_eq!(server.value("SELECT a FROM t.i"), "7");
}

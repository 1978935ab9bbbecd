//! Binary logs, the relay logs of a replica, and the temporary files that long transactions and sorts go through.

use std::fs;

use strongroom_testkit::mariadb::{Options, Series, Server};
use strongroom_testkit::port::Port;
use strongroom_testkit::{every_series, need};

use crate::rig::{FLUSH, KEY_1_LATER, KEYS, Rig, SECRET, Whose, checksums, eventually, fill, rows};

every_series!(
    a_replica_follows_through_encrypted_logs_across_a_rotation,
    long_transactions_and_sorts_go_through_encrypted_files,
);

fn listening(options: Options, port: &Port, id: u32) -> Options {
    let options = options.arg("--skip-networking=0").arg("--bind-address=127.0.0.1");
    options.arg(format!("--port={}", port.number())).arg(format!("--server-id={id}"))
}

fn caught_up(replica: &mut Server, source: &mut Server) {
    let position = source.value("SELECT @@GLOBAL.gtid_binlog_pos");
    eventually(replica, "the replica has everything", |replica| {
        replica.value("SELECT @@GLOBAL.gtid_slave_pos") == position
    });
}

fn a_replica_follows_through_encrypted_logs_across_a_rotation(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let (port, other) = (Port::reserve(), Port::reserve());
    let mut source = need!(Server::start(listening(rig.encrypting(Whose::Ours, "aes_ctr"), &port, 1)));
    let mut replica = need!(Server::start(listening(rig.encrypting(Whose::Ours, "aes_ctr"), &other, 2)));
    source.sql("CREATE USER copy@127.0.0.1 IDENTIFIED BY 'copy'");
    source.sql("GRANT REPLICATION SLAVE ON *.* TO copy@127.0.0.1");
    replica.sql(&format!(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER='copy', MASTER_PASSWORD='copy', \
         MASTER_USE_GTID=slave_pos, MASTER_SSL_VERIFY_SERVER_CERT=0",
        port.number()
    ));
    // The relay log shall be read from its file later, and not while it is being written.
    replica.sql("START SLAVE IO_THREAD");
    fill(&mut source, 400);
    rig.set_keys(format!("{KEYS}{KEY_1_LATER}"));
    source.sql(FLUSH);
    source.sql("FLUSH BINARY LOGS");
    source.sql("UPDATE t.i SET b = CONCAT(b, '-again')");
    source.sql("DELETE FROM t.m WHERE a % 2 = 0");
    let position = source.value("SELECT @@GLOBAL.gtid_binlog_pos");
    eventually(&mut replica, "the relay log has everything", |replica| {
        let status = replica.sql("SHOW ALL SLAVES STATUS").remove(0);
        status.iter().flatten().any(|value| *value == position)
    });
    replica.kill9();
    rows_are_not_in_the_logs(&replica);
    // The new version is in the file, and its first relay log was begun with the old one.
    replica.restart().expect("starts again");
    replica.sql("START SLAVE");
    caught_up(&mut replica, &mut source);
    assert_eq!(checksums(&mut replica), checksums(&mut source));
    let events = rows(&mut source, "SHOW BINLOG EVENTS IN 'bin.000001' LIMIT 40");
    assert!(events.iter().any(|event| event.contains(SECRET)), "{events:?}");
    replica.stop();
    source.stop();
    rows_are_not_in_the_logs(&source);
    rows_are_not_in_the_logs(&replica);
}

/// Binary and relay logs; rows of Aria are in its own log, which MariaDB does not encrypt.
fn rows_are_not_in_the_logs(server: &Server) {
    let mut logs = 0;
    for entry in fs::read_dir(server.data()).expect("the data directory").flatten() {
        if entry.file_name().to_string_lossy().contains("bin.0") {
            let bytes = fs::read(entry.path()).expect("a log");
            let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!found, "rows are in the clear in {}", entry.path().display());
            logs += 1;
        }
    }
    assert!(logs > 1);
}

fn long_transactions_and_sorts_go_through_encrypted_files(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    for algorithm in ["aes_cbc", "aes_ctr"] {
        let options = rig.encrypting(Whose::Ours, algorithm).arg("--binlog-format=ROW");
        let mut server = need!(Server::start(options.arg("--binlog-cache-size=4096")));
        fill(&mut server, 3000);
        let spilled = server.sql("SHOW GLOBAL STATUS LIKE 'Binlog_cache_disk_use'").remove(0);
        assert_ne!(spilled[1].as_deref(), Some("0"), "the transactions were long enough");
        server.sql("SET sort_buffer_size=32768, tmp_memory_table_size=0, max_heap_table_size=16384");
        let sorted = server.sql("SELECT b FROM t.i ORDER BY b DESC, a");
        assert_eq!(sorted[0][0].as_deref(), Some(&*format!("{SECRET}-999")));
        assert!(sorted.is_sorted_by(|one, next| one >= next));
        let passes = server.sql("SHOW SESSION STATUS LIKE 'Sort_merge_passes'").remove(0);
        assert_ne!(passes[1].as_deref(), Some("0"), "the sort was large enough");
        server.sql("CREATE TEMPORARY TABLE t.tmp ENGINE=Aria SELECT * FROM t.i");
        server.sql("CREATE TEMPORARY TABLE t.tmp2 ENGINE=InnoDB SELECT * FROM t.i");
        let sums = rows(&mut server, "CHECKSUM TABLE t.tmp, t.tmp2 EXTENDED");
        assert_eq!(sums[0].split(' ').nth(1), sums[1].split(' ').nth(1));
        // Row events that came back from the cache's file can be applied, as the server reads them again here.
        let events = rows(&mut server, "SHOW BINLOG EVENTS IN 'bin.000001'");
        assert!(events.iter().any(|event| event.contains("Write_rows")), "{events:?}");
        server.restart().expect("starts again");
        rows_are_not_in_the_logs(&server);
    }
}

//! SIGKILL under load and while pages are being re-encrypted: what was acknowledged is there, and every page is whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use mysql::prelude::Queryable;
use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::process::wait_until;
use strongroom_testkit::{every_series, need};

use crate::files::innochecksum;
use crate::rig::{FLUSH, KEYS, Rig, Whose, rows};

every_series!(a_killed_server_keeps_what_it_acknowledged_while_keys_rotate);

fn a_killed_server_keeps_what_it_acknowledged_while_keys_rotate(series: Series) {
    kills_while_keys_rotate(series, "aes_ctr", 2);
}

#[test]
#[ignore = "soak: kills until the rounds are over"]
fn kills_on_10_11() {
    kills_while_keys_rotate(Series::V10_11, "aes_cbc", rounds());
}

#[test]
#[ignore = "soak: kills until the rounds are over"]
fn kills_on_11_8() {
    kills_while_keys_rotate(Series::V11_8, "aes_cbc", rounds());
}

fn rounds() -> u32 {
    std::env::var("STRONGROOM_SOAK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20)
}

/// Two connections insert rows one by one. Meanwhile the key gets a new version, and once pages are being re-encrypted the
/// server is killed.
fn kills_while_keys_rotate(series: Series, algorithm: &str, rounds: u32) {
    const WRITERS: u32 = 2;
    let rig = need!(Rig::new(series, KEYS));
    // A crash of the process loses nothing that was written, so the disk need not be waited for.
    let options = rig.encrypting(Whose::Ours, algorithm).arg("--innodb-flush-log-at-trx-commit=2");
    let mut server = need!(Server::start(options));
    server.sql("CREATE DATABASE t");
    for writer in 0..WRITERS {
        server.sql(&format!("CREATE TABLE t.w{writer} (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=InnoDB"));
    }
    server.sql("CREATE TABLE t.still (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=InnoDB");
    server.sql("INSERT INTO t.still SELECT seq, REPEAT('x', 150) FROM t.seq_1_to_5000");
    let still = rows(&mut server, "CHECKSUM TABLE t.still EXTENDED");
    let acknowledged: Vec<_> = (0..WRITERS).map(|_| Arc::new(AtomicU32::new(0))).collect();
    let mut keys = KEYS.to_owned();
    for round in 1..=rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (stop, count) = (Arc::clone(&stop), Arc::clone(&acknowledged[writer as usize]));
                let mut connection = server.connection().expect("connects");
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let next = count.load(Ordering::Relaxed) + 1;
                        let statement =
                            format!("INSERT IGNORE INTO t.w{writer} VALUES ({next}, REPEAT('y', 100))");
                        if connection.query_drop(statement).is_err() {
                            return;
                        }
                        count.store(next, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let modified = |server: &mut Server| {
            let row =
                server.sql("SHOW GLOBAL STATUS LIKE 'Innodb_encryption_rotation_pages_modified'").remove(0);
            row[1].as_deref().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default()
        };
        let before = modified(&mut server);
        keys.push_str(&format!("1;{};{:064x}\n", 1 + 2 * round, 0x5eed_u64 + u64::from(round)));
        rig.set_keys(&keys);
        server.sql(FLUSH);
        server.sql(crate::rig::WAKE);
        // Some pages are done, and others are not.
        let begun = wait_until(Duration::from_secs(60), || (modified(&mut server) > before).then_some(()));
        assert!(begun.is_some(), "nothing is re-encrypted\n{}", server.log());
        server.kill9();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().expect("a writer");
        }
        server.restart().expect("recovers");
        assert_eq!(rows(&mut server, "CHECKSUM TABLE t.still EXTENDED"), still, "round {round}");
        for (writer, count) in acknowledged.iter().enumerate() {
            let (count, there) = (
                count.load(Ordering::Relaxed),
                server.value(&format!("SELECT COUNT(*) FROM t.w{writer}")).parse::<u32>().expect("a number"),
            );
            assert!(
                there == count || there == count + 1,
                "round {round}: {there} rows, {count} acknowledged"
            );
        }
        let checks = rows(&mut server, "CHECK TABLE t.still, t.w0, t.w1 EXTENDED");
        assert!(checks.iter().all(|line| line.ends_with("OK")), "round {round}: {checks:?}");
        let errors = server.log().lines().filter(|line| line.contains("[ERROR]")).count();
        assert_eq!(errors, 0, "{}", server.log());
    }
    server.stop();
    need!(innochecksum(&server));
}

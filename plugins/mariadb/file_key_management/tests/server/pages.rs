//! Every size and kind of InnoDB page: encrypted, rotated, recovered after a crash, and checked in the files.

use strongroom_testkit::mariadb::{Options, Series, Server};
use strongroom_testkit::{every_series, need};

use crate::files::{innochecksum, key_versions};
use crate::rig::{FLUSH, KEY_1_LATER, KEYS, Rig, SECRET, WAKE, Whose, rotated, rows};

every_series!(small_pages_of_every_kind, pages_of_the_usual_size_in_both_formats, large_pages_of_every_kind);

fn small_pages_of_every_kind(series: Series) {
    pages_survive_rotation_and_a_crash(series, 4096, "aes_cbc", "full_crc32");
    pages_survive_rotation_and_a_crash(series, 8192, "aes_ctr", "full_crc32");
}

/// Up to MariaDB 10.4 pages had their checksums elsewhere, and `crc32` still makes such files.
fn pages_of_the_usual_size_in_both_formats(series: Series) {
    pages_survive_rotation_and_a_crash(series, 16384, "aes_cbc", "crc32");
    pages_survive_rotation_and_a_crash(series, 16384, "aes_ctr", "full_crc32");
}

fn large_pages_of_every_kind(series: Series) {
    pages_survive_rotation_and_a_crash(series, 32768, "aes_ctr", "full_crc32");
    pages_survive_rotation_and_a_crash(series, 65536, "aes_cbc", "full_crc32");
}

fn pages_survive_rotation_and_a_crash(series: Series, page_bytes: u32, algorithm: &str, checksum: &str) {
    let rig = need!(Rig::new(series, KEYS));
    let options = Options { page_bytes: Some(page_bytes), ..rig.encrypting(Whose::Ours, algorithm) };
    let mut server = need!(Server::start(options.arg(format!("--innodb-checksum-algorithm={checksum}"))));
    server.await_encrypted();
    server.sql("CREATE DATABASE t");
    let mut kinds =
        vec![("plain", ""), ("packed", "PAGE_COMPRESSED=1"), ("redundant", "ROW_FORMAT=REDUNDANT")];
    if page_bytes <= 16384 {
        // InnoDB has no compressed rows in larger pages.
        kinds.push(("squeezed", "ROW_FORMAT=COMPRESSED"));
    }
    for (table, kind) in &kinds {
        server.sql(&format!("CREATE TABLE t.{table} (a INT PRIMARY KEY, b VARCHAR(200), c BLOB) {kind}"));
        server.sql(&format!(
            "INSERT INTO t.{table} SELECT seq, CONCAT('{SECRET}-', seq), REPEAT('x', seq % 9000) FROM t.seq_1_to_400"
        ));
    }
    let sums = |server: &mut Server| {
        let sum =
            |(table, _): &(&str, &str)| rows(server, &format!("CHECKSUM TABLE t.{table} EXTENDED")).remove(0);
        kinds.iter().map(sum).collect::<Vec<_>>()
    };
    let before = sums(&mut server);

    rig.set_keys(format!("{KEYS}{KEY_1_LATER}"));
    server.sql(FLUSH);
    server.sql(WAKE);
    for (table, _) in &kinds {
        server.sql(&format!("UPDATE t.{table} SET b = CONCAT(b, '!') WHERE a % 5 = 0"));
    }
    let after = sums(&mut server);
    assert_ne!(after, before);
    server.kill9();
    server.restart().expect("recovers");
    assert_eq!(sums(&mut server), after);
    rotated(&mut server);
    server.stop();

    assert!(need!(innochecksum(&server)) > kinds.len());
    assert!(!server.files_contain(SECRET.as_bytes()), "the rows are in a file in the clear");
    for (table, kind) in &kinds {
        if *kind != "ROW_FORMAT=COMPRESSED" {
            let file = server.data().join(format!("t/{table}.ibd"));
            let versions = key_versions(&file, page_bytes as usize, checksum == "full_crc32");
            assert!(versions.contains_key(&3) && !versions.contains_key(&1), "{table}: {versions:?}");
        }
    }
    server.restart().expect("starts again");
    assert_eq!(sums(&mut server), after);
}

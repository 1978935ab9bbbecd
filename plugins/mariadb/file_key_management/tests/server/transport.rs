//! Tablespaces that go to another server with their keys: `FLUSH TABLES … FOR EXPORT`, `DISCARD`, `IMPORT`.

use std::fs;

use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{FLUSH, KEY_1_LATER, KEYS, Rig, WAKE, Whose, refusal, rotated, rows};

every_series!(a_tablespace_goes_to_another_server_that_has_its_keys);

const TABLES: [(&str, &str); 3] =
    [("one", ""), ("packed", "PAGE_COMPRESSED=1"), ("last", "ENCRYPTION_KEY_ID=4294967295")];

fn create(server: &mut Server) {
    server.sql("CREATE DATABASE t");
    for (table, kind) in TABLES {
        server.sql(&format!("CREATE TABLE t.{table} (a INT PRIMARY KEY, b VARCHAR(200)) {kind}"));
    }
}

/// The first server leaves key 1 at version 3 with pages of version 1 behind it; the other has the same file.
fn a_tablespace_goes_to_another_server_that_has_its_keys(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut from = need!(Server::start(rig.encrypting(Whose::Stock, "aes_ctr")));
    create(&mut from);
    for (table, _) in TABLES {
        from.sql(&format!("INSERT INTO t.{table} SELECT seq, REPEAT('x', 100) FROM t.seq_1_to_1000"));
    }
    *from.options_mut() = rig.encrypting(Whose::Ours, "aes_ctr").arg("--innodb-encryption-threads=0");
    from.restart().expect("starts with our plugin");
    rig.set_keys(format!("{KEYS}{KEY_1_LATER}"));
    from.sql(FLUSH);
    from.sql("UPDATE t.one SET b = 'second version' WHERE a % 50 = 0");

    let mut to = need!(Server::start(rig.encrypting(Whose::Ours, "aes_ctr")));
    create(&mut to);
    // MariaDB, with its own plugin too, takes pages for damaged whose log sequence number is ahead of the server's own.
    to.sql("CREATE TABLE t.more (a INT PRIMARY KEY, b VARCHAR(200))");
    to.sql("INSERT INTO t.more SELECT seq, REPEAT('x', 100) FROM t.seq_1_to_10000");
    for (table, _) in TABLES {
        let sum = rows(&mut from, &format!("CHECKSUM TABLE t.{table} EXTENDED"));
        from.sql(&format!("FLUSH TABLES t.{table} FOR EXPORT"));
        to.sql(&format!("ALTER TABLE t.{table} DISCARD TABLESPACE"));
        for ending in ["ibd", "cfg"] {
            let file = format!("t/{table}.{ending}");
            fs::copy(from.data().join(&file), to.data().join(&file)).expect("a copy");
        }
        from.sql("UNLOCK TABLES");
        to.sql(&format!("ALTER TABLE t.{table} IMPORT TABLESPACE"));
        assert_eq!(rows(&mut to, &format!("CHECKSUM TABLE t.{table} EXTENDED")), sum, "{table}");
    }
    to.sql(WAKE);
    rotated(&mut to);
    to.sql("INSERT INTO t.one VALUES (5000, 'here')");
    // In order: after a crash, MariaDB loses what was written since an import, with its own plugin too.
    to.restart().expect("starts again");
    assert_eq!(to.value("SELECT COUNT(*) FROM t.one"), "1001");

    // Without the key there is no way in, and no harm done.
    let poorer: String = KEYS.split_inclusive('\n').take(2).collect();
    rig.set_keys(poorer + KEY_1_LATER);
    let mut without = need!(Server::start(rig.encrypting(Whose::Ours, "aes_ctr")));
    without.sql("CREATE DATABASE t");
    without.sql("CREATE TABLE t.last (a INT PRIMARY KEY, b VARCHAR(200))");
    without.sql("ALTER TABLE t.last DISCARD TABLESPACE");
    fs::copy(from.data().join("t/last.ibd"), without.data().join("t/last.ibd")).expect("a copy");
    refusal(&mut without, "ALTER TABLE t.last IMPORT TABLESPACE");
    assert!(without.is_running());
}

//! A data directory that has been lived in: nothing that a server leaves behind in its files may be called damaged.

use strongroom_tablespace::mysql::head;
use strongroom_tablespace::{Options, Tablespace};
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mysql::{self, Server};
use strongroom_testkit::need;

use crate::keyring_file;
use crate::live::files;

/// Every page of every tablespace is right. How many there were.
fn check(server: &Server, keyring: &Scratch) -> usize {
    let keys = std::fs::read(keyring.path().join("keyring.json")).expect("a keyring");
    let keys = keyring_file::keys(&keys);
    let mut checked = 0;
    for path in files(&server.data()) {
        let mut run = std::fs::read(&path).expect("a file");
        let Ok(tablespace) = Tablespace::detect(&run) else { continue };
        let size = tablespace.geometry.physical();
        let mut options = Options::default();
        if tablespace.space_id == 0 {
            options.doublewrite = head::doublewrite_pages(tablespace.geometry, &run[5 * size..6 * size]);
        }
        assert_eq!(tablespace.cut_off(run.len() as u64), None, "{}", path.display());
        let codec = tablespace.open(&keys, options).expect("its key");
        assert_eq!(codec.decrypt(0, &mut run).expect("decrypted"), [], "{}", path.display());
        checked += 1;
    }
    checked
}

fn fill(server: &mut Server, table: &str, rows: u32) {
    server.sql(&format!(
        "INSERT INTO {table} (a, b) WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < {rows})
         SELECT SHA2(id, 256), REPEAT(SHA2(id + 1, 256), 1 + id % 7 * 60) FROM n"
    ));
}

#[test]
#[ignore = "soak: a long life of one server"]
fn files_that_have_been_lived_in_are_right() {
    let keyring = Scratch::new("keys");
    let path = keyring.path().join("keyring.json");
    let configuration = format!("{{\"path\": \"{}\", \"read_only\": false}}", path.display());
    let options = mysql::Options::default()
        .component("component_keyring_file", configuration)
        .arg("--innodb-undo-log-encrypt=ON")
        .arg("--innodb-max-undo-log-size=10M");
    let mut server = need!(Server::start(options));
    server.sql("SET GLOBAL cte_max_recursion_depth = 100000");
    server.sql("CREATE DATABASE shop");
    server.sql("CREATE TABLESPACE general ADD DATAFILE 'general.ibd' ENCRYPTION='N'");
    server.sql("CREATE UNDO TABLESPACE third ADD DATAFILE 'third.ibu'");
    let kinds = [
        ("dynamic", ""),
        ("compact", "ROW_FORMAT=COMPACT"),
        ("block", "ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4"),
        ("zlib", "COMPRESSION='zlib'"),
        ("general", "TABLESPACE general"),
    ];
    let columns = "id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(64), b LONGTEXT, KEY (a)";
    for (name, rest) in kinds {
        let table = format!("shop.{name}");
        server.sql(&format!("CREATE TABLE {table} ({columns}) {rest}"));
        fill(&mut server, &table, 400);
        server.sql(&format!("DELETE FROM {table} WHERE id % 3 > 0"));
        server.sql(&format!("UPDATE {table} SET b = REPEAT(a, 1 + id % 5 * 90)"));
    }
    // Large columns of the newer layout, changed in parts.
    server
        .sql("CREATE TABLE shop.documents (id INT PRIMARY KEY, d JSON) ROW_FORMAT=COMPRESSED ENCRYPTION='Y'");
    server.sql(
        "INSERT INTO shop.documents SELECT id, JSON_OBJECT('a', REPEAT(a, 3000), 'b', 1) FROM shop.dynamic",
    );
    server.sql("UPDATE shop.documents SET d = JSON_SET(d, '$.a', REPEAT('y', 190000))");
    server.sql("UPDATE shop.documents SET d = JSON_SET(d, '$.b', 2)");
    server.stop();
    server.restart().expect("it starts");
    for (name, _) in kinds.iter().filter(|(name, _)| *name != "general") {
        server.sql(&format!("ALTER TABLE shop.{name} ENCRYPTION='Y'"));
        server.sql(&format!("ALTER TABLE shop.{name} ADD COLUMN c INT DEFAULT 5"));
        server.sql(&format!("UPDATE shop.{name} SET c = id, a = SHA2(a, 256) WHERE id % 2 = 0"));
    }
    server.sql("ALTER TABLESPACE general ENCRYPTION='Y'");
    server.sql("ALTER INSTANCE ROTATE INNODB MASTER KEY");
    server.sql("DROP TABLE shop.general");
    server.sql("ALTER TABLE shop.dynamic DROP INDEX a");
    server.sql("ALTER TABLE shop.compact ADD FULLTEXT (b)");
    server.sql("OPTIMIZE TABLE shop.compact");
    server.sql("CREATE TABLE shop.truncated LIKE shop.compact");
    server.sql("INSERT INTO shop.truncated SELECT * FROM shop.compact");
    server.sql("TRUNCATE TABLE shop.truncated");
    // Decrypted again page by page, not rebuilt.
    server.sql("CREATE TABLE shop.in_general (id INT PRIMARY KEY, a TEXT) TABLESPACE general ENCRYPTION='Y'");
    server.sql("INSERT INTO shop.in_general SELECT id, a FROM shop.zlib");
    server.stop();
    check(&server, &keyring);
    server.restart().expect("it starts");
    server.sql("ALTER TABLESPACE general ENCRYPTION='N'");
    server.sql("UPDATE shop.in_general SET a = REVERSE(a)");
    // A tablespace of another number: every page of it is rewritten.
    server.sql("CREATE TABLE shop.imported (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(64), b LONGTEXT, KEY (a)) ENCRYPTION='Y'");
    server.sql("CREATE TABLE shop.exported LIKE shop.imported");
    fill(&mut server, "shop.exported", 600);
    server.sql("DELETE FROM shop.exported WHERE id > 30");
    server.sql("ALTER TABLE shop.imported DISCARD TABLESPACE");
    let folder = server.data().join("shop");
    let mut holder = server.connection("root").expect("a connection");
    ::mysql::prelude::Queryable::query_drop(&mut holder, "FLUSH TABLES shop.exported FOR EXPORT")
        .expect("flushed");
    for ending in ["ibd", "cfg", "cfp"] {
        std::fs::copy(folder.join(format!("exported.{ending}")), folder.join(format!("imported.{ending}")))
            .expect("copied");
    }
    drop(holder);
    server.sql("ALTER TABLE shop.imported IMPORT TABLESPACE");
    server.sql("UPDATE shop.imported SET a = REVERSE(a)");
    server.sql("ALTER UNDO TABLESPACE innodb_undo_001 SET INACTIVE");
    server.stop();
    assert!(check(&server, &keyring) > 15);
}

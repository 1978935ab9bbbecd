//! A general tablespace of a real server that is killed while it encrypts or decrypts it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ::mysql::prelude::Queryable;
use strongroom_tablespace::mysql::Progress;
use strongroom_tablespace::page::PageType;
use strongroom_tablespace::{Encryption, Options, PageState, Tablespace};
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mysql::{self, Server};
use strongroom_testkit::need;

use crate::keyring_file;

const PAGE_BYTES: usize = 16384;
const LIMIT: Duration = Duration::from_secs(60);

/// Whether an eighth of the file's pages, or more, is encrypted and as many are not.
fn is_mixed(file: &Path) -> bool {
    let bytes = std::fs::read(file).expect("a file");
    let pages = bytes.chunks(PAGE_BYTES).filter(|page| page[24..26] != [0, 0]);
    let (all, encrypted) = pages.fold((0, 0), |(all, encrypted), page| {
        (
            all + 1,
            encrypted + usize::from(PageType(u16::from(page[25])).is_mysql_encrypted() && page[24] == 0),
        )
    });
    (all / 8..all * 7 / 8).contains(&encrypted) && encrypted > 0
}

#[test]
#[ignore = "soak: fills a tablespace, and may need several attempts to kill the server in time"]
fn a_tablespace_whose_encryption_was_cut_off_is_read() {
    for (from, to) in [("N", "Y"), ("Y", "N")] {
        let keys = Scratch::new("keys");
        let path = keys.path().join("keyring.json");
        let configuration = format!("{{\"path\": \"{}\", \"read_only\": false}}", path.display());
        let options = mysql::Options::default().component("component_keyring_file", configuration);
        let mut server = need!(Server::start(options.arg("--innodb-redo-log-capacity=256M")));
        server.sql("CREATE DATABASE shop");
        server.sql(&format!("CREATE TABLESPACE general ADD DATAFILE 'general.ibd' ENCRYPTION='{from}'"));
        server.sql(&format!(
            "CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, a LONGTEXT) TABLESPACE general ENCRYPTION='{from}'"
        ));
        for _ in 0..30 {
            server.sql(
                "INSERT INTO shop.t (a) WITH RECURSIVE n AS (SELECT 1 id UNION ALL SELECT id + 1 FROM n WHERE id < 100)
                 SELECT REPEAT(SHA2(id, 256), 800) FROM n",
            );
        }
        server.stop();
        server.restart().expect("it starts");
        let file = server.data().join("general.ibd");
        let mut connection = server.connection("root").expect("a connection");
        let statement = format!("ALTER TABLESPACE general ENCRYPTION='{to}'");
        // It ends in an error when the server is killed.
        let worker = thread::spawn(move || drop(connection.query_drop(statement)));
        let start = Instant::now();
        while !is_mixed(&file) {
            assert!(start.elapsed() < LIMIT, "no moment was seen at which a part was encrypted");
        }
        server.kill9();
        worker.join().expect("the statement ends");

        let stored = std::fs::read(&file).expect("a file");
        let tablespace = Tablespace::detect(&stored).expect("a tablespace");
        assert!(tablespace.head.is_ok());
        let Encryption::MySql(encryption) = &tablespace.encryption else {
            panic!("{:?}", tablespace.encryption)
        };
        // How far it came, page 0 says as of when it was last flushed, which may be before the start.
        assert!(
            encryption.flag && !matches!(encryption.progress, Some(Progress::Decrypting { .. }) if to == "Y")
        );
        let keys = keyring_file::keys(&std::fs::read(&path).expect("a keyring"));
        let codec = tablespace.open(&keys, Options::default()).expect("its key");
        let states = |wanted: PageState| {
            (0..)
                .zip(stored.chunks(PAGE_BYTES))
                .filter(|(number, page)| codec.classify(*number, page).state == wanted)
                .count()
        };
        assert!(states(PageState::Plain) > 100 && states(PageState::Encrypted { key_version: 0 }) > 100);
        assert_eq!(codec.decrypt(0, &mut stored.clone()).expect("decrypted"), []);

        server.restart().expect("it recovers and goes on");
        assert_eq!(server.value("SELECT COUNT(*) FROM shop.t WHERE LENGTH(a) = 51200"), "3000");
    }
}

//! Rotation started from SQL, and who may do that.

use strongroom_testkit::mariadb::{Options, Series, Server};
use strongroom_testkit::{Unavailable, every_series, need};

use crate::rig::{BEHIND, PLUGIN, Rig, TABLE, eventually, rows};

every_series!(
    a_key_is_rotated_by_a_statement_and_its_pages_move,
    what_is_not_allowed_or_makes_no_sense_makes_no_version,
);

const ROTATE: &str = "SELECT kmip_key_management_rotate_key(1)";

fn start(options: Options) -> Result<Server, Unavailable> {
    let mut server = Server::start(options)?;
    for name in ["rotate_key", "reload_keys"] {
        server
            .sql(&format!("CREATE FUNCTION kmip_key_management_{name} RETURNS INTEGER SONAME '{PLUGIN}.so'"));
    }
    Ok(server)
}

fn writable(rig: &Rig, series: Series) -> Options {
    rig.options().on(series).arg("--kmip-key-management-allow-key-writes=ON")
}

fn refusal(server: &mut Server, statement: &str) -> String {
    server.try_sql(statement).expect_err(statement).to_string()
}

fn a_key_is_rotated_by_a_statement_and_its_pages_move(series: Series) {
    let rig = need!(Rig::on_pykmip());
    let mut server = need!(start(writable(&rig, series)));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT)");
    server.sql("INSERT INTO t.i SELECT seq FROM t.seq_1_to_1000");
    assert_eq!(rows(&mut server, ROTATE), ["3"]);
    let notes = rows(&mut server, "SHOW WARNINGS");
    assert!(notes.iter().any(|note| note.contains("innodb_encryption_rotate_key_age")), "{notes:?}");
    assert_eq!(rows(&mut server, TABLE), ["1 1 0", "1 3 1", "2 1 1"]);
    eventually(&mut server, "every page of key 1 has version 3", |server| server.value(BEHIND) == "0");
    assert_eq!(rows(&mut server, "SELECT kmip_key_management_rotate_key(1, 1)"), ["4"]);
    let warnings = rows(&mut server, "SHOW WARNINGS");
    assert!(
        warnings.iter().any(|warning| warning.contains("a step of 1 re-encrypts nothing")),
        "{warnings:?}"
    );
    assert_eq!(rows(&mut server, "SELECT kmip_key_management_rotate_key(2, 10)"), ["11"]);

    // Others make versions too.
    assert_eq!(rig.rotate(1), 6);
    assert_eq!(rows(&mut server, "SELECT kmip_key_management_reload_keys()"), ["1"]);
    assert_eq!(rows(&mut server, TABLE).last().map(String::as_str), Some("2 11 1"));
    assert_eq!(rig.rotate(1), 8);
    server.sql("SET GLOBAL kmip_key_management_reload = ON");
    assert_eq!(server.value("SELECT @@kmip_key_management_reload"), "0");
    assert!(rows(&mut server, TABLE).contains(&"1 8 1".to_owned()));
    assert_eq!(crate::rig::status(&mut server, "version_list"), "1:8(1,3,4,6,8) 2:11(1,11)");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.i"), "1000");
}

fn what_is_not_allowed_or_makes_no_sense_makes_no_version(series: Series) {
    let mut rig = need!(Rig::on_pykmip());
    let mut server = need!(start(rig.options().on(series)));
    let said = refusal(&mut server, ROTATE);
    assert!(said.contains("kmip_key_management_allow_key_writes is OFF"), "{said}");

    *server.options_mut() = writable(&rig, series);
    server.restart().expect("starts");
    for (call, why) in [
        ("(77)", "there is no key 77"),
        ("(0)", "a key id is 1 to"),
        ("(-1)", "a key id is 1 to"),
        ("(NULL)", "a key id is 1 to"),
        ("(1, 0)", "a step is 1 to"),
        ("(1, 2000000)", "a step is 1 to"),
        ("(1, NULL)", "a step is 1 to"),
        ("()", "usage: kmip_key_management_rotate_key"),
        ("(1, 2, 3)", "usage: kmip_key_management_rotate_key"),
    ] {
        let said = refusal(&mut server, &format!("SELECT kmip_key_management_rotate_key{call}"));
        assert!(said.contains(why), "{call}: {said}");
    }
    server.sql("CREATE USER curious@localhost IDENTIFIED BY ''");
    server.sql("GRANT ALL ON *.* TO curious@localhost");
    server.sql("REVOKE SUPER ON *.* FROM curious@localhost");
    let options = mysql::OptsBuilder::new()
        .socket(Some(server.socket().to_string_lossy()))
        .user(Some("curious"))
        .prefer_socket(true);
    let mut curious = mysql::Conn::new(options).expect("connects");
    for statement in [ROTATE, "SELECT kmip_key_management_reload_keys()"] {
        let answer = mysql::prelude::Queryable::query::<mysql::Row, _>(&mut curious, statement);
        let said = answer.expect_err(statement).to_string();
        assert!(said.contains("the SUPER privilege is needed"), "{said}");
    }
    assert_eq!(rows(&mut server, TABLE), ["1 1 1", "2 1 1"]);
    assert_eq!(rig.versions().list().expect("a list").len(), 2);

    rig.keys.kill();
    let said = refusal(&mut server, ROTATE);
    assert!(said.contains("connection refused"), "{said}");
    assert_eq!(server.value("SELECT 1"), "1");
}

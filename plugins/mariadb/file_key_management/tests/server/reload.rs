//! `FLUSH`, the reload variable, `SHOW`, the table and the status variables; and reloads that are refused.

use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{FLUSH, KEY_1_LATER, KEYS, Rig, TABLE, Whose, refusal, rows, status};

every_series!(
    flush_and_the_reload_variable_bring_new_versions,
    a_reload_that_would_lose_something_is_refused_with_its_place,
    flush_needs_reload_and_the_table_process_and_the_variable_super,
);

const BEFORE: [&str; 3] = ["1 1 1", "2 1 1", "4294967295 1 1"];
const AFTER: [&str; 4] = ["1 1 0", "1 3 1", "2 1 1", "4294967295 1 1"];

fn flush_and_the_reload_variable_bring_new_versions(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut server = need!(Server::start(rig.encrypting(Whose::Ours, "aes_cbc")));
    assert_eq!(rows(&mut server, TABLE), BEFORE);
    assert_eq!(status(&mut server, "version_list"), "1:1(1) 2:1(1) 4294967295:1(1)");
    rig.set_keys(format!("{KEYS}{KEY_1_LATER}"));
    server.sql(FLUSH);
    // How the note of the statement reaches whoever asks for it.
    let notes = rows(&mut server, "SHOW WARNINGS");
    assert!(notes[0].starts_with("Note 1105 InnoDB re-encrypts old pages"), "{notes:?}");
    assert_eq!(rows(&mut server, TABLE), AFTER);
    assert_eq!(rows(&mut server, "SHOW FILE_KEY_MANAGEMENT_KEYS"), AFTER);
    assert_eq!(status(&mut server, "version_list"), "1:3(1,3) 2:1(1) 4294967295:1(1)");
    assert_eq!((status(&mut server, "keys"), status(&mut server, "versions")), ("3".into(), "4".into()));
    // The plain form goes to the replicas, and those without the plugin would stop there.
    server.sql("FLUSH NO_WRITE_TO_BINLOG FILE_KEY_MANAGEMENT_KEYS");
    let logged = |server: &mut Server| {
        rows(server, "SHOW BINLOG EVENTS").iter().filter(|event| event.contains("FLUSH")).count()
    };
    assert_eq!(logged(&mut server), 0);
    server.sql("FLUSH FILE_KEY_MANAGEMENT_KEYS");
    assert_eq!(logged(&mut server), 1);
    let seconds: u64 = status(&mut server, "seconds_since_reload").parse().expect("a number");
    assert!(seconds < 300, "{seconds}");

    rig.set_keys(format!("{KEYS}{KEY_1_LATER}7;5;00112233445566778899aabbccddeeff\n"));
    for off in ["OFF", "0", "FALSE"] {
        server.sql(&format!("SET GLOBAL file_key_management_reload = {off}"));
    }
    assert_eq!(rows(&mut server, TABLE).len(), 4);
    server.sql("SET GLOBAL file_key_management_reload = ON");
    assert_eq!(rows(&mut server, TABLE).len(), 5);
    assert_eq!(server.value("SELECT @@GLOBAL.file_key_management_reload"), "0");
    server.sql("SET GLOBAL file_key_management_reload = 1");
    let said = refusal(&mut server, "SET GLOBAL file_key_management_reload = 'perhaps'");
    assert!(said.contains("can be set to ON"), "{said}");
}

fn a_reload_that_would_lose_something_is_refused_with_its_place(series: Series) {
    let keys = format!("{KEYS}{KEY_1_LATER}");
    let rig = need!(Rig::new(series, &keys));
    let mut server = need!(Server::start(rig.encrypting(Whose::Ours, "aes_cbc")));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.x (a INT) ENCRYPTION_KEY_ID=4294967295");
    let file = rig.key_file().display().to_string();
    let lines: Vec<&str> = keys.split_inclusive('\n').collect();
    let without = |at: usize| {
        let mut rest = lines.clone();
        rest.remove(at);
        rest.concat()
    };
    for (content, reason) in [
        (without(2), format!("key 4294967295 is gone from the answer at {file} line 3, column 1")),
        (without(0), format!("version 1 of key 1 is gone from the answer at {file} line 3, column 1")),
        (without(3), format!("the latest version of key 1 fell from 3 to 1 at {file} line 1, column 3")),
        (
            keys.replace("2;1afc", "2;1afd"),
            format!("version 1 of key 2 has other bytes than before at {file} line 2, column 3"),
        ),
        (format!("{keys}\n 5;77;nonsense"), format!("Invalid key at {file} line 6, column 7")),
        (format!("{keys}5;0;77"), format!("Invalid key version at {file} line 5, column 4")),
        (String::new(), format!("System key id 1 is missing at {file} line 0, column 1")),
    ] {
        rig.set_keys(content);
        for statement in [FLUSH, "SET GLOBAL file_key_management_reload = ON"] {
            let said = refusal(&mut server, statement);
            assert!(said.contains("keys were not refreshed") && said.contains(&reason), "{said}\n{reason}");
        }
        assert_eq!(rows(&mut server, TABLE), AFTER);
        assert!(status(&mut server, "last_reload").contains(&reason));
    }
    // InnoDB would abort here if the key had been missing for a moment.
    server.sql("INSERT INTO t.x VALUES (1)");
    server.sql("FLUSH TABLES t.x FOR EXPORT");
    server.sql("UNLOCK TABLES");
    rig.set_keys(keys);
    server.sql(FLUSH);
    assert_eq!(status(&mut server, "last_reload"), "OK");
}

fn flush_needs_reload_and_the_table_process_and_the_variable_super(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut server = need!(Server::start(rig.options(Whose::Ours)));
    server.sql("CREATE USER curious@localhost IDENTIFIED BY ''");
    let options = mysql::OptsBuilder::new()
        .socket(Some(server.socket().to_string_lossy()))
        .user(Some("curious"))
        .prefer_socket(true);
    let mut connection = mysql::Conn::new(options).expect("connects");
    for statement in [TABLE, FLUSH, "SET GLOBAL file_key_management_reload = ON"] {
        let result = mysql::prelude::Queryable::query::<mysql::Row, _>(&mut connection, statement);
        let error = result.expect_err(statement).to_string();
        assert!(error.contains("1227"), "{statement}: {error}");
    }
}

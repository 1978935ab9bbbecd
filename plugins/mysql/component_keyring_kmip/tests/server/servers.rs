//! More than one server: tables that travel, replicas, clones, and many users at once.

use std::path::Path;
use std::time::{Duration, Instant};

use ::mysql::prelude::Queryable;
use strongroom_testkit::mysql::{Server, is_refused_function};
use strongroom_testkit::need;

use crate::rig::{
    ROTATE, ROTATE_BINLOG, Rig, checksums, create_functions, encrypted_table, fill, keys, master_keys, status,
};

fn copy(from: &Path, to: &Path, files: &[&str]) {
    for file in files {
        std::fs::copy(from.join(file), to.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn a_table_travels_to_a_server_with_another_vault() {
    let (here, there) = (Rig::new(), Rig::new());
    let mut source = need!(Server::start(here.server_for("db1")));
    let mut target = need!(Server::start(there.server_for("db2")));
    let definition = "CREATE TABLE t.moving (a INT PRIMARY KEY, b VARCHAR(200)) ENCRYPTION='Y'";
    let parts = "CREATE TABLE t.parts (a INT PRIMARY KEY, b VARCHAR(200)) ENCRYPTION='Y' PARTITION BY HASH (a) PARTITIONS 2";
    for server in [&mut source, &mut target] {
        server.sql("CREATE DATABASE t");
        server.sql(definition);
        server.sql(parts);
    }
    fill(&mut source, "moving");
    fill(&mut source, "parts");
    let before = checksums(&mut source);
    for table in ["moving", "parts"] {
        target.sql(&format!("ALTER TABLE t.{table} DISCARD TABLESPACE"));
    }
    source.sql("FLUSH TABLES t.moving, t.parts FOR EXPORT");
    let names = ["moving", "parts#p#p0", "parts#p#p1"];
    let files: Vec<String> =
        names.iter().flat_map(|name| ["ibd", "cfg", "cfp"].map(|end| format!("t/{name}.{end}"))).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    copy(&source.data(), &target.data(), &files);
    source.sql("UNLOCK TABLES");
    for table in ["moving", "parts"] {
        target.sql(&format!("ALTER TABLE t.{table} IMPORT TABLESPACE"));
    }
    target.sql(ROTATE);
    assert_eq!(checksums(&mut target), before);
    target.restart().expect("it starts again");
    assert_eq!(checksums(&mut target), before);
}

#[test]
fn a_replica_and_a_clone_have_keys_of_their_own() {
    let rig = Rig::new();
    let options = |name: &str, id: u32| {
        rig.server_for(name)
            .tcp()
            .arg(format!("--server-id={id}"))
            .arg("--log-bin=bin")
            .arg("--relay-log=relay")
            .arg("--binlog-encryption=ON")
            .arg("--gtid-mode=ON")
            .arg("--enforce-gtid-consistency=ON")
    };
    let mut source = need!(Server::start(options("source", 1)));
    let mut replica = need!(Server::start(options("replica", 2)));
    let address = source.address().expect("it listens");
    source.sql("CREATE USER copy@'127.0.0.1'");
    source.sql("GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO copy@'127.0.0.1'");
    encrypted_table(&mut source, "a");
    replica.sql(&format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={}, SOURCE_USER='copy', SOURCE_SSL=1, \
         SOURCE_AUTO_POSITION=1",
        address.port()
    ));
    replica.sql("START REPLICA");
    let caught_up = |source: &mut Server, replica: &mut Server| {
        let done = source.value("SELECT @@GLOBAL.gtid_executed").replace('\n', "");
        let waited = replica.value(&format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{done}', 120)"));
        assert_eq!(waited, "0", "{}", replica.log());
    };
    caught_up(&mut source, &mut replica);
    for _ in 0..2 {
        source.sql(ROTATE);
        source.sql(ROTATE_BINLOG);
        replica.sql(ROTATE_BINLOG);
        replica.sql(ROTATE);
    }
    source.sql("DELETE FROM t.a WHERE a % 2 = 0");
    caught_up(&mut source, &mut replica);
    let before = checksums(&mut source);
    assert_eq!(checksums(&mut replica), before);
    let relay = relay_log(&replica.data());
    assert!(relay.starts_with(b"\xfdbin"), "the relay log is not encrypted");
    // Rotation replicates: InnoDB's key there has been rotated by both.
    let mine = master_keys(&mut replica, 3);
    let all = keys(&mut replica);
    assert!(mine.iter().all(|key| all.contains(key)), "{all:?}");
    assert!(!all.iter().any(|key| key.contains(&source.uuid())), "{all:?}");
    replica.restart().expect("its relay log is read again");
    caught_up(&mut source, &mut replica);
    drop(replica);

    // A clone gets the tables' keys over TLS, and wraps them under a master key of its own.
    let mut clone = need!(Server::start(rig.server_for("clone").tcp()));
    for server in [&mut source, &mut clone] {
        server.sql("INSTALL PLUGIN clone SONAME 'mysql_clone.so'");
    }
    clone.sql(&format!("SET GLOBAL clone_valid_donor_list = '{address}'"));
    let cloned = clone.try_sql(&format!(
        "CLONE INSTANCE FROM copy@'127.0.0.1':{} IDENTIFIED BY '' REQUIRE SSL",
        address.port()
    ));
    // It shuts down at the end, and nobody is there to start it again but us.
    if let Err(::mysql::Error::MySqlError(error)) = &cloned {
        assert_eq!(error.code, 3707, "{error:?}\n{}", clone.log());
    }
    let start = Instant::now();
    while clone.is_running() {
        assert!(start.elapsed() < Duration::from_secs(120), "{cloned:?}\n{}", clone.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    clone.restart().expect("it starts on what it was given");
    assert_eq!(checksums(&mut clone), before);
    let uuid = clone.uuid();
    assert_ne!(uuid, source.uuid());
    let all = keys(&mut clone);
    assert!(all.iter().any(|key| key.contains(&uuid)), "{all:?}");
    assert!(!all.iter().any(|key| key.contains(&source.uuid())), "{all:?}");
    clone.sql(ROTATE);
    assert_eq!(checksums(&mut clone), before);
}

/// The newest relay log, by its number.
fn relay_log(data: &Path) -> Vec<u8> {
    let entries = std::fs::read_dir(data).expect("the data directory").flatten();
    let newest = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("relay.0")))
        .max()
        .expect("a relay log");
    std::fs::read(newest).expect("it can be read")
}

#[test]
fn sixty_four_first_users_at_once_share_one_master_key() {
    const USERS: u32 = 64;
    let rig = Rig::new();
    let mut server = need!(Server::start(rig.server_for("db1")));
    create_functions(&mut server);
    server.sql("CREATE DATABASE t");
    let won: Vec<Option<i64>> = std::thread::scope(|scope| {
        let server = &server;
        let users: Vec<_> = (0..USERS)
            .map(|user| {
                scope.spawn(move || {
                    let mut connection = server.connection("root").expect("a connection");
                    connection
                        .query_drop(format!("CREATE TABLE t.t{user} (a INT) ENCRYPTION='Y'"))
                        .expect("a table with the first master key");
                    let own: Option<Option<i64>> = connection
                        .query_first(format!("SELECT keyring_key_generate('own{user}', 'AES', 32)"))
                        .expect("an answer");
                    assert_eq!(own.flatten(), Some(1));
                    let one = "SELECT keyring_key_generate('one', 'AES', 32)";
                    match connection.query_first::<Option<i64>, _>(one) {
                        Err(error) if is_refused_function(&error) => None,
                        answer => answer.expect("an answer").flatten(),
                    }
                })
            })
            .collect();
        users.into_iter().map(|user| user.join().expect("no panic")).collect()
    });
    assert_eq!(won.iter().flatten().count(), 1, "one of them makes the key, and the others are told");
    let all = keys(&mut server);
    assert_eq!(all.iter().filter(|key| key.starts_with("INNODBKey-")).count(), 1, "{all:?}");
    assert_eq!(all.len(), USERS as usize + 2);
    server.restart().expect("it starts again");
    assert_eq!(server.rows("SELECT COUNT(*) FROM t.t63"), ["0"]);
    // Of all those keys only what was used has been fetched.
    assert_eq!(status(&mut server, "Keys_in_memory"), "1");
}

//! The vault is away, slow or another one: the server stays up, nobody waits for long, and nothing is made because a lookup failed.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::need;
use strongroom_testkit::other_maker::{Fault, Trouble};
use strongroom_testkit::vault::strongroom_ok;

use crate::rig::{
    COMPONENT, NO_MASTER_KEY, RELOAD, ROTATE, ROTATE_BINLOG, Rig, behind_a_front, checksums,
    create_functions, encrypted_table, keys, of_directory, status, with_servers, with_timeout,
};

/// Time for one server in these tests. The list has three times as long, and InnoDB asks a few times; the rest is a slow machine.
const TIMEOUT_MS: u32 = 500;
const BOUND: Duration = Duration::from_secs(60);

#[test]
fn without_the_vault_a_server_starts_and_recovers_by_a_reload() {
    let mut rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let mut server =
        need!(Server::start(rig.options(&with_servers(&endpoint, &[rig.vault.kmip()], TIMEOUT_MS))));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    server.sql("CREATE TABLE t.plain (a INT)");
    let before = checksums(&mut server);
    let uuid = server.uuid();

    rig.vault.kill9();
    server.restart().expect("it starts without its keys");
    assert_eq!(status(&mut server, "Component_status"), "Disabled");
    let last_error = status(&mut server, "Last_error");
    assert!(last_error.contains("refused"), "{last_error}");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.plain"), "0");
    assert_eq!(server.sql_error("SELECT COUNT(*) FROM t.a").0, NO_MASTER_KEY);
    let start = Instant::now();
    server.sql_error("CREATE TABLE t.b (a INT) ENCRYPTION='Y'");
    server.sql_error(ROTATE);
    server.sql_error(RELOAD);
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 16)"), "");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());

    rig.vault.restart();
    server.sql(RELOAD);
    assert_eq!(status(&mut server, "Component_status"), "Active");
    // What could not be asked for was not taken for absent.
    assert_eq!(keys(&mut server), [format!("INNODBKey-{uuid}-1")]);
    encrypted_table(&mut server, "b");
    server.sql(ROTATE);
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 16)"), "1");
    assert_eq!(keys(&mut server).len(), 3);
    // InnoDB itself looks again for a table that it could not open only when it starts.
    server.restart().expect("it starts again");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.b"), "1000");
    server.sql("DROP TABLE t.b");
    assert_eq!(checksums(&mut server), before);
}

#[test]
fn while_the_vault_is_away_cached_keys_go_on_and_changes_fail_with_the_reason() {
    let mut rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let mut server =
        need!(Server::start(rig.options(&with_servers(&endpoint, &[rig.vault.kmip()], TIMEOUT_MS))));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    assert_eq!(server.value("SELECT keyring_key_store('k', 'SECRET', 'cached')"), "1");
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "cached");
    let before = keys(&mut server);

    for (hangs, reason) in [(false, "connection refused"), (true, "no answer within")] {
        if hangs {
            rig.vault.pause();
        } else {
            rig.vault.kill9();
        }
        let start = Instant::now();
        let said = server.log().len();
        assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "cached");
        assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
        server.sql(&format!("CREATE TABLE t.made_{hangs} (a INT) ENCRYPTION='Y'"));
        // Whoever asks the vault now leaves a line.
        let log = server.log().split_off(said);
        assert!(!log.contains(COMPONENT), "what is in memory is asked for:\n{log}");
        let said = server.log().len();
        assert_eq!(server.value("SELECT keyring_key_generate('n', 'AES', 16)"), "");
        assert_eq!(server.value("SELECT keyring_key_store('n', 'SECRET', 'x')"), "");
        assert_eq!(server.value("SELECT keyring_key_fetch('unknown')"), "");
        server.sql_error(ROTATE);
        assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
        let log = server.log().split_off(said);
        let told = log
            .lines()
            .any(|line| line.contains("[ERROR]") && line.contains("\"n\"") && line.contains(reason));
        assert!(told, "no line gives the reason:\n{log}");
        if hangs {
            rig.vault.resume();
        } else {
            rig.vault.restart();
        }
        // By itself, as soon as somebody asks.
        rotate_soon(&mut server);
    }
    let after = keys(&mut server);
    assert!(before.iter().all(|key| after.contains(key)), "{before:?}, {after:?}");
    assert!(!after.iter().any(|key| key.starts_with("n ")), "{after:?}");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.made_false"), "0");
}

/// A vault that hung is left alone for a little while.
fn rotate_soon(server: &mut Server) {
    let start = Instant::now();
    while let Err(error) = server.try_sql(ROTATE) {
        assert!(start.elapsed() < Duration::from_secs(60), "{error}\n{}", server.log());
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_standby_takes_over_from_a_vault_that_is_killed_hangs_or_babbles() {
    let mut rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    // The standby has a copy of the files as they are now; what follows is made there, because nobody else answers.
    let standby = rig.vault.standby();
    let address = rig.vault.kmip();
    let servers = with_servers(&endpoint, &[address, standby.kmip()], TIMEOUT_MS);
    let mut server = need!(Server::start(rig.options(&servers)));
    create_functions(&mut server);
    rig.vault.kill9();
    encrypted_table(&mut server, "a");
    assert_eq!(server.value("SELECT keyring_key_generate('killed', 'AES', 16)"), "1");

    // Another program in the vault's place, which says something and hangs up, killed a starting mysqld once: the farewell to it
    // raised SIGPIPE, which mysqld ignores only when its keyring has been loaded.
    let babbler = Babbler::at(address);
    server.restart().expect("it starts with the standby");
    assert_eq!(status(&mut server, "Component_status"), "Active");
    assert_eq!(server.value("SELECT keyring_key_length_fetch('killed')"), "16");
    assert_eq!(server.value("SELECT keyring_key_generate('babbled', 'AES', 16)"), "1");
    drop(babbler);

    rig.vault.restart();
    rig.vault.pause();
    let start = Instant::now();
    server.restart().expect("it starts with the standby");
    assert_eq!(server.value("SELECT keyring_key_length_fetch('babbled')"), "16");
    assert_eq!(server.value("SELECT keyring_key_generate('hung', 'AES', 16)"), "1");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
    server.sql(ROTATE);
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
}

/// Something that listens, says what no KMIP server says, and hangs up.
struct Babbler {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Babbler {
    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("nobody listens there");
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if seen.load(Ordering::SeqCst) {
                    return;
                }
                let _ = stream.write_all(b"220 mail.example ESMTP ready\r\n");
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        Self { address, ended, thread: Some(thread) }
    }
}

impl Drop for Babbler {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// InnoDB and the binary log ask for several keys in one statement, each under the lock of the server's keyring.
#[test]
fn a_statement_asks_a_vault_that_hangs_once() {
    /// Long enough to be left alone afterwards.
    const SECONDS: u32 = 2;
    let rig = Rig::new();
    let (front, mut options, folder) = behind_a_front(&rig);
    let endpoint = folder.path().join("endpoint");
    options.configurations = vec![(COMPONENT.to_owned(), with_timeout(&endpoint, SECONDS * 1000))];
    let logs = ["--log-bin=bin", "--binlog-encryption=ON", "--server-id=1"];
    let mut server = need!(Server::start(logs.into_iter().fold(options, Options::arg)));
    create_functions(&mut server);
    server.sql("CREATE DATABASE t");
    let secrets: Vec<String> =
        (0..8).map(|key| format!("keyring_key_store('s{key}', 'SECRET', 's')")).collect();
    let functions = format!("SELECT keyring_key_generate('a', 'AES', 32), {}", secrets.join(", "));
    for statement in ["CREATE TABLE t.first (a INT) ENCRYPTION='Y'", ROTATE, ROTATE_BINLOG, &functions] {
        front.trouble(Some(Trouble::always(Fault::Hang)));
        let answer = server.try_sql(statement);
        let asked = front.requests();
        front.trouble(None);
        assert!((1..=4).contains(&asked), "{statement}: asked {asked} times\n{}", server.log());
        // NULL is how the functions fail.
        let is_done = answer.is_ok_and(|rows| rows.iter().flatten().any(Option::is_some) || rows.is_empty());
        assert!(!is_done, "{statement}");
        // A reload asks at once. What failed was not done by halves, and is done now.
        server.sql(RELOAD);
        server.sql(statement);
    }
    server.restart().expect("every key is there");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.first"), "0");
}

/// With a vault that hangs, or one that is gone.
#[test]
fn a_server_starts_whatever_its_vault_does_unless_it_cannot_read_its_own_logs() {
    let rig = Rig::new();
    let (front, mut options, folder) = behind_a_front(&rig);
    options.configurations =
        vec![(COMPONENT.to_owned(), with_timeout(&folder.path().join("endpoint"), 2000))];
    let mut server = need!(Server::start(options));
    for table in ["a", "b", "c"] {
        encrypted_table(&mut server, table);
    }
    let before = checksums(&mut server);
    for fault in [Fault::Hang, Fault::Cut, Fault::Garbage] {
        front.trouble(Some(Trouble::always(fault)));
        server.restart().unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(status(&mut server, "Component_status"), "Disabled", "{fault:?}");
        assert_eq!(server.sql_error("SELECT COUNT(*) FROM t.a").0, NO_MASTER_KEY);
        front.trouble(None);
        server.sql(RELOAD);
        assert_eq!(status(&mut server, "Component_status"), "Active", "{fault:?}");
    }
    // MySQL itself gives up a start for which it has to read or write an encrypted log, with any keyring.
    for logs in
        [&["--innodb-redo-log-encrypt=ON"][..], &["--log-bin=bin", "--binlog-encryption=ON", "--server-id=1"]]
    {
        server.options_mut().args = logs.iter().map(ToString::to_string).collect();
        server.restart().expect("it starts with its keys");
        server.sql("UPDATE t.a SET b = REVERSE(b)");
        server.sql("UPDATE t.a SET b = REVERSE(b)");
        server.kill9();
        front.trouble(Some(Trouble::always(Fault::Cut)));
        let error = server.restart().expect_err("it has no keys").to_string();
        assert!(error.contains("exit status: 1"), "that is no crash: {error}");
        front.trouble(None);
        server.restart().expect("it recovers");
        assert_eq!(checksums(&mut server), before);
    }
}

/// What Oracle's article on keyring_okv tells: one server used with one endpoint, then with another.
#[test]
fn another_endpoint_has_other_keys_until_the_first_is_back() {
    let rig = Rig::new();
    let (first, second) = (rig.vault.enrol("first"), rig.vault.enrol("second"));
    let mut server = need!(Server::start(rig.options(&of_directory(&first))));
    encrypted_table(&mut server, "old");
    let uuid = server.uuid();

    // The directory changes under a running server. Tables that are open go on: their keys are in memory.
    server.configure(COMPONENT, &of_directory(&second));
    server.sql(RELOAD);
    assert_eq!(server.value("SELECT COUNT(*) FROM t.old"), "1000");
    server.sql("INSERT INTO t.old VALUES (0, 'more')");
    // The master key in use is not there, and nobody makes one of that name.
    assert_eq!(server.sql_error("CREATE TABLE t.new (a INT) ENCRYPTION='Y'").0, NO_MASTER_KEY);
    assert_eq!(server.sql_error(ROTATE).0, NO_MASTER_KEY);
    assert_eq!(keys(&mut server), [""; 0]);

    // A restart closes them.
    server.options_mut().configurations[0].1 = of_directory(&second);
    server.restart().expect("it starts without the key");
    assert_eq!(server.sql_error("SELECT COUNT(*) FROM t.old").0, NO_MASTER_KEY);

    // A configuration that is no use is refused, and what was in force stays.
    server.configure(COMPONENT, &of_directory(std::path::Path::new("/nonexistent")));
    server.sql_error(RELOAD);
    assert_eq!(status(&mut server, "Component_status"), "Active");
    assert_eq!(status(&mut server, "Endpoint"), second.display().to_string());

    server.options_mut().configurations[0].1 = of_directory(&first);
    server.restart().expect("it starts again");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.old"), "1001");
    assert_eq!(keys(&mut server), [format!("INNODBKey-{uuid}-1")]);
    encrypted_table(&mut server, "new");
}

#[test]
fn a_fresh_server_on_an_empty_endpoint_makes_its_first_master_key() {
    let rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    for number in 1..=2 {
        let mut server = need!(Server::start(rig.options(&of_directory(&endpoint))));
        encrypted_table(&mut server, "a");
        let mine = format!("INNODBKey-{}-1", server.uuid());
        let all = keys(&mut server);
        assert!(all.contains(&mine) && all.len() == number, "{all:?}");
        if number == 2 {
            // Two servers with one account: each has its own keys, and the log says what they share.
            server.restart().expect("it starts again");
            assert!(
                server.log().contains("the keys of several servers lie in one place"),
                "{}",
                server.log()
            );
        }
    }
}

#[test]
fn object_groups_keep_two_servers_with_one_account_apart() {
    let rig = Rig::new();
    let endpoint = rig.vault.enrol("shared");
    let configuration = format!(
        "{{\"kmip_configuration_directory\": \"{}\", \"object_group\": \"@server_uuid\"}}",
        endpoint.display()
    );
    let mut first = need!(Server::start(rig.options(&configuration)));
    let mut second = need!(Server::start(rig.options(&configuration)));
    // The same id and owner, though the vault keeps names unique in a wallet.
    for (server, value) in [(&mut first, "of the first"), (&mut second, "of the second")] {
        create_functions(server);
        encrypted_table(server, "a");
        let stored = server.value(&format!("SELECT keyring_key_store('k', 'SECRET', '{value}')"));
        assert_eq!(stored, "1", "{}", server.log());
    }
    for (server, value) in [(&mut first, "of the first"), (&mut second, "of the second")] {
        server.restart().expect("it starts again");
        assert_eq!(server.value("SELECT keyring_key_fetch('k')"), value);
        let uuid = server.uuid();
        assert_eq!(status(server, "Object_group"), uuid);
        assert_eq!(keys(server), [format!("INNODBKey-{uuid}-1"), "k root@localhost".to_owned()]);
        assert_eq!(server.rows("SELECT COUNT(*) FROM t.a"), ["1000"]);
    }
    assert_eq!(first.value("SELECT keyring_key_remove('k')"), "1");
    assert_eq!(second.value("SELECT keyring_key_fetch('k')"), "of the second");
    assert!(!first.log().contains("several servers"), "{}", first.log());
}

/// What a master key is gone for, its tables are; the server and everything else goes on.
#[test]
fn a_master_key_that_was_destroyed_at_the_vault_is_missed_and_nothing_more() {
    let rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let mut server = need!(Server::start(rig.options(&of_directory(&endpoint))));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    let key = format!("INNODBKey-{}-1", server.uuid());
    let conf = endpoint.display().to_string();
    strongroom_ok(["key", "remove", &key, "--yes", "--conf", &conf]);
    // In memory it is still there, and InnoDB carries every tablespace over to the next one.
    server.sql(ROTATE);
    server.restart().expect("it starts with the next key");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");

    let key = format!("INNODBKey-{}-2", server.uuid());
    server.stop();
    strongroom_ok(["key", "remove", &key, "--yes", "--conf", &conf]);
    server.restart().expect("it starts without the key");
    assert_eq!(status(&mut server, "Component_status"), "Active");
    assert_eq!(server.sql_error("SELECT COUNT(*) FROM t.a").0, NO_MASTER_KEY);
    assert_eq!(keys(&mut server), [""; 0]);
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 16)"), "1");
}

/// InnoDB takes as many bytes as it needs of whatever it is given, so a shorter key must not reach it.
#[test]
fn a_master_key_of_another_length_is_refused_and_the_one_before_stays() {
    let rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let mut server = need!(Server::start(rig.options(&of_directory(&endpoint))));
    encrypted_table(&mut server, "a");
    let next = format!("INNODBKey-{}-2", server.uuid());
    let conf = endpoint.display().to_string();
    strongroom_ok(["key", "generate", &next, "--bits", "128", "--conf", &conf]);
    assert_eq!(server.sql_error(ROTATE).0, NO_MASTER_KEY);
    let log = server.log();
    assert!(log.lines().any(|line| line.contains("[ERROR]") && line.contains("16 bytes")), "{log}");
    encrypted_table(&mut server, "b");
    server.restart().expect("it starts with the key before");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.b"), "1000");
    strongroom_ok(["key", "remove", &next, "--yes", "--conf", &conf]);
    server.sql(ROTATE);
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
}

/// A sealed vault listens, and has no keys.
#[test]
fn a_vault_that_starts_sealed_is_one_that_is_away() {
    let mut rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let mut server =
        need!(Server::start(rig.options(&with_servers(&endpoint, &[rig.vault.kmip()], TIMEOUT_MS))));
    encrypted_table(&mut server, "a");
    let slot = rig.vault.file_slot();
    let hidden = slot.with_extension("hidden");
    std::fs::rename(&slot, &hidden).expect("the slot's file is there");
    rig.vault.restart_sealed();
    server.restart().expect("it starts without its keys");
    assert_eq!(status(&mut server, "Component_status"), "Disabled");
    std::fs::rename(&hidden, &slot).expect("it was renamed");
    rig.vault.restart();
    server.sql(RELOAD);
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
}

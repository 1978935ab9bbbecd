use std::os::unix::fs::MetadataExt;

use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mysql::{Options, Server, installation, other_user};
use strongroom_testkit::{need, skip};

const MARKER: &str = "a row nobody may find on disk";
const STOCK: &str = "component_keyring_file";
const STATUS: &str = "SELECT STATUS_VALUE FROM performance_schema.keyring_component_status WHERE STATUS_KEY = 'Component_status'";

/// A server with MySQL's own keyring component, its keys in `folder`.
fn with_keyring_file(folder: &Scratch) -> Options {
    let path = folder.path().join("keyring.json");
    Options::default().component(STOCK, format!("{{\"path\": \"{}\", \"read_only\": false}}", path.display()))
}

fn fill(server: &mut Server, encryption: &str) {
    server.sql("CREATE DATABASE shop");
    server.sql(&format!("CREATE TABLE shop.t (id INT PRIMARY KEY, note TEXT) ENCRYPTION='{encryption}'"));
    server.sql(&format!("INSERT INTO shop.t VALUES (1, '{MARKER}')"));
}

/// The needle really is found where nothing is encrypted: otherwise the next test would prove nothing.
#[test]
fn plain_rows_are_found_in_mysqls_files() {
    let mut server = need!(Server::start(Options::default()));
    fill(&mut server, "N");
    server.stop();
    assert!(server.files_contain(MARKER.as_bytes()));
}

#[test]
fn mysqls_own_component_encrypts_on_two_servers_at_once_and_survives_a_kill() {
    let (first_keys, second_keys) = (Scratch::new("keys"), Scratch::new("keys"));
    let mut first = need!(Server::start(
        with_keyring_file(&first_keys)
            .arg("--innodb-redo-log-encrypt=ON")
            .arg("--innodb-undo-log-encrypt=ON")
    ));
    let mut second = need!(Server::start(with_keyring_file(&second_keys)));
    assert_eq!((first.value(STATUS), second.value(STATUS)), ("Active".into(), "Active".into()));
    assert_ne!(first.uuid(), second.uuid());
    for server in [&mut first, &mut second] {
        fill(server, "Y");
        server.sql("ALTER INSTANCE ROTATE INNODB MASTER KEY");
    }
    let uuid = first.uuid();
    first.kill9();
    first.restart().expect("it recovers");
    assert_eq!((first.uuid(), first.value("SELECT note FROM shop.t")), (uuid.clone(), MARKER.into()));
    assert_eq!(
        first.sql("SELECT KEY_ID FROM performance_schema.keyring_keys ORDER BY 1"),
        [1, 2].map(|n| [Some(format!("INNODBKey-{uuid}-{n}"))])
    );
    first.stop();
    assert!(!first.files_contain(MARKER.as_bytes()));
}

#[test]
fn a_mysqld_that_cannot_start_says_why() {
    let mut server = need!(Server::prepare(Options::default().component("component_of_nobody", "{}")));
    let error = server.restart().expect_err("there is no such component");
    assert!(error.log.contains("Failed to load components from manifest file"), "{error}");
    assert!(!server.is_running());
    std::fs::remove_file(server.manifest()).expect("it was written");
    server.options_mut().components.clear();
    server.restart().expect("it starts without");
    assert_eq!(server.sql_error("CREATE TABLE nowhere.t (id INT)").0, 1049);
    assert_eq!(server.sql("SELECT 1, NULL"), [[Some("1".to_owned()), None]]);
}

#[test]
fn a_mysqld_in_the_background_is_stopped_and_killed_all_the_same() {
    let mut server = need!(Server::start(Options { daemonize: true, ..Options::default() }));
    server.sql("CREATE DATABASE shop");
    server.stop();
    assert!(!server.is_running() && server.connection("root").is_err());
    server.restart().expect("it starts again");
    server.kill9();
    assert!(!server.is_running() && server.connection("root").is_err());
    server.restart().expect("it recovers");
    assert_eq!(
        server.value("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'shop'"),
        "1"
    );
}

#[test]
fn a_mysqld_started_as_root_becomes_another_user() {
    let installation = need!(installation());
    let user = match other_user(&installation) {
        Ok(user) => user,
        Err(why) => skip!("{why}"),
    };
    let server = need!(Server::start(Options { user: Some(user), ..Options::default() }));
    let uuid = std::fs::metadata(server.data().join("auto.cnf")).expect("the server has written it");
    assert_eq!(uuid.uid(), user);
}

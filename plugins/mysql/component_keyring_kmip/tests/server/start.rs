//! The ways to start a server, and MySQL's own program that moves keys from one keyring to another.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::ExitStatus;

use strongroom_testkit::mysql::{Options, Server, installation, other_user};
use strongroom_testkit::{Unavailable, need, skip};

use crate::rig::{
    COMPONENT, ROTATE, Rig, behind_a_front, checksums, create_functions, encrypted_table, keys, of_directory,
    status,
};

const STOCK: &str = "component_keyring_file";

#[test]
fn a_server_in_the_background_has_its_keys_after_the_fork() {
    let rig = Rig::new();
    let mut server = need!(Server::start(Options { daemonize: true, ..rig.server_for("db1") }));
    create_functions(&mut server);
    assert_eq!(status(&mut server, "Component_status"), "Active");
    encrypted_table(&mut server, "a");
    server.sql(ROTATE);
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 32)"), "1");
    let before = checksums(&mut server);
    server.restart().expect("it starts in the background again");
    assert_eq!(checksums(&mut server), before);
    server.kill9();
    server.restart().expect("it recovers in the background");
    assert_eq!(checksums(&mut server), before);
    assert_eq!(server.value("SELECT keyring_key_length_fetch('k')"), "32");
}

#[test]
fn a_server_started_as_root_works_as_the_user_it_becomes() {
    let installed = need!(installation());
    let user = match other_user(&installed) {
        Ok(user) => user,
        Err(why) => skip!("{why}"),
    };
    let rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    // Its files are those of the user that the server becomes: it reads them again when they are renewed.
    let place = strongroom_testkit::folder::Scratch::new("endpoint");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let mine = place.path().join("endpoint");
    give(&endpoint, &mine, user);
    let mut server = need!(Server::start(Options { user: Some(user), ..rig.options(&of_directory(&mine)) }));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    for _ in 0..2 {
        server.sql(ROTATE);
        assert_eq!(server.value("SELECT keyring_key_remove('k')"), "");
        assert_eq!(server.value("SELECT keyring_key_store('k', 'SECRET', 'x')"), "1");
        assert_eq!(server.value("SELECT keyring_key_remove('k')"), "1");
        server.restart().expect("it starts again");
    }
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
    // Nothing that the server cannot touch was left behind by its time as root.
    for entry in fs::read_dir(server.data()).expect("the data directory").flatten() {
        assert_eq!(entry.metadata().expect("metadata").uid(), user, "{}", entry.path().display());
    }
}

/// A vault with this many keys is listed in pages when a server starts, and what is used of it is fetched.
fn starts_with(number: u32) -> Result<(), Unavailable> {
    const FEW: u32 = 400;
    /// As many identifiers as are asked for at once.
    const PAGE: u32 = 1000;
    let rig = Rig::new();
    let (front, options, _folder) = behind_a_front(&rig);
    let mut server = Server::start(options)?;
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    server.sql(&format!("SET cte_max_recursion_depth = {number}"));
    let mut requests_of_a_start = |made: u32, all: u32| {
        let made = server.value(&format!(
            "WITH RECURSIVE n (n) AS (SELECT {} UNION ALL SELECT n + 1 FROM n WHERE n < {all}) \
             SELECT SUM(keyring_key_generate(CONCAT('key', n), 'AES', 32)) FROM n",
            made + 1
        ));
        front.trouble(None);
        server.restart().expect("it starts");
        assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
        let requests = front.requests();
        assert_eq!(status(&mut server, "Keys_in_memory"), "1", "{made} keys were made");
        server.sql(&format!("SET cte_max_recursion_depth = {number}"));
        requests
    };
    let few = requests_of_a_start(0, FEW);
    let many = requests_of_a_start(FEW, number);
    assert!(few > 0 && many <= few + number / PAGE, "{few} requests with {FEW} keys, {many} with {number}");
    assert_eq!(keys(&mut server).len(), number as usize + 1);
    Ok(())
}

#[test]
fn a_start_fetches_what_is_used_of_more_keys_than_are_listed_at_once() {
    need!(starts_with(1100));
}

#[test]
#[ignore = "soak: ten thousand keys are made by SQL"]
fn a_start_fetches_what_is_used_of_ten_thousand_keys() {
    need!(starts_with(10_000));
}

/// A copy of an endpoint directory that belongs to a user.
fn give(from: &Path, to: &Path, user: u32) {
    fs::create_dir_all(to.join("ssl")).expect("a folder");
    for file in ["okvclient.ora", "ssl/CA.pem", "ssl/cert.pem", "ssl/key.pem"] {
        fs::copy(from.join(file), to.join(file)).expect("a copy");
        std::os::unix::fs::chown(to.join(file), Some(user), Some(user)).expect("it can be given away");
    }
    for folder in [to.to_path_buf(), to.join("ssl")] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).expect("a mode");
        std::os::unix::fs::chown(&folder, Some(user), Some(user)).expect("it can be given away");
    }
}

#[test]
fn a_data_directory_brings_its_own_manifest_and_configuration_and_a_keyring_without_memory() {
    let mut rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let options = Options { components: Vec::new(), ..rig.options("{\"read_local_config\": true}") };
    let mut server = need!(Server::prepare(options));
    let configuration =
        format!("{{\"kmip_configuration_directory\": \"{}\", \"cache_keys\": false}}", endpoint.display());
    let write = |path: &Path, text: &str| fs::write(path, text).expect("written");
    write(&server.manifest(), "{\"read_local_manifest\": true}");
    write(&server.data().join("mysqld.my"), &format!("{{\"components\": \"file://{COMPONENT}\"}}"));
    write(&server.data().join(format!("{COMPONENT}.cnf")), &configuration);
    server.restart().expect("it starts");
    assert_eq!(status(&mut server, "Component_status"), "Active");
    assert_eq!(status(&mut server, "Cache_keys"), "No");
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    assert_eq!(server.value("SELECT keyring_key_store('k', 'SECRET', 'a secret')"), "1");
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "a secret");
    assert_eq!(status(&mut server, "Keys_in_memory"), "0");

    // Nothing that was fetched is kept: without the vault there is no key, and tables that are open go on.
    rig.vault.kill9();
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
    server.sql_error(ROTATE);
    rig.vault.restart();
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "a secret");
    server.sql(ROTATE);

    // A setting that nobody knows does not silently fail to hold.
    write(&server.data().join(format!("{COMPONENT}.cnf")), &configuration.replace("cache_keys", "cache_key"));
    server.sql_error("ALTER INSTANCE RELOAD KEYRING");
    assert!(server.log().contains("\"cache_key\""), "{}", server.log());
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "a secret");
}

/// Runs MySQL's own program. Gives its end, and what it said.
fn migration(server: &Server, from: &str, to: &str, more: &[String]) -> (ExitStatus, String) {
    let dir = |option: &str, path: &Path| format!("--{option}={}", path.display());
    let output = server
        .installation()
        .tool("mysql_migrate_keyring")
        .args(["--no-defaults", &dir("component-dir", &server.plugin_dir())])
        .args([format!("--source-keyring={from}"), format!("--destination-keyring={to}")])
        .arg(dir("source-keyring-configuration-dir", &server.data()))
        .arg(dir("destination-keyring-configuration-dir", &server.data()))
        .args(more)
        .output()
        .expect("the program runs");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status, said)
}

/// Runs MySQL's own program, which must succeed.
fn migrate(server: &Server, from: &str, to: &str, more: &[String]) {
    let (status, said) = migration(server, from, to, more);
    assert!(status.success(), "{said}");
}

/// Runs MySQL's own program, which must end by itself, and say why it moved nothing.
fn migrate_in_vain(server: &Server, from: &str, to: &str, reason: &str) {
    let (status, said) = migration(server, from, to, &[]);
    assert!(status.code().is_some_and(|code| code != 0), "{status}: {said}");
    assert!(said.contains(reason), "{said}");
}

#[test]
fn keys_move_from_mysqls_own_component_to_the_vault_and_back() {
    let mut rig = Rig::new();
    let keyring = strongroom_testkit::folder::Scratch::new("keys");
    let file = |name: &str| {
        format!("{{\"path\": \"{}\", \"read_only\": false}}", keyring.path().join(name).display())
    };
    let endpoint = rig.vault.enrol("db1");
    let ours = rig.options(&of_directory(&endpoint));
    let stock =
        Options { libraries: ours.libraries.clone(), ..Options::default().component(STOCK, file("first")) };
    let mut server = need!(Server::start(stock));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    server.sql(ROTATE);
    assert_eq!(server.value("SELECT keyring_key_store('k', 'SECRET', 'a secret')"), "1");
    assert_eq!(server.value("SELECT keyring_key_generate('aes', 'AES', 16)"), "1");
    server.sql("CREATE TABLE t.texts (v VARCHAR(10))");
    server.sql("INSERT INTO t.texts VALUES ('')");
    assert_eq!(server.value("SELECT keyring_key_store('empty', 'SECRET', v) FROM t.texts"), "1");
    let mut before = (keys(&mut server), checksums(&mut server));
    // MySQL's program passes over a secret of no bytes: it asks no keyring to store one.
    let all = before.0.len();
    before.0.retain(|key| key != "empty root@localhost");
    assert_eq!(before.0.len() + 1, all);
    server.stop();

    server.configure(COMPONENT, &of_directory(&endpoint));
    rig.vault.kill9();
    migrate_in_vain(&server, STOCK, COMPONENT, "connection refused");
    rig.vault.restart();
    migrate(&server, STOCK, COMPONENT, &[]);
    *server.options_mut() = ours.clone();
    server.restart().expect("it starts with the vault");
    assert_eq!(status(&mut server, "Component_name"), COMPONENT);
    assert_eq!((keys(&mut server), checksums(&mut server)), before);
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "a secret");
    server.sql(ROTATE);
    let before = (keys(&mut server), checksums(&mut server));
    server.stop();

    server.configure(STOCK, &file("second"));
    rig.vault.kill9();
    migrate_in_vain(&server, COMPONENT, STOCK, "connection refused");
    rig.vault.restart();
    migrate(&server, COMPONENT, STOCK, &[]);
    *server.options_mut() = Options::default().component(STOCK, file("second"));
    server.restart().expect("it starts with the file");
    assert_eq!((keys(&mut server), checksums(&mut server)), before);
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "a secret");

    // Once more to a vault, while the server runs: the program holds its keyring still for that time.
    let configuration = of_directory(&rig.vault.enrol("db2"));
    server.configure(COMPONENT, &configuration);
    let socket = format!("--socket={}", server.socket().display());
    migrate(&server, STOCK, COMPONENT, &["--online-migration".into(), "--user=root".into(), socket]);
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "a secret");
    *server.options_mut() = rig.options(&configuration);
    server.restart().expect("it starts with the other vault");
    assert_eq!((keys(&mut server), checksums(&mut server)), before);
}

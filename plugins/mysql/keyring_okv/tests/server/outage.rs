//! The vault is away, or only its standby is there; the server forks, or was started as root; the plugin is taken out of a running
//! server and put back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mysql::keys::create_functions;
use strongroom_testkit::mysql::tables::encrypted_table;
use strongroom_testkit::mysql::{Options, Server, installation, other_user};
use strongroom_testkit::{need, skip};

use crate::rig::{NO_MASTER_KEY, ROTATE, Rig};

#[test]
fn without_the_vault_the_server_starts_and_works_again_when_it_is_back() {
    let mut rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let mut server = need!(Server::start(rig.options(&endpoint)));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    rig.vault.kill9();
    let start = Instant::now();
    // What is in memory goes on.
    encrypted_table(&mut server, "b");
    server.sql_error(ROTATE);
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 16)"), "");
    assert_eq!(server.value("SELECT keyring_key_store('s', 'SECRET', 'x')"), "");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    let log = server.log();
    for key in ["\"k\"", "\"s\""] {
        let told = log.lines().any(|line| {
            line.contains("[ERROR]")
                && line.contains("Plugin keyring_okv reported")
                && line.contains(key)
                && line.contains("connection refused")
        });
        assert!(told, "no line gives the reason for {key}:\n{log}");
    }
    server.restart().expect("it starts without its keys");
    assert_eq!(server.sql_error("SELECT COUNT(*) FROM t.a").0, NO_MASTER_KEY);
    rig.vault.restart();
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 16)"), "1");
    server.restart().expect("it starts with its keys");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.b"), "1000");
}

#[test]
fn the_standbys_of_okvclient_ora_take_over_also_in_the_background() {
    let mut rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let standby = rig.vault.standby();
    let servers = format!("SERVER=127.0.0.1:1\nSTANDBY_SERVER={},{}\n", rig.vault.kmip(), standby.kmip());
    fs::write(endpoint.join("okvclient.ora"), servers).expect("written");
    rig.vault.kill9();
    let mut server = need!(Server::start(Options { daemonize: true, ..rig.options(&endpoint) }));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    server.sql(ROTATE);
    server.restart().expect("it starts again");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 16)"), "1");
}

#[test]
fn a_server_started_as_root_works_as_the_user_it_becomes() {
    let installed = need!(installation());
    let user = match other_user(&installed) {
        Ok(user) => user,
        Err(why) => skip!("{why}"),
    };
    let rig = Rig::new();
    let place = Scratch::new("endpoint");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let mine = place.path().join("endpoint");
    let run = |command: &mut Command| assert!(command.status().expect("it runs").success());
    run(Command::new("cp").arg("-r").arg(rig.vault.enrol("db1")).arg(&mine));
    run(Command::new("chown").arg("-R").arg(format!("{user}:{user}")).arg(&mine));
    let mut server = need!(Server::start(Options { user: Some(user), ..rig.options(&mine) }));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    for _ in 0..2 {
        server.sql(ROTATE);
        assert_eq!(server.value("SELECT keyring_key_store('k', 'SECRET', 'x')"), "1");
        assert_eq!(server.value("SELECT keyring_key_remove('k')"), "1");
        server.restart().expect("it starts again");
    }
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
}

#[test]
fn a_plugin_that_is_uninstalled_takes_its_keys_along_and_nothing_else() {
    let rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let mut server = need!(Server::start(rig.options(&endpoint)));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 16)"), "1");
    // The thread of this connection has used the library, and outlives it.
    server.sql("UNINSTALL PLUGIN keyring_okv");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
    assert_eq!(server.value("SELECT keyring_key_length_fetch('k')"), "");
    server.sql_error(ROTATE);

    server.sql("INSTALL PLUGIN keyring_okv SONAME 'keyring_okv.so'");
    server.sql(&format!("SET GLOBAL keyring_okv_conf_dir = '{}'", endpoint.display()));
    server.sql(ROTATE);
    assert_eq!(server.value("SELECT keyring_key_length_fetch('k')"), "16");
    server.restart().expect("it starts again");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
}

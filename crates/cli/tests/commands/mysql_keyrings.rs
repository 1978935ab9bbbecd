//! A real mysqld whose keys move between keyrings: its own file, a vault, a plugin, and another maker's server.

use std::fs;
use std::path::Path;

use serde_json::Value;
use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::need;
use strongroom_testkit::other_maker::{self, Habits};
use strongroom_testkit::vault::Vault;

use crate::mysql_server::{COMPONENT, copy_tree, json, library, mysql, options};
use crate::{Ran, args, run, strongroom};

/// Defines functions of the stock plugin `keyring_udf`.
fn keyring_functions(server: &mut Server) {
    server.sql("INSTALL PLUGIN keyring_udf SONAME 'keyring_udf.so'");
    for (name, returns) in [("store", "INTEGER"), ("fetch", "STRING")] {
        server.sql(&format!("CREATE FUNCTION keyring_key_{name} RETURNS {returns} SONAME 'keyring_udf.so'"));
    }
}

#[test]
fn a_servers_keys_move_from_its_file_to_a_vault_and_back_and_an_old_backup_still_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyring.json");
    let config = format!(r#"{{"path": "{}", "read_only": false}}"#, file.display());
    let mut server = need!(Server::start(options().component("component_keyring_file", config)));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.a (a INT PRIMARY KEY) ENCRYPTION='Y'");
    server.sql("INSERT INTO t.a VALUES (1), (2), (3)");
    keyring_functions(&mut server);
    assert_eq!(server.value("SELECT keyring_key_store('app', 'SECRET', 'open sesame')"), "1");
    // Its own keyring is shown and rotated, too; there is no vault to show.
    let shown = mysql("status", &server, &[]);
    assert!(
        shown.stderr.contains("the vault's master keys are not shown") && shown.stdout.contains("t/a"),
        "{shown:?}"
    );
    mysql("rotate", &server, &[]).ok();
    let uuid = server.uuid();
    server.stop();

    let vault = Vault::start();
    let conf = vault.enrol("db1");
    let place = |kind: &str, path: &Path| format!("{kind}:{}", path.display());
    let (json_place, okv) = (place("json", &file), place("okv", &conf));
    let copied = run(args!["keyring", "migrate", "--from", &json_place, "--to", &okv, "--quiet"]).ok();
    assert_eq!(copied, "3 copied, 0 there already\n");
    let (_folder, library) = library(COMPONENT);
    let places =
        args!["--mysqld", server.program(), "--datadir", server.data(), "--plugin-dir", server.plugin_dir()];
    let install = ["--replace-keyring", "--quiet"];
    Ran::of(
        strongroom(args!["mysql", "install", "--conf", &conf, "--library", &library])
            .args(&places)
            .args(install),
    )
    .ok();
    // What is started from now on is what the command has put there.
    server.options_mut().components.clear();
    server.restart().expect("starts with its keys in the vault");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "3");
    assert_eq!(server.value("SELECT keyring_key_fetch('app')"), "open sesame", "its owner may fetch it");
    assert!(mysql("check", &server, &[]).ok().contains("is active"));

    // A cold backup of now, then a rotation after which nothing in the data directory needs the backup's key.
    server.stop();
    let backup = folder.path().join("backup");
    copy_tree(&server.data(), &backup);
    server.restart().expect("starts again");
    mysql("rotate", &server, &[]).ok();
    let retired = json(mysql("rotate", &server, &args!["--retire", "--json"]));
    let key = |number: u32| Value::from(format!("INNODBKey-{uuid}-{number}"));
    assert_eq!(retired["retired"].as_array().unwrap(), &[key(1), key(2), key(3)], "{retired}");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "3");
    server.stop();
    fs::rename(server.data(), folder.path().join("newer"))
        .unwrap_or_else(|_| fs::remove_dir_all(server.data()).unwrap());
    copy_tree(&backup, &server.data());
    server.restart().expect("an old backup starts with its retired master key");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "3");
    server.stop();

    // And back into a file, for the stock component.
    let back = folder.path().join("back.json");
    run(args!["keyring", "migrate", "--from", &okv, "--to", place("json", &back), "--quiet"]).ok();
    let config = format!(r#"{{"path": "{}", "read_only": false}}"#, back.display());
    fs::remove_file(server.plugin_dir().join("component_keyring_file.cnf")).unwrap();
    fs::remove_file(server.manifest()).unwrap();
    let options = std::mem::take(server.options_mut());
    *server.options_mut() =
        Options { configurations: Vec::new(), ..options }.component("component_keyring_file", config);
    server.restart().expect("starts with its keys in a file again");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "3");
    assert_eq!(server.value("SELECT keyring_key_fetch('app')"), "open sesame");
}

#[test]
fn the_plugin_is_installed_by_an_option_file_and_its_binary_log_rotated_with_a_password() {
    let mut server = need!(Server::start(options()));
    let vault = Vault::start();
    let conf = vault.enrol("db1");
    let folder = tempfile::tempdir().unwrap();
    let (_folder, library) = library("keyring_okv");
    let option_file = folder.path().join("conf.d/strongroom.cnf");
    fs::write(server.manifest(), r#"{"components": "file://component_keyring_file"}"#).unwrap();
    let beside = mysql("install", &server, &args!["--plugin", "okv", "--conf", &conf, "--library", &library])
        .failed(1);
    assert!(beside.contains("comes before any plugin"), "{beside}");
    fs::remove_file(server.manifest()).unwrap();
    mysql(
        "install",
        &server,
        &args!["--plugin", "okv", "--conf", &conf, "--library", &library, "--option-file", &option_file],
    )
    .ok();
    let text = fs::read_to_string(&option_file).unwrap();
    let mut options = options();
    for line in text.lines().skip(1) {
        let (name, value) = line.split_once(" = ").unwrap();
        options = options.arg(format!("--{name}={value}"));
    }
    *server.options_mut() = options.arg("--log-bin=bin").arg("--server-id=1").arg("--binlog-encryption=ON");
    server.restart().expect("starts with the plugin");
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.a (a INT PRIMARY KEY) ENCRYPTION='Y'");
    server.sql("CREATE USER admin@localhost IDENTIFIED BY 'a b#c'");
    // All that the command needs, as its documentation says.
    server.sql("GRANT PROCESS, ENCRYPTION_KEY_ADMIN, BINLOG_ENCRYPTION_ADMIN ON *.* TO admin@localhost");
    server.sql("GRANT SELECT ON performance_schema.* TO admin@localhost");
    assert!(mysql("check", &server, &[]).ok().contains("has loaded keyring_okv"));

    let refused = mysql("rotate", &server, &args!["--user", "admin"]).failed(4);
    assert!(refused.contains("Access denied") && !refused.contains("a b#c"), "{refused}");
    let (option_file, password_file) = (folder.path().join("my.cnf"), folder.path().join("password"));
    fs::write(&option_file, "[client]\nuser=admin\npassword=\"a b#c\"\n").unwrap();
    fs::write(&password_file, "a b#c\n").unwrap();
    let rotated =
        mysql("rotate", &server, &args!["--binlog", "--retire", "--json", "--defaults-file", &option_file]);
    let rotated = json(rotated);
    let uuid = server.uuid();
    assert_eq!(rotated["retired"], serde_json::json!([format!("INNODBKey-{uuid}-1")]), "{rotated}");
    let proofs: Vec<&str> =
        rotated["steps"].as_array().unwrap().iter().map(|step| step["proof"].as_str().unwrap()).collect();
    assert!(proofs.contains(&&*format!("the newest is MySQLReplicationKey_{uuid}_2")), "{proofs:?}");
    let with_file = args!["--user", "admin", "--password-file", &password_file];
    assert!(mysql("status", &server, &with_file).ok().contains("Binary log encrypted"));
}

/// KMIP 1.1, no batches, no Offset Items, no custom attributes, names of destroyed objects reserved, a certificate with a common name
/// alone: what old appliances are like.
#[test]
fn a_frugal_key_server_of_another_maker_serves_tables_binary_logs_and_users() {
    let vault = Vault::start();
    let appliance = other_maker::Server::start(&vault, "db1", Habits::frugal());
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("conf");
    appliance.write_endpoint_directory(&conf);
    let (_folder, library) = library(COMPONENT);
    let config = |rest: &str| format!(r#"{{"kmip_configuration_directory": "{}"{rest}}}"#, conf.display());
    let options = options()
        .library(&library)
        .component(COMPONENT, config(r#", "tls_hostname_verification": false"#))
        .arg("--log-bin=bin")
        .arg("--server-id=1")
        .arg("--binlog-encryption=ON");
    let mut server = need!(Server::start(options));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.a (a INT PRIMARY KEY) ENCRYPTION='Y'");
    server.sql("INSERT INTO t.a VALUES (1), (2)");
    keyring_functions(&mut server);
    server.sql("CREATE FUNCTION keyring_key_remove RETURNS INTEGER SONAME 'keyring_udf.so'");
    for value in ["one", "two", "three"] {
        assert_eq!(server.value(&format!("SELECT keyring_key_store('app', 'SECRET', '{value}')")), "1");
        assert_eq!(server.value("SELECT keyring_key_fetch('app')"), value);
        assert_eq!(server.value("SELECT keyring_key_store('app', 'SECRET', 'other')"), "", "it exists");
        assert_eq!(server.value("SELECT keyring_key_remove('app')"), "1");
        assert_eq!(server.value("SELECT keyring_key_fetch('app')"), "");
    }
    // Each stores and removes keys of the same names again.
    for _ in 0..3 {
        mysql("rotate", &server, &args!["--binlog"]).ok();
    }
    let retired = json(mysql("rotate", &server, &args!["--retire", "--json"]));
    assert_eq!(retired["retired"].as_array().unwrap().len(), 4, "{retired}");
    let checked = mysql("check", &server, &[]).ok();
    assert!(checked.contains("! tls_hostname_verification is off"), "{checked}");
    server.restart().expect("starts with keys of another maker's server");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "2");

    // Verified by default, a certificate that names nobody is refused, and the check says so.
    server.configure(COMPONENT, &config(""));
    let refused = mysql("check", &server, &[]);
    assert_eq!(refused.code, 1);
    assert!(refused.stdout.contains("✗ 127.0.0.1:"), "{refused:?}");
}

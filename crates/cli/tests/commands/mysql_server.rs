//! `strongroom mysql …` against a real mysqld with a real vault beside it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::need;
use strongroom_testkit::vault::Vault;

use crate::{Ran, args, run, strongroom};

const COMPONENT: &str = "component_keyring_kmip";

fn mysql(verb: &str, server: &Server, rest: &[OsString]) -> Ran {
    let mut command = strongroom(args!["mysql", verb, "--socket", server.socket()]);
    Ran::of(command.args(rest)).unwrapped()
}

fn json(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok()).unwrap()
}

fn options() -> Options {
    Options::default().arg("--innodb-redo-log-encrypt=OFF")
}

fn library(name: &str) -> (strongroom_testkit::built::PluginFolder, PathBuf) {
    let folder = strongroom_testkit::plugin(name);
    let file = folder.path().join(format!("{name}.so"));
    (folder, file)
}

/// States of the server's master keys in the vault, by number.
fn states(status: &Value) -> Vec<(u64, String, u64)> {
    let keys = status["vault"]["master_keys"].as_array().unwrap();
    keys.iter()
        .map(|key| {
            let state = key["state"].as_str().unwrap().to_owned();
            (key["number"].as_u64().unwrap(), state, key["files"].as_u64().unwrap())
        })
        .collect()
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &to);
        } else if entry.path().is_file() {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

#[test]
fn a_server_gets_its_keyring_is_checked_rotated_and_rid_of_old_master_keys() {
    let mut server = need!(Server::start(options()));
    let vault = Vault::start();
    let conf = vault.enrol("db1");
    let (_folder, library) = library(COMPONENT);

    // Nothing is there yet, and a dry run leaves it so.
    let before = mysql("check", &server, &[]);
    assert_eq!(before.code, 1);
    assert!(before.stdout.contains("there is no manifest"), "{before:?}");
    let install = |rest: &[&str]| {
        let mut all = args!["--conf", &conf, "--library", &library].to_vec();
        all.extend(rest.iter().map(OsString::from));
        mysql("install", &server, &all)
    };
    let shown = install(&["--dry-run"]).ok();
    assert!(shown.contains("mysqld.my") && shown.contains("kmip_configuration_directory"), "{shown}");
    assert!(!server.manifest().exists() && !server.data().join("mysqld.my").exists());

    install(&[]).ok();
    assert!(fs::read_to_string(server.manifest()).unwrap().contains("read_local_manifest"));
    assert!(install(&[]).ok().contains("everything is as it should be"));
    server.restart().expect("starts with the component");
    let checked = mysql("check", &server, &[]).ok();
    for found in ["is active", "answers and accepts this endpoint", "Oracle's dialect"] {
        assert!(checked.contains(found), "{found}: {checked}");
    }

    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLESPACE general ADD DATAFILE 'general.ibd' ENCRYPTION='Y'");
    server.sql("CREATE TABLE t.own (a INT PRIMARY KEY, b VARCHAR(100)) ENCRYPTION='Y'");
    server.sql("CREATE TABLE t.shared (a INT PRIMARY KEY) TABLESPACE general ENCRYPTION='Y'");
    server.sql("INSERT INTO t.own VALUES (1, 'one'), (2, 'two')");
    server.sql("SET GLOBAL innodb_redo_log_encrypt = ON");
    let uuid = server.uuid();
    let key = |number: u32| format!("INNODBKey-{uuid}-{number}");

    let rotated = mysql("rotate", &server, &args!["--json"]);
    let rotated = json(rotated);
    assert_eq!((rotated["before"].as_str(), rotated["after"].as_str()), (Some(&*key(1)), Some(&*key(2))));
    assert_eq!(rotated["behind"].as_array().unwrap().len(), 0, "{rotated}");
    let shown = mysql("status", &server, &[]).ok();
    for found in ["t/own", "general", "encrypted", "Active", "headers of 2 tablespaces, that of the redo log"]
    {
        assert!(shown.contains(found), "{found}: {shown}");
    }

    // A backup of now needs key 2.
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    server.sql("FLUSH TABLES t.own FOR EXPORT");
    copy_tree(&server.data().join("t"), &backup.join("t"));
    server.sql("UNLOCK TABLES");
    mysql("rotate", &server, &[]).ok();
    let planned = mysql("rotate", &server, &args!["--retire-only", "--dry-run", "--backup", &backup]).ok();
    assert!(planned.contains(&format!("{}: to be retired", key(1))), "{planned}");
    assert!(planned.contains(&format!("{}: kept, 1 file names it", key(2))), "{planned}");
    let active = |number: u64, files: u64| (number, "Active".to_owned(), files);
    let old = |number: u64| (number, "Deactivated".to_owned(), 0);
    let keys = states(&json(mysql("status", &server, &args!["--json"])));
    assert_eq!(keys, [active(1, 0), active(2, 0), active(3, 3)]);

    let retired = json(mysql("rotate", &server, &args!["--retire", "--backup", &backup, "--json"]));
    assert_eq!(
        retired["retired"].as_array().unwrap(),
        &[Value::from(key(1)), Value::from(key(3))],
        "{retired}"
    );
    let keys = states(&json(mysql("status", &server, &args!["--json"])));
    assert_eq!(keys, [old(1), active(2, 0), old(3), active(4, 3)]);
    let again = json(mysql("rotate", &server, &args!["--retire-only", "--backup", &backup, "--json"]));
    assert_eq!(again["retired"].as_array().unwrap().len(), 0, "{again}");
    // What is retired can still be fetched, by whoever restores an old backup.
    run(args!["key", "fetch", key(1), "--conf", &conf, "--out", folder.path().join("key")]).ok();
    assert_eq!(fs::read(folder.path().join("key")).unwrap().len(), 32);

    server.restart().expect("starts after keys were retired");
    assert_eq!(server.sql("SELECT b FROM t.own ORDER BY a").len(), 2);
    assert_eq!(server.value("SELECT COUNT(*) FROM t.shared"), "0");

    // Another vault is not taken for the server's.
    let other = Vault::start();
    let foreign =
        mysql("rotate", &server, &args!["--retire-only", "--quiet", "--conf", other.enrol("db1")]).failed(1);
    assert!(foreign.contains(&key(4)) && foreign.contains("--conf"), "{foreign}");
    // A backup that hides its headers keeps every key.
    fs::write(backup.join("t/packed.ibd.zst"), "x").unwrap();
    let packed = mysql("rotate", &server, &args!["--retire-only", "--quiet", "--backup", &backup]).failed(1);
    assert!(packed.contains("packed.ibd.zst is packed"), "{packed}");

    server.stop();
    let away = mysql("status", &server, &[]).failed(4);
    assert!(away.contains("--socket"), "{away}");
}

#[test]
fn a_vault_that_is_away_fails_the_rotation_with_the_servers_own_words_and_the_check_with_a_remedy() {
    let mut server = need!(Server::prepare(options()));
    let mut vault = Vault::start();
    let conf = vault.enrol("db1");
    let (_folder, library) = library(COMPONENT);
    // A server that does not run, named by its places; and a manifest for all servers of the program, which has other components.
    fs::write(server.manifest(), r#"{"components": "file://component_reference_cache"}"#).unwrap();
    let places =
        args!["--mysqld", server.program(), "--datadir", server.data(), "--plugin-dir", server.plugin_dir()];
    let with = |verb: &str, rest: &[OsString]| {
        Ran::of(strongroom(args!["mysql", verb]).args(&places).args(rest)).unwrapped()
    };
    with("install", &args!["--conf", &conf, "--library", &library]).ok();
    let manifest = fs::read_to_string(server.manifest()).unwrap();
    assert!(manifest.contains("component_reference_cache") && manifest.contains(COMPONENT), "{manifest}");
    with("check", &[]).ok();

    server.restart().expect("starts");
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.a (a INT PRIMARY KEY) ENCRYPTION='Y'");
    vault.stop();
    let refused = mysql("rotate", &server, &[]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("its error log says"), "{refused:?}");
    let unreachable = with("check", &[]);
    assert_eq!(unreachable.code, 1);
    assert!(unreachable.stdout.contains("strongroom ping"), "{unreachable:?}");
    vault.restart();
    mysql("rotate", &server, &[]).ok();
    server.stop();

    // What is misspelt is named in the component's own words.
    fs::remove_file(server.plugin_dir().join(format!("{COMPONENT}.cnf"))).unwrap();
    server.configure(COMPONENT, r#"{"kmip_configuration_dir": "/etc"}"#);
    let misspelt = with("check", &[]);
    assert!(misspelt.stdout.contains("kmip_configuration_dir"), "{misspelt:?}");
    fs::write(server.manifest(), r#"{"components": "file://component_keyring_file"}"#).unwrap();
    let other = with("install", &args!["--conf", &conf, "--library", &library]).failed(1);
    assert!(other.contains("component_keyring_file") && other.contains("migrate"), "{other}");
    with("install", &args!["--conf", &conf, "--library", &library, "--replace-keyring"]).ok();
    with("check", &[]).ok();
}

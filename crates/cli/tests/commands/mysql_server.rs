//! `strongroom mysql …` against a real mysqld with a real vault beside it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;
use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::need;
use strongroom_testkit::vault::Vault;

use crate::{Ran, args, run, strongroom};

pub(crate) const COMPONENT: &str = "component_keyring_kmip";

pub(crate) fn mysql(verb: &str, server: &Server, rest: &[OsString]) -> Ran {
    let mut command = strongroom(args!["mysql", verb, "--socket", server.socket()]);
    one_line(Ran::of(command.args(rest)))
}

/// Where lines break depends on the length of paths.
fn one_line(ran: Ran) -> Ran {
    let mut ran = ran.unwrapped();
    ran.stdout = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    ran
}

pub(crate) fn json(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok()).unwrap()
}

pub(crate) fn options() -> Options {
    Options::default().arg("--innodb-redo-log-encrypt=OFF")
}

pub(crate) fn library(name: &str) -> (strongroom_testkit::built::PluginFolder, PathBuf) {
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

pub(crate) fn copy_tree(from: &Path, to: &Path) {
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
    for found in
        ["t/own", "general", "encrypted", "Active", "headers of 2 tablespaces and that of the redo log"]
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
        one_line(Ran::of(strongroom(args!["mysql", verb]).args(&places).args(rest)))
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
    // Percona's dialect leads to the same vault.
    let port = vault.kmip().port();
    let file = |name: &str| conf.join("ssl").join(name).display().to_string();
    let percona = serde_json::json!({
        "server_addr": "127.0.0.1", "server_port": port.to_string(), "client_ca": file("cert.pem"), "client_key": file("key.pem"),
        "server_ca": file("CA.pem"), "object_group": "",
    });
    server.configure(COMPONENT, &percona.to_string());
    let checked = with("check", &[]).ok();
    assert!(checked.contains("Percona's dialect") && checked.contains("accepts this endpoint"), "{checked}");

    fs::write(server.manifest(), r#"{"components": "file://component_keyring_file"}"#).unwrap();
    let other = with("install", &args!["--conf", &conf, "--library", &library]).failed(1);
    assert!(other.contains("component_keyring_file") && other.contains("migrate"), "{other}");
    with("install", &args!["--conf", &conf, "--library", &library, "--replace-keyring"]).ok();
    with("check", &[]).ok();
}

#[test]
fn a_server_with_an_account_of_its_own_gets_files_that_it_can_read_and_nobody_else() {
    let mut server = need!(Server::prepare(options()));
    let Ok(user) = strongroom_testkit::mysql::other_user(server.installation()) else {
        eprintln!("not root: one account is all there is");
        return;
    };
    server.options_mut().user = Some(user);
    server.restart().expect("starts as another user");
    let vault = Vault::start();
    let folder = tempfile::tempdir_in(server.data().parent().unwrap()).unwrap();
    let conf = folder.path().join("conf");
    copy_tree(&vault.enrol("db1"), &conf);
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&conf, 0o750);
    mode(&conf.join("ssl"), 0o750);
    mode(&conf.join("ssl/key.pem"), 0o600);
    let (_folder, library) = library(COMPONENT);
    let apparmor = folder.path().join("apparmor.d");
    fs::create_dir_all(&apparmor).unwrap();
    fs::write(apparmor.join("usr.sbin.mysqld"), format!("{} {{\n}}\n", server.program().display())).unwrap();
    let install = |rest: &[&str]| {
        let mut all = args!["--conf", &conf, "--library", &library, "--apparmor", &apparmor].to_vec();
        all.extend(rest.iter().map(OsString::from));
        mysql("install", &server, &all)
    };
    mode(folder.path(), 0o700);
    let told = install(&[]);
    assert!(told.stderr.contains(&format!("{} does not let", folder.path().display())), "{told:?}");
    let check = || mysql("check", &server, &args!["--apparmor", &apparmor]);
    assert!(check().stdout.contains("does not let the server's account through"));
    mode(folder.path(), 0o755);

    let about = |path: PathBuf| {
        let about = fs::metadata(&path).unwrap();
        (about.uid(), about.gid(), about.mode() & 0o777)
    };
    assert_eq!(about(server.data().join("mysqld.my")), (0, user, 0o640));
    assert_eq!(about(server.data().join("component_keyring_kmip.cnf")), (0, user, 0o640));
    assert_eq!(about(server.manifest()), (0, 0, 0o644));
    assert_eq!(about(conf.join("ssl/key.pem")), (user, user, 0o600));
    let rules = fs::read_to_string(apparmor.join("local/usr.sbin.mysqld")).unwrap();
    assert!(rules.contains(&format!("{} r,", server.manifest().display())), "{rules}");
    assert!(install(&[]).ok().contains("everything is as it should be"));
    let checked = check();
    // The server has not been restarted yet.
    assert_eq!(checked.stdout.matches('✗').count(), 1, "{checked:?}");
    fs::write(apparmor.join("local/usr.sbin.mysqld"), "").unwrap();
    assert!(check().stdout.contains("apparmor_parser"));

    server.restart().expect("starts with the component as another user");
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.a (a INT PRIMARY KEY) ENCRYPTION='Y'");
    mysql("rotate", &server, &[]).ok();
}

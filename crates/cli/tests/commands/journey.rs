//! From an empty directory to keys in use, one command after the other, as the manual tells it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use strongroom_testkit::vault::Vault;

use crate::{Ran, args, run, strongroom};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_database_host_enrols_and_uses_keys() {
    let vault = Vault::start();
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("db1");

    let status = run(args!["vault", "status", "--dir", vault.dir()]).ok();
    assert!(status.contains("unsealed"), "{status}");

    // Piped, the token stands alone on standard output.
    let added = run(args!["endpoint", "add", "db1", "--dir", vault.dir()]);
    let token = added.stdout.trim().to_owned();
    assert_eq!(added.stdout.lines().count(), 1, "{added:?}");
    assert!(added.stderr.contains("strongroom enroll"), "{added:?}");
    let token_file = folder.path().join("token");
    fs::write(&token_file, &added.stdout).unwrap();
    assert!(run(args!["endpoint", "list", "--dir", vault.dir()]).ok().contains("Registered"));

    run(args!["enroll", "--token-file", &token_file, "--out", &conf]).ok();
    assert!(run(args!["endpoint", "show", "db1", "--dir", vault.dir()]).ok().contains("Enrolled"));
    assert_eq!(mode(&conf), 0o750);
    for file in ["okvclient.ora", "ssl/CA.pem", "ssl/cert.pem", "ssl/key.pem"] {
        assert_eq!(mode(&conf.join(file)), 0o600, "{file}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "an enrolment leaves nothing else behind");

    // The token works once.
    let again = run(args!["enroll", "--token", &token, "--out", folder.path().join("db2")]).failed(4);
    assert!(!again.contains(&token), "a token is a secret: {again}");

    let ping = run(args!["ping", "--conf", &conf]).ok();
    assert!(ping.contains("1.4"), "{ping}");

    assert_eq!(run(args!["list", "--conf", &conf]).ok(), "no objects found\n");
    let made = run(args!["key", "generate", "app", "--conf", &conf]).ok();
    let list = run(args!["list", "--conf", &conf]).ok();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "Unique ID                               Type            Identifier");
    assert_eq!(lines.len(), 2, "{list}");
    let row: Vec<&str> = lines[1].split('\t').collect();
    assert_eq!((row[0], row[1], row[2]), (made.trim(), "Symmetric Key", "app"));

    let shown = run(args!["key", "show", "app", "--conf", &conf]).ok();
    assert!(shown.contains("256") && shown.contains("Active"), "{shown}");

    let bytes = folder.path().join("app.key");
    run(args!["key", "fetch", "app", "--out", &bytes, "--conf", &conf]).ok();
    assert_eq!((fs::read(&bytes).unwrap().len(), mode(&bytes)), (32, 0o600));
    let kept = run(args!["key", "fetch", "app", "--out", &bytes, "--conf", &conf]).failed(1);
    assert!(kept.contains("exists"), "{kept}");
    let raw = strongroom(args!["key", "fetch", "app", "--raw", "--conf", &conf]).output().unwrap();
    assert_eq!(raw.stdout, fs::read(&bytes).unwrap());

    // The endpoint directory may come from the environment.
    let by_environment = Ran::of(strongroom(["list"]).env("STRONGROOM_CONF", &conf)).ok();
    assert_eq!(by_environment, list);

    run(args!["key", "remove", "app", "--conf", &conf]).failed(2);
    assert_eq!(run(args!["list", "--conf", &conf]).ok(), list, "an unconfirmed removal changes nothing");
    run(args!["key", "remove", "app", "--yes", "--conf", &conf]).ok();
    run(args!["key", "fetch", "app", "--raw", "--conf", &conf]).failed(3);
    run(args!["key", "show", "app", "--conf", &conf]).failed(3);
    run(args!["key", "remove", "app", "--yes", "--conf", &conf]).failed(3);

    run(args!["vault", "audit", "verify", "--dir", vault.dir()]).ok();
}

#[test]
fn mariadb_keys_rise_by_two() {
    let vault = Vault::start();
    let conf = vault.enrol("db1");
    let key = |verb: &str, rest: &[&str]| {
        let mut command = strongroom(args!["mariadb", "key", verb, "--conf", &conf]);
        command.args(rest);
        Ran::of(&mut command)
    };
    assert_eq!(key("list", &[]).ok(), "no objects found\n");
    key("rotate", &["--key-id", "1"]).failed(3);
    assert_eq!(key("list", &[]).ok(), "no objects found\n", "a failed rotation makes nothing");
    assert_eq!(key("add", &["--key-id", "1"]).ok(), "1\n");
    key("add", &["--key-id", "1"]).failed(1);
    assert_eq!(key("rotate", &["--key-id", "1"]).ok(), "3\n");
    assert_eq!(key("add", &["--key-id", "7", "--bits", "128"]).ok(), "1\n");
    let list: serde_json::Value = serde_json::from_str(&key("list", &["--json"]).ok()).unwrap();
    let rows: Vec<(u64, u64, u64)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let number = |field: &str| row[field].as_u64().unwrap();
            (number("key_id"), number("version"), number("bits"))
        })
        .collect();
    assert_eq!(rows, [(1, 1, 256), (1, 3, 256), (7, 1, 128)]);
}

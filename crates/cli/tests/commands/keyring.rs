//! A server's keys copied from one keyring to another, on real vaults and files.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use strongroom_testkit::process::wait_until;
use strongroom_testkit::vault::Vault;

use crate::{Ran, args, run, strongroom};

/// A file as `component_keyring_file` writes it, of keys `(user, id, type, bytes)`.
fn write_file(path: &Path, keys: &[(&str, &str, &str, Vec<u8>)]) {
    let elements: Vec<String> = keys
        .iter()
        .map(|(user, id, key_type, bytes)| {
            let data: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!(r#"{{"user":"{user}","data_id":"{id}","data_type":"{key_type}","data":"{data}","extension":[]}}"#)
        })
        .collect();
    fs::write(path, format!(r#"{{"version":"1.0","elements":[{}]}}"#, elements.join(","))).unwrap();
}

fn servers_keys() -> Vec<(&'static str, &'static str, &'static str, Vec<u8>)> {
    vec![
        ("", "INNODBKey-u-1", "AES", vec![1; 32]),
        ("", "INNODBKey-u-2", "AES", vec![2; 32]),
        ("", "MySQLReplicationKey_u", "AES", vec![3; 16]),
        ("root@localhost", "app", "SECRET", b"open sesame".to_vec()),
        ("app@%", "app", "AES", vec![4; 24]),
        ("app@%", "empty", "SECRET", vec![]),
    ]
}

fn place(kind: &str, path: &Path) -> OsString {
    let mut place = OsString::from(kind);
    place.push(":");
    place.push(path);
    place
}

fn migrate(from: &OsString, to: &OsString, rest: &[&str]) -> Ran {
    let mut all = args!["keyring", "migrate", "--from", from, "--to", to].to_vec();
    all.extend(rest.iter().map(OsString::from));
    run(all).unwrapped()
}

fn listed(place: &OsString) -> String {
    run(args!["keyring", "list", place]).ok()
}

#[test]
fn a_servers_keys_go_to_a_vault_and_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("keyring.json"), folder.path().join("new.json"));
    write_file(&old, &servers_keys());
    let before = fs::read(&old).unwrap();
    let vault = Vault::start();
    let conf = vault.enrol("db1");
    let (file, okv) = (place("json", &old), place("okv", &conf));

    let planned = migrate(&file, &okv, &["--dry-run", "--quiet"]).ok();
    assert_eq!(planned, "6 to copy, 0 there already\n");
    assert_eq!(listed(&okv), "no keys found\n");

    let shown = migrate(&file, &okv, &[]).ok();
    assert!(shown.ends_with("6 copied, 0 there already\n"), "{shown}");
    assert!(shown.contains("6 keys have the bytes that they have in the source"), "{shown}");
    assert_eq!(listed(&okv), listed(&file));
    // Whoever was killed on the way runs it again.
    run(args!["key", "remove", "app", "--owner", "root@localhost", "--conf", &conf, "--yes"]).ok();
    assert!(migrate(&file, &okv, &["--quiet"]).ok().starts_with("1 copied, 5 there already"));
    assert!(migrate(&file, &okv, &["--quiet"]).ok().starts_with("0 copied, 6 there already"));

    migrate(&okv, &place("json", &new), &[]).ok();
    let strip = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let mut elements: Vec<_> =
            text.split("{\"user\"").skip(1).map(|e| e.trim_end_matches([']', '}', ',']).to_owned()).collect();
        elements.sort();
        elements
    };
    assert_eq!(strip(&fs::read(&new).unwrap()), strip(&before));
    assert_eq!(fs::read(&old).unwrap(), before, "the source is only read");

    // To a second vault, into a group, and from there with that group alone.
    let second = Vault::start();
    let other = place("okv", &second.enrol("db2"));
    let json = migrate(&okv, &other, &["--to-group", "server-1", "--json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((report["verified"].as_bool(), report["keys"].as_array().unwrap().len()), (Some(true), 6));
    let again = folder.path().join("again.json");
    let copied = migrate(&other, &place("json", &again), &["--from-group", "server-1", "--quiet"]).ok();
    assert_eq!(copied, "6 copied, 0 there already\n");
    let none = migrate(&other, &place("json", &again), &["--from-group", "server-2", "--quiet"]).ok();
    assert_eq!(none, "0 copied, 0 there already\n");
}

#[test]
fn keys_with_other_bytes_are_named_and_nothing_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    write_file(&old, &servers_keys());
    write_file(&new, &[("app@%", "app", "AES", vec![9; 24]), ("", "INNODBKey-u-1", "AES", vec![1; 32])]);
    let before = fs::read(&new).unwrap();
    let refused = migrate(&place("json", &old), &place("json", &new), &[]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains(r#""app" of "app@%""#) && refused.stderr.contains("nothing was copied"),
        "{refused:?}"
    );
    assert!(
        !refused.stderr.contains("root@localhost") && !refused.stderr.contains("INNODBKey"),
        "{refused:?}"
    );
    assert_eq!(fs::read(&new).unwrap(), before);
    assert_eq!(migrate(&place("json", &old), &place("json", &old), &[]).code, 2);
}

#[test]
fn keys_that_cannot_be_held_are_named_and_left_out_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let mut keys = servers_keys();
    keys.push(("root@localhost", "signing", "RSA", vec![5; 128]));
    write_file(&old, &keys);
    let (old, new) = (place("json", &old), place("json", &new));
    let refused = migrate(&old, &new, &[]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains(r#""signing" of "root@localhost" (RSA, 1024 bits)"#), "{refused:?}");
    assert!(!folder.path().join("new").exists());
    let done = migrate(&old, &new, &["--leave-unsupported", "--quiet"]);
    assert!(done.stderr.contains("signing"), "{done:?}");
    assert_eq!(done.ok(), "6 copied, 0 there already, 1 left out\n");

    // Percona's layout has the key id alone for a name, so that owners would be lost.
    let vault = Vault::start();
    let conf = vault.enrol("db1");
    let percona = place("percona", &conf);
    let refused = migrate(&new, &percona, &[]);
    assert!(
        refused.stderr.contains(r#""app" of "root@localhost" (Percona's layout has no owners)"#),
        "{refused:?}"
    );
    assert_eq!(listed(&percona), "no keys found\n");
    assert_eq!(
        migrate(&new, &percona, &["--leave-unsupported", "--quiet"]).ok(),
        "3 copied, 0 there already, 3 left out\n"
    );
    let names = run(args!["list", "--conf", &conf]).ok();
    assert!(names.contains("\tINNODBKey-u-1\n") && !names.contains("sr1:"), "{names}");
    let back = place("json", &folder.path().join("back"));
    assert_eq!(migrate(&percona, &back, &["--quiet"]).ok(), "3 copied, 0 there already\n");
}

#[test]
fn a_vault_that_is_away_or_a_file_that_is_none_is_told_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (old, broken) = (folder.path().join("old"), folder.path().join("broken"));
    write_file(&old, &servers_keys());
    fs::write(&broken, "[mysqld]\n").unwrap();
    let mut vault = Vault::start();
    let okv = place("okv", &vault.enrol("db1"));
    let wrong = migrate(&place("json", &broken), &okv, &[]).failed(5);
    assert!(wrong.contains("line 1") && wrong.contains("component_keyring_file.cnf"), "{wrong}");
    let none = migrate(&place("json", &folder.path().join("none")), &okv, &[]).failed(1);
    assert!(none.contains("check the path"), "{none}");
    vault.stop();
    let away = migrate(&place("json", &old), &okv, &["--quiet"]).failed(4);
    assert!(away.contains("refused"), "{away}");
    let new = folder.path().join("new");
    migrate(&okv, &place("json", &new), &["--quiet"]).failed(4);
    assert!(!new.exists());
}

#[test]
fn a_migration_that_is_killed_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old");
    let ids: Vec<String> = (0..400).map(|number| format!("key-{number}")).collect();
    let keys: Vec<_> = ids.iter().map(|id| ("", id.as_str(), "SECRET", id.clone().into_bytes())).collect();
    write_file(&old, &keys);
    let vault = Vault::start();
    let (old, okv) = (place("json", &old), place("okv", &vault.enrol("db1")));
    let copied = || listed(&okv).lines().skip(1).filter(|line| line.starts_with("key-")).count();

    let mut child = strongroom(args!["keyring", "migrate", "--from", &old, "--to", &okv, "--quiet"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = wait_until(Duration::from_secs(60), || (copied() > 0).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(begun.is_some(), "nothing was copied");
    let present = copied();
    let rest = format!("{} copied, {present} there already\n", ids.len() - present);
    assert_eq!(migrate(&old, &okv, &["--quiet"]).ok(), rest);
    assert_eq!(copied(), ids.len());
}

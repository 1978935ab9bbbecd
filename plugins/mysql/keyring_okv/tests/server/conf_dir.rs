//! The variable keyring_okv_conf_dir: empty, wrong, and changed under a running server.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use strongroom_testkit::mysql::Server;
use strongroom_testkit::mysql::keys::{create_functions, keys};
use strongroom_testkit::mysql::tables::encrypted_table;
use strongroom_testkit::vault::Vault;
use strongroom_testkit::{built, need};

use crate::rig::{NO_MASTER_KEY, ROTATE, Rig};

const VARIABLE: &str = "SELECT @@GLOBAL.keyring_okv_conf_dir";

/// "Variable can't be set to the value".
const WRONG_VALUE: u16 = 1231;

fn set(dir: &Path) -> String {
    format!("SET GLOBAL keyring_okv_conf_dir = '{}'", dir.display())
}

/// Enrols an endpoint whose private key is encrypted, with `password.txt` beside it.
fn enrol_with_password(vault: &Vault, name: &str, directory: &Path) {
    let password = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(password.path(), "correct horse\n").expect("written");
    let enrolled = Command::new(built::strongroom())
        .args(["enroll", "--token", &vault.endpoint_add(name), "--password-fd", "0", "--out"])
        .arg(directory)
        .stdin(File::open(password.path()).expect("it was written"))
        .output()
        .expect("strongroom runs");
    assert!(enrolled.status.success(), "{enrolled:?}");
    let key = fs::read_to_string(directory.join("ssl/key.pem")).expect("a key");
    assert!(key.contains("ENCRYPTED PRIVATE KEY"), "{key}");
}

#[test]
fn without_a_directory_the_server_runs_with_the_documented_warning_until_it_is_given_one() {
    let rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let mut server = need!(Server::start(rig.options_without_directory()));
    create_functions(&mut server);
    let log = server.log();
    let warned = log.lines().any(|line| {
        line.contains("[Warning]")
            && line
                .contains("For keyring_okv to be initialized, please point the keyring_okv_conf_dir variable")
    });
    assert!(warned, "{log}");
    server.sql("CREATE DATABASE u");
    assert_eq!(server.sql_error("CREATE TABLE u.a (a INT) ENCRYPTION='Y'").0, NO_MASTER_KEY);
    server.sql_error(ROTATE);
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 16)"), "");

    server.sql(&set(&endpoint));
    assert_eq!(server.value(VARIABLE), endpoint.display().to_string());
    encrypted_table(&mut server, "a");
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 16)"), "1");
}

#[test]
fn a_directory_that_is_no_use_is_refused_and_the_old_one_stays_in_force() {
    let rig = Rig::new();
    let first = rig.vault.enrol("first");
    let mut server = need!(Server::start(rig.options(&first)));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let second = folder.path().join("second");
    enrol_with_password(&rig.vault, "second", &second);
    let password = second.join("ssl/password.txt");
    let right = fs::read(&password).expect("a password");
    fs::write(&password, "battery staple\n").expect("written");
    for wrong in [Path::new("/nonexistent"), &empty, &second, Path::new("relative"), Path::new("")] {
        assert_eq!(server.sql_error(&set(wrong)).0, WRONG_VALUE);
        assert_eq!(server.value(VARIABLE), first.display().to_string(), "{}", wrong.display());
        server.sql(ROTATE);
    }
    let log = server.log();
    assert!(log.contains("/nonexistent") && log.contains("password.txt"), "{log}");
    assert!(!log.contains("battery"), "{log}");
    fs::write(&password, right).expect("written");
    server.sql_error("SET GLOBAL keyring_okv_conf_dir = DEFAULT");
    server.sql_error("SET GLOBAL keyring_okv_conf_dir = NULL");
    assert_eq!(server.value(VARIABLE), first.display().to_string());

    // Another endpoint has other keys: open tables go on, and nothing is made in the name of what is missing.
    server.sql(&set(&second));
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
    assert_eq!(server.sql_error("CREATE TABLE t.b (a INT) ENCRYPTION='Y'").0, NO_MASTER_KEY);
    assert_eq!(keys(&mut server), [""; 0]);
    server.sql(&set(&first));
    encrypted_table(&mut server, "b");
    server.restart().expect("it starts again");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.b"), "1000");
}

//! The certificate ends, is taken away, or is renewed on disk.

use std::fs;
use std::path::Path;
use std::process::Command;

use strongroom_testkit::certificates::Validity;
use strongroom_testkit::mysql::Server;
use strongroom_testkit::need;
use strongroom_testkit::vault::strongroom_ok;

use crate::rig::{RELOAD, ROTATE, Rig, create_functions, encrypted_table, of_directory, status};

/// Puts the certificate and key of one endpoint directory into another, as a renewal does: whole files under the same names.
fn renew(from: &Path, to: &Path) {
    for file in ["ssl/key.pem", "ssl/cert.pem"] {
        let new = to.join(format!("{file}.new"));
        fs::copy(from.join(file), &new).expect("a file of the endpoint");
        fs::rename(&new, to.join(file)).expect("it takes the other's place");
    }
}

#[test]
fn a_certificate_renewed_on_disk_is_used_without_a_restart() {
    let mut rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let mut server = need!(Server::start(rig.options(&of_directory(&endpoint))));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");

    // Another certificate for the same endpoint: its keys stay its keys.
    let dir = rig.vault.dir();
    let token = strongroom_ok([
        "endpoint",
        "add",
        "db1",
        "--reissue",
        "--quiet",
        "--dir",
        &dir.display().to_string(),
    ]);
    let renewed = tempfile::tempdir().expect("a temporary folder");
    let renewed = renewed.path().join("endpoint");
    strongroom_ok(["enroll", "--token", token.trim(), "--out", &renewed.display().to_string()]);
    renew(&renewed, &endpoint);
    // The sessions with the old one end with the vault.
    rig.vault.restart();
    server.sql(ROTATE);
    assert_eq!(server.value("SELECT keyring_key_generate('after', 'AES', 32)"), "1");
    server.restart().expect("it starts again");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
}

#[test]
fn an_endpoint_that_was_revoked_is_told_and_what_is_in_memory_goes_on() {
    let rig = Rig::new();
    let endpoint = rig.vault.enrol("db1");
    let mut server = need!(Server::start(rig.options(&of_directory(&endpoint))));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    rig.vault.endpoint_revoke("db1");
    let said = server.log().len();
    assert_eq!(server.value("SELECT keyring_key_generate('k', 'AES', 16)"), "");
    server.sql_error(ROTATE);
    let log = server.log().split_off(said);
    assert!(log.contains("[ERROR]") && log.contains("certificate"), "{log}");
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
    server.sql_error(RELOAD);
    assert_eq!(server.value("SELECT COUNT(*) FROM t.a"), "1000");
    server.restart().expect("it starts without its keys");
    assert_eq!(status(&mut server, "Component_status"), "Disabled");
}

#[test]
fn an_expired_certificate_is_said_so_and_a_reload_takes_the_next() {
    use strongroom_testkit::other_maker::{Habits, Server as Front};
    let rig = Rig::new();
    let front = Front::start(&rig.vault, "db1", Habits::default());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (good, endpoint) = (folder.path().join("good"), folder.path().join("endpoint"));
    front.write_endpoint_directory(&good);
    let copied = Command::new("cp").arg("-a").arg(&good).arg(&endpoint).status();
    assert!(copied.expect("cp runs").success());
    let expired = front.authority().client("db1", Validity::Expired);
    fs::write(endpoint.join("ssl/cert.pem"), expired.certificate).expect("written");
    fs::write(endpoint.join("ssl/key.pem"), expired.key).expect("written");
    let mut server = need!(Server::start(rig.options(&of_directory(&endpoint))));
    assert_eq!(status(&mut server, "Component_status"), "Disabled");
    assert!(server.log().contains("expired"), "{}", server.log());
    renew(&good, &endpoint);
    server.sql(RELOAD);
    assert_eq!(status(&mut server, "Component_status"), "Active");
    encrypted_table(&mut server, "a");
}

use std::net::TcpStream;
use std::time::Duration;

use strongroom_testkit::certificates::Certificates;
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::need;
use strongroom_testkit::process::wait_until;
use strongroom_testkit::pykmip::{self, Client};
use strongroom_testkit::vault::Vault;

#[test]
fn pykmip_client_passes_every_check_against_the_vault() {
    need!(pykmip::installation());
    let vault = Vault::start();
    let client = Client::of_endpoint(&vault.enrol("pykmip"), vault.kmip());
    let run = need!(pykmip::proxy_client(&client));
    assert!(run.success, "{}\n{}", run.output, vault.log());
    // The same checks that PyKMIP's own server passes, in the versions 1.0 to 1.4.
    assert_eq!(run.passed(), pykmip::PROXY_CLIENT_CHECKS, "{}", run.output);
}

#[test]
fn a_client_of_another_authority_gets_nothing() {
    need!(pykmip::installation());
    let vault = Vault::start();
    let scratch = Scratch::new("certificates");
    let foreign = Certificates::write(scratch.path());
    let ours = Client::of_endpoint(&vault.enrol("ours"), vault.kmip());
    let run = need!(pykmip::proxy_client(&Client { ca: ours.ca, ..Client::with(&foreign, vault.kmip()) }));
    assert!(!run.success, "{}", run.output);
    assert_eq!(run.passed(), 0, "{}", run.output);
}

#[test]
fn a_revoked_endpoint_gets_nothing_more() {
    need!(pykmip::installation());
    let vault = Vault::start();
    let client = Client::of_endpoint(&vault.enrol("leaver"), vault.kmip());
    vault.endpoint_revoke("leaver");
    let run = need!(pykmip::proxy_client(&client));
    assert!(!run.success, "{}", run.output);
    assert_eq!(run.passed(), 0, "{}", run.output);
}

#[test]
fn a_copy_serves_the_same_endpoints_as_a_standby() {
    need!(pykmip::installation());
    let mut vault = Vault::start();
    let endpoint = vault.enrol("db1");
    let standby = vault.standby();
    vault.kill9();
    let gone = wait_until(Duration::from_secs(10), || TcpStream::connect(vault.kmip()).err());
    assert!(gone.is_some(), "the killed vault still takes connections");
    let run = need!(pykmip::proxy_client(&Client::of_endpoint(&endpoint, standby.kmip())));
    assert!(run.success, "{}\n{}", run.output, standby.log());
}

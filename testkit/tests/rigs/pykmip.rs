use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use strongroom_testkit::certificates::Certificates;
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::need;
use strongroom_testkit::pykmip::{self, Client, Ledger, Refused, Server};

/// Proves the script that the vault is judged by: PyKMIP's client must agree with PyKMIP's server.
#[test]
fn pykmip_client_passes_every_check_against_pykmip_server() {
    let scratch = Scratch::new("certificates");
    let certificates = Certificates::write(scratch.path());
    let server = need!(Server::start(&certificates));
    let run = need!(pykmip::proxy_client(&Client::with(&certificates, server.address())));
    assert!(run.success, "{}\n{}", run.output, server.log());
    assert_eq!(run.passed(), pykmip::PROXY_CLIENT_CHECKS, "{}", run.output);
}

#[test]
fn a_client_of_another_authority_is_refused() {
    let scratch = Scratch::new("certificates");
    let certificates = Certificates::write(&scratch.path().join("ours"));
    let foreign = Certificates::write(&scratch.path().join("foreign"));
    let server = need!(Server::start(&certificates));
    let stranger = Client { ca: certificates.ca(), ..Client::with(&foreign, server.address()) };
    let run = need!(pykmip::proxy_client(&stranger));
    assert!(!run.success, "{}", run.output);
}

#[test]
fn a_killed_server_comes_back_on_its_port() {
    let scratch = Scratch::new("certificates");
    let certificates = Certificates::write(scratch.path());
    let mut server = need!(Server::start(&certificates));
    server.kill9();
    assert!(TcpStream::connect(server.address()).is_err());
    server.restart();
    assert!(TcpStream::connect(server.address()).is_ok());
}

#[test]
fn an_endpoint_directory_is_private() {
    let scratch = Scratch::new("certificates");
    let certificates = Certificates::write(scratch.path());
    let directory = scratch.path().join("endpoint");
    certificates.write_endpoint_directory(
        &directory,
        &["127.0.0.1:5696", "127.0.0.1:5697", "127.0.0.1:5698"].map(|text| text.parse().expect("an address")),
    );
    let text = fs::read_to_string(directory.join("okvclient.ora")).expect("it is there");
    assert_eq!(text, "SERVER=127.0.0.1:5696\nSTANDBY_SERVER=127.0.0.1:5697,127.0.0.1:5698\n");
    let mode =
        |path: &str| fs::metadata(directory.join(path)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!([mode(""), mode("ssl"), mode("ssl/key.pem")].map(|mode| mode & 0o027), [0; 3]);
}

/// PyKMIP commits to SQLite before it answers, so its acknowledged keys must survive a kill; and the ledger must notice
/// when they do not.
#[test]
fn the_ledger_finds_every_acknowledged_key_after_a_kill_and_misses_none_that_is_gone() {
    let scratch = Scratch::new("certificates");
    let certificates = Certificates::write(scratch.path());
    let mut server = need!(Server::start(&certificates));
    let client = Client::with(&certificates, server.address());
    let mut ledger = need!(Ledger::new());
    ledger.begin(&client, 4, 100_000);
    ledger.wait_for_acknowledged(40);
    server.kill9();
    ledger.wait();
    let acknowledged = ledger.acknowledged();
    server.restart();
    let run = need!(ledger.verify(&client, Refused::Never));
    assert!(run.success, "{}", run.output);
    assert!(run.output.starts_with(&format!("{acknowledged} acknowledged, ")), "{}", run.output);

    let other = need!(Server::start(&certificates));
    let run = need!(ledger.verify(&Client::with(&certificates, other.address()), Refused::Never));
    assert!(!run.success, "{}", run.output);
    assert!(run.output.ends_with(&format!(" {acknowledged} faults\n")), "{}", run.output);
}

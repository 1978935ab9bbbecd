use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use strongroom_testkit::certificates::Certificates;
use strongroom_testkit::folder::Scratch;
use strongroom_testkit::need;
use strongroom_testkit::pykmip::{self, Server};

/// Proves the script that the vault is judged by: PyKMIP's client must agree with PyKMIP's server.
#[test]
fn pykmip_client_passes_every_check_against_pykmip_server() {
    let scratch = Scratch::new("certificates");
    let certificates = Certificates::write(scratch.path());
    let server = need!(Server::start(&certificates));
    let run = need!(pykmip::proxy_client(
        server.address(),
        &certificates.ca(),
        &certificates.client(),
        &certificates.client_key()
    ));
    assert!(run.success, "{}\n{}", run.output, server.log());
    assert_eq!(run.output.lines().filter(|line| line.starts_with("ok ")).count(), 5 * 22, "{}", run.output);
}

#[test]
fn a_client_of_another_authority_is_refused() {
    let scratch = Scratch::new("certificates");
    let certificates = Certificates::write(&scratch.path().join("ours"));
    let foreign = Certificates::write(&scratch.path().join("foreign"));
    let server = need!(Server::start(&certificates));
    let run = need!(pykmip::proxy_client(
        server.address(),
        &certificates.ca(),
        &foreign.client(),
        &foreign.client_key()
    ));
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

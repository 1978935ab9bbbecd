//! Key servers that are not ours: PyKMIP's, and one that lacks everything that any is known to lack.

use strongroom_testkit::certificates::Certificates;
use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::other_maker::{self, Habits};
use strongroom_testkit::{Unavailable, need, plugin, pykmip};

use crate::rig::{
    COMPONENT, ROTATE, ROTATE_BINLOG, Rig, checksums, create_functions, encrypted_table, keys, of_directory,
    options, status,
};

fn a_life(options: Options) -> Result<Server, Unavailable> {
    let logs = ["--innodb-redo-log-encrypt=ON", "--log-bin=bin", "--binlog-encryption=ON", "--server-id=1"];
    let mut server = Server::start(logs.into_iter().fold(options, Options::arg))?;
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    for _ in 0..2 {
        server.sql(ROTATE);
        server.sql(ROTATE_BINLOG);
    }
    assert_eq!(server.value("SELECT keyring_key_generate('aes', 'AES', 24)"), "1");
    for value in ["first", "second"] {
        assert_eq!(server.value(&format!("SELECT keyring_key_store('k', 'SECRET', '{value}')")), "1");
        assert_eq!(server.value("SELECT keyring_key_remove('k')"), "1");
    }
    assert_eq!(server.value("SELECT keyring_key_store('k', 'SECRET', 'third')"), "1");
    let before = (keys(&mut server), checksums(&mut server));
    server.kill9();
    server.restart().expect("it recovers");
    assert_eq!(status(&mut server, "Component_status"), "Active");
    assert_eq!((keys(&mut server), checksums(&mut server)), before);
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "third");
    assert_eq!(server.value("SELECT keyring_key_length_fetch('aes')"), "24");
    Ok(server)
}

#[test]
fn pykmip_is_enough() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::write(&folder.path().join("certificates"));
    let pykmip = need!(pykmip::Server::start(&certificates));
    let endpoint = folder.path().join("endpoint");
    certificates.write_endpoint_directory(&endpoint, &[pykmip.address()]);
    need!(a_life(options(&plugin(COMPONENT), &of_directory(&endpoint))));
}

/// In Percona's words, which name single files and give the time for a server.
#[test]
fn an_old_appliance_is_enough() {
    let rig = Rig::new();
    let front = other_maker::Server::start(&rig.vault, "db1", Habits::frugal());
    let folder = tempfile::tempdir().expect("a temporary folder");
    front.write_endpoint_directory(folder.path());
    let ssl = folder.path().join("ssl");
    let file = |name: &str| ssl.join(name).display().to_string();
    let configuration = format!(
        "{{\"server_addr\": \"127.0.0.1\", \"server_port\": \"{}\", \"client_ca\": \"{}\", \"client_key\": \"{}\", \
         \"server_ca\": \"{}\", \"tls_hostname_verification\": false}}",
        front.address().port(),
        file("cert.pem"),
        file("key.pem"),
        file("CA.pem"),
    );
    let server = need!(a_life(rig.options(&configuration)));
    // Whoever turns that off is told at each start, by the name of the setting, what it means.
    let log = server.log();
    let is_warning =
        |line: &&str| line.contains("[Warning]") && line.contains("tls_hostname_verification is off");
    assert_eq!(log.lines().filter(is_warning).count(), 2, "{log}");
}

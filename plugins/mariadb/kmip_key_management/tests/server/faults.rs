//! What can be wrong with the configuration: each fault gives one line in the error log that names the thing, and a
//! server that runs without the plugin where it is not forced to have it.

use std::fs;
use std::path::Path;

use strongroom_testkit::certificates::{Authority, Validity};
use strongroom_testkit::mariadb::Server;
use strongroom_testkit::need;

use crate::rig::{Rig, set_mode};

/// Starts without encryption, so that the server comes up, and returns the plugin's one complaint.
fn complaint(server: &mut Server, rig: &Rig, conf_dir: &Path, args: &[&str]) -> String {
    let mut options = rig.options_without_encryption(conf_dir);
    options.args.extend(args.iter().map(ToString::to_string));
    *server.options_mut() = options;
    let before = server.log().len();
    server.restart().expect("the server runs without the plugin");
    let active = server.value(
        "SELECT COUNT(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'kmip_key_management' AND PLUGIN_STATUS = 'ACTIVE'",
    );
    assert_eq!(active, "0");
    let log = server.log().split_off(before);
    let lines: Vec<&str> =
        log.lines().filter(|line| line.contains("kmip_key_management: not started: ")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("[ERROR]"), "{}", lines[0]);
    lines[0].split_once("not started: ").expect("found above").1.to_owned()
}

#[test]
fn each_fault_is_one_clear_line_and_the_server_runs_without_the_plugin() {
    let rig = need!(Rig::on_pykmip());
    let mut server = need!(Server::prepare(rig.options()));
    let mut complaint = |conf_dir: &Path, args: &[&str]| complaint(&mut server, &rig, conf_dir, args);
    let good = rig.conf_dir.clone();

    let said = complaint(Path::new(""), &[]);
    assert!(said.contains("kmip_key_management_conf_dir is not set"), "{said}");
    let said = complaint(Path::new("endpoint"), &[]);
    assert!(said.contains("absolute path"), "{said}");
    let said = complaint(Path::new("/nonexistent/endpoint"), &[]);
    assert!(said.contains("/nonexistent/endpoint"), "{said}");
    let said = complaint(&good, &["--kmip-key-management-key-prefix="]);
    assert!(said.contains("kmip_key_management_key_prefix is empty"), "{said}");
    let said = complaint(&good, &["--kmip-key-management-key-prefix=other"]);
    assert!(
        said.contains("there is no key with id 1") && said.contains("strongroom mariadb key add"),
        "{said}"
    );

    let open = rig.copy_of_conf_dir("open");
    set_mode(&open.join("ssl/key.pem"), 0o644);
    let said = complaint(&open, &[]);
    assert!(said.contains("ssl/key.pem"), "{said}");

    let garbage = rig.copy_of_conf_dir("garbage");
    fs::write(garbage.join("okvclient.ora"), "SERVER=???\n").expect("written");
    let said = complaint(&garbage, &[]);
    assert!(said.contains("okvclient.ora"), "{said}");

    let nobody = rig.copy_of_conf_dir("nobody");
    fs::write(nobody.join("okvclient.ora"), "SERVER=127.0.0.1:1\n").expect("written");
    let said = complaint(&nobody, &[]);
    assert!(said.contains("127.0.0.1:1") && said.contains("refused"), "{said}");

    let stranger = rig.copy_of_conf_dir("stranger");
    let authority = Authority::new("Another authority");
    fs::write(stranger.join("ssl/CA.pem"), authority.certificate()).expect("written");
    let said = complaint(&stranger, &[]);
    assert!(said.contains("certificate"), "{said}");

    let loose = rig.copy_of_conf_dir("loose");
    set_mode(&loose, 0o777);
    let said = complaint(&loose, &[]);
    assert!(said.contains(loose.to_str().expect("a path in UTF-8")), "{said}");
}

#[test]
fn a_certificate_the_key_server_does_not_trust_is_said_so() {
    let rig = need!(Rig::on_pykmip());
    let mut server = need!(Server::prepare(rig.options()));
    let conf_dir = rig.copy_of_conf_dir("foreign");
    let client = Authority::new("Another authority").client("client", Validity::Now);
    fs::write(conf_dir.join("ssl/cert.pem"), client.certificate).expect("written");
    fs::write(conf_dir.join("ssl/key.pem"), client.key).expect("written");
    let said = complaint(&mut server, &rig, &conf_dir, &[]);
    assert!(said.contains("certificate"), "{said}");
}

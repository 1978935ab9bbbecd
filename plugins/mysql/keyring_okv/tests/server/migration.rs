//! mysqld as the program that moves keys between a plugin and a component. It loads the component without a data directory.

use std::path::Path;

use strongroom_testkit::mysql::Server;
use strongroom_testkit::mysql::keys::{create_functions, keys};
use strongroom_testkit::mysql::tables::{checksums, encrypted_table};
use strongroom_testkit::{need, plugin};

use crate::rig::{ROTATE, Rig};

const COMPONENT: &str = "component_keyring_kmip";

fn migrate(server: &Server, from: &str, to: &str, direction: &str, conf_dir: &Path) {
    let output = server
        .command()
        .args([format!("--keyring-migration-source={from}"), format!("--keyring-migration-destination={to}")])
        .arg(direction)
        .arg("--log-error-verbosity=3")
        .arg(format!("--loose-keyring-okv-conf-dir={}", conf_dir.display()))
        .output()
        .expect("mysqld runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("Keyring migration successful"),
        "{from} to {to}: {}\n{said}",
        output.status
    );
}

#[test]
fn keys_move_from_the_plugin_to_the_component_and_back_with_mysqld_itself() {
    let rig = Rig::new();
    let [first, second, third] = ["first", "second", "third"].map(|name| rig.vault.enrol(name));
    let component = plugin(COMPONENT);
    let of = |endpoint: &Path| format!("{{\"kmip_configuration_directory\": \"{}\"}}", endpoint.display());
    let library = component.path().join(format!("{COMPONENT}.so"));
    let mut server = need!(Server::start(rig.options(&first).library(&library)));
    create_functions(&mut server);
    encrypted_table(&mut server, "a");
    server.sql(ROTATE);
    assert_eq!(server.value("SELECT keyring_key_store('k', 'SECRET', 'a secret')"), "1");
    let before = (keys(&mut server), checksums(&mut server));
    server.stop();

    server.configure(COMPONENT, &of(&second));
    let (okv, kmip) = ("keyring_okv.so", "component_keyring_kmip.so");
    migrate(&server, okv, kmip, "--keyring-migration-to-component", &first);
    *server.options_mut() =
        rig.options_without_directory().component(COMPONENT, of(&second)).library(&library);
    server.options_mut().args.clear();
    server.restart().expect("it starts with the component");
    assert_eq!((keys(&mut server), checksums(&mut server)), before);
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "a secret");
    server.sql(ROTATE);
    let before = (keys(&mut server), checksums(&mut server));
    if server.version() < (8, 4) {
        return; // Its mysqld moves keys from plugins alone.
    }
    server.stop();

    std::fs::remove_file(server.manifest()).expect("it was written");
    migrate(&server, kmip, okv, "--keyring-migration-from-component", &third);
    *server.options_mut() = rig.options(&third);
    server.restart().expect("it starts with the plugin");
    assert_eq!((keys(&mut server), checksums(&mut server)), before);
    assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "a secret");
}

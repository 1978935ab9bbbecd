//! The walk that everything is for: mariadbd, plugin, client, TLS, vault, store and back.

use std::ffi::OsStr;
use std::path::Path;

use strongroom_testkit::mariadb::{Options, Server};
use strongroom_testkit::need;
use strongroom_testkit::vault::{Vault, strongroom_ok};

const PLUGIN: &str = "strongroom_kmip_key_management";
const MARKER: &str = "a row nobody may find on disk";

fn mariadb_key(action: &str, endpoint: &Path, id: &str) {
    strongroom_ok([
        OsStr::new("mariadb"),
        OsStr::new("key"),
        OsStr::new(action),
        OsStr::new("--conf"),
        endpoint.as_os_str(),
        OsStr::new("--key-id"),
        OsStr::new(id),
    ]);
}

#[test]
fn a_real_mariadb_keeps_its_tables_under_keys_from_the_vault() {
    need!(strongroom_testkit::mariadb::installation());
    let mut vault = Vault::start();
    let endpoint = vault.enrol("db1");
    mariadb_key("add", &endpoint, "1");
    mariadb_key("add", &endpoint, "33");
    let plugins = strongroom_testkit::plugin(PLUGIN);
    let options = Options { plugin_dir: Some(plugins.path().to_path_buf()), ..Options::default() }
        .load(PLUGIN)
        .arg("--kmip-key-management=FORCE")
        .arg(format!("--kmip-key-management-conf-dir={}", endpoint.display()))
        .arg("--innodb-encrypt-tables=ON")
        .arg("--innodb-encrypt-log=ON")
        .arg("--innodb-encryption-threads=1");
    let mut server = need!(Server::start(options));
    server.await_encrypted();
    server.sql("CREATE DATABASE shop");
    server.sql("CREATE TABLE shop.t (id INT PRIMARY KEY, note TEXT) ENCRYPTED=YES ENCRYPTION_KEY_ID=33");
    server.sql(&format!("INSERT INTO shop.t VALUES (1, '{MARKER}')"));
    server.restart().expect("it starts again");
    assert_eq!(server.value("SELECT note FROM shop.t"), MARKER);

    // An outage after the start hurts nobody.
    vault.kill9();
    server.sql(&format!("INSERT INTO shop.t VALUES (2, '{MARKER}')"));
    server.sql("FLUSH TABLES shop.t FOR EXPORT");
    server.sql("UNLOCK TABLES");
    vault.restart();

    mariadb_key("rotate", &endpoint, "33");
    server.sql("FLUSH KMIP_KEY_MANAGEMENT_KEYS");
    server.sql(&format!("INSERT INTO shop.t VALUES (3, '{MARKER}')"));
    server.restart().expect("it starts with both versions");
    assert_eq!(server.value("SELECT COUNT(*) FROM shop.t"), "3");
    server.stop();
    assert!(!server.files_contain(MARKER.as_bytes()));
}

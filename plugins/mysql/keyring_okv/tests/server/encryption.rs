//! From the first key through rotation to the last restart, with a vault and with a key server that is not ours.

use strongroom_testkit::certificates::Certificates;
use strongroom_testkit::mysql::keys::{create_functions, keys, master_keys};
use strongroom_testkit::mysql::tables::{SECRET, checksums, encrypted_table, fill};
use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::{Unavailable, need, pykmip};

use crate::rig::{ROTATE, ROTATE_BINLOG, Rig};

fn everything(options: Options) -> Result<(), Unavailable> {
    let mut server = Server::start(
        options
            .arg("--default-table-encryption=ON")
            .arg("--innodb-redo-log-encrypt=ON")
            .arg("--innodb-undo-log-encrypt=ON")
            .arg("--log-bin=bin")
            .arg("--binlog-encryption=ON")
            .arg("--server-id=1"),
    )?;
    create_functions(&mut server);
    server.sql("ALTER TABLESPACE mysql ENCRYPTION='Y'");
    encrypted_table(&mut server, "a");
    server.sql("CREATE TABLE t.zlib (a INT PRIMARY KEY, b VARCHAR(200)) COMPRESSION='zlib'");
    fill(&mut server, "zlib");
    let before = checksums(&mut server);
    for _ in 0..2 {
        server.sql(ROTATE);
        server.sql(ROTATE_BINLOG);
    }
    server.kill9();
    server.restart().expect("it recovers");
    assert_eq!(checksums(&mut server), before);
    let all = keys(&mut server);
    assert!(master_keys(&mut server, 3).iter().all(|key| all.contains(key)), "{all:?}");

    // The functions of SQL, with types and lengths, refusals, and names that are free again.
    assert_eq!(server.value("SELECT keyring_key_generate('aes', 'AES', 32)"), "1");
    assert_eq!(server.value("SELECT keyring_key_length_fetch('aes')"), "32");
    assert_eq!(server.value("SELECT keyring_key_type_fetch('aes')"), "AES");
    for refusal in ["generate('aes', 'AES', 16)", "generate('rsa', 'RSA', 128)", "generate('odd', 'AES', 20)"]
    {
        assert_eq!(server.value(&format!("SELECT keyring_key_{refusal}")), "", "{refusal}");
    }
    for value in ["first", "second"] {
        assert_eq!(server.value(&format!("SELECT keyring_key_store('k', 'SECRET', '{value}')")), "1");
        assert_eq!(server.value("SELECT keyring_key_fetch('k')"), value);
        assert_eq!(server.value("SELECT keyring_key_remove('k')"), "1");
        assert_eq!(server.value("SELECT keyring_key_fetch('k')"), "");
    }
    // A secret of no bytes is one, though the functions that read it say NULL.
    server.sql("CREATE TABLE t.texts (v VARCHAR(10))");
    server.sql("INSERT INTO t.texts VALUES ('')");
    assert_eq!(server.value("SELECT keyring_key_store('empty', 'SECRET', v) FROM t.texts"), "1");
    assert!(keys(&mut server).contains(&"empty root@localhost".to_owned()));
    assert_eq!(server.value("SELECT keyring_key_store('empty', 'SECRET', 'x')"), "");
    assert_eq!(server.value("SELECT keyring_key_fetch('empty')"), "");
    assert_eq!(server.value("SELECT keyring_key_remove('empty')"), "1");
    assert!(!keys(&mut server).contains(&"empty root@localhost".to_owned()));
    server.sql("DROP TABLE t.texts");
    let long = "x".repeat(16384);
    assert_eq!(server.value(&format!("SELECT keyring_key_store('long', 'SECRET', '{long}')")), "1");
    assert_eq!(server.value("SELECT keyring_key_length_fetch('long')"), "16384");
    assert!(keys(&mut server).contains(&"aes root@localhost".to_owned()));
    server.stop();
    assert!(!server.files_contain(SECRET.as_bytes()), "a row is in a file in the clear");
    server.restart().expect("it starts again");
    assert_eq!(checksums(&mut server), before);
    assert_eq!(server.value("SELECT keyring_key_length_fetch('long')"), "16384");
    Ok(())
}

#[test]
fn everything_is_encrypted_with_keys_in_a_vault() {
    let rig = Rig::new();
    need!(everything(rig.options(&rig.vault.enrol("db1"))));
}

#[test]
fn everything_is_encrypted_with_keys_in_pykmip() {
    let rig = Rig::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::write(&folder.path().join("certificates"));
    let pykmip = need!(pykmip::Server::start(&certificates));
    let conf_dir = folder.path().join("endpoint");
    certificates.write_endpoint_directory(&conf_dir, &[pykmip.address()]);
    need!(everything(rig.options(&conf_dir)));
}

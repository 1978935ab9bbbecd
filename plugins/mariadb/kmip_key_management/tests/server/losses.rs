//! Keys that are destroyed or spoilt on the KMIP server under a running database.

use strongroom_client::session::Effect;
use strongroom_keyring::versions::{KeyId, KmipVersions};
use strongroom_kmip::ManagedObject;
use strongroom_kmip::attribute::{Attribute, Attributes, Name};
use strongroom_kmip::object::KeyBlock;
use strongroom_kmip::types::{CryptographicAlgorithm, ObjectType, RevocationReasonCode, UsageMask};
use strongroom_secret::KeyMaterial;
use strongroom_testkit::mariadb::Server;
use strongroom_testkit::need;

use crate::rig::{FLUSH, Rig, TABLE, rows, status};

pub(crate) fn destroy(keys: &KmipVersions, id: u32, version: u32) {
    let list = keys.list().expect("a list");
    let key = list.iter().find(|key| (key.id.0, key.version.number()) == (id, version)).expect("the version");
    let session = keys.session();
    session.revoke(&key.identifier, RevocationReasonCode::Superseded).expect("revoked");
    assert_eq!(session.destroy(&key.identifier).expect("destroyed"), Effect::Done);
}

/// An object with the name of a key, which is none that MariaDB could use.
fn plant(keys: &KmipVersions, name: &str) {
    let mut attributes = Attributes::new();
    attributes.push(Attribute::CryptographicAlgorithm(CryptographicAlgorithm::HMAC_SHA256));
    attributes.push(Attribute::CryptographicLength(320));
    attributes.push(Attribute::CryptographicUsageMask(UsageMask::Encrypt | UsageMask::Decrypt));
    attributes.push(Attribute::Name(Name::text(name)));
    let object = || {
        let block = KeyBlock::raw(CryptographicAlgorithm::HMAC_SHA256, KeyMaterial::new(&[9; 40]));
        ManagedObject::SymmetricKey(block)
    };
    keys.session().register(ObjectType::SymmetricKey, &attributes, object).expect("registered");
}

#[test]
fn what_is_destroyed_or_spoilt_on_the_vault_costs_no_other_key() {
    let rig = need!(Rig::on_a_vault());
    let keys = rig.versions();
    keys.add(KeyId(40), 128).expect("key 40 is made");
    assert_eq!(rig.rotate(1), 3);
    let mut server = need!(Server::start(rig.options()));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT)");
    server.sql("CREATE TABLE t.k (a INT) ENCRYPTION_KEY_ID=40");

    // A version in use, and all of a key in use.
    destroy(&keys, 1, 1);
    destroy(&keys, 40, 1);
    assert_eq!(rig.rotate(2), 3);
    server.sql(FLUSH);
    let warnings = rows(&mut server, "SHOW WARNINGS");
    assert!(warnings.iter().any(|line| line.contains("version 1 of key 1 is gone")), "{warnings:?}");
    assert_eq!(rows(&mut server, TABLE), ["1 1 0", "1 3 1", "2 1 0", "2 3 1", "40 1 1"]);
    assert!(status(&mut server, "last_refresh").contains("key 40 is gone"));
    server.sql("INSERT INTO t.i SELECT seq FROM t.seq_1_to_1000");
    server.sql("INSERT INTO t.k SELECT seq FROM t.seq_1_to_1000");
    server.sql("FLUSH TABLES t.i, t.k FOR EXPORT");
    server.sql("UNLOCK TABLES");

    // The latest version in use: the next one is another, so that data can be moved away from what is lost.
    destroy(&keys, 2, 3);
    assert_eq!(rig.rotate(2), 5);
    server.sql(FLUSH);
    assert_eq!(rows(&mut server, TABLE)[2..], ["2 1 0", "2 3 0", "2 5 1", "40 1 1"]);

    // Something else under the name of a version that is not in use.
    plant(&keys, "mariadb/1/2");
    plant(&keys, "mariadb/2/9");
    keys.add(KeyId(50), 128).expect("key 50 is made");
    server.sql(FLUSH);
    let said = status(&mut server, "last_refresh");
    assert!(said.contains("\"mariadb/1/2\" cannot be used"), "{said}");
    assert!(said.contains("version 5 stays the latest of key 2"), "{said}");
    assert_eq!(rows(&mut server, TABLE).last().map(String::as_str), Some("50 1 1"));
    let line = "[Warning] kmip_key_management: key \"mariadb/1/2\" cannot be used";
    server.sql(FLUSH);
    assert_eq!(server.log().matches(line).count(), 1, "said once\n{}", server.log());
}

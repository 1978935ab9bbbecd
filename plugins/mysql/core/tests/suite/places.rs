//! Several servers in one wallet: groups, and the server's uuid as a group.

use std::path::Path;

use strongroom_mysql_core::config::{Configuration, Group};
use strongroom_mysql_core::service::Service;
use strongroom_mysql_core::service::keys::Trouble;
use strongroom_testkit::vault::Vault;

use super::{UUID, bytes, directory, generate, master, of, own, service};

fn in_group(dir: &Path, group: Group) -> Service {
    let service = service();
    service.load(Ok(Configuration { group, ..directory(dir) })).unwrap();
    service
}

fn of_server(dir: &Path, data_dir: &Path) -> Service {
    let service = service();
    let data_dir = Some(data_dir.to_owned());
    service.load(Ok(Configuration { group: Group::ServerUuid, data_dir, ..directory(dir) })).unwrap();
    service
}

#[test]
fn a_group_keeps_two_servers_in_one_wallet_apart() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    let (one, two) = (in_group(&dir, Group::Named("one".into())), in_group(&dir, Group::Named("two".into())));
    generate(&one, own(&master(1))).unwrap();
    assert_eq!(bytes(&two, own(&master(1))), None);
    assert!(two.names().unwrap().is_empty());
    assert!(matches!(two.remove(own(&master(1))), Err(Trouble::Absent)));
    assert!(bytes(&one, own(&master(1))).is_some());
}

/// Names are unique in a wallet of the vault, and these are the same on every server.
#[test]
fn servers_in_groups_have_keys_of_the_same_names() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    let servers = ["one", "two/three", "{four}"].map(|group| in_group(&dir, Group::Named(group.into())));
    let names = [own("persisted_variables_key"), own("DefaultMasterKey"), of("root@localhost", "app")];
    for name in names {
        let keys: Vec<_> = servers
            .iter()
            .map(|server| {
                generate(server, name).unwrap();
                assert!(generate(server, name).is_err());
                bytes(server, name).unwrap()
            })
            .collect();
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    }
    for server in &servers {
        let listed = server.names().unwrap();
        let listed: Vec<_> = listed.iter().map(|name| (name.id(), name.owner())).collect();
        let expected =
            [("DefaultMasterKey", None), ("persisted_variables_key", None), ("app", Some("root@localhost"))];
        assert_eq!(listed, expected);
        assert!(server.identifier(names[0]).unwrap().is_some());
    }
    // One server's removal is nobody else's.
    servers[1].remove(names[0]).unwrap();
    assert_eq!(bytes(&servers[1], names[0]), None);
    assert!(bytes(&servers[0], names[0]).is_some() && bytes(&servers[2], names[0]).is_some());
    generate(&servers[1], names[0]).unwrap();
}

#[test]
fn the_servers_uuid_is_the_group_as_soon_as_it_is_known() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    let data = tempfile::tempdir().unwrap();
    let conf = super::copy(&dir, &data.path().join("conf"));
    let service = of_server(&conf, data.path());
    // InnoDB looks whether the keyring works before the server has a uuid.
    generate(&service, own("DefaultMasterKey")).unwrap();
    service.remove(own("DefaultMasterKey")).unwrap();
    assert!(matches!(service.fetch(own("persisted_variables_key")), Err(Trouble::NoServerUuid)));
    assert!(matches!(generate(&service, own("persisted_variables_key")), Err(Trouble::NoServerUuid)));
    assert!(matches!(service.names(), Err(Trouble::NoServerUuid)));

    // The group is settled with the endpoint that has answered, whatever lies on the disk meanwhile.
    std::fs::write(conf.join("okvclient.ora"), "SERVER=127.0.0.1:1\n").unwrap();
    std::fs::write(data.path().join("auto.cnf"), format!("[auto]\nserver-uuid={UUID}\n")).unwrap();
    generate(&service, own("persisted_variables_key")).unwrap();
    let group = in_group(&dir, Group::Named(UUID.into()));
    assert!(bytes(&group, own("persisted_variables_key")).is_some());
    // After a restart it is known from the beginning.
    let restarted = of_server(&dir, data.path());
    assert_eq!(restarted.names().unwrap().len(), 1);
}

#[test]
fn a_key_that_names_the_servers_uuid_tells_the_group() {
    let vault = Vault::start();
    let dir = vault.enrol("db");
    let data = tempfile::tempdir().unwrap();
    // A server may read the keys of another one whose data it took over, and is not that server.
    let other = "INNODBKey-00000000-9d51-11f0-8de9-0242ac120002-1";
    generate(&in_group(&dir, Group::Named("00000000-9d51-11f0-8de9-0242ac120002".into())), own(other))
        .unwrap();
    let service = of_server(&dir, data.path());
    assert!(bytes(&service, own(other)).is_some());
    generate(&service, own(&master(1))).unwrap();
    assert_eq!(in_group(&dir, Group::Named(UUID.into())).names().unwrap().len(), 1);
    assert!(bytes(&service, own("persisted_variables_key")).is_none());
}

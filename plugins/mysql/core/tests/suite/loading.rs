//! How a configuration comes into force, and what happens where it cannot.

use std::path::Path;
use std::time::{Duration, Instant};

use strongroom_keyring::backend::Backend;
use strongroom_keyring::{KeyKind, KeyName};
use strongroom_mysql_core::config::{Configuration, EndpointSource, Group, VerifyName};
use strongroom_mysql_core::service::{LoadError, Service};
use strongroom_testkit::other_maker::{Fault, Habits, Server, Trouble};
use strongroom_testkit::vault::Vault;

use super::{bytes, copy, directory, generate, loaded, master, of, own, service};

fn row(service: &Service, name: &str) -> String {
    let rows = service.status("component_keyring_kmip");
    rows.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value).unwrap_or_default()
}

/// A keyring that waits for a vault on a slow machine.
fn patient(dir: &Path) -> Service {
    let service = service();
    service.load(Ok(Configuration { timeout: Duration::from_secs(30), ..directory(dir) })).unwrap();
    service
}

#[test]
fn nothing_is_served_before_something_is_loaded() {
    let service = service();
    assert!(!service.is_usable());
    assert_eq!(row(&service, "Component_status"), "Disabled");
    assert!(service.fetch(own("key")).is_err());
    assert!(generate(&service, own("key")).is_err());
    assert!(service.names().is_err());
}

#[test]
fn a_reload_that_fails_leaves_what_was_in_force() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let dir = vault.enrol("db1");
    let service = loaded(&dir);
    generate(&service, own(&master(1))).unwrap();
    let before = bytes(&service, own(&master(1))).unwrap();

    let gone = service.load(Ok(directory(&scratch.path().join("gone"))));
    assert!(matches!(gone, Err(LoadError::Open(_))), "{gone:?}");
    // A directory that is good and whose vault is away is as little use.
    let other = Vault::start();
    let away = copy(&other.enrol("db1"), &scratch.path().join("away"));
    drop(other);
    assert!(matches!(service.load(Ok(directory(&away))), Err(LoadError::Away(_))));

    assert!(service.is_usable());
    assert_eq!(row(&service, "Endpoint"), dir.display().to_string());
    assert_eq!(bytes(&service, own(&master(1))), Some(before.clone()));
    generate(&service, own(&master(2))).unwrap();

    // And one that succeeds forgets what was in memory.
    service.load(Ok(directory(&dir))).unwrap();
    assert_eq!(row(&service, "Keys_in_memory"), "0");
    assert_eq!(bytes(&service, own(&master(1))), Some(before));
    assert_eq!(row(&service, "Keys_in_memory"), "1");
}

#[test]
fn a_vault_that_is_away_at_the_start_is_used_when_it_comes() {
    let mut vault = Vault::start();
    let dir = vault.enrol("db1");
    vault.stop();
    let service = service();
    assert!(matches!(service.load(Ok(directory(&dir))), Err(LoadError::Away(_))));
    assert!(!service.is_usable());
    assert_eq!(row(&service, "Component_status"), "Disabled");
    assert!(
        row(&service, "Last_error").contains(&vault.kmip().to_string()),
        "{}",
        row(&service, "Last_error")
    );
    assert!(generate(&service, own(&master(1))).is_err());
    assert!(service.fetch(own(&master(1))).is_err(), "nobody knows whether it is there");
    assert!(service.generate(own("key"), Some(b"AES"), 5).is_err());
    assert!(!service.is_usable(), "what is refused here says nothing about the vault");

    vault.restart();
    assert!(service.fetch(own(&master(1))).unwrap().is_none(), "now it is known not to be");
    assert!(service.is_usable());
    generate(&service, own(&master(1))).unwrap();
    assert_eq!(row(&service, "Last_error"), "<NONE>");
    service.load(Ok(directory(&dir))).unwrap();
    assert_eq!(row(&service, "Component_status"), "Active");
}

#[test]
fn a_certificate_that_is_renewed_on_disk_is_used_without_a_reload() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let dir = copy(&vault.enrol("db1"), &scratch.path().join("conf"));
    let service = patient(&dir);
    generate(&service, own(&master(1))).unwrap();
    let before = bytes(&service, own(&master(1))).unwrap();

    // A file that is written half-way is no reason to give up what works.
    std::fs::write(dir.join("ssl/cert.pem"), "-----BEGIN CERT").unwrap();
    let patience = Instant::now();
    while patience.elapsed() < Duration::from_millis(1500) {
        assert!(service.fetch(own("absent")).unwrap().is_none());
    }

    // Nor is a certificate that no server takes.
    copy(&vault.enrol("revoked"), &dir);
    vault.endpoint_revoke("revoked");
    let patience = Instant::now();
    while patience.elapsed() < Duration::from_millis(2500) {
        assert_eq!(service.names().unwrap().len(), 1);
    }

    // Another endpoint's certificate shows that the new files are used: it has a wallet of its own.
    copy(&vault.enrol("db2"), &dir);
    let patience = Instant::now();
    while !service.names().unwrap().is_empty() {
        assert!(patience.elapsed() < Duration::from_secs(30), "the new certificate is not used");
        std::thread::yield_now();
    }
    assert_eq!(bytes(&service, own(&master(1))), Some(before), "what is in memory stays");
}

#[test]
fn servers_that_are_named_later_are_used_and_shown() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let dir = copy(&vault.enrol("db1"), &scratch.path().join("conf"));
    let service = loaded(&dir);
    let servers = format!("SERVER=127.0.0.1:1\nSTANDBY_SERVER={}\n", vault.kmip());
    std::fs::write(dir.join("okvclient.ora"), servers).unwrap();
    let patience = Instant::now();
    while row(&service, "Servers") != format!("127.0.0.1:1, {}", vault.kmip()) {
        assert!(service.fetch(own("absent")).unwrap().is_none());
        assert!(patience.elapsed() < Duration::from_secs(30), "{}", row(&service, "Servers"));
    }
    generate(&service, own(&master(1))).unwrap();
}

/// A list of servers with a mistake in it took a keyring out of a running server until somebody looked.
#[test]
fn servers_that_do_not_answer_are_not_taken_from_the_disk_until_they_do() {
    let mut vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let dir = copy(&vault.enrol("db1"), &scratch.path().join("conf"));
    let before = vault.kmip().to_string();
    let service = patient(&dir);
    generate(&service, own(&master(1))).unwrap();
    let kept = bytes(&service, own(&master(1)));

    let mut other = vault.standby();
    other.kill9();
    std::fs::write(dir.join("okvclient.ora"), format!("SERVER={}\n", other.kmip())).unwrap();
    let patience = Instant::now();
    while patience.elapsed() < Duration::from_millis(2500) {
        assert!(service.fetch(own("absent")).unwrap().is_none(), "the vault that answers goes on");
    }
    generate(&service, own(&master(2))).unwrap();
    assert_eq!(row(&service, "Servers"), before);

    // As soon as somebody answers there, that is who is asked.
    other.restart();
    let patience = Instant::now();
    while row(&service, "Servers") != other.kmip().to_string() {
        assert!(service.fetch(own("absent")).unwrap().is_none());
        assert!(patience.elapsed() < Duration::from_secs(60), "{}", row(&service, "Servers"));
    }
    vault.kill9();
    assert!(service.fetch(own(&master(2))).unwrap().is_none(), "the other vault is a copy from before");
    generate(&service, own(&master(2))).unwrap();
    assert_eq!(bytes(&service, own(&master(1))), kept);
}

/// A key server that has no groups answers, and keeps nobody apart: what is in the group cannot be known, and it is no outage.
#[test]
fn a_server_that_tells_no_groups_is_there_and_its_keys_are_nobodys() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let habits = Habits { object_groups: false, ..Habits::default() };
    let server = Server::start(&vault, "db1", habits);
    server.write_endpoint_directory(scratch.path());
    super::put(scratch.path(), "key", KeyKind::Secret, b"another server's");
    let service = service();
    let grouped = Configuration { group: Group::Named("ours".into()), ..directory(scratch.path()) };
    service.load(Ok(grouped)).unwrap();
    assert!(service.is_usable());
    assert!(service.names().is_err());
    assert!(service.fetch(own("key")).is_err());
    assert!(service.remove(own("key")).is_err());
    assert!(generate(&service, own(&master(1))).is_err());
}

/// Percona's dialect names single files, and its objects have no owner.
#[test]
fn single_files_are_an_endpoint() {
    let vault = Vault::start();
    let dir = vault.enrol("db1");
    super::put(&dir, "INNODBKey-perconas", KeyKind::Aes, &[7; 32]);
    let ssl = dir.join("ssl");
    let configuration = Configuration {
        endpoint: EndpointSource::Files {
            server: vault.kmip().to_string().parse().unwrap(),
            authority: ssl.join("CA.pem"),
            certificate: ssl.join("cert.pem"),
            key: ssl.join("key.pem"),
        },
        ..directory(&dir)
    };
    let service = service();
    service.load(Ok(configuration)).unwrap();
    assert_eq!(bytes(&service, own("INNODBKey-perconas")), Some(vec![7; 32]));
    service.store(of("root@localhost", "key"), Some(b"secret"), Some(b"hello")).unwrap();
    assert_eq!(bytes(&service, of("root@localhost", "key")).as_deref(), Some(&b"hello"[..]));
}

#[test]
fn a_certificate_without_names_is_taken_only_where_names_are_not_verified() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let habits = Habits { certificate_names_address: false, ..Habits::default() };
    let server = Server::start(&vault, "db1", habits);
    server.write_endpoint_directory(scratch.path());
    let service = service();
    let refused = service.load(Ok(directory(scratch.path()))).unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
    let verify_name = VerifyName::No("tls_hostname_verification");
    service.load(Ok(Configuration { verify_name, ..directory(scratch.path()) })).unwrap();
    assert_eq!(row(&service, "Verify_server_name"), "No");
    generate(&service, own(&master(1))).unwrap();
}

/// A vault with this many keys is loaded with few requests, and a key that is used is fetched once.
fn few_requests(keys: u32) {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&vault, "db1", Habits::default());
    server.write_endpoint_directory(scratch.path());
    let wallet = super::wallet(scratch.path());
    for number in 0..keys {
        wallet.create(&KeyName::new(&master(number), None).unwrap(), 32).unwrap();
    }
    server.trouble(None);
    let service = loaded(scratch.path());
    // The version, the list in pages of 1000, and the names of no more than 320 in batches of 32.
    assert!(server.requests() <= 11 + keys.div_ceil(1000), "{} requests", server.requests());
    assert_eq!(row(&service, "Keys_in_memory"), "0");
    server.trouble(None);
    for _ in 0..1000 {
        assert!(service.fetch(own(&master(keys - 1))).unwrap().is_some());
    }
    assert!(server.requests() <= 3, "{} requests", server.requests());
    // Whatever happens to the server now, that key stays.
    server.trouble(Some(Trouble::always(Fault::Garbage)));
    assert!(service.fetch(own(&master(keys - 1))).unwrap().is_some());
    assert_eq!(server.requests(), 0);
    server.trouble(None);
    assert_eq!(service.names().unwrap().len() as u32, keys);
}

#[test]
fn what_is_fetched_is_what_is_used() {
    few_requests(400);
}

#[test]
#[ignore = "soak: ten thousand keys"]
fn what_is_fetched_of_ten_thousand_keys_is_what_is_used() {
    few_requests(10_000);
}

#[test]
fn without_a_cache_each_fetch_is_a_question() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&vault, "db1", Habits::default());
    server.write_endpoint_directory(scratch.path());
    let service = service();
    service.load(Ok(Configuration { cache_keys: false, ..directory(scratch.path()) })).unwrap();
    generate(&service, own(&master(1))).unwrap();
    server.trouble(None);
    for _ in 0..4 {
        assert!(service.fetch(own(&master(1))).unwrap().is_some());
    }
    assert!(server.requests() >= 4, "{} requests", server.requests());
    assert_eq!(row(&service, "Keys_in_memory"), "0");
    server.trouble(Some(Trouble::always(Fault::Cut)));
    assert!(service.fetch(own(&master(1))).is_err());
}

#[test]
fn the_status_says_where_the_keys_are() {
    let vault = Vault::start();
    let dir = vault.enrol("db1");
    let service = service();
    service.load(Ok(Configuration { group: Group::Named("one".into()), ..directory(&dir) })).unwrap();
    let rows = service.status("component_keyring_kmip");
    let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "Component_name",
            "Author",
            "License",
            "Implementation_name",
            "Version",
            "Component_status",
            "Endpoint",
            "Servers",
            "Object_group",
            "Verify_server_name",
            "Cache_keys",
            "Keys_in_memory",
            "Last_error",
        ]
    );
    assert_eq!(row(&service, "Servers"), vault.kmip().to_string());
    assert_eq!(row(&service, "Object_group"), "one");
    service.end();
    assert_eq!(service.status("component_keyring_kmip").len(), 6);
    assert!(!service.is_usable());
}

//! Vaults that are away, slow, or answer nonsense while keys are asked for.

use std::time::{Duration, Instant};

use strongroom_keyring::backend::Backend;
use strongroom_keyring::{Error, KeyKind, KeyName};
use strongroom_mysql_core::config::Configuration;
use strongroom_mysql_core::service::keys;
use strongroom_testkit::other_maker::{Fault, Habits, Server, Trouble};
use strongroom_testkit::vault::Vault;

use super::{bytes, directory, generate, loaded, master, own, service, wallet};

#[test]
fn keys_in_memory_go_on_while_the_vault_is_away_and_changes_fail() {
    let mut vault = Vault::start();
    let service = loaded(&vault.enrol("db1"));
    generate(&service, own(&master(1))).unwrap();
    let before = bytes(&service, own(&master(1)));
    vault.kill9();
    assert_eq!(bytes(&service, own(&master(1))), before);
    assert!(service.fetch(own(&master(2))).is_err(), "not absent: unknown");
    assert!(generate(&service, own(&master(2))).is_err());
    assert!(service.store(own("s"), Some(b"SECRET"), Some(b"x")).is_err());
    assert!(service.remove(own(&master(1))).is_err());
    assert!(service.names().is_err());
    assert_eq!(bytes(&service, own(&master(1))), before);
    assert!(service.is_usable());
    vault.restart();
    assert!(service.fetch(own(&master(2))).unwrap().is_none());
    generate(&service, own(&master(2))).unwrap();
}

/// A thousand tablespaces do not wait one after the other for a vault that hangs.
#[test]
fn a_vault_that_hangs_is_waited_for_once() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&vault, "db1", Habits::default());
    server.write_endpoint_directory(scratch.path());
    let service = loaded(scratch.path());
    server.trouble(Some(Trouble::always(Fault::Hang)));
    assert!(service.fetch(own(&master(0))).is_err());
    let mut left_alone = 0;
    for number in 1..=1000 {
        match service.fetch(own(&master(number))).unwrap_err() {
            keys::Trouble::Keyring(Error::StillAway { .. }) => left_alone += 1,
            asked => assert!(matches!(asked, keys::Trouble::Keyring(Error::BackEnd(_))), "{asked}"),
        }
    }
    // A server has 2 s here, and is left alone as long: more than a few of a thousand do not wait.
    assert!(left_alone > 900, "{left_alone}");
    // A load is an order to ask again.
    let asked = server.requests();
    assert!(service.load(Ok(directory(scratch.path()))).is_err());
    assert!(server.requests() > asked);
    server.trouble(None);
    let patience = Instant::now();
    while service.fetch(own(&master(1))).is_err() {
        assert!(patience.elapsed() < Duration::from_secs(60), "still left alone");
        std::thread::yield_now();
    }
}

/// A vault that is slow with every answer was waited for five times as long as a call may take, and with it everybody who wanted a
/// key; and one that hung, once for each statement.
#[test]
fn what_a_statement_asks_of_a_vault_that_hangs_ends_with_the_first_question() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&vault, "db1", Habits::default());
    server.write_endpoint_directory(scratch.path());
    let service = loaded(scratch.path());
    generate(&service, own(&master(1))).unwrap();
    service.store(own("secret"), Some(b"SECRET"), Some(b"x")).unwrap();
    let attempts: [&dyn Fn() -> bool; 5] = [
        &|| generate(&service, own(&master(2))).is_ok(),
        &|| service.generate(own("s"), Some(b"SECRET"), 5).is_ok(),
        &|| service.store(own("s"), Some(b"SECRET"), Some(b"x")).is_ok(),
        &|| service.remove(own("secret")).is_ok(),
        &|| service.fetch(own(&master(1))).is_ok(),
    ];
    for attempt in attempts {
        // The vault is asked again only after a load: this is what is forced, and all that is.
        server.trouble(None);
        service.load(Ok(directory(scratch.path()))).unwrap();
        server.trouble(Some(Trouble::always(Fault::Hang)));
        assert!(!attempt());
        let asked = server.requests();
        assert!((1..=2).contains(&asked), "a call, and one look at what became of it: {asked}");
        for another in attempts {
            assert!(!another());
        }
        // One more on a machine that slept for as long as the vault is left alone; five if it were not.
        assert!(server.requests() <= asked + 1, "nobody asks again at once: {}", server.requests());
    }
    server.trouble(None);
    service.load(Ok(directory(scratch.path()))).unwrap();
    assert_eq!(bytes(&service, own("secret")).as_deref(), Some(&b"x"[..]));
    assert!(bytes(&service, own(&master(2))).is_none(), "what was not made is absent, and known to be");
}

#[test]
fn a_slow_vault_is_waited_for_and_keys_in_memory_are_not() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&vault, "db1", Habits::default());
    server.write_endpoint_directory(scratch.path());
    let service = service();
    let patient = Configuration { timeout: Duration::from_secs(120), ..directory(scratch.path()) };
    service.load(Ok(patient)).unwrap();
    generate(&service, own(&master(1))).unwrap();
    generate(&service, own(&master(2))).unwrap();
    let kept = bytes(&service, own(&master(1)));
    server.trouble(Some(Trouble::always(Fault::Slow)));
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| bytes(&service, own(&master(2))));
        let storing = scope.spawn(|| service.store(own("s"), Some(b"SECRET"), Some(b"x")));
        while !server.hangs() {
            assert!(!fetching.is_finished() && !storing.is_finished());
            std::thread::yield_now();
        }
        assert_eq!(bytes(&service, own(&master(1))), kept);
        assert!(!fetching.is_finished() && !storing.is_finished());
        server.trouble(None);
        assert!(fetching.join().unwrap().is_some());
        storing.join().unwrap().unwrap();
    });
    assert_eq!(bytes(&service, own("s")).as_deref(), Some(&b"x"[..]));
}

/// A server's connection broke while it stored a key, and another server with its account stored one of that name meanwhile.
#[test]
fn a_key_that_another_server_stored_meanwhile_is_not_taken_for_ours() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&vault, "db1", Habits::default());
    server.write_endpoint_directory(scratch.path());
    let service = service();
    let patient = Configuration { timeout: Duration::from_secs(120), ..directory(scratch.path()) };
    service.load(Ok(patient)).unwrap();
    // The first request looks for the name, and the second would store the key.
    server.trouble(Some(Trouble::once(Fault::Hang, 1)));
    std::thread::scope(|scope| {
        let storing = scope.spawn(|| service.store(own("key"), Some(b"SECRET"), Some(b"ours")));
        while !server.hangs() {
            assert!(!storing.is_finished());
            std::thread::yield_now();
        }
        super::put(scratch.path(), "key", KeyKind::Secret, b"theirs");
        server.trouble(None);
        let unknown = storing.join().unwrap();
        assert!(matches!(unknown, Err(keys::Trouble::Keyring(Error::BackEnd(_)))), "{unknown:?}");
    });
    assert_eq!(bytes(&service, own("key")).as_deref(), Some(&b"theirs"[..]));
}

/// A key was destroyed at the vault and made again by a user, and went on to be served as it had been.
#[test]
fn a_key_that_is_made_anew_is_the_one_that_is_served() {
    let vault = Vault::start();
    let dir = vault.enrol("db1");
    let service = loaded(&dir);
    generate(&service, own("key")).unwrap();
    let before = bytes(&service, own("key"));
    assert!(wallet(&dir).remove(&KeyName::new("key", None).unwrap()).unwrap());
    generate(&service, own("key")).unwrap();
    let after = bytes(&service, own("key"));
    assert_ne!(after, before);
    assert_eq!(bytes(&loaded(&dir), own("key")), after, "it is the vault's");
}

#[test]
fn nonsense_and_refusals_make_nothing_absent() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&vault, "db1", Habits::default());
    server.write_endpoint_directory(scratch.path());
    let service = loaded(scratch.path());
    generate(&service, own(&master(1))).unwrap();
    for fault in [Fault::Garbage, Fault::Refused, Fault::Cut] {
        for at in 0..3 {
            server.trouble(Some(Trouble::from(fault, at)));
            let fetched = service.fetch(own(&master(1)));
            assert!(fetched.is_err(), "{fault:?} at {at}: {:?}", fetched.ok());
            server.trouble(None);
        }
    }
    assert!(bytes(&service, own(&master(1))).is_some());
}

/// Whatever becomes of each of its requests, a key is generated once, or not, and the keyring says which.
#[test]
fn generating_is_one_thing_whatever_request_fails() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&vault, "db1", Habits::default());
    server.write_endpoint_directory(scratch.path());
    let service = loaded(scratch.path());
    for fault in [Fault::Cut, Fault::AnswerLost, Fault::Refused, Fault::Garbage] {
        for at in 0..4 {
            let id = format!("{fault:?}-{at}");
            server.trouble(Some(Trouble::once(fault, at)));
            let generated = generate(&service, own(&id));
            server.trouble(None);
            let there = service.fetch(own(&id)).unwrap().is_some();
            // An unknown outcome may be either; a success is a key, and what was refused before it was made is none.
            assert!(there || generated.is_err(), "{id}: {generated:?}");
            let again = generate(&service, own(&id));
            assert_eq!(again.is_err(), there, "{id}: {again:?}");
            let count = service.names().unwrap().iter().filter(|name| name.id() == id).count();
            assert_eq!(count, 1, "{id}");
        }
    }
}

#[test]
fn sixty_four_threads_that_use_a_key_for_the_first_time_are_served() {
    let vault = Vault::start();
    let scratch = tempfile::tempdir().unwrap();
    let server = Server::start(&vault, "db1", Habits::default());
    server.write_endpoint_directory(scratch.path());
    let service = loaded(scratch.path());
    generate(&service, own(&master(1))).unwrap();
    server.trouble(None);
    let together = std::sync::Barrier::new(64);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                together.wait();
                assert!(bytes(&service, own(&master(1))).is_some());
            });
        }
    });
    assert!(server.requests() <= 3, "{} requests", server.requests());
}

#[test]
fn the_standby_serves_while_the_first_vault_is_killed_or_hangs() {
    let mut first = Vault::start();
    let dir = first.enrol("db1");
    let keyring = loaded(&dir);
    generate(&keyring, own(&master(1))).unwrap();
    let before = bytes(&keyring, own(&master(1)));
    let standby = first.standby();
    let scratch = tempfile::tempdir().unwrap();
    let both = super::copy(&dir, &scratch.path().join("both"));
    let servers = format!("SERVER={}\nSTANDBY_SERVER={}\n", first.kmip(), standby.kmip());
    std::fs::write(both.join("okvclient.ora"), servers).unwrap();

    first.pause();
    let service = service();
    service.load(Ok(directory(&both))).unwrap();
    assert_eq!(bytes(&service, own(&master(1))), before);
    first.resume();
    first.kill9();
    service.load(Ok(directory(&both))).unwrap();
    assert_eq!(bytes(&service, own(&master(1))), before);
}

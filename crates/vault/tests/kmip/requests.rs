//! What an endpoint does all day, and many at once.

use std::collections::HashSet;
use std::fs;

use strongroom_kmip::attribute::{Attribute, Name};
use strongroom_kmip::operation::{destroy, locate};
use strongroom_kmip::{ProtocolVersion, ResponsePayload};
use strongroom_vault::listener::ListenerLimits;

use crate::port::{Port, create_request};

#[test]
fn a_key_is_made_found_fetched_and_destroyed_under_every_version() {
    let port = Port::open(ListenerLimits::default());
    let certificate = port.enrol("db1");
    let mut client = port.client(&certificate);
    for minor in 0..=4 {
        client.version = ProtocolVersion::new(1, minor);
        let name = Attribute::Name(Name::text(format!("key of 1.{minor}")));
        let id = client.create([name.clone()]);
        let find = locate::Request { attributes: [name].into_iter().collect(), ..Default::default() };
        match client.ask(find).unwrap().unwrap() {
            ResponsePayload::Locate(found) => assert_eq!(found.unique_identifiers, [id.as_str()]),
            other => panic!("{other:?}"),
        }
        assert_eq!(client.get(&id).unwrap().len(), 32);
        client.ask(destroy::Request { unique_identifier: Some(id) }).unwrap().unwrap();
    }
}

#[test]
fn sixteen_writers_at_once_lose_nothing_and_mix_nothing_up() {
    const WRITERS: usize = 16;
    const KEYS: usize = 20;
    let port = Port::open(ListenerLimits::default());
    let certificate = port.enrol("db1");
    let made: Vec<(String, Vec<u8>)> = std::thread::scope(|scope| {
        let (port, certificate) = (&port, &certificate);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    let mut client = port.client(certificate);
                    (0..KEYS)
                        .map(|key| {
                            let id = client.create([Attribute::Name(Name::text(format!("{writer}/{key}")))]);
                            let bytes = client.get(&id).unwrap();
                            (id, bytes)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(made.iter().map(|(id, _)| id).collect::<HashSet<_>>().len(), WRITERS * KEYS);
    assert_eq!(made.iter().map(|(_, bytes)| bytes).collect::<HashSet<_>>().len(), WRITERS * KEYS);
    let mut client = port.client(&certificate);
    for (id, bytes) in &made {
        assert_eq!(client.get(id).unwrap(), *bytes);
    }
}

#[test]
fn of_sixteen_who_want_one_name_one_gets_it() {
    let port = Port::open(ListenerLimits::default());
    let certificate = port.enrol("db1");
    let winners: usize = std::thread::scope(|scope| {
        let (port, certificate) = (&port, &certificate);
        let racers: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(move || {
                    let request = create_request([Attribute::Name(Name::text("the one"))]);
                    usize::from(port.client(certificate).ask(request).unwrap().is_ok())
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(winners, 1);
}

#[test]
fn what_is_done_is_journaled_and_no_key_is_in_the_journal_or_the_store() {
    let mut port = Port::open(ListenerLimits::default());
    let certificate = port.enrol("db1");
    let mut client = port.client(&certificate);
    let id = client.create([Attribute::Name(Name::text("a name to hide"))]);
    let bytes = client.get(&id).unwrap();
    client.get(&id).unwrap();
    assert!(client.ask(destroy::Request { unique_identifier: Some("no such".to_owned()) }).unwrap().is_err());
    port.close();
    port.vault.verify_journal().unwrap();
    let journal = fs::read_to_string(port.vault.layout().journal()).unwrap();
    for (operation, outcome) in [("Create", "success"), ("Get", "success"), ("Destroy", "failure")] {
        let line = journal.lines().find(|line| line.contains(&format!("\"operation\":\"{operation}\"")));
        assert!(line.is_some_and(|line| line.contains(outcome)), "{operation}:\n{journal}");
    }
    assert_eq!(journal.matches("\"operation\":\"Get\"").count(), 2, "each release has its own line");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let store = port.vault.layout().store();
    let mut files = vec![port.vault.layout().journal(), store.clone()];
    files.push(store.with_extension("sqlite-wal"));
    for file in files.iter().filter(|file| file.exists()) {
        let content = fs::read(file).unwrap();
        assert!(!content.windows(bytes.len()).any(|window| window == bytes), "{}", file.display());
        assert!(!String::from_utf8_lossy(&content).to_lowercase().contains(&hex), "{}", file.display());
        if *file != port.vault.layout().journal() {
            assert!(!String::from_utf8_lossy(&content).contains("a name to hide"), "{}", file.display());
        }
    }
}

//! Typed calls: absent is not refused, pages come together, and an answer is about what was asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use strongroom_client::session::AnswerFault;
use strongroom_client::{Effect, Error, Options, Session};
use strongroom_kmip::attribute::{Attribute, AttributeKind, Attributes, Name};
use strongroom_kmip::message::{RequestItem, RequestPayload};
use strongroom_kmip::object::KeyBlock;
use strongroom_kmip::operation::{get, get_attributes, locate};
use strongroom_kmip::types::{CryptographicAlgorithm, ObjectType, ResultReason, RevocationReasonCode};
use strongroom_kmip::{Failure, ManagedObject, ResponsePayload};
use strongroom_secret::KeyMaterial;

use crate::server::{World, accept, located, not_found, receive, respond, send, serve, unscripted};

fn session(
    script: impl Fn(&RequestItem) -> Result<ResponsePayload, Failure> + Send + Sync + 'static,
) -> Session {
    let world = World::new();
    let server = world.kmip(script);
    world.session(&[server.address], Options::default())
}

fn key(id: &str, bytes: usize, bits: u32) -> ResponsePayload {
    let mut block = KeyBlock::raw(CryptographicAlgorithm::AES, KeyMaterial::new(&vec![9; bytes]));
    block.length = Some(bits);
    get::Response {
        object_type: ObjectType::SymmetricKey,
        unique_identifier: id.into(),
        object: ManagedObject::SymmetricKey(block),
    }
    .into()
}

fn asked(item: &RequestItem) -> String {
    match &item.payload {
        RequestPayload::Get(get) => get.unique_identifier.clone().unwrap(),
        RequestPayload::GetAttributes(get) => get.unique_identifier.clone().unwrap(),
        _ => String::new(),
    }
}

#[test]
fn absent_is_an_answer_and_refused_is_not() {
    let session = session(|item| match (&item.payload, asked(item).as_str()) {
        (RequestPayload::Get(_), "archived") => {
            Err(Failure::new(ResultReason::ObjectArchived, "in the cellar"))
        }
        (RequestPayload::Get(_), "secret") => Err(Failure::new(ResultReason::PermissionDenied, "no")),
        (RequestPayload::DiscoverVersions(_), _) => unscripted(),
        _ => not_found(),
    });
    assert!(session.get("absent").unwrap().is_none());
    assert!(session.get_attributes("absent", &[]).unwrap().is_none());
    assert_eq!(session.activate("absent").unwrap(), Effect::NoSuchObject);
    assert_eq!(session.revoke("absent", RevocationReasonCode::Unspecified).unwrap(), Effect::NoSuchObject);
    assert_eq!(session.destroy("absent").unwrap(), Effect::NoSuchObject);
    for (id, reason) in
        [("archived", ResultReason::ObjectArchived), ("secret", ResultReason::PermissionDenied)]
    {
        assert!(matches!(session.get(id), Err(Error::Refused { failure, .. }) if failure.reason == reason));
    }
}

#[test]
fn an_object_that_was_not_asked_for_and_a_key_of_another_length_are_not_believed() {
    let session = session(|item| match (&item.payload, asked(item).as_str()) {
        (RequestPayload::Get(_), "short") => Ok(key("short", 16, 256)),
        (RequestPayload::Get(_), "right") => Ok(key("right", 32, 256)),
        (RequestPayload::Get(_), _) => Ok(key("other", 32, 256)),
        _ => unscripted(),
    });
    let fault = |id| match session.get(id) {
        Err(Error::Answer { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    assert!(session.get("right").unwrap().is_some());
    assert_eq!(fault("short"), AnswerFault::KeyLength { declared_bits: 256, bytes: 16 });
    assert_eq!(fault("one"), AnswerFault::Identifier { asked: "one".into(), got: "other".into() });
}

/// Serves the numbers below `count` as identifiers, `page` of them at most, with or without the total.
fn pages(count: u32, page: u32, total: bool) -> (Session, std::sync::Arc<AtomicUsize>) {
    let requests = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&requests);
    let session = session(move |item| match &item.payload {
        RequestPayload::Locate(locate) => {
            counted.fetch_add(1, Ordering::SeqCst);
            let from = locate.offset_items.unwrap_or(0).min(count);
            let to = (from + page.min(locate.maximum_items.unwrap_or(u32::MAX))).min(count);
            Ok(locate::Response {
                located_items: total.then_some(count),
                unique_identifiers: (from..to).map(|id| id.to_string()).collect(),
            }
            .into())
        }
        _ => unscripted(),
    });
    (session, requests)
}

#[test]
fn pages_come_together_with_and_without_a_total() {
    for (count, page, total) in
        [(0, 10, true), (7, 10, true), (25, 10, true), (25, 10, false), (2_500, 5_000, true)]
    {
        let (session, requests) = pages(count, page, total);
        let found = session.locate(&Attributes::new()).unwrap();
        assert_eq!(found, (0..count).map(|id| id.to_string()).collect::<Vec<_>>());
        let needed = count.div_ceil(page.min(1_000)).max(1) as usize;
        assert!(requests.load(Ordering::SeqCst) <= needed + usize::from(!total));
    }
}

#[test]
fn a_server_that_gives_the_same_page_again_does_not_keep_us() {
    let session = session(|item| match item.payload {
        RequestPayload::Locate(_) => Ok(located(&["a", "b", "a"])),
        _ => unscripted(),
    });
    assert_eq!(session.locate(&Attributes::new()).unwrap(), ["a", "b"]);
}

fn attributes(id: &str) -> ResponsePayload {
    let mut attributes = Attributes::new();
    attributes.push(Attribute::Name(Name::text(format!("name of {id}"))));
    get_attributes::Response { unique_identifier: id.into(), attributes }.into()
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|i| i.to_string()).collect()
}

/// Every third object is absent.
fn some_absent(item: &RequestItem) -> Result<ResponsePayload, Failure> {
    let id = asked(item);
    match item.payload {
        RequestPayload::Get(_) if id.parse::<u32>().unwrap() % 3 == 0 => not_found(),
        RequestPayload::Get(_) => Ok(key(&id, 16, 128)),
        RequestPayload::GetAttributes(_) => Ok(attributes(&id)),
        _ => unscripted(),
    }
}

fn check_many(session: &Session) {
    let ids = ids(70);
    let objects = session.get_many(&ids).unwrap();
    assert_eq!(objects.len(), 70);
    assert!(objects.iter().enumerate().all(|(i, object)| object.is_none() == (i % 3 == 0)));
    let names = session.get_attributes_many(&ids, &[AttributeKind::Name]).unwrap();
    for (id, attributes) in ids.iter().zip(names) {
        assert_eq!(attributes.unwrap().name(), Some(format!("name of {id}").as_str()));
    }
}

#[test]
fn many_objects_come_in_few_batches() {
    let requests = std::sync::Arc::new(AtomicUsize::new(0));
    let world = World::new();
    let (config, counted) = (world.tls(), std::sync::Arc::clone(&requests));
    let server = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        while let Some(request) = receive(&mut tls) {
            counted.fetch_add(1, Ordering::SeqCst);
            send(&mut tls, &respond(&request, some_absent));
        }
    });
    check_many(&world.session(&[server.address], Options::default()));
    // Discover Versions, then 70 Gets and 70 Get Attributes at 32 to a batch.
    assert_eq!(requests.load(Ordering::SeqCst), 1 + 3 + 3);
}

#[test]
fn a_server_without_batches_is_asked_one_by_one() {
    let world = World::new();
    let config = world.tls();
    let server = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        while let Some(request) = receive(&mut tls) {
            let mut response = respond(&request, some_absent);
            if response.items.len() > 1 {
                let failure = Failure::new(ResultReason::InvalidMessage, "one at a time");
                response.items = vec![strongroom_kmip::message::ResponseItem::failure(None, None, failure)];
            }
            send(&mut tls, &response);
        }
    });
    check_many(&world.session(&[server.address], Options::default()));
}

#[test]
fn a_server_that_stops_a_batch_at_the_first_failure_is_asked_one_by_one() {
    let world = World::new();
    let config = world.tls();
    let server = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        while let Some(request) = receive(&mut tls) {
            let mut response = respond(&request, some_absent);
            if let Some(first) = response.items.iter().position(|item| item.result.is_err()) {
                response.items.truncate(first + 1);
            }
            send(&mut tls, &response);
        }
    });
    check_many(&world.session(&[server.address], Options::default()));
}

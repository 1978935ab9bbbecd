//! Locate: filters, pages and totals.

use strongroom_kmip::attribute::{ApplicationSpecificInformation, Attribute};
use strongroom_kmip::message::RequestMessage;
use strongroom_kmip::operation::{destroy, locate};
use strongroom_kmip::ttlv::{DateTime, Value};
use strongroom_kmip::types::{
    CryptographicAlgorithm, ObjectGroupMember, ObjectType, State, StorageStatusMask, UsageMask,
};
use strongroom_kmip::{ProtocolVersion, ResponsePayload};

use crate::session::harness::{Bench, Client, START, active, name};

async fn page(client: &mut Client, request: locate::Request) -> (Vec<String>, Option<u32>) {
    match client.ask(request).await.unwrap() {
        ResponsePayload::Locate(response) => (response.unique_identifiers, response.located_items),
        other => panic!("{other:?}"),
    }
}

fn symmetric_keys(maximum: u32, offset: Option<u32>) -> locate::Request {
    locate::Request {
        maximum_items: Some(maximum),
        offset_items: offset,
        attributes: [Attribute::ObjectType(ObjectType::SymmetricKey)].into_iter().collect(),
        ..Default::default()
    }
}

/// percona-server's component_keyring_kmip: 1.0 header, Maximum Items 16, Offset Items n, Located Items read as the total; an
/// absent total makes it go on until a page is empty.
#[tokio::test]
async fn perconas_loop_finds_each_of_a_hundred_keys_once() {
    let bench = Bench::new();
    let mut client = bench.endpoint("percona").await;
    let mut created = Vec::new();
    for index in 0..100 {
        created.push(client.create([name(&format!("key {index}"))]).await);
    }
    created.reverse();
    client.version = ProtocolVersion::V1_0;
    let (mut all, mut upto, mut found) = (1, 0, Vec::new());
    let mut pages = 0;
    while upto < all {
        let (ids, total) = page(&mut client, symmetric_keys(16, Some(upto))).await;
        let count = ids.len() as u32;
        match total {
            Some(total) => all = total,
            None if count == 0 => all -= 1,
            None => all += count,
        }
        upto += count;
        found.extend(ids);
        pages += 1;
        assert!(pages < 20, "the loop does not end");
    }
    assert_eq!(all, 100);
    assert_eq!(found, created, "newest first, each once");
}

#[tokio::test]
async fn the_total_is_of_all_matches_and_the_pages_end() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    for _ in 0..5 {
        client.create([]).await;
    }
    for (maximum, offset, count) in
        [(2, Some(0), 2), (2, Some(4), 1), (2, Some(5), 0), (2, Some(99), 0), (0, None, 0), (9, None, 5)]
    {
        let (ids, total) = page(&mut client, symmetric_keys(maximum, offset)).await;
        assert_eq!((ids.len(), total), (count, Some(5)), "{maximum} {offset:?}");
    }
    client.version = ProtocolVersion::V1_2;
    assert_eq!(page(&mut client, symmetric_keys(2, None)).await.1, None);
    // The same with a filter that no index answers.
    let filtered = |maximum, offset| locate::Request {
        attributes: [Attribute::CryptographicLength(256)].into_iter().collect(),
        ..symmetric_keys(maximum, offset)
    };
    for (maximum, offset, count) in [(2, Some(0), 2), (2, Some(4), 1), (2, Some(5), 0)] {
        let (ids, total) = page(&mut client, filtered(maximum, offset)).await;
        assert_eq!((ids.len(), total), (count, Some(5)));
    }
}

#[tokio::test]
async fn filters_are_joined_by_and() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let info = |data: Option<&str>| {
        Attribute::ApplicationSpecificInformation(ApplicationSpecificInformation {
            namespace: "ns".to_owned(),
            data: data.map(str::to_owned),
        })
    };
    let group = |text: &str| Attribute::ObjectGroup(text.to_owned());
    let number = |value| Attribute::Custom { name: "x-number".to_owned(), value: Value::Integer(value) };
    let one = client.create([name("one"), group("g"), number(1), active()]).await;
    let two = client.create([name("two"), group("g"), group("h"), number(2), info(Some("data"))]).await;
    let both = vec![two.clone(), one.clone()];
    for (filters, expected) in [
        (vec![], both.clone()),
        (vec![group("g")], both.clone()),
        (vec![group("g"), group("h")], vec![two.clone()]),
        (vec![group("g"), name("one")], vec![one.clone()]),
        (vec![group("h"), name("one")], vec![]),
        (vec![number(2)], vec![two.clone()]),
        (vec![Attribute::Custom { name: "x-number".to_owned(), value: Value::LongInteger(2) }], vec![]),
        (vec![Attribute::Custom { name: "x-other".to_owned(), value: Value::Integer(2) }], vec![]),
        (vec![info(Some("data"))], vec![two.clone()]),
        (vec![info(None)], vec![two.clone()]),
        (vec![Attribute::State(State::Active)], vec![one.clone()]),
        (vec![Attribute::State(State::PreActive), group("g")], vec![two.clone()]),
        (vec![Attribute::State(State(77))], vec![]),
        (vec![Attribute::CryptographicUsageMask(UsageMask::Encrypt)], both.clone()),
        (vec![Attribute::CryptographicUsageMask(UsageMask::Encrypt | UsageMask::Sign)], vec![]),
        (vec![Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES)], both.clone()),
        (vec![Attribute::CryptographicAlgorithm(CryptographicAlgorithm::DES3)], vec![]),
        (vec![Attribute::CryptographicLength(128)], vec![]),
        (vec![Attribute::ObjectType(ObjectType::SecretData)], vec![]),
        (vec![Attribute::UniqueIdentifier(one.clone())], vec![one.clone()]),
        (vec![Attribute::UniqueIdentifier(one.clone()), group("h")], vec![]),
        (vec![Attribute::OperationPolicyName("none".to_owned())], vec![]),
        (vec![Attribute::ActivationDate(DateTime(START))], vec![one.clone()]),
        (vec![Attribute::ActivationDate(DateTime(i64::MAX))], vec![two.clone()]),
    ] {
        assert_eq!(client.locate(filters.clone()).await, expected, "{filters:?}");
    }
}

/// Cosmian/kms#935: a Locate whose filters could not be used returned the key-encryption key.
#[tokio::test]
async fn a_filter_that_cannot_be_understood_matches_nothing() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    client.create([]).await;
    let nothing = |request| request;
    for request in [
        nothing(locate::Request { storage_status_mask: Some(StorageStatusMask(0)), ..Default::default() }),
        nothing(locate::Request {
            storage_status_mask: Some(StorageStatusMask::ArchivalStorage),
            ..Default::default()
        }),
        nothing(locate::Request { object_group_member: Some(ObjectGroupMember(9)), ..Default::default() }),
        nothing(locate::Request {
            object_group_member: Some(ObjectGroupMember::GroupMemberDefault),
            ..Default::default()
        }),
    ] {
        assert_eq!(page(&mut client, request).await, (vec![], Some(0)));
    }
    assert!(
        client
            .locate([Attribute::Custom { name: "Storage Status Mask".to_owned(), value: Value::Integer(1) }])
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn date_ranges_include_both_their_ends() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(client.create([]).await);
        bench.advance(10);
    }
    let initial = |offset: i64| Attribute::InitialDate(DateTime(START + offset));
    assert_eq!(client.locate([initial(10)]).await, [ids[1].clone()]);
    assert_eq!(client.locate([initial(0), initial(10)]).await, [ids[1].clone(), ids[0].clone()]);
    assert_eq!(client.locate([initial(20), initial(5)]).await, [ids[2].clone(), ids[1].clone()]);
    assert!(client.locate([initial(0), initial(10), initial(20)]).await.is_empty());
}

#[tokio::test]
async fn destroyed_objects_are_found_only_when_asked_for() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let gone = client.create([name("n")]).await;
    client.ask(destroy::Request { unique_identifier: Some(gone.clone()) }).await.unwrap();
    let here = client.create([name("n")]).await;
    let with = |mask| locate::Request {
        storage_status_mask: Some(mask),
        attributes: [name("n")].into_iter().collect(),
        ..Default::default()
    };
    assert_eq!(client.locate([name("n")]).await, [here.as_str()]);
    assert_eq!(page(&mut client, with(StorageStatusMask::OnLineStorage)).await.0, [here.as_str()]);
    assert_eq!(page(&mut client, with(StorageStatusMask::DestroyedStorage)).await.0, [gone.as_str()]);
    let either = StorageStatusMask::DestroyedStorage | StorageStatusMask::OnLineStorage;
    assert_eq!(page(&mut client, with(either)).await.0, [here, gone.clone()]);
    assert_eq!(client.locate([Attribute::State(State::Destroyed)]).await, [gone]);
}

#[tokio::test]
async fn a_long_search_goes_through_every_chunk() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let items =
        |count: usize| (0..count).map(|_| crate::session::harness::create_request([]).into()).collect();
    for _ in 0..3 {
        let response = client.batch(|_| {}, items(200)).await;
        assert_eq!(response.items.len(), 200);
    }
    assert_eq!(client.locate([Attribute::CryptographicLength(256)]).await.len(), 600);
    let none = RequestMessage::single(ProtocolVersion::V1_4, symmetric_keys(5, Some(598)));
    assert!(client.send(&none).await.items[0].result.is_ok());
}

/// One statement with a part for each of ten thousand filters is more than SQLite takes.
#[tokio::test]
async fn a_thousand_filters_narrow_like_one() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let group = |index: usize| Attribute::ObjectGroup(format!("group {index}"));
    let all = client.create((0..100).map(group)).await;
    client.create((0..99).map(group)).await;
    assert_eq!(client.locate((0..100).map(group)).await, std::slice::from_ref(&all));
    assert_eq!(client.locate((0..2000).map(|_| group(99))).await, [all]);
    assert!(client.locate((0..2000).map(group)).await.is_empty());
}

#[tokio::test]
async fn an_answer_of_several_hundred_is_whole_and_in_order() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let mut created = Vec::new();
    for _ in 0..600 {
        created.push(client.create([]).await);
    }
    created.reverse();
    assert_eq!(page(&mut client, symmetric_keys(1000, None)).await, (created.clone(), Some(600)));
    assert_eq!(
        page(&mut client, symmetric_keys(512, Some(10))).await,
        (created[10..522].to_vec(), Some(600))
    );
    assert_eq!(page(&mut client, symmetric_keys(0, None)).await, (Vec::new(), Some(600)));
}

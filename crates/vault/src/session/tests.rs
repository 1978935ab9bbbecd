//! Messages as a whole: versions, batches, sizes, and what is no message.

use strongroom_kmip::attribute::Attribute;
use strongroom_kmip::message::{
    Credential, RequestHeader, RequestItem, RequestMessage, RequestPayload, ResponseMessage,
};
use strongroom_kmip::object::ManagedObject;
use strongroom_kmip::operation::{activate, discover_versions, get, get_attributes, locate, query, register};
use strongroom_kmip::ttlv::{Limits, Tag};
use strongroom_kmip::types::{
    BatchErrorContinuationOption, CredentialType, ObjectType, OpaqueDataType, Operation, QueryFunction,
    ResultReason,
};
use strongroom_kmip::{ProtocolVersion, ResponsePayload};
use strongroom_secret::KeyMaterial;

use super::harness::{Bench, active, create_request, name};
use crate::operations::{Context, VERSIONS, batch};
use crate::policy::Policy;

fn get_of(id: Option<&str>) -> RequestPayload {
    get::Request { unique_identifier: id.map(str::to_owned), ..Default::default() }.into()
}

#[tokio::test]
async fn versions_are_listed_newest_first_and_only_those_both_know() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    for (asked, expected) in [
        (vec![], VERSIONS.to_vec()),
        (vec![ProtocolVersion::V1_2, ProtocolVersion::V2_1], vec![ProtocolVersion::V1_2]),
        (vec![ProtocolVersion::V2_1], vec![]),
    ] {
        match client.ask(discover_versions::Request { versions: asked }).await.unwrap() {
            ResponsePayload::DiscoverVersions(response) => assert_eq!(response.versions, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_refused_in_the_nearest_one() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    for (asked, answered) in
        [(ProtocolVersion::V2_1, ProtocolVersion::V1_4), (ProtocolVersion::new(3, 0), ProtocolVersion::V1_4)]
    {
        let response =
            client.send(&RequestMessage::single(asked, discover_versions::Request::default())).await;
        assert_eq!(response.header.version, answered);
        assert_eq!(response.items[0].operation, None);
        let failure = response.items[0].result.as_ref().unwrap_err();
        assert_eq!(failure.reason, ResultReason::InvalidMessage);
        assert!(failure.message.as_deref().unwrap().contains("1.4"), "{failure}");
    }
}

/// The reply to each version holds nothing that the version lacks: the encoder, told that version, refuses whatever it does
/// not know, so that decoding and encoding again proves it.
#[tokio::test]
async fn replies_hold_nothing_newer_than_their_version() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([name("n"), active()]).await;
    for version in VERSIONS {
        client.version = version;
        for payload in [
            RequestPayload::from(get_attributes::Request {
                unique_identifier: Some(id.clone()),
                names: vec![],
            }),
            get_of(Some(&id)),
            locate::Request::default().into(),
            query::Request { functions: QueryFunction::ALL.to_vec() }.into(),
            strongroom_kmip::operation::get_attribute_list::Request { unique_identifier: Some(id.clone()) }
                .into(),
        ] {
            // Query Functions that the version lacks are sent all the same, as a newer client's mistake.
            let payload = match payload {
                RequestPayload::Query(mut request) => {
                    request.functions.retain(|function| function.exists_in(version));
                    RequestPayload::Query(request)
                }
                other => other,
            };
            let operation = payload.operation();
            let bytes = client.send_bytes(&RequestMessage::single(version, payload).encode().unwrap()).await;
            let response = ResponseMessage::decode(&bytes, &Limits::RESPONSE).unwrap();
            assert_eq!(response.header.version, version);
            assert!(
                response.items[0].result.is_ok(),
                "{operation} {version}: {:?}",
                response.items[0].result
            );
            assert_eq!(*response.encode().unwrap(), *bytes, "{operation} under {version}");
        }
    }
}

/// Found by others the hard way: a 1.0 client fails on Fresh, on Object Type in the answer to Register, and on a correlation
/// value (Cosmian/kms#687, hashicorp/vault#9147, hashicorp/vault#24309).
#[tokio::test]
async fn a_1_0_reply_has_the_tags_of_1_0_only() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    client.version = ProtocolVersion::V1_0;
    let id = client.create([name("n")]).await;
    let request = RequestMessage::single(
        client.version,
        get_attributes::Request { unique_identifier: Some(id), names: vec![] },
    );
    let bytes = client.send_bytes(&request.encode().unwrap()).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    for newer in ["Fresh", "Original Creation Date", "Key Value Present", "Sensitive", "Random Number"] {
        assert!(!text.contains(newer), "{newer}");
    }
    for old in ["State", "Initial Date", "Digest", "Last Change Date"] {
        assert!(text.contains(old), "{old}");
    }
    let located = client
        .send_bytes(&RequestMessage::single(client.version, locate::Request::default()).encode().unwrap())
        .await;
    assert!(!contains_tag(&located, Tag::LocatedItems), "Located Items came with 1.3");
}

fn contains_tag(bytes: &[u8], tag: Tag) -> bool {
    let number = tag.number().to_be_bytes();
    bytes.windows(3).any(|three| three == &number[1..])
}

#[tokio::test]
async fn operations_of_later_versions_are_not_offered_to_older_ones() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    client.version = ProtocolVersion::V1_0;
    let ask = query::Request { functions: vec![QueryFunction::QueryOperations, QueryFunction::QueryObjects] };
    let ResponsePayload::Query(response) = client.ask(ask).await.unwrap() else { panic!() };
    assert!(!response.operations.contains(&Operation::DiscoverVersions));
    assert!(response.operations.contains(&Operation::Get));
    assert_eq!(response.object_types.len(), 3);
    // 1.0 has no Discover Versions; some clients ask all the same and fall back on this reason.
    client.version = ProtocolVersion::V1_1;
    let mut message =
        RequestMessage::single(client.version, discover_versions::Request::default()).encode().unwrap();
    let minor = message.windows(4).position(|four| four == [0x42, 0x00, 0x6B, 0x02]).unwrap() + 11;
    message[minor] = 0;
    let bytes = client.send_bytes(&message).await;
    let response = ResponseMessage::decode(&bytes, &Limits::RESPONSE).unwrap();
    assert_eq!(response.items[0].result.as_ref().unwrap_err().reason, ResultReason::OperationNotSupported);
}

#[tokio::test]
async fn unknown_operations_are_refused_by_name() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let payload = RequestPayload::Unknown { operation: Operation::Archive, payload: vec![] };
    let failure = client.ask(payload).await.unwrap_err();
    assert_eq!(failure.reason, ResultReason::OperationNotSupported);
    assert!(failure.message.unwrap().contains("Archive"));
}

#[tokio::test]
async fn the_placeholder_carries_a_new_object_through_the_batch() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let response = client
        .batch(
            |header| header.batch_order = Some(true),
            vec![create_request([]).into(), activate::Request::default().into(), get_of(None)],
        )
        .await;
    assert_eq!(response.items.len(), 3);
    let ids: Vec<_> = response.items.iter().map(|item| item.batch_id.clone().unwrap()).collect();
    assert_eq!(ids, [vec![1], vec![2], vec![3]]);
    assert!(response.items.iter().all(|item| item.result.is_ok()), "{response:?}");
}

#[tokio::test]
async fn a_locate_that_is_ambiguous_empties_the_placeholder() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    client.create([name("one")]).await;
    client.create([name("two")]).await;
    let ask = |attributes: Vec<_>, maximum_items| -> RequestPayload {
        locate::Request { attributes: attributes.into_iter().collect(), maximum_items, ..Default::default() }
            .into()
    };
    for (filter, maximum, works) in [
        (vec![], None, false),
        (vec![name("one")], None, true),
        (vec![], Some(1), true),
        (vec![name("no")], None, false),
    ] {
        let response = client.batch(|_| {}, vec![ask(filter.clone(), maximum), get_of(None)]).await;
        assert!(response.items[0].result.is_ok());
        match &response.items[1].result {
            Ok(_) => assert!(works, "{filter:?}"),
            Err(failure) => {
                assert!(!works, "{filter:?}");
                assert_eq!(failure.reason, ResultReason::ItemNotFound);
            }
        }
    }
}

#[tokio::test]
async fn a_batch_stops_at_the_first_failure_unless_told_to_continue() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    let items = || vec![get_of(Some("no such object")), get_of(Some(&id))];
    let stopped = client.batch(|_| {}, items()).await;
    assert_eq!(stopped.items.len(), 1);
    let went_on = client
        .batch(
            |header| header.batch_error_continuation = Some(BatchErrorContinuationOption::Continue),
            items(),
        )
        .await;
    assert_eq!(went_on.items.len(), 2);
    assert!(went_on.items[0].result.is_err() && went_on.items[1].result.is_ok());
}

#[tokio::test]
async fn undo_is_refused_before_anything_is_done() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let response = client
        .batch(
            |header| header.batch_error_continuation = Some(BatchErrorContinuationOption::Undo),
            vec![create_request([]).into(), get_of(None)],
        )
        .await;
    let failure = response.items[0].result.as_ref().unwrap_err();
    assert_eq!(failure.reason, ResultReason::FeatureNotSupported);
    assert!(client.locate([]).await.is_empty());
}

#[tokio::test]
async fn several_items_without_ids_are_refused() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let mut request = RequestMessage::single(client.version, create_request([]));
    request.items.push(get_of(None).into());
    let response = client.send(&request).await;
    assert_eq!(response.items[0].result.as_ref().unwrap_err().reason, ResultReason::InvalidMessage);
    assert!(client.locate([]).await.is_empty());
}

#[tokio::test]
async fn every_reply_keeps_within_the_maximum_response_size() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    let small = |header: &mut RequestHeader| header.maximum_response_size = Some(200);
    for payload in [
        get_of(Some(&id)),
        get_attributes::Request { unique_identifier: Some(id.clone()), names: vec![] }.into(),
        query::Request { functions: vec![QueryFunction::QueryOperations, QueryFunction::QueryObjects] }
            .into(),
        create_request([]).into(),
    ] {
        let operation = payload.operation();
        let response = client.batch(small, vec![payload]).await;
        let failure = response.items[0].result.as_ref().unwrap_err();
        assert_eq!(failure.reason, ResultReason::ResponseTooLarge, "{operation}");
    }
    // Above all, no key was made whose identifier nobody learnt.
    assert_eq!(client.locate([]).await, [id]);
}

#[tokio::test]
async fn credentials_are_not_ignored() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let credential = Credential::UsernameAndPassword { username: "root".to_owned(), password: None };
    assert_eq!(credential.kind(), CredentialType::UsernameAndPassword);
    let response = client
        .batch(|header| header.authentication = vec![credential], vec![create_request([]).into()])
        .await;
    assert_eq!(
        response.items[0].result.as_ref().unwrap_err().reason,
        ResultReason::AuthenticationNotSuccessful
    );
    assert!(client.locate([]).await.is_empty());
}

/// OpenKMIP/libkmip#30: a server that refused a request one second in the future crashed its clients.
#[tokio::test]
async fn a_clock_that_is_off_is_tolerated() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    for skew in [1, -1, 299, 86_400] {
        let stamp = strongroom_kmip::DateTime(super::harness::START + skew);
        let response = client
            .batch(|header| header.time_stamp = Some(stamp), vec![locate::Request::default().into()])
            .await;
        assert!(response.items[0].result.is_ok(), "{skew}");
    }
}

#[tokio::test]
async fn what_is_no_message_is_answered_and_the_session_goes_on() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let whole = RequestMessage::single(ProtocolVersion::V1_2, get_of(Some("x"))).encode().unwrap();
    // Every byte damaged in turn: never a panic, always a reply that decodes.
    for index in 8..whole.len() {
        let mut damaged = whole.to_vec();
        damaged[index] ^= 0xFF;
        let bytes = client.send_bytes(&damaged).await;
        ResponseMessage::decode(&bytes, &Limits::RESPONSE).unwrap();
    }
    // The payload's tag is wrong: the header, the operation and its id are still in the answer.
    let at = whole.windows(3).position(|three| three == [0x42, 0x00, 0x79]).unwrap();
    let mut damaged = whole.to_vec();
    damaged[at + 2] = 0x7F;
    let response = ResponseMessage::decode(&client.send_bytes(&damaged).await, &Limits::RESPONSE).unwrap();
    assert_eq!(response.header.version, ProtocolVersion::V1_2);
    assert_eq!(response.items[0].operation, Some(Operation::Get));
    assert_eq!(response.items[0].result.as_ref().unwrap_err().reason, ResultReason::InvalidMessage);
}

#[tokio::test]
async fn nothing_is_answered_after_a_revocation() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    bench.vault.revoke_endpoint("db1", &crate::audit::Actor::Vault).await.unwrap();
    let failure = client.ask(get_of(Some(&id))).await.unwrap_err();
    assert_eq!(failure.reason, ResultReason::AuthenticationNotSuccessful);
}

/// A journal line is read up to 64 KiB, and a longer one is a journal that was tampered with: the vault would not open again.
#[tokio::test]
async fn long_names_do_not_break_the_journal() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    // Escaped as JSON, each of these takes six bytes.
    let long = "\u{1}".repeat(60_000);
    client.create([name(&long)]).await;
    let custom = strongroom_kmip::attribute::AttributeName::Custom(long);
    let twice = get_attributes::Request { unique_identifier: None, names: vec![custom.clone(), custom] };
    assert_eq!(client.ask(twice).await.unwrap_err().reason, ResultReason::InvalidMessage);
    bench.vault.verify_journal().unwrap();
}

/// A thousand Creates in one batch take seconds; what was not begun when the endpoint was revoked is not done.
#[tokio::test]
async fn an_item_that_comes_after_a_revocation_is_not_performed() {
    let bench = Bench::new();
    let client = bench.endpoint("db1").await;
    let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let identity = bench.vault.identities().identify(&client.session.certificate).unwrap();
    let now = bench.vault.clock().now();
    let policy = Policy::new(&bench.vault, &identity, &client.session.certificate, peer, now);
    let mut context = Context { policy: &policy, version: ProtocolVersion::V1_4, placeholder: None };
    let mut create = async || {
        let items = vec![RequestItem::from(RequestPayload::from(create_request([])))];
        batch::run(&mut context, Some(BatchErrorContinuationOption::Continue), items).await.remove(0).result
    };
    assert!(create().await.is_ok());
    bench.vault.revoke_endpoint("db1", &crate::audit::Actor::Vault).await.unwrap();
    assert_eq!(create().await.unwrap_err().reason, ResultReason::AuthenticationNotSuccessful);
}

/// TLS looks at the dates when a connection begins; a database keeps its connection for months.
#[tokio::test]
async fn nothing_is_answered_after_the_certificate_has_expired() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    bench.advance(24 * 60 * 60);
    assert!(client.ask(get_of(Some(&id))).await.is_ok(), "its last second");
    bench.advance(1);
    let failure = client.ask(get_of(Some(&id))).await.unwrap_err();
    assert_eq!(failure.reason, ResultReason::AuthenticationNotSuccessful);
}

/// A client that reads "failed" for a change that was made would make it again, or never learn the identifier.
#[tokio::test]
async fn a_reply_that_is_too_long_does_not_deny_the_changes_of_its_batch() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let long = client.create([Attribute::Comment("x".repeat(10_000))]).await;
    let read = get_attributes::Request { unique_identifier: Some(long), names: Vec::new() };
    let response = client
        .batch(
            |header| header.maximum_response_size = Some(5_000),
            vec![create_request([]).into(), read.into()],
        )
        .await;
    assert!(response.items[0].result.is_ok(), "{:?}", response.items[0]);
    let refused = response.items[1].result.as_ref().unwrap_err();
    assert_eq!(refused.reason, ResultReason::ResponseTooLarge);
}

/// Forty bytes ask for a megabyte: the answer to a full batch would take more memory than the vault's host has.
#[tokio::test]
async fn a_batch_does_not_read_without_bound() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let object = ManagedObject::OpaqueObject {
        kind: OpaqueDataType(0x8000_0001),
        data: KeyMaterial::new(&vec![7; 1_000_000]),
    };
    let request = register::Request {
        object_type: ObjectType::OpaqueObject,
        template: Default::default(),
        object,
        protection_storage_masks: None,
    };
    let Ok(ResponsePayload::Register(registered)) = client.ask(request).await else { panic!("refused") };
    let items = (0..100).map(|_| RequestItem {
        batch_id: Some(vec![1]),
        ..RequestItem::from(get_of(Some(&registered.unique_identifier)))
    });
    let message =
        RequestMessage { header: RequestHeader::new(ProtocolVersion::V1_4), items: items.collect() };
    let bytes = client.send_bytes(&message.encode().unwrap()).await;
    let limits = Limits { message_bytes: 64 << 20, ..Limits::RESPONSE };
    let response = ResponseMessage::decode(&bytes, &limits).unwrap();
    assert_eq!(response.items.len(), 18, "one more than fits is read, and the next is refused");
    let refused = response.items[17].result.as_ref().unwrap_err();
    assert_eq!(refused.reason, ResultReason::ResponseTooLarge);
}

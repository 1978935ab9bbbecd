//! Every operation against an object that is one's own, another's, missing, and destroyed.

use strongroom_kmip::attribute::{Attribute, AttributeKind, RevocationReason};
use strongroom_kmip::message::{RequestMessage, RequestPayload, ResponseMessage};
use strongroom_kmip::operation::{
    activate, add_attribute, delete_attribute, destroy, get, get_attribute_list, get_attributes,
    modify_attribute, revoke,
};
use strongroom_kmip::ttlv::{DateTime, Limits};
use strongroom_kmip::types::{ResultReason, RevocationReasonCode};

use crate::session::harness::{Bench, Client, active, name};

/// Every operation that names an object.
fn operations_on(id: &str) -> Vec<RequestPayload> {
    let id = || Some(id.to_owned());
    let reason = |code| RevocationReason { code, message: None };
    let contact = || Attribute::ContactInformation("dba".to_owned()).into();
    vec![
        get_attributes::Request { unique_identifier: id(), names: vec![] }.into(),
        get_attribute_list::Request { unique_identifier: id() }.into(),
        get::Request { unique_identifier: id(), ..Default::default() }.into(),
        add_attribute::Request { unique_identifier: id(), attribute: contact() }.into(),
        modify_attribute::Request { unique_identifier: id(), attribute: contact() }.into(),
        delete_attribute::Request {
            unique_identifier: id(),
            name: AttributeKind::ContactInformation.into(),
            index: None,
        }
        .into(),
        activate::Request { unique_identifier: id() }.into(),
        revoke::Request {
            unique_identifier: id(),
            reason: reason(RevocationReasonCode::Superseded),
            compromise_occurrence_date: None,
        }
        .into(),
        destroy::Request { unique_identifier: id() }.into(),
    ]
}

async fn raw(client: &mut Client, payload: RequestPayload) -> Vec<u8> {
    client.send_bytes(&RequestMessage::single(client.version, payload).encode().unwrap()).await.to_vec()
}

#[tokio::test]
async fn a_foreign_object_answers_byte_for_byte_as_a_missing_one() {
    let bench = Bench::new();
    let mut owner = bench.endpoint("owner").await;
    let mut stranger = bench.endpoint("stranger").await;
    let own = owner.create([name("secret")]).await;
    let destroyed = owner.create([]).await;
    owner.ask(destroy::Request { unique_identifier: Some(destroyed.clone()) }).await.unwrap();
    let missing = "7b0e2f7c-5e0c-4f1e-9c57-7f1d3c8a9b10";
    for foreign in [own.as_str(), destroyed.as_str()] {
        for (of_foreign, of_missing) in operations_on(foreign).into_iter().zip(operations_on(missing)) {
            let operation = of_foreign.operation();
            let (foreign, missing) =
                (raw(&mut stranger, of_foreign).await, raw(&mut stranger, of_missing).await);
            assert_eq!(foreign, missing, "{operation}");
            let response = ResponseMessage::decode(&missing, &Limits::RESPONSE).unwrap();
            assert_eq!(
                response.items[0].result.as_ref().unwrap_err().reason,
                ResultReason::ItemNotFound,
                "{operation}"
            );
        }
    }
    // A text that could never be an identifier is no different, except for nothing.
    let nonsense = raw(&mut stranger, operations_on("nonsense").remove(2)).await;
    assert_eq!(nonsense, raw(&mut stranger, operations_on(missing).remove(2)).await);
    // And the owner's object is as it was.
    let attributes = owner.attributes(&own, &[]).await;
    assert_eq!(attributes.name(), Some("secret"));
    assert!(attributes.get(AttributeKind::RevocationReason).is_none());
}

#[tokio::test]
async fn an_own_object_answers_every_operation() {
    let bench = Bench::new();
    let mut owner = bench.endpoint("owner").await;
    let id = owner.create([]).await;
    // In an order that its life allows.
    for payload in operations_on(&id) {
        let operation = payload.operation();
        assert!(owner.ask(payload).await.is_ok(), "{operation}");
    }
}

#[tokio::test]
async fn a_stranger_neither_finds_a_name_nor_is_hindered_by_it() {
    let bench = Bench::new();
    let mut owner = bench.endpoint("owner").await;
    let mut stranger = bench.endpoint("stranger").await;
    let theirs = owner.create([name("shared name"), Attribute::ObjectGroup("group".to_owned())]).await;
    assert!(stranger.locate([name("shared name")]).await.is_empty());
    assert!(stranger.locate([]).await.is_empty());
    assert!(stranger.locate([Attribute::UniqueIdentifier(theirs.clone())]).await.is_empty());
    let own = stranger.create([name("shared name")]).await;
    assert_eq!(stranger.locate([name("shared name")]).await, [own]);
    assert_eq!(owner.locate([name("shared name")]).await, [theirs]);
}

#[tokio::test]
async fn a_link_to_a_foreign_object_is_a_link_to_nothing() {
    use strongroom_kmip::attribute::Link;
    use strongroom_kmip::types::LinkType;
    let bench = Bench::new();
    let mut owner = bench.endpoint("owner").await;
    let mut stranger = bench.endpoint("stranger").await;
    let theirs = owner.create([active()]).await;
    let link = |object: &str| {
        Attribute::Link(Link { kind: LinkType::ReplacedObjectLink, object: object.to_owned() })
    };
    let own = stranger.create([]).await;
    let add = |attribute: Attribute| add_attribute::Request {
        unique_identifier: Some(own.clone()),
        attribute: attribute.into(),
    };
    let failure = stranger.ask(add(link(&theirs))).await.unwrap_err();
    assert_eq!(failure.reason, ResultReason::ItemNotFound);
    assert!(stranger.ask(add(link(&own))).await.is_ok());
}

#[tokio::test]
async fn a_destroyed_object_keeps_its_attributes_and_loses_its_key() {
    let bench = Bench::new();
    let mut owner = bench.endpoint("owner").await;
    let id = owner.create([name("gone")]).await;
    owner.ask(destroy::Request { unique_identifier: Some(id.clone()) }).await.unwrap();
    let failure = owner
        .ask(get::Request { unique_identifier: Some(id.clone()), ..Default::default() })
        .await
        .unwrap_err();
    // KMIP 1.4 table 338: "the server only has attributes for this object".
    assert_eq!(failure.reason, ResultReason::IllegalOperation);
    let attributes = owner.attributes(&id, &[]).await;
    assert_eq!(attributes.name(), Some("gone"));
    assert!(matches!(attributes.get(AttributeKind::DestroyDate), Some(Attribute::DestroyDate(DateTime(_)))));
}

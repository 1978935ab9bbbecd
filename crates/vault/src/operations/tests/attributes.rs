//! Add, Modify and Delete Attribute, and reading attributes.

use strongroom_kmip::ResponsePayload;
use strongroom_kmip::attribute::{
    ApplicationSpecificInformation, Attribute, AttributeInstance, AttributeKind, AttributeName, ClientRights,
    Name,
};
use strongroom_kmip::message::Failure;
use strongroom_kmip::operation::{
    add_attribute, delete_attribute, get_attribute_list, get_attributes, modify_attribute,
};
use strongroom_kmip::ttlv::{DateTime, Value};
use strongroom_kmip::types::{CryptographicAlgorithm, ResultReason, State};

use crate::session::harness::{Bench, Client, START, create_request, name};

async fn add(
    client: &mut Client,
    id: &str,
    attribute: impl Into<AttributeInstance>,
) -> Result<AttributeInstance, Failure> {
    let request =
        add_attribute::Request { unique_identifier: Some(id.to_owned()), attribute: attribute.into() };
    match client.ask(request).await? {
        ResponsePayload::AddAttribute(response) => Ok(response.attribute.unwrap()),
        other => panic!("{other:?}"),
    }
}

async fn modify(
    client: &mut Client,
    id: &str,
    attribute: impl Into<AttributeInstance>,
) -> Result<(), Failure> {
    let request =
        modify_attribute::Request { unique_identifier: Some(id.to_owned()), attribute: attribute.into() };
    client.ask(request).await.map(drop)
}

async fn delete(
    client: &mut Client,
    id: &str,
    name: impl Into<AttributeName>,
    index: Option<u32>,
) -> Result<(), Failure> {
    let request =
        delete_attribute::Request { unique_identifier: Some(id.to_owned()), name: name.into(), index };
    client.ask(request).await.map(drop)
}

fn custom(name: &str, value: &str) -> Attribute {
    Attribute::Custom { name: name.to_owned(), value: Value::TextString(value.to_owned()) }
}

/// VMware adds custom attributes in a batch and asks for others, some of which do not exist.
#[tokio::test]
async fn custom_attributes_of_any_type_are_kept_and_missing_ones_are_simply_absent() {
    let bench = Bench::new();
    let mut client = bench.endpoint("vcenter").await;
    let id = client.create([]).await;
    add(&mut client, &id, custom("x-Product", "VMware")).await.unwrap();
    add(&mut client, &id, Attribute::Custom { name: "y-number".to_owned(), value: Value::LongInteger(7) })
        .await
        .unwrap();
    let names: Vec<AttributeName> =
        ["x-Product", "x-Vendor", "y-number"].into_iter().map(AttributeName::from_text).collect();
    let attributes = client.attributes(&id, &names).await;
    assert_eq!(attributes.len(), 2);
    assert_eq!(attributes.iter().next(), Some(&custom("x-Product", "VMware")));
    let absent = client.attributes(&id, &[AttributeName::from_text("x-Vendor")]).await;
    assert!(absent.is_empty());
}

#[tokio::test]
async fn instances_keep_their_indexes_when_another_goes() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    for expected in [None, Some(1), Some(2)] {
        let group = format!("group {expected:?}");
        assert_eq!(add(&mut client, &id, Attribute::ObjectGroup(group)).await.unwrap().index, expected);
    }
    delete(&mut client, &id, AttributeKind::ObjectGroup, Some(1)).await.unwrap();
    let again = delete(&mut client, &id, AttributeKind::ObjectGroup, Some(1)).await.unwrap_err();
    assert_eq!(again.reason, ResultReason::ItemNotFound);
    let third = AttributeInstance { index: Some(2), attribute: Attribute::ObjectGroup("third".to_owned()) };
    modify(&mut client, &id, third).await.unwrap();
    let attributes = client.attributes(&id, &[AttributeKind::ObjectGroup.into()]).await;
    assert_eq!(attributes.object_groups().collect::<Vec<_>>(), ["group None", "third"]);
    let indexes: Vec<_> = attributes.instances().map(|one| one.index).collect();
    assert_eq!(indexes, [None, Some(2)]);
    // The index answers the search too.
    assert_eq!(client.locate([Attribute::ObjectGroup("third".to_owned())]).await, [id.as_str()]);
    assert!(client.locate([Attribute::ObjectGroup("group Some(1)".to_owned())]).await.is_empty());
}

#[tokio::test]
async fn what_only_the_server_sets_no_client_sets() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    for attribute in [
        Attribute::State(State::Active),
        Attribute::UniqueIdentifier("mine".to_owned()),
        Attribute::InitialDate(DateTime(1)),
        Attribute::LastChangeDate(DateTime(1)),
        Attribute::DestroyDate(DateTime(1)),
        Attribute::CryptographicLength(128),
        Attribute::CryptographicAlgorithm(CryptographicAlgorithm::DES3),
    ] {
        let kind = attribute.kind().unwrap();
        assert_eq!(
            add(&mut client, &id, attribute.clone()).await.unwrap_err().reason,
            ResultReason::PermissionDenied
        );
        assert_eq!(
            modify(&mut client, &id, attribute.clone()).await.unwrap_err().reason,
            ResultReason::PermissionDenied
        );
        assert_eq!(
            delete(&mut client, &id, kind, None).await.unwrap_err().reason,
            ResultReason::PermissionDenied
        );
        if kind.client_rights() == ClientRights::Read {
            let failure = client.ask(create_request([attribute])).await.unwrap_err();
            assert_eq!(failure.reason, ResultReason::InvalidField);
        }
    }
    assert_eq!(client.attributes(&id, &[]).await.cryptographic_length(), Some(256));
}

#[tokio::test]
async fn single_attributes_are_added_once_and_modified_only_when_there() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    let contact = |text: &str| Attribute::ContactInformation(text.to_owned());
    assert_eq!(modify(&mut client, &id, contact("a")).await.unwrap_err().reason, ResultReason::InvalidField);
    add(&mut client, &id, contact("a")).await.unwrap();
    assert_eq!(add(&mut client, &id, contact("b")).await.unwrap_err().reason, ResultReason::IllegalOperation);
    modify(&mut client, &id, contact("b")).await.unwrap();
    let attributes = client.attributes(&id, &[AttributeKind::ContactInformation.into()]).await;
    assert_eq!(attributes.iter().next(), Some(&contact("b")));
    let missing = AttributeInstance { index: Some(3), attribute: contact("c") };
    assert_eq!(modify(&mut client, &id, missing).await.unwrap_err().reason, ResultReason::ItemNotFound);
}

#[tokio::test]
async fn a_name_is_changed_found_and_unique() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let first = client.create([name("first")]).await;
    let second = client.create([name("second")]).await;
    assert_eq!(
        modify(&mut client, &second, name("first")).await.unwrap_err().reason,
        ResultReason::IllegalOperation
    );
    assert_eq!(
        add(&mut client, &second, name("first")).await.unwrap_err().reason,
        ResultReason::IllegalOperation
    );
    modify(&mut client, &first, name("renamed")).await.unwrap();
    assert_eq!(client.locate([name("renamed")]).await, [first]);
    assert!(client.locate([name("first")]).await.is_empty());
    modify(&mut client, &second, name("first")).await.unwrap();
    assert_eq!(client.locate([name("first")]).await, [second.as_str()]);
    delete(&mut client, &second, AttributeKind::Name, None).await.unwrap();
    assert!(client.locate([name("first")]).await.is_empty());
}

#[tokio::test]
async fn values_that_cannot_be_are_refused() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    for (attributes, reason) in [
        (vec![Attribute::Name(Name::text(""))], ResultReason::InvalidField),
        (vec![name("a"), name("a")], ResultReason::IllegalOperation),
        (vec![Attribute::Sensitive(true)], ResultReason::InvalidField),
        (vec![Attribute::Extractable(false)], ResultReason::InvalidField),
        (
            vec![
                Attribute::ActivationDate(DateTime(START + 10)),
                Attribute::DeactivationDate(DateTime(START)),
            ],
            ResultReason::InvalidField,
        ),
        (
            vec![
                Attribute::ActivationDate(DateTime(START + 10)),
                Attribute::ProcessStartDate(DateTime(START)),
            ],
            ResultReason::InvalidField,
        ),
        (
            vec![Attribute::ApplicationSpecificInformation(ApplicationSpecificInformation {
                namespace: "ns".to_owned(),
                data: None,
            })],
            ResultReason::ApplicationNamespaceNotSupported,
        ),
    ] {
        let failure = client.ask(create_request(attributes.clone())).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{attributes:?}: {failure}");
    }
    assert!(client.locate([]).await.is_empty());
}

/// What MySQL's keyring_okv sends: an index with every attribute, and one attribute whose name no standard has.
#[tokio::test]
async fn indexes_and_unknown_names_of_old_clients_are_accepted() {
    let bench = Bench::new();
    let mut client = bench.endpoint("mysql").await;
    let mut request = create_request([Attribute::Custom {
        name: "Storage Status Mask".to_owned(),
        value: Value::Integer(1),
    }]);
    request.template.attributes = request
        .template
        .attributes
        .into_iter()
        .map(|one| AttributeInstance { index: Some(0), ..one })
        .collect::<Vec<_>>()
        .into();
    assert!(client.ask(request).await.is_ok());
}

#[tokio::test]
async fn a_list_of_attributes_has_each_name_once() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([name("one"), name("two"), custom("x-a", "1")]).await;
    let request = get_attribute_list::Request { unique_identifier: Some(id.clone()) };
    let Ok(ResponsePayload::GetAttributeList(list)) = client.ask(request).await else { panic!() };
    let mut once = list.names.clone();
    once.dedup();
    assert_eq!(once, list.names);
    assert!(list.names.contains(&AttributeName::from_text("x-a")));
    let twice = get_attributes::Request {
        unique_identifier: Some(id),
        names: vec![AttributeKind::Name.into(), AttributeKind::Name.into()],
    };
    assert_eq!(client.ask(twice).await.unwrap_err().reason, ResultReason::InvalidMessage);
}

/// An object that grew request by request beyond what is read back could be neither read nor destroyed.
#[tokio::test]
async fn an_object_does_not_outgrow_what_can_be_answered() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    let mut refused = None;
    for index in 0..20 {
        let value = Value::ByteString(zeroize::Zeroizing::new(vec![7; 100_000]));
        let attribute = Attribute::Custom { name: format!("x-{index}"), value };
        let request =
            add_attribute::Request { unique_identifier: Some(id.clone()), attribute: attribute.into() };
        if let Err(failure) = client.ask(request).await {
            refused = Some((index, failure.reason));
            break;
        }
    }
    assert_eq!(refused, Some((10, ResultReason::InvalidField)));
    assert!(client.attributes(&id, &[]).await.len() > 10);

    let many = (0..2000).map(|index| Attribute::ObjectGroup(index.to_string()));
    let failure = client.ask(create_request(many)).await.unwrap_err();
    assert_eq!(failure.reason, ResultReason::IndexOutOfBounds);
    let many =
        (0..2000).map(|index| Attribute::Custom { name: format!("x-{index}"), value: Value::Integer(1) });
    let failure = client.ask(create_request(many)).await.unwrap_err();
    assert_eq!(failure.reason, ResultReason::IndexOutOfBounds);
}

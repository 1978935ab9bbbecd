//! Create, Register and Get.

use strongroom_kmip::attribute::{Attribute, AttributeKind};
use strongroom_kmip::message::Failure;
use strongroom_kmip::object::{KeyBlock, KeyBytes, KeyValue};
use strongroom_kmip::operation::{create, get, register, rng_retrieve};
use strongroom_kmip::ttlv::RawStructure;
use strongroom_kmip::types::{
    CryptographicAlgorithm, HashingAlgorithm, KeyFormatType, ObjectType, OpaqueDataType, ResultReason,
    SecretDataType, UsageMask,
};
use strongroom_kmip::{ManagedObject as KmipObject, ProtocolVersion, RequestMessage, ResponsePayload};
use strongroom_secret::KeyMaterial;

use crate::session::harness::{Bench, Client, name};

fn block(format: KeyFormatType, bytes: KeyBytes) -> KeyBlock {
    KeyBlock {
        format,
        compression: None,
        value: Some(bytes.into()),
        algorithm: None,
        length: None,
        wrapping: None,
    }
}

fn raw_key(bytes: &[u8]) -> KmipObject {
    KmipObject::SymmetricKey(KeyBlock::raw(CryptographicAlgorithm::AES, KeyMaterial::new(bytes)))
}

fn secret(format: KeyFormatType, bytes: &[u8]) -> KmipObject {
    let key_block = block(format, KeyBytes::Plain(KeyMaterial::new(bytes)));
    KmipObject::SecretData { kind: SecretDataType::Password, key_block }
}

async fn register(
    client: &mut Client,
    object: KmipObject,
    attributes: impl IntoIterator<Item = Attribute>,
) -> Result<String, Failure> {
    let object_type = object.object_type().unwrap();
    let template = attributes.into_iter().collect();
    let request = register::Request { object_type, template, object, protection_storage_masks: None };
    match client.ask(request).await? {
        ResponsePayload::Register(response) => Ok(response.unique_identifier),
        other => panic!("{other:?}"),
    }
}

async fn get(client: &mut Client, id: &str, format: Option<KeyFormatType>) -> Result<KmipObject, Failure> {
    let request = get::Request {
        unique_identifier: Some(id.to_owned()),
        key_format_type: format,
        ..Default::default()
    };
    match client.ask(request).await? {
        ResponsePayload::Get(response) => Ok(response.object),
        other => panic!("{other:?}"),
    }
}

fn material(object: &KmipObject) -> &[u8] {
    object.key_block().unwrap().material().unwrap().as_bytes()
}

#[tokio::test]
async fn a_created_key_is_random_and_stays_the_same() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let (one, two) = (client.create([]).await, client.create([]).await);
    let first = get(&mut client, &one, None).await.unwrap();
    assert_eq!(material(&first).len(), 32);
    assert_eq!(first, get(&mut client, &one, None).await.unwrap());
    assert_ne!(material(&first), material(&get(&mut client, &two, None).await.unwrap()));
    assert_eq!(first.key_block().unwrap().length, Some(256));
}

#[tokio::test]
async fn create_refuses_what_it_cannot_make() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let mask = || Attribute::CryptographicUsageMask(UsageMask::Encrypt);
    let aes = || Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES);
    for (object_type, attributes, reason) in [
        (ObjectType::SymmetricKey, vec![mask()], ResultReason::InvalidMessage),
        (ObjectType::SymmetricKey, vec![aes()], ResultReason::InvalidMessage),
        (
            ObjectType::SymmetricKey,
            vec![aes(), mask(), Attribute::CryptographicLength(100)],
            ResultReason::InvalidField,
        ),
        (ObjectType::SecretData, vec![aes(), mask()], ResultReason::InvalidField),
        (
            ObjectType::SymmetricKey,
            vec![
                Attribute::CryptographicAlgorithm(CryptographicAlgorithm::RSA),
                mask(),
                Attribute::CryptographicLength(2048),
            ],
            ResultReason::InvalidField,
        ),
    ] {
        let template = attributes.iter().cloned().collect();
        let failure = client
            .ask(create::Request { object_type, template, protection_storage_masks: None })
            .await
            .unwrap_err();
        assert_eq!(failure.reason, reason, "{attributes:?}: {failure}");
    }
    assert!(client.locate([]).await.is_empty());
}

#[tokio::test]
async fn a_registered_key_comes_back_in_the_formats_it_can_have() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let bytes = [0x5A; 32];
    let id = register(&mut client, raw_key(&bytes), [name("k")]).await.unwrap();
    for format in [None, Some(KeyFormatType::Raw), Some(KeyFormatType::Opaque)] {
        let object = get(&mut client, &id, format).await.unwrap();
        assert_eq!(material(&object), bytes);
        assert_eq!(object.key_block().unwrap().format, format.unwrap_or(KeyFormatType::Raw));
    }
    let transparent = get(&mut client, &id, Some(KeyFormatType::TransparentSymmetricKey)).await.unwrap();
    assert!(matches!(
        &transparent.key_block().unwrap().value,
        Some(KeyValue::Plain { bytes: KeyBytes::TransparentSymmetric(key), .. }) if key.as_bytes() == bytes
    ));
    let failure = get(&mut client, &id, Some(KeyFormatType::PKCS_8)).await.unwrap_err();
    assert_eq!(failure.reason, ResultReason::KeyFormatTypeNotSupported);
}

#[tokio::test]
async fn algorithm_and_length_may_stand_in_the_key_or_beside_it() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let bare = || {
        let bytes = KeyBytes::TransparentSymmetric(KeyMaterial::new(&[1; 16]));
        KmipObject::SymmetricKey(block(KeyFormatType::TransparentSymmetricKey, bytes))
    };
    let aes = Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES);
    let id = register(&mut client, bare(), [aes.clone()]).await.unwrap();
    let attributes = client.attributes(&id, &[]).await;
    assert_eq!(attributes.cryptographic_length(), Some(128));
    assert_eq!(attributes.cryptographic_algorithm(), Some(CryptographicAlgorithm::AES));
    assert_eq!(register(&mut client, bare(), []).await.unwrap_err().reason, ResultReason::InvalidMessage);
    for wrong in [Attribute::CryptographicLength(256), Attribute::CryptographicLength(64)] {
        let failure = register(&mut client, bare(), [aes.clone(), wrong]).await.unwrap_err();
        assert_eq!(failure.reason, ResultReason::InvalidField);
    }
    let both = [Attribute::CryptographicAlgorithm(CryptographicAlgorithm::DES3)];
    assert_eq!(
        register(&mut client, raw_key(&[1; 32]), both).await.unwrap_err().reason,
        ResultReason::InvalidField
    );
}

/// MongoDB's client-side encryption registers 96 bytes of Secret Data in format Opaque under 1.0.
#[tokio::test]
async fn secrets_and_opaque_objects_come_back_as_they_were() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    client.version = ProtocolVersion::V1_0;
    let mask = Attribute::CryptographicUsageMask(UsageMask::NONE);
    let id = register(&mut client, secret(KeyFormatType::Opaque, &[3; 96]), [mask]).await.unwrap();
    assert_eq!(get(&mut client, &id, None).await.unwrap(), secret(KeyFormatType::Opaque, &[3; 96]));
    let opaque = || KmipObject::OpaqueObject {
        kind: OpaqueDataType(0x8000_0001),
        data: KeyMaterial::new(b"anything"),
    };
    let id = register(&mut client, opaque(), []).await.unwrap();
    assert_eq!(get(&mut client, &id, None).await.unwrap(), opaque());
}

#[tokio::test]
async fn register_refuses_objects_that_contradict_themselves() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let mut wrapped = KeyBlock::raw(CryptographicAlgorithm::AES, KeyMaterial::new(&[1; 32]));
    wrapped.wrapping = Some(RawStructure::default());
    for (object, reason) in [
        (KmipObject::SymmetricKey(wrapped), ResultReason::FeatureNotSupported),
        (raw_key(&[]), ResultReason::InvalidField),
        (secret(KeyFormatType::PKCS_8, &[1]), ResultReason::KeyFormatTypeNotSupported),
        (raw_key(&[1; 31]), ResultReason::InvalidField),
    ] {
        let failure = register(&mut client, object, []).await.unwrap_err();
        assert_eq!(failure.reason, reason, "{failure}");
    }
    let mismatch = register::Request {
        object_type: ObjectType::SecretData,
        template: Default::default(),
        object: raw_key(&[1; 32]),
        protection_storage_masks: None,
    };
    assert_eq!(client.ask(mismatch).await.unwrap_err().reason, ResultReason::InvalidField);
}

/// MySQL's users store secrets of no bytes, and read them.
#[tokio::test]
async fn a_secret_may_be_empty() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    for format in [KeyFormatType::Raw, KeyFormatType::Opaque] {
        let id = register(&mut client, secret(format, &[]), []).await.unwrap();
        let object = get(&mut client, &id, None).await.unwrap();
        assert_eq!(material(&object), [0; 0]);
        assert_eq!(client.attributes(&id, &[]).await.object_type(), Some(ObjectType::SecretData));
    }
}

#[tokio::test]
async fn wrapping_on_get_is_refused_and_not_ignored() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    let request = get::Request {
        unique_identifier: Some(id),
        key_wrapping_specification: Some(RawStructure::default()),
        ..Default::default()
    };
    assert_eq!(client.ask(request).await.unwrap_err().reason, ResultReason::FeatureNotSupported);
}

#[tokio::test]
async fn the_server_sets_what_it_must() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = register(&mut client, raw_key(&[9; 32]), []).await.unwrap();
    let attributes = client.attributes(&id, &[]).await;
    let expected = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &[9; 32]);
    assert!(matches!(
        attributes.get(AttributeKind::Digest),
        Some(Attribute::Digest(digest))
            if digest.algorithm == HashingAlgorithm::SHA_256 && digest.value.as_deref() == Some(expected.as_ref())
    ));
    assert_eq!(
        attributes.get(AttributeKind::UniqueIdentifier),
        Some(&Attribute::UniqueIdentifier(id.clone()))
    );
    assert_eq!(attributes.object_type(), Some(ObjectType::SymmetricKey));
    assert!(attributes.initial_date().is_some() && attributes.last_change_date().is_some());
}

#[tokio::test]
async fn random_bytes_come_in_the_length_asked_for() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let mut drawn = Vec::new();
    for _ in 0..2 {
        let answer = client.ask(rng_retrieve::Request { data_length: 48 }).await.unwrap();
        let ResponsePayload::RNGRetrieve(response) = answer else { panic!("{answer:?}") };
        assert_eq!(response.data.len(), 48);
        drawn.push(response.data);
    }
    assert!(drawn[0] != drawn[1]);
    for data_length in [0, -1, i32::MAX] {
        let refused = client.ask(rng_retrieve::Request { data_length }).await.unwrap_err();
        assert_eq!(refused.reason, ResultReason::InvalidField);
    }
    client.version = ProtocolVersion::V1_1;
    assert!(
        RequestMessage::single(client.version, rng_retrieve::Request { data_length: 1 }).encode().is_err()
    );
}

#[tokio::test]
async fn an_object_is_fresh_until_it_is_served() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    let fresh = [AttributeKind::Fresh.into()];
    assert_eq!(client.attributes(&id, &fresh).await.get(AttributeKind::Fresh), Some(&Attribute::Fresh(true)));
    get(&mut client, &id, None).await.unwrap();
    assert_eq!(
        client.attributes(&id, &fresh).await.get(AttributeKind::Fresh),
        Some(&Attribute::Fresh(false))
    );
}

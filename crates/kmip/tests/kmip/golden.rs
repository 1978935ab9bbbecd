//! Messages typed out by hand, item by item: what the use cases of the specification and known clients send.

use strongroom_kmip::attribute::{AttributeInstance, Name, TemplateAttribute};
use strongroom_kmip::message::*;
use strongroom_kmip::object::{KeyBlock, KeyBytes, ManagedObject};
use strongroom_kmip::operation::*;
use strongroom_kmip::ttlv::{Item, RawStructure, Tag, Value};
use strongroom_kmip::types::*;
use strongroom_kmip::{
    Attribute, AttributeKind, DateTime, Failure, Limits, ProtocolVersion, RequestMessage, ResponseMessage,
};
use strongroom_secret::KeyMaterial;

use crate::hex;

#[track_caller]
fn same_request(bytes: &str, message: &RequestMessage) {
    let bytes = hex(bytes);
    assert_eq!(message.encode().expect("the version has all of it").as_slice(), bytes);
    assert_eq!(RequestMessage::decode(&bytes, &Limits::REQUEST).as_ref(), Ok(message));
}

#[track_caller]
fn same_response(bytes: &str, message: &ResponseMessage) {
    let bytes = hex(bytes);
    assert_eq!(message.encode().expect("the version has all of it").as_slice(), bytes);
    assert_eq!(ResponseMessage::decode(&bytes, &Limits::RESPONSE).as_ref(), Ok(message));
}

fn aes_128_for_encryption() -> Vec<Attribute> {
    vec![
        Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES),
        Attribute::CryptographicLength(128),
        Attribute::CryptographicUsageMask(UsageMask::Encrypt | UsageMask::Decrypt),
    ]
}

/// KMIP Use Cases 1.0 §3.1.1, time 0.
#[test]
fn create_of_an_aes_key_under_1_0() {
    let template = aes_128_for_encryption().into_iter().collect();
    let request =
        create::Request { object_type: ObjectType::SymmetricKey, template, protection_storage_masks: None };
    same_request(
        "420078 01 00000120
           420077 01 00000038
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000000 00000000
             42000D 02 00000004 00000001 00000000
           42000F 01 000000D8
             42005C 05 00000004 00000001 00000000
             420079 01 000000C0
               420057 05 00000004 00000002 00000000
               420091 01 000000A8
                 420008 01 00000030
                   42000A 07 00000017 43727970746F6772617068696320416C676F726974686D 00
                   42000B 05 00000004 00000003 00000000
                 420008 01 00000030
                   42000A 07 00000014 43727970746F67726170686963204C656E677468 00000000
                   42000B 02 00000004 00000080 00000000
                 420008 01 00000030
                   42000A 07 00000018 43727970746F67726170686963205573616765204D61736B
                   42000B 02 00000004 0000000C 00000000",
        &RequestMessage::single(ProtocolVersion::V1_0, request),
    );
}

/// The answer to it.
#[test]
fn response_to_create_under_1_0() {
    let created = create::Response {
        object_type: ObjectType::SymmetricKey,
        unique_identifier: "fb4b5b9c-6188-4c63-8142-fe9c328129fc".to_owned(),
        template: None,
    };
    let item = ResponseItem::success(None, created);
    same_response(
        "42007B 01 000000C0
           42007A 01 00000048
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000000 00000000
             420092 09 00000008 000000004AFBE7C2
             42000D 02 00000004 00000001 00000000
           42000F 01 00000068
             42005C 05 00000004 00000001 00000000
             42007F 05 00000004 00000000 00000000
             42007C 01 00000040
               420057 05 00000004 00000002 00000000
               420094 07 00000024 66623462356239632D363138382D346336332D383134322D666539633332383132396663 00000000",
        &ResponseMessage::single(ProtocolVersion::V1_0, DateTime(0x4AFB_E7C2), item),
    );
}

/// The same wish in 2.1: attributes under tags of their own.
#[test]
fn create_of_an_aes_key_under_2_1() {
    let template = aes_128_for_encryption().into_iter().collect();
    let request =
        create::Request { object_type: ObjectType::SymmetricKey, template, protection_storage_masks: None };
    same_request(
        "420078 01 000000A8
           420077 01 00000038
             420069 01 00000020
               42006A 02 00000004 00000002 00000000
               42006B 02 00000004 00000001 00000000
             42000D 02 00000004 00000001 00000000
           42000F 01 00000060
             42005C 05 00000004 00000001 00000000
             420079 01 00000048
               420057 05 00000004 00000002 00000000
               420125 01 00000030
                 420028 05 00000004 00000003 00000000
                 42002A 02 00000004 00000080 00000000
                 42002C 02 00000004 0000000C 00000000",
        &RequestMessage::single(ProtocolVersion::V2_1, request),
    );
}

#[test]
fn get_of_a_raw_key_and_its_answer() {
    let request = get::Request { unique_identifier: Some("1".to_owned()), ..get::Request::default() };
    same_request(
        "420078 01 00000070
           420077 01 00000038
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000001 00000000
             42000D 02 00000004 00000001 00000000
           42000F 01 00000028
             42005C 05 00000004 0000000A 00000000
             420079 01 00000010
               420094 07 00000001 31 00000000000000",
        &RequestMessage::single(ProtocolVersion::V1_1, request),
    );
    let key = KeyMaterial::new(&hex("000102030405060708090A0B0C0D0E0F"));
    let object = ManagedObject::SymmetricKey(KeyBlock::raw(CryptographicAlgorithm::AES, key));
    let got =
        get::Response { object_type: ObjectType::SymmetricKey, unique_identifier: "1".to_owned(), object };
    same_response(
        "42007B 01 00000100
           42007A 01 00000048
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000001 00000000
             420092 09 00000008 0000000000000000
             42000D 02 00000004 00000001 00000000
           42000F 01 000000A8
             42005C 05 00000004 0000000A 00000000
             42007F 05 00000004 00000000 00000000
             42007C 01 00000080
               420057 05 00000004 00000002 00000000
               420094 07 00000001 31 00000000000000
               42008F 01 00000058
                 420040 01 00000050
                   420042 05 00000004 00000001 00000000
                   420045 01 00000018
                     420043 08 00000010 000102030405060708090A0B0C0D0E0F
                   420028 05 00000004 00000003 00000000
                   42002A 02 00000004 00000080 00000000",
        &ResponseMessage::single(ProtocolVersion::V1_1, DateTime(0), ResponseItem::success(None, got)),
    );
}

/// Percona's keyring component: a 1.0 header, a time stamp, 8192 bytes at most, and paging that 1.0 does not have.
#[test]
fn locate_as_perconas_component_sends_it() {
    let bytes = hex("420078 01 000000D0
           420077 01 00000058
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000000 00000000
             420050 02 00000004 00002000 00000000
             420092 09 00000008 0000000065000000
             42000D 02 00000004 00000001 00000000
           42000F 01 00000068
             42005C 05 00000004 00000008 00000000
             420079 01 00000050
               42004F 02 00000004 00000010 00000000
               4200D4 02 00000004 00000010 00000000
               420008 01 00000028
                 42000A 07 0000000B 4F626A6563742054797065 0000000000
                 42000B 05 00000004 00000002 00000000");
    let request = RequestMessage::decode(&bytes, &Limits::REQUEST).expect("decoding accepts newer fields");
    assert_eq!(request.header.version, ProtocolVersion::V1_0);
    assert_eq!(request.header.maximum_response_size, Some(8192));
    let RequestPayload::Locate(locate) = &request.items[0].payload else { panic!("{request:?}") };
    assert_eq!((locate.maximum_items, locate.offset_items), (Some(16), Some(16)));
    assert_eq!(locate.attributes.object_type(), Some(ObjectType::SymmetricKey));
    let exception = [strongroom_kmip::version::OFFSET_ITEMS_BEFORE_1_3];
    assert_eq!(
        request.encode_allowing(&exception).as_ref().map(|bytes| bytes.as_slice()),
        Ok(bytes.as_slice())
    );
}

/// MySQL's keyring_okv: 1.1, an index before each value, and an attribute that is none.
#[test]
fn locate_as_keyring_okv_sends_it() {
    let bytes = hex("420078 01 000000F0
           420077 01 00000048
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000001 00000000
             420050 02 00000004 000445C0 00000000
             42000D 02 00000004 00000001 00000000
           42000F 01 00000098
             42005C 05 00000004 00000008 00000000
             420079 01 00000080
               420008 01 00000030
                 42000A 07 00000005 5374617465 000000
                 420009 02 00000004 00000000 00000000
                 42000B 05 00000004 00000002 00000000
               420008 01 00000040
                 42000A 07 00000013 53746F7261676520537461747573204D61736B 0000000000
                 420009 02 00000004 00000000 00000000
                 42000B 02 00000004 00000001 00000000");
    let request = RequestMessage::decode(&bytes, &Limits::REQUEST).expect("unknown attributes survive");
    let RequestPayload::Locate(locate) = &request.items[0].payload else { panic!("{request:?}") };
    let instances: Vec<_> = locate.attributes.instances().cloned().collect();
    assert_eq!(
        instances,
        [
            AttributeInstance { index: Some(0), attribute: Attribute::State(State::Active) },
            AttributeInstance {
                index: Some(0),
                attribute: Attribute::Custom {
                    name: "Storage Status Mask".to_owned(),
                    value: Value::Integer(1)
                },
            },
        ]
    );
    assert_eq!(request.encode().as_ref().map(|bytes| bytes.as_slice()), Ok(bytes.as_slice()));
}

/// VMware: an empty payload asks for all versions.
#[test]
fn discover_versions_with_nothing_in_it() {
    same_request(
        "420078 01 00000060
           420077 01 00000038
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000001 00000000
             42000D 02 00000004 00000001 00000000
           42000F 01 00000018
             42005C 05 00000004 0000001E 00000000
             420079 01 00000000",
        &RequestMessage::single(ProtocolVersion::V1_1, discover_versions::Request::default()),
    );
}

/// MongoDB's client: 96 bytes of Secret Data, of type Seed, in the format Opaque, without algorithm or length.
#[test]
fn register_as_mongodb_sends_it() {
    let key_block = KeyBlock {
        format: KeyFormatType::Opaque,
        compression: None,
        value: Some(KeyBytes::Plain(KeyMaterial::new(&[0xA5; 96])).into()),
        algorithm: None,
        length: None,
        wrapping: None,
    };
    let request = register::Request {
        object_type: ObjectType::SecretData,
        template: [Attribute::CryptographicUsageMask(UsageMask::NONE)].into_iter().collect(),
        object: ManagedObject::SecretData { kind: SecretDataType::Seed, key_block },
        protection_storage_masks: None,
    };
    let bytes = format!(
        "420078 01 00000150
           420077 01 00000038
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000000 00000000
             42000D 02 00000004 00000001 00000000
           42000F 01 00000108
             42005C 05 00000004 00000003 00000000
             420079 01 000000F0
               420057 05 00000004 00000007 00000000
               420091 01 00000038
                 420008 01 00000030
                   42000A 07 00000018 43727970746F67726170686963205573616765204D61736B
                   42000B 02 00000004 00000000 00000000
               420085 01 00000098
                 420086 05 00000004 00000002 00000000
                 420040 01 00000080
                   420042 05 00000004 00000002 00000000
                   420045 01 00000068
                     420043 08 00000060 {}",
        "A5".repeat(96)
    );
    same_request(&bytes, &RequestMessage::single(ProtocolVersion::V1_0, request));
}

/// A failure names its reason and repeats the batch identifier; there is no payload.
#[test]
fn a_failure_in_a_batch() {
    let failure = Failure::new(ResultReason::ItemNotFound, "no");
    let item = ResponseItem::failure(Some(Operation::Get), Some(vec![1]), failure);
    same_response(
        "42007B 01 000000A8
           42007A 01 00000048
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000002 00000000
             420092 09 00000008 0000000000000000
             42000D 02 00000004 00000001 00000000
           42000F 01 00000050
             42005C 05 00000004 0000000A 00000000
             420093 08 00000001 01 00000000000000
             42007F 05 00000004 00000001 00000000
             42007E 05 00000004 00000001 00000000
             42007D 07 00000002 6E6F 000000000000",
        &ResponseMessage::single(ProtocolVersion::V1_2, DateTime(0), item),
    );
}

/// 2.1 refers to attributes by tag, and to vendors' by vendor and name; `x` stands for the custom attributes of 1.x.
#[test]
fn get_attributes_under_2_1() {
    let request = get_attributes::Request {
        unique_identifier: None,
        names: vec![AttributeKind::State.into(), strongroom_kmip::AttributeName::Custom("x-ID".to_owned())],
    };
    same_request(
        "420078 01 00000098
           420077 01 00000038
             420069 01 00000020
               42006A 02 00000004 00000002 00000000
               42006B 02 00000004 00000001 00000000
             42000D 02 00000004 00000001 00000000
           42000F 01 00000050
             42005C 05 00000004 0000000B 00000000
             420079 01 00000038
               42013B 05 00000004 0042008D 00000000
               42013B 01 00000020
                 42009D 07 00000001 78 00000000000000
                 42000A 07 00000002 4944 000000000000",
        &RequestMessage::single(ProtocolVersion::V2_1, request),
    );
    let attributes = [
        Attribute::Name(Name::text("k")),
        Attribute::Custom { name: "x-ID".to_owned(), value: Value::Integer(7) },
    ];
    let got = get_attributes::Response {
        unique_identifier: "1".to_owned(),
        attributes: attributes.into_iter().collect(),
    };
    same_response(
        "42007B 01 000000F8
           42007A 01 00000048
             420069 01 00000020
               42006A 02 00000004 00000002 00000000
               42006B 02 00000004 00000001 00000000
             420092 09 00000008 0000000000000000
             42000D 02 00000004 00000001 00000000
           42000F 01 000000A0
             42005C 05 00000004 0000000B 00000000
             42007F 05 00000004 00000000 00000000
             42007C 01 00000078
               420094 07 00000001 31 00000000000000
               420125 01 00000060
                 420053 01 00000020
                   420055 07 00000001 6B 00000000000000
                   420054 05 00000004 00000001 00000000
                 420008 01 00000030
                   42009D 07 00000001 78 00000000000000
                   42000A 07 00000002 4944 000000000000
                   42000B 02 00000004 00000007 00000000",
        &ResponseMessage::single(ProtocolVersion::V2_1, DateTime(0), ResponseItem::success(None, got)),
    );
}

/// An old vault's answer to Register carries an Object Type that Register does not have. It is passed over, and so is whatever a
/// newer server adds.
#[test]
fn a_response_with_fields_of_other_versions_is_understood() {
    let bytes = hex("42007B 01 000000B0
           42007A 01 00000058
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000000 00000000
             420092 09 00000008 0000000000000000
             540001 02 00000004 00000001 00000000
             42000D 02 00000004 00000001 00000000
           42000F 01 00000048
             42005C 05 00000004 00000003 00000000
             42007F 05 00000004 00000000 00000000
             42007C 01 00000020
               420057 05 00000004 00000002 00000000
               420094 07 00000001 31 00000000000000");
    let response =
        ResponseMessage::decode(&bytes, &Limits::RESPONSE).expect("unknown fields are passed over");
    let registered = register::Response { unique_identifier: "1".to_owned(), template: None };
    assert_eq!(response.items, [ResponseItem::success(None, registered)]);
}

#[test]
fn secrets_are_not_printed() {
    let mut request = RequestMessage::single(
        ProtocolVersion::V1_1,
        register::Request {
            object_type: ObjectType::SymmetricKey,
            template: TemplateAttribute::default(),
            object: ManagedObject::SymmetricKey(KeyBlock::raw(
                CryptographicAlgorithm::AES,
                KeyMaterial::new(&[0xAB; 32]),
            )),
            protection_storage_masks: None,
        },
    );
    let password = || Some(Password::new("hunter2".to_owned().into()));
    request.header.authentication = vec![
        Credential::UsernameAndPassword { username: "ann".to_owned(), password: password() },
        Credential::Device(Box::new(DeviceCredential {
            password: password(),
            ..DeviceCredential::default()
        })),
        Credential::Other {
            kind: CredentialType(0x8000_0001),
            value: RawStructure(vec![Item {
                tag: Tag::Password,
                value: Value::TextString("hunter2".to_owned()),
            }]),
        },
    ];
    let printed = format!("{request:?}");
    assert!(printed.contains("ann"), "{printed}");
    for secret in ["hunter2", "171", "ab, ab", "abab", "ABAB"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

/// The specification demands a reason; what a client needs is that the failure is understood without it.
#[test]
fn a_failure_without_a_reason_is_a_general_failure() {
    let bytes = hex("42007B 01 00000078
           42007A 01 00000048
             420069 01 00000020
               42006A 02 00000004 00000001 00000000
               42006B 02 00000004 00000002 00000000
             420092 09 00000008 0000000000000000
             42000D 02 00000004 00000001 00000000
           42000F 01 00000020
             42005C 05 00000004 0000000A 00000000
             42007F 05 00000004 00000001 00000000");
    let response = ResponseMessage::decode(&bytes, &Limits::RESPONSE).expect("a failure");
    let failure = Failure {
        status: ResultStatus::OperationFailed,
        reason: ResultReason::GeneralFailure,
        message: None,
    };
    assert_eq!(response.items, [ResponseItem::failure(Some(Operation::Get), None, failure)]);
}

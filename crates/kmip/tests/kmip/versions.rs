//! What a version lacks is an error that names it, never a silent omission.

use strongroom_kmip::attribute::{AttributeInstance, TemplateAttribute};
use strongroom_kmip::message::*;
use strongroom_kmip::operation::*;
use strongroom_kmip::ttlv::{RawStructure, Tag, Value};
use strongroom_kmip::types::*;
use strongroom_kmip::version::{LOCATED_ITEMS_FOR_OFFSET, OFFSET_ITEMS_BEFORE_1_3};
use strongroom_kmip::{
    Attribute, AttributeKind, DateTime, EncodeError, Failure, Operation, ProtocolVersion, RequestMessage,
    ResponseMessage,
};

use ProtocolVersion as V;

const VERSIONS: [V; 7] = [V::V1_0, V::V1_1, V::V1_2, V::V1_3, V::V1_4, V::V2_0, V::V2_1];

/// Encodes what `request` makes of each version: an error that names `tag` before `since` and after `until`, success between.
#[track_caller]
fn only_between(since: V, until: V, tag: Tag, encode: impl Fn(V) -> Result<(), EncodeError>) {
    for version in VERSIONS {
        let expected = if since <= version && version <= until {
            Ok(())
        } else {
            Err(EncodeError::FieldNotInVersion { tag, version })
        };
        assert_eq!(encode(version), expected, "{tag} in {version}");
    }
}

fn header(version: V, change: impl Fn(&mut RequestHeader)) -> Result<(), EncodeError> {
    let mut header = RequestHeader::new(version);
    change(&mut header);
    RequestMessage { header, items: Vec::new() }.encode().map(drop)
}

fn asks(version: V, payload: impl Into<RequestPayload>) -> Result<(), EncodeError> {
    RequestMessage::single(version, payload).encode().map(drop)
}

fn answers(version: V, payload: impl Into<ResponsePayload>) -> Result<(), EncodeError> {
    let item = ResponseItem::success(None, payload);
    ResponseMessage::single(version, DateTime(0), item).encode().map(drop)
}

#[test]
fn request_header_fields_belong_to_their_versions() {
    only_between(V::V1_4, V::V2_1, Tag::ClientCorrelationValue, |version| {
        header(version, |header| header.client_correlation_value = Some("a".to_owned()))
    });
    only_between(V::V1_4, V::V2_1, Tag::ServerCorrelationValue, |version| {
        header(version, |header| header.server_correlation_value = Some("a".to_owned()))
    });
    only_between(V::V1_2, V::V2_1, Tag::AttestationCapableIndicator, |version| {
        header(version, |header| header.attestation_capable = Some(true))
    });
    only_between(V::V1_1, V::V2_1, Tag::DeviceSerialNumber, |version| {
        header(version, |header| {
            // The type Device came with 1.1 too; as a value nobody knows it passes, so that the field is what is refused.
            let device = DeviceCredential {
                device_serial_number: Some("1".to_owned()),
                ..DeviceCredential::default()
            };
            header.authentication = vec![match version {
                V::V1_0 => Credential::Other {
                    kind: CredentialType(0x8000_0001),
                    value: RawStructure(vec![strongroom_kmip::ttlv::Item {
                        tag: Tag::DeviceSerialNumber,
                        value: Value::TextString("1".to_owned()),
                    }]),
                },
                _ => Credential::Device(Box::new(device)),
            }];
        })
    });
}

/// The reason Percona's MongoDB could not use a vault: a 1.4 field in a 1.0 reply.
#[test]
fn a_response_header_never_carries_a_correlation_value_before_1_4() {
    for tag in [Tag::ClientCorrelationValue, Tag::ServerCorrelationValue] {
        only_between(V::V1_4, V::V2_1, tag, |version| {
            let mut header = ResponseHeader::new(version, DateTime(0));
            match tag {
                Tag::ClientCorrelationValue => header.client_correlation_value = Some("a".to_owned()),
                _ => header.server_correlation_value = Some("a".to_owned()),
            }
            ResponseMessage { header, items: Vec::new() }.encode().map(drop)
        });
    }
}

#[test]
fn payload_fields_belong_to_their_versions() {
    only_between(V::V1_3, V::V2_1, Tag::OffsetItems, |version| {
        asks(version, locate::Request { offset_items: Some(1), ..locate::Request::default() })
    });
    only_between(V::V1_1, V::V2_1, Tag::ObjectGroupMember, |version| {
        let object_group_member = Some(ObjectGroupMember(0x8000_0000));
        asks(version, locate::Request { object_group_member, ..locate::Request::default() })
    });
    only_between(V::V1_3, V::V2_1, Tag::LocatedItems, |version| {
        answers(version, locate::Response { located_items: Some(1), unique_identifiers: Vec::new() })
    });
    only_between(V::V1_4, V::V2_1, Tag::KeyWrapType, |version| {
        asks(
            version,
            get::Request { key_wrap_type: Some(KeyWrapType(0x8000_0000)), ..get::Request::default() },
        )
    });
    only_between(V::V1_3, V::V2_1, Tag::ProfileInformation, |version| {
        answers(
            version,
            query::Response { profiles: vec![RawStructure::default()], ..query::Response::default() },
        )
    });
    only_between(V::V2_0, V::V2_1, Tag::ProtectionStorageMasks, |version| {
        asks(
            version,
            create::Request {
                object_type: ObjectType::SymmetricKey,
                template: TemplateAttribute::default(),
                protection_storage_masks: Some(ProtectionStorageMasks::default()),
            },
        )
    });
    only_between(V::V1_0, V::V1_4, Tag::TemplateAttribute, |version| {
        let names = vec![strongroom_kmip::attribute::Name::text("a template")];
        let template = TemplateAttribute { names, ..TemplateAttribute::default() };
        let object_type = ObjectType::SymmetricKey;
        asks(version, create::Request { object_type, template, protection_storage_masks: None })
    });
    only_between(V::V1_0, V::V1_4, Tag::AttributeIndex, |version| {
        let attribute =
            AttributeInstance { index: Some(0), attribute: Attribute::ObjectGroup("g".to_owned()) };
        asks(version, modify_attribute::Request { unique_identifier: None, attribute })
    });
    only_between(V::V1_0, V::V1_4, Tag::Attribute, |version| {
        let attribute = Some(Attribute::ObjectGroup("g".to_owned()).into());
        answers(version, add_attribute::Response { unique_identifier: "1".to_owned(), attribute })
    });
}

/// In both directions, and for nothing else than what the exception names.
#[test]
fn percona_gets_its_total_under_1_0_because_it_is_listed() {
    let located = locate::Response { located_items: Some(100), unique_identifiers: vec!["1".to_owned()] };
    let item = ResponseItem::success(None, located);
    let mut response = ResponseMessage::single(V::V1_0, DateTime(0), item);
    let refused = |tag| EncodeError::FieldNotInVersion { tag, version: V::V1_0 };
    assert_eq!(response.encode(), Err(refused(Tag::LocatedItems)));
    assert_eq!(response.encode_allowing(&[OFFSET_ITEMS_BEFORE_1_3]), Err(refused(Tag::LocatedItems)));
    let bytes = response.encode_allowing(&[LOCATED_ITEMS_FOR_OFFSET]).expect("the exception is named");
    let decoded = ResponseMessage::decode(&bytes, &strongroom_kmip::Limits::RESPONSE);
    assert_eq!(decoded.as_ref(), Ok(&response));
    response.header.server_correlation_value = Some("a".to_owned());
    assert_eq!(
        response.encode_allowing(&[LOCATED_ITEMS_FOR_OFFSET]),
        Err(refused(Tag::ServerCorrelationValue))
    );
}

#[test]
fn every_attribute_belongs_to_its_versions_by_name_and_by_value() {
    for kind in AttributeKind::ALL.iter().copied() {
        for version in VERSIONS {
            let result =
                asks(version, get_attributes::Request { unique_identifier: None, names: vec![kind.into()] });
            let refused = EncodeError::AttributeNotInVersion {
                attribute: kind.name().to_owned(),
                version,
                span: Some(kind.span()),
            };
            assert_eq!(
                result,
                if kind.exists_in(version) { Ok(()) } else { Err(refused) },
                "{kind:?} in {version}"
            );
        }
    }
    for (attribute, since) in [
        (Attribute::Fresh(true), V::V1_1),
        (Attribute::OriginalCreationDate(DateTime(0)), V::V1_2),
        (Attribute::Sensitive(true), V::V1_4),
        (Attribute::KeyFormatType(KeyFormatType::Raw), V::V2_0),
        (Attribute::RotateLatest(true), V::V2_1),
    ] {
        for version in VERSIONS {
            let attributes = [attribute.clone()].into_iter().collect();
            let got = get_attributes::Response { unique_identifier: "1".to_owned(), attributes };
            assert_eq!(answers(version, got).is_ok(), version >= since, "{attribute:?} in {version}");
        }
    }
}

/// Projection leaves out exactly what cannot be encoded.
#[test]
fn projected_attributes_can_be_encoded() {
    for version in VERSIONS {
        let mut attributes = strongroom_kmip::Attributes::new();
        attributes.push_instance(AttributeInstance {
            index: Some(3),
            attribute: Attribute::ObjectGroup("g".to_owned()),
        });
        attributes.extend([
            Attribute::Fresh(true),
            Attribute::OperationPolicyName("default".to_owned()),
            Attribute::QuantumSafe(true),
            Attribute::Custom { name: "x-a".to_owned(), value: Value::Boolean(true) },
            Attribute::Custom { name: "no prefix".to_owned(), value: Value::Boolean(true) },
        ]);
        attributes.project(version);
        let expected = match version {
            V::V1_0 => 4,
            version if version.has_named_attributes() => 5,
            _ => 4,
        };
        assert_eq!(attributes.len(), expected, "{version}");
        assert_eq!(
            answers(version, get_attributes::Response { unique_identifier: "1".to_owned(), attributes }),
            Ok(())
        );
    }
}

#[test]
fn values_of_enumerations_belong_to_their_versions() {
    let failure = |version, reason| {
        let item = ResponseItem::failure(None, None, Failure::new(reason, ""));
        ResponseMessage::single(version, DateTime(0), item).encode().map(drop)
    };
    for reason in ResultReason::ALL.iter().copied() {
        for version in VERSIONS {
            let refused =
                EncodeError::ValueNotInVersion { tag: Tag::ResultReason, value: reason.to_string(), version };
            let expected = if reason.exists_in(version) { Ok(()) } else { Err(refused) };
            assert_eq!(failure(version, reason), expected, "{reason} in {version}");
        }
    }
    for operation in Operation::ALL.iter().copied() {
        for version in VERSIONS {
            let supported = query::Response { operations: vec![operation], ..query::Response::default() };
            assert_eq!(
                answers(version, supported).is_ok(),
                operation.exists_in(version),
                "{operation} in {version}"
            );
        }
    }
}

/// A client that asks for Discover Versions under 1.0 must be told that 1.0 has no such operation, by name.
#[test]
fn a_failure_may_repeat_an_operation_that_the_version_lacks_and_a_success_may_not() {
    let failure = Failure::new(ResultReason::OperationNotSupported, "1.0 has no Discover Versions");
    let item = ResponseItem::failure(Some(Operation::DiscoverVersions), None, failure);
    assert!(ResponseMessage::single(V::V1_0, DateTime(0), item).encode().is_ok());
    assert_eq!(
        answers(V::V1_0, discover_versions::Response::default()),
        Err(EncodeError::ValueNotInVersion {
            tag: Tag::Operation,
            value: "Discover Versions".to_owned(),
            version: V::V1_0
        })
    );
}

#[test]
fn an_error_says_what_the_version_lacks() {
    let error = asks(V::V1_0, locate::Request { offset_items: Some(1), ..locate::Request::default() });
    assert_eq!(error.map_err(|error| error.to_string()), Err("KMIP 1.0 has no Offset Items".to_owned()));
}

/// Unknown values are nobody's to refuse: a vendor's enumeration, tag and operation pass under every version of 1.x.
#[test]
fn what_nobody_knows_passes_in_every_version() {
    for version in VERSIONS {
        let attribute = Attribute::CryptographicAlgorithm(CryptographicAlgorithm(0x8000_0007));
        let got = get_attributes::Response {
            unique_identifier: "1".to_owned(),
            attributes: [attribute].into_iter().collect(),
        };
        assert_eq!(answers(version, got), Ok(()));
    }
    assert_eq!(CryptographicAlgorithm(0x8000_0007).to_string(), "0x80000007");
}

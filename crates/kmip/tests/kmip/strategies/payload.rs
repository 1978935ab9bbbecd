//! Payloads of every operation.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use strongroom_kmip::message::{RequestPayload, ResponsePayload};
use strongroom_kmip::operation::*;
use strongroom_kmip::ttlv::RawStructure;
use strongroom_kmip::types::*;
use strongroom_kmip::{Operation, ProtocolVersion};

use super::attribute::{attribute_name, attributes, instance, revocation_reason, template};
use super::object::object;
use super::{count, date, items, raw, since, text, value_of};

pub(super) fn masks(v: ProtocolVersion) -> BoxedStrategy<Option<ProtectionStorageMasks>> {
    let masks = vec(any::<u32>().prop_map(ProtectionStorageMask), 0..3);
    since(ProtocolVersion::V2_0, v, masks.prop_map(|masks| ProtectionStorageMasks { masks }))
}

pub(super) fn identifier() -> impl Strategy<Value = Option<String>> {
    option::of(text())
}

pub(super) fn unknown_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![Just(Operation::Archive), Just(Operation::ReKey), (0x8000_0000_u32..).prop_map(Operation)]
}

pub(super) fn request_payload(v: ProtocolVersion) -> BoxedStrategy<RequestPayload> {
    let mut payloads = vec![
        (value_of!(ObjectType, v), template(v), masks(v))
            .prop_map(|(object_type, template, protection_storage_masks)| {
                create::Request { object_type, template, protection_storage_masks }.into()
            })
            .boxed(),
        (value_of!(ObjectType, v), template(v), object(v), masks(v))
            .prop_map(|(object_type, template, object, protection_storage_masks)| {
                register::Request { object_type, template, object, protection_storage_masks }.into()
            })
            .boxed(),
        (
            option::of(count()),
            since(ProtocolVersion::V1_3, v, count()),
            option::of(any::<u32>().prop_map(StorageStatusMask)),
            since(ProtocolVersion::V1_1, v, value_of!(ObjectGroupMember, v)),
            attributes(v),
        )
            .prop_map(
                |(maximum_items, offset_items, storage_status_mask, object_group_member, attributes)| {
                    locate::Request {
                        maximum_items,
                        offset_items,
                        storage_status_mask,
                        object_group_member,
                        attributes,
                    }
                    .into()
                },
            )
            .boxed(),
        (
            identifier(),
            option::of(value_of!(KeyFormatType, v)),
            since(ProtocolVersion::V1_4, v, value_of!(KeyWrapType, v)),
            option::of(value_of!(KeyCompressionType, v)),
            option::of(raw()),
        )
            .prop_map(
                |(unique_identifier, key_format_type, key_wrap_type, key_compression_type, specification)| {
                    get::Request {
                        unique_identifier,
                        key_format_type,
                        key_wrap_type,
                        key_compression_type,
                        key_wrapping_specification: specification,
                    }
                    .into()
                },
            )
            .boxed(),
        (identifier(), vec(attribute_name(v), 0..4))
            .prop_map(|(unique_identifier, names)| {
                get_attributes::Request { unique_identifier, names }.into()
            })
            .boxed(),
        identifier()
            .prop_map(|unique_identifier| get_attribute_list::Request { unique_identifier }.into())
            .boxed(),
        (identifier(), instance(v))
            .prop_map(|(unique_identifier, attribute)| {
                add_attribute::Request { unique_identifier, attribute }.into()
            })
            .boxed(),
        (identifier(), instance(v))
            .prop_map(|(unique_identifier, attribute)| {
                modify_attribute::Request { unique_identifier, attribute }.into()
            })
            .boxed(),
        (identifier(), attribute_name(v), option::of(count()))
            .prop_map(move |(unique_identifier, name, index)| {
                let index = index.filter(|_| v.has_named_attributes());
                delete_attribute::Request { unique_identifier, name, index }.into()
            })
            .boxed(),
        identifier().prop_map(|unique_identifier| activate::Request { unique_identifier }.into()).boxed(),
        (identifier(), revocation_reason(v), option::of(date()))
            .prop_map(|(unique_identifier, reason, compromise_occurrence_date)| {
                revoke::Request { unique_identifier, reason, compromise_occurrence_date }.into()
            })
            .boxed(),
        identifier().prop_map(|unique_identifier| destroy::Request { unique_identifier }.into()).boxed(),
        vec(value_of!(QueryFunction, v), 0..5)
            .prop_map(|functions| query::Request { functions }.into())
            .boxed(),
        (unknown_operation(), items())
            .prop_map(|(operation, payload)| RequestPayload::Unknown { operation, payload })
            .boxed(),
    ];
    if v >= ProtocolVersion::V1_1 {
        payloads.push(versions().prop_map(|versions| discover_versions::Request { versions }.into()).boxed());
    }
    proptest::strategy::Union::new(payloads).boxed()
}

pub(super) fn versions() -> impl Strategy<Value = Vec<ProtocolVersion>> {
    vec((any::<u16>(), any::<u16>()).prop_map(|(major, minor)| ProtocolVersion::new(major, minor)), 0..4)
}

/// What a 1.x response repeats and a 2.x one cannot.
pub(super) fn only_named<T: Clone + std::fmt::Debug + 'static>(
    v: ProtocolVersion,
    strategy: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    if v.has_named_attributes() { option::of(strategy).boxed() } else { Just(None).boxed() }
}

pub(super) fn response_payload(v: ProtocolVersion) -> BoxedStrategy<ResponsePayload> {
    let mut payloads = vec![
        (value_of!(ObjectType, v), text(), only_named(v, template(v)))
            .prop_map(|(object_type, unique_identifier, template)| {
                create::Response { object_type, unique_identifier, template }.into()
            })
            .boxed(),
        (text(), only_named(v, template(v)))
            .prop_map(|(unique_identifier, template)| {
                register::Response { unique_identifier, template }.into()
            })
            .boxed(),
        (since(ProtocolVersion::V1_3, v, count()), vec(text(), 0..6))
            .prop_map(|(located_items, unique_identifiers)| {
                locate::Response { located_items, unique_identifiers }.into()
            })
            .boxed(),
        (value_of!(ObjectType, v), text(), object(v))
            .prop_map(|(object_type, unique_identifier, object)| {
                get::Response { object_type, unique_identifier, object }.into()
            })
            .boxed(),
        (text(), attributes(v))
            .prop_map(|(unique_identifier, attributes)| {
                get_attributes::Response { unique_identifier, attributes }.into()
            })
            .boxed(),
        (text(), vec(attribute_name(v), 0..6))
            .prop_map(|(unique_identifier, names)| {
                get_attribute_list::Response { unique_identifier, names }.into()
            })
            .boxed(),
        (text(), only_named(v, instance(v)))
            .prop_map(|(unique_identifier, attribute)| {
                add_attribute::Response { unique_identifier, attribute }.into()
            })
            .boxed(),
        (text(), only_named(v, instance(v)))
            .prop_map(|(unique_identifier, attribute)| {
                modify_attribute::Response { unique_identifier, attribute }.into()
            })
            .boxed(),
        (text(), only_named(v, instance(v)))
            .prop_map(|(unique_identifier, attribute)| {
                delete_attribute::Response { unique_identifier, attribute }.into()
            })
            .boxed(),
        text().prop_map(|unique_identifier| activate::Response { unique_identifier }.into()).boxed(),
        text().prop_map(|unique_identifier| revoke::Response { unique_identifier }.into()).boxed(),
        text().prop_map(|unique_identifier| destroy::Response { unique_identifier }.into()).boxed(),
        query_response(v).prop_map(ResponsePayload::Query).boxed(),
        (unknown_operation(), items())
            .prop_map(|(operation, payload)| ResponsePayload::Unknown { operation, payload })
            .boxed(),
    ];
    if v >= ProtocolVersion::V1_1 {
        payloads
            .push(versions().prop_map(|versions| discover_versions::Response { versions }.into()).boxed());
    }
    proptest::strategy::Union::new(payloads).boxed()
}

pub(super) fn query_response(v: ProtocolVersion) -> impl Strategy<Value = query::Response> {
    let extension = (text(), option::of(any::<i32>()), option::of(any::<i32>()))
        .prop_map(|(name, tag, item_type)| query::ExtensionInformation { name, tag, item_type });
    // Extension Type is an Integer until 2.0, which this crate does not advertise.
    let many = |since: ProtocolVersion, strategy: BoxedStrategy<RawStructure>| {
        if v >= since { vec(strategy, 0..2).boxed() } else { Just(Vec::new()).boxed() }
    };
    let first = (
        vec(value_of!(Operation, v), 0..5),
        vec(value_of!(ObjectType, v), 0..5),
        option::of(text()),
        option::of(raw()),
        vec(text(), 0..2),
        since(ProtocolVersion::V1_1, v, vec(extension, 0..2)),
        since(ProtocolVersion::V1_2, v, vec(value_of!(AttestationType, v), 0..2)),
    );
    let second = (
        many(ProtocolVersion::V1_3, raw().boxed()),
        many(ProtocolVersion::V1_3, raw().boxed()),
        many(ProtocolVersion::V1_3, raw().boxed()),
        many(ProtocolVersion::V1_3, raw().boxed()),
        since(ProtocolVersion::V1_3, v, vec(value_of!(ClientRegistrationMethod, v), 0..2)),
    );
    (first, second).prop_map(|(first, second)| query::Response {
        operations: first.0,
        object_types: first.1,
        vendor_identification: first.2,
        server_information: first.3,
        application_namespaces: first.4,
        extensions: first.5.unwrap_or_default(),
        attestation_types: first.6.unwrap_or_default(),
        rng_parameters: second.0,
        profiles: second.1,
        validations: second.2,
        capabilities: second.3,
        client_registration_methods: second.4.unwrap_or_default(),
    })
}

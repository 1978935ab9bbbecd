//! Messages of every operation and version, made at random: only what the version has, so that each can be encoded.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use strongroom_kmip::attribute::*;
use strongroom_kmip::message::*;
use strongroom_kmip::object::*;
use strongroom_kmip::operation::*;
use strongroom_kmip::ttlv::{DateTime, Interval, Item, RawStructure, Tag, Value};
use strongroom_kmip::types::*;
use strongroom_kmip::{Operation, ProtocolVersion};
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

/// Every version of 1.x.
pub(crate) const VERSIONS_1: [ProtocolVersion; 5] = [
    ProtocolVersion::V1_0,
    ProtocolVersion::V1_1,
    ProtocolVersion::V1_2,
    ProtocolVersion::V1_3,
    ProtocolVersion::V1_4,
];

pub(crate) fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop_oneof![
        5 => proptest::sample::select(VERSIONS_1.as_slice()),
        1 => Just(ProtocolVersion::V2_1),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9:/._-]{0,20}", "\\PC{0,12}"]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn key() -> impl Strategy<Value = KeyMaterial> {
    bytes().prop_map(|bytes| KeyMaterial::new(&bytes))
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![0..10_u32, 0..=i32::MAX.cast_unsigned()]
}

fn date() -> impl Strategy<Value = DateTime> {
    any::<i64>().prop_map(DateTime)
}

/// A value of an enumeration: one that `version` has, or one that nobody knows.
macro_rules! value_of {
    ($Type:ident, $version:expr) => {{
        let known: Vec<$Type> = $Type::ALL.iter().copied().filter(|value| value.exists_in($version)).collect();
        let unknown = (0x8000_0000_u32..).prop_map($Type);
        if known.is_empty() { unknown.boxed() } else { prop_oneof![5 => proptest::sample::select(known), 1 => unknown].boxed() }
    }};
}

/// A field that came with `since`.
fn since<T: Clone + std::fmt::Debug + 'static>(
    since: ProtocolVersion,
    version: ProtocolVersion,
    strategy: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    if version >= since { option::of(strategy).boxed() } else { Just(None).boxed() }
}

/// Values under vendors' tags, which belong to no version.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        any::<i64>().prop_map(Value::LongInteger),
        vec(any::<u8>(), 1..3).prop_map(|words| Value::BigInteger(Zeroizing::new(words.repeat(8)))),
        any::<u32>().prop_map(Value::Enumeration),
        any::<bool>().prop_map(Value::Boolean),
        text().prop_map(Value::TextString),
        bytes().prop_map(|bytes| Value::ByteString(bytes.into())),
        date().prop_map(Value::DateTime),
        any::<u32>().prop_map(|seconds| Value::Interval(Interval(seconds))),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        vec((0x54_0000_u32..0x55_0000, inner), 0..5).prop_map(|items| {
            Value::Structure(
                items.into_iter().map(|(tag, value)| Item { tag: Tag::new(tag), value }).collect(),
            )
        })
    })
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    vec((0x54_0000_u32..0x55_0000, value()), 0..4)
        .prop_map(|items| items.into_iter().map(|(tag, value)| Item { tag: Tag::new(tag), value }).collect())
}

fn raw() -> impl Strategy<Value = RawStructure> {
    items().prop_map(RawStructure)
}

fn name() -> impl Strategy<Value = Name> {
    (text(), value_of!(NameType, ProtocolVersion::V1_0)).prop_map(|(value, kind)| Name { value, kind })
}

fn custom_name(version: ProtocolVersion) -> BoxedStrategy<String> {
    if version.has_named_attributes() {
        prop_oneof!["[xy]-[a-zA-Z ]{0,12}", "Storage Status Mask", "[a-z]{1,8}"].boxed()
    } else {
        "[xy]-[a-zA-Z]{0,12}".boxed()
    }
}

fn standard_attribute(kind: AttributeKind, v: ProtocolVersion) -> BoxedStrategy<Attribute> {
    use AttributeKind as K;
    match kind {
        K::UniqueIdentifier => text().prop_map(Attribute::UniqueIdentifier).boxed(),
        K::Name => name().prop_map(Attribute::Name).boxed(),
        K::ObjectType => value_of!(ObjectType, v).prop_map(Attribute::ObjectType).boxed(),
        K::CryptographicAlgorithm => {
            value_of!(CryptographicAlgorithm, v).prop_map(Attribute::CryptographicAlgorithm).boxed()
        }
        K::CryptographicLength => count().prop_map(Attribute::CryptographicLength).boxed(),
        K::CryptographicParameters => {
            let since_1_2 = |strategy| since(ProtocolVersion::V1_2, v, strategy);
            let old = (
                option::of(value_of!(BlockCipherMode, v)),
                option::of(value_of!(PaddingMethod, v)),
                option::of(value_of!(HashingAlgorithm, v)),
                option::of(value_of!(KeyRoleType, v)),
            );
            let new = (
                since(ProtocolVersion::V1_1, v, value_of!(DigitalSignatureAlgorithm, v)),
                since(ProtocolVersion::V1_2, v, any::<bool>()),
                since_1_2(count().boxed()),
                since_1_2(count().boxed()),
                since(ProtocolVersion::V1_4, v, value_of!(MaskGenerator, v)),
                since(ProtocolVersion::V1_4, v, bytes()),
            );
            (old, new)
                .prop_map(|((block_cipher_mode, padding_method, hashing_algorithm, key_role_type), new)| {
                    Attribute::CryptographicParameters(Box::new(CryptographicParameters {
                        block_cipher_mode,
                        padding_method,
                        hashing_algorithm,
                        key_role_type,
                        digital_signature_algorithm: new.0,
                        random_iv: new.1,
                        iv_length: new.2,
                        counter_length: new.3,
                        mask_generator: new.4,
                        p_source: new.5,
                        ..CryptographicParameters::default()
                    }))
                })
                .boxed()
        }
        K::CryptographicDomainParameters => raw().prop_map(Attribute::CryptographicDomainParameters).boxed(),
        K::CertificateType => value_of!(CertificateType, v).prop_map(Attribute::CertificateType).boxed(),
        K::CertificateLength => count().prop_map(Attribute::CertificateLength).boxed(),
        K::X_509CertificateIdentifier => raw().prop_map(Attribute::X_509CertificateIdentifier).boxed(),
        K::X_509CertificateSubject => raw().prop_map(Attribute::X_509CertificateSubject).boxed(),
        K::X_509CertificateIssuer => raw().prop_map(Attribute::X_509CertificateIssuer).boxed(),
        K::CertificateIdentifier => raw().prop_map(Attribute::CertificateIdentifier).boxed(),
        K::CertificateSubject => raw().prop_map(Attribute::CertificateSubject).boxed(),
        K::CertificateIssuer => raw().prop_map(Attribute::CertificateIssuer).boxed(),
        K::DigitalSignatureAlgorithm => {
            value_of!(DigitalSignatureAlgorithm, v).prop_map(Attribute::DigitalSignatureAlgorithm).boxed()
        }
        K::Digest => {
            (value_of!(HashingAlgorithm, v), option::of(bytes()), option::of(value_of!(KeyFormatType, v)))
                .prop_map(|(algorithm, value, format)| Attribute::Digest(Digest { algorithm, value, format }))
                .boxed()
        }
        K::OperationPolicyName => text().prop_map(Attribute::OperationPolicyName).boxed(),
        K::CryptographicUsageMask => {
            any::<u32>().prop_map(|bits| Attribute::CryptographicUsageMask(UsageMask(bits))).boxed()
        }
        K::LeaseTime => any::<u32>().prop_map(|seconds| Attribute::LeaseTime(Interval(seconds))).boxed(),
        K::UsageLimits => (any::<i64>(), option::of(any::<i64>()), value_of!(UsageLimitsUnit, v))
            .prop_map(|(total, count, unit)| Attribute::UsageLimits(UsageLimits { total, count, unit }))
            .boxed(),
        K::State => value_of!(State, v).prop_map(Attribute::State).boxed(),
        K::InitialDate => date().prop_map(Attribute::InitialDate).boxed(),
        K::ActivationDate => date().prop_map(Attribute::ActivationDate).boxed(),
        K::ProcessStartDate => date().prop_map(Attribute::ProcessStartDate).boxed(),
        K::ProtectStopDate => date().prop_map(Attribute::ProtectStopDate).boxed(),
        K::DeactivationDate => date().prop_map(Attribute::DeactivationDate).boxed(),
        K::DestroyDate => date().prop_map(Attribute::DestroyDate).boxed(),
        K::CompromiseOccurrenceDate => date().prop_map(Attribute::CompromiseOccurrenceDate).boxed(),
        K::CompromiseDate => date().prop_map(Attribute::CompromiseDate).boxed(),
        K::RevocationReason => revocation_reason(v).prop_map(Attribute::RevocationReason).boxed(),
        K::ArchiveDate => date().prop_map(Attribute::ArchiveDate).boxed(),
        K::ObjectGroup => text().prop_map(Attribute::ObjectGroup).boxed(),
        K::Fresh => any::<bool>().prop_map(Attribute::Fresh).boxed(),
        K::Link => (value_of!(LinkType, v), text())
            .prop_map(|(kind, object)| Attribute::Link(Link { kind, object }))
            .boxed(),
        K::ApplicationSpecificInformation => (text(), option::of(text()))
            .prop_map(|(namespace, data)| {
                Attribute::ApplicationSpecificInformation(ApplicationSpecificInformation { namespace, data })
            })
            .boxed(),
        K::ContactInformation => text().prop_map(Attribute::ContactInformation).boxed(),
        K::LastChangeDate => date().prop_map(Attribute::LastChangeDate).boxed(),
        K::AlternativeName => (text(), value_of!(AlternativeNameType, v))
            .prop_map(|(value, kind)| Attribute::AlternativeName(AlternativeName { value, kind }))
            .boxed(),
        K::KeyValuePresent => any::<bool>().prop_map(Attribute::KeyValuePresent).boxed(),
        K::KeyValueLocation => raw().prop_map(Attribute::KeyValueLocation).boxed(),
        K::OriginalCreationDate => date().prop_map(Attribute::OriginalCreationDate).boxed(),
        K::RandomNumberGenerator => raw().prop_map(Attribute::RandomNumberGenerator).boxed(),
        K::PKCS_12FriendlyName => text().prop_map(Attribute::PKCS_12FriendlyName).boxed(),
        K::Description => text().prop_map(Attribute::Description).boxed(),
        K::Comment => text().prop_map(Attribute::Comment).boxed(),
        K::Sensitive => any::<bool>().prop_map(Attribute::Sensitive).boxed(),
        K::AlwaysSensitive => any::<bool>().prop_map(Attribute::AlwaysSensitive).boxed(),
        K::Extractable => any::<bool>().prop_map(Attribute::Extractable).boxed(),
        K::NeverExtractable => any::<bool>().prop_map(Attribute::NeverExtractable).boxed(),
        K::KeyFormatType => value_of!(KeyFormatType, v).prop_map(Attribute::KeyFormatType).boxed(),
        K::NISTKeyType => value_of!(NISTKeyType, v).prop_map(Attribute::NISTKeyType).boxed(),
        K::OpaqueDataType => value_of!(OpaqueDataType, v).prop_map(Attribute::OpaqueDataType).boxed(),
        K::ProtectionLevel => value_of!(ProtectionLevel, v).prop_map(Attribute::ProtectionLevel).boxed(),
        K::ProtectionPeriod => {
            any::<u32>().prop_map(|seconds| Attribute::ProtectionPeriod(Interval(seconds))).boxed()
        }
        K::ProtectionStorageMask => any::<u32>()
            .prop_map(|bits| Attribute::ProtectionStorageMask(ProtectionStorageMask(bits)))
            .boxed(),
        K::QuantumSafe => any::<bool>().prop_map(Attribute::QuantumSafe).boxed(),
        K::ShortUniqueIdentifier => bytes().prop_map(Attribute::ShortUniqueIdentifier).boxed(),
        K::RotateAutomatic => any::<bool>().prop_map(Attribute::RotateAutomatic).boxed(),
        K::RotateDate => date().prop_map(Attribute::RotateDate).boxed(),
        K::RotateGeneration => count().prop_map(Attribute::RotateGeneration).boxed(),
        K::RotateInterval => {
            any::<u32>().prop_map(|seconds| Attribute::RotateInterval(Interval(seconds))).boxed()
        }
        K::RotateLatest => any::<bool>().prop_map(Attribute::RotateLatest).boxed(),
        K::RotateName => raw().prop_map(Attribute::RotateName).boxed(),
        K::RotateOffset => {
            any::<u32>().prop_map(|seconds| Attribute::RotateOffset(Interval(seconds))).boxed()
        }
    }
}

fn revocation_reason(v: ProtocolVersion) -> impl Strategy<Value = RevocationReason> {
    (value_of!(RevocationReasonCode, v), option::of(text()))
        .prop_map(|(code, message)| RevocationReason { code, message })
}

pub(crate) fn attribute(v: ProtocolVersion) -> BoxedStrategy<Attribute> {
    let kinds: Vec<AttributeKind> =
        AttributeKind::ALL.iter().copied().filter(|kind| kind.exists_in(v)).collect();
    let standard = proptest::sample::select(kinds).prop_flat_map(move |kind| standard_attribute(kind, v));
    let custom = (custom_name(v), value()).prop_map(|(name, value)| Attribute::Custom { name, value });
    if v.has_named_attributes() {
        return prop_oneof![5 => standard, 1 => custom].boxed();
    }
    let vendor = ("[a-z]{2,8}", text(), value()).prop_map(|(vendor, name, value)| {
        Attribute::Vendor(Box::new(VendorAttribute { vendor, name, value }))
    });
    let other = (0x54_0000_u32..0x55_0000, value())
        .prop_map(|(tag, value)| Attribute::Other(Box::new(Item { tag: Tag::new(tag), value })));
    prop_oneof![5 => standard, 1 => custom, 1 => vendor, 1 => other].boxed()
}

fn instance(v: ProtocolVersion) -> impl Strategy<Value = AttributeInstance> {
    let index = if v.has_named_attributes() { option::of(count()).boxed() } else { Just(None).boxed() };
    (index, attribute(v)).prop_map(|(index, attribute)| AttributeInstance { index, attribute })
}

fn attributes(v: ProtocolVersion) -> impl Strategy<Value = Attributes> {
    vec(instance(v), 0..5).prop_map(Attributes::from)
}

fn template(v: ProtocolVersion) -> impl Strategy<Value = TemplateAttribute> {
    let names = if v.has_named_attributes() { vec(name(), 0..2).boxed() } else { Just(Vec::new()).boxed() };
    (names, attributes(v)).prop_map(|(names, attributes)| TemplateAttribute { names, attributes })
}

fn attribute_name(v: ProtocolVersion) -> impl Strategy<Value = AttributeName> {
    attribute(v).prop_map(|attribute| attribute.name())
}

fn key_value(v: ProtocolVersion) -> impl Strategy<Value = KeyValue> {
    let bytes = prop_oneof![
        key().prop_map(KeyBytes::Plain),
        key().prop_map(KeyBytes::TransparentSymmetric),
        items().prop_map(KeyBytes::Transparent),
    ];
    prop_oneof![
        4 => (bytes, attributes(v)).prop_map(|(bytes, attributes)| KeyValue::Plain { bytes, attributes }),
        1 => key().prop_map(KeyValue::Wrapped),
    ]
}

fn key_block(v: ProtocolVersion) -> impl Strategy<Value = KeyBlock> {
    (
        value_of!(KeyFormatType, v),
        option::of(value_of!(KeyCompressionType, v)),
        option::of(key_value(v)),
        option::of(value_of!(CryptographicAlgorithm, v)),
        option::of(count()),
        option::of(raw()),
    )
        .prop_map(|(format, compression, value, algorithm, length, wrapping)| KeyBlock {
            format,
            compression,
            value,
            algorithm,
            length,
            wrapping,
        })
}

fn object(v: ProtocolVersion) -> impl Strategy<Value = ManagedObject> {
    prop_oneof![
        3 => key_block(v).prop_map(ManagedObject::SymmetricKey),
        2 => (value_of!(SecretDataType, v), key_block(v))
            .prop_map(|(kind, key_block)| ManagedObject::SecretData { kind, key_block }),
        1 => (any::<u32>(), key())
            .prop_map(|(kind, data)| ManagedObject::OpaqueObject { kind: OpaqueDataType(kind), data }),
        1 => items().prop_map(|items| {
            ManagedObject::Unknown(Item { tag: Tag::PrivateKey, value: Value::Structure(items) })
        }),
    ]
}

fn masks(v: ProtocolVersion) -> BoxedStrategy<Option<ProtectionStorageMasks>> {
    let masks = vec(any::<u32>().prop_map(ProtectionStorageMask), 0..3);
    since(ProtocolVersion::V2_0, v, masks.prop_map(|masks| ProtectionStorageMasks { masks }))
}

fn identifier() -> impl Strategy<Value = Option<String>> {
    option::of(text())
}

fn unknown_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![Just(Operation::Archive), Just(Operation::ReKey), (0x8000_0000_u32..).prop_map(Operation)]
}

pub(crate) fn request_payload(v: ProtocolVersion) -> BoxedStrategy<RequestPayload> {
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

fn versions() -> impl Strategy<Value = Vec<ProtocolVersion>> {
    vec((any::<u16>(), any::<u16>()).prop_map(|(major, minor)| ProtocolVersion::new(major, minor)), 0..4)
}

/// What a 1.x response repeats and a 2.x one cannot.
fn only_named<T: Clone + std::fmt::Debug + 'static>(
    v: ProtocolVersion,
    strategy: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    if v.has_named_attributes() { option::of(strategy).boxed() } else { Just(None).boxed() }
}

pub(crate) fn response_payload(v: ProtocolVersion) -> BoxedStrategy<ResponsePayload> {
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

fn query_response(v: ProtocolVersion) -> impl Strategy<Value = query::Response> {
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

fn extensions() -> impl Strategy<Value = Vec<MessageExtension>> {
    let extension = (text(), any::<bool>(), raw())
        .prop_map(|(vendor, critical, extension)| MessageExtension { vendor, critical, extension });
    prop_oneof![4 => Just(Vec::new()), 1 => vec(extension, 0..3)]
}

fn credential(v: ProtocolVersion) -> BoxedStrategy<Credential> {
    let password = || option::of(text().prop_map(|text| Password::new(Zeroizing::new(text))));
    let user = (text(), password())
        .prop_map(|(username, password)| Credential::UsernameAndPassword { username, password });
    let other = ((0x8000_0000_u32..).prop_map(CredentialType), raw())
        .prop_map(|(kind, value)| Credential::Other { kind, value });
    if v < ProtocolVersion::V1_1 {
        return prop_oneof![user, other].boxed();
    }
    let device =
        (option::of(text()), password(), option::of(text())).prop_map(|(serial, password, machine)| {
            Credential::Device(Box::new(DeviceCredential {
                device_serial_number: serial,
                password,
                machine_identifier: machine,
                ..DeviceCredential::default()
            }))
        });
    prop_oneof![user, other, device].boxed()
}

pub(crate) fn request_header(v: ProtocolVersion) -> impl Strategy<Value = RequestHeader> {
    let asynchronous = if v.has_named_attributes() {
        proptest::sample::select(vec![AsynchronousIndicator::Optional, AsynchronousIndicator::Prohibited])
            .boxed()
    } else {
        value_of!(AsynchronousIndicator, v)
    };
    (
        option::of(count()),
        since(ProtocolVersion::V1_4, v, text()),
        since(ProtocolVersion::V1_4, v, text()),
        option::of(asynchronous),
        since(ProtocolVersion::V1_2, v, any::<bool>()),
        since(ProtocolVersion::V1_2, v, vec(value_of!(AttestationType, v), 0..2)),
        vec(credential(v), 0..3),
        option::of(value_of!(BatchErrorContinuationOption, v)),
        option::of(any::<bool>()),
        option::of(date()),
    )
        .prop_map(move |header| RequestHeader {
            version: v,
            maximum_response_size: header.0,
            client_correlation_value: header.1,
            server_correlation_value: header.2,
            asynchronous: header.3,
            attestation_capable: header.4,
            attestation_types: header.5.unwrap_or_default(),
            authentication: header.6,
            batch_error_continuation: header.7,
            batch_order: header.8,
            time_stamp: header.9,
        })
}

pub(crate) fn request(v: ProtocolVersion) -> impl Strategy<Value = RequestMessage> {
    let item = (option::of(bytes()), request_payload(v), extensions())
        .prop_map(|(batch_id, payload, extensions)| RequestItem { batch_id, payload, extensions });
    (request_header(v), vec(item, 0..4)).prop_map(|(header, items)| RequestMessage { header, items })
}

fn response_header(v: ProtocolVersion) -> impl Strategy<Value = ResponseHeader> {
    (
        date(),
        since(ProtocolVersion::V1_2, v, raw()),
        since(ProtocolVersion::V2_0, v, bytes()),
        since(ProtocolVersion::V1_2, v, vec(value_of!(AttestationType, v), 0..2)),
        since(ProtocolVersion::V1_4, v, text()),
        since(ProtocolVersion::V1_4, v, text()),
    )
        .prop_map(move |header| ResponseHeader {
            version: v,
            time_stamp: header.0,
            nonce: header.1,
            server_hashed_password: header.2,
            attestation_types: header.3.unwrap_or_default(),
            client_correlation_value: header.4,
            server_correlation_value: header.5,
        })
}

pub(crate) fn response(v: ProtocolVersion) -> impl Strategy<Value = ResponseMessage> {
    let failure = (
        proptest::sample::select(vec![
            ResultStatus::OperationFailed,
            ResultStatus::OperationPending,
            ResultStatus::OperationUndone,
        ]),
        value_of!(ResultReason, v),
        option::of(text()),
    )
        .prop_map(|(status, reason, message)| Failure { status, reason, message });
    // A failure may name an operation that the version does not have.
    let failed = (
        option::of(any::<u32>().prop_map(Operation)),
        option::of(bytes()),
        failure,
        option::of(bytes()),
        extensions(),
    )
        .prop_map(|(operation, batch_id, failure, asynchronous_correlation_value, extensions)| {
            ResponseItem {
                operation,
                batch_id,
                result: Err(failure),
                asynchronous_correlation_value,
                extensions,
            }
        });
    let succeeded = (option::of(bytes()), response_payload(v), extensions()).prop_map(
        |(batch_id, payload, extensions)| ResponseItem {
            extensions,
            ..ResponseItem::success(batch_id, payload)
        },
    );
    (response_header(v), vec(prop_oneof![3 => succeeded, 1 => failed], 0..4))
        .prop_map(|(header, items)| ResponseMessage { header, items })
}

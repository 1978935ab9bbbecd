//! Managed objects.

use proptest::option;
use proptest::prelude::*;
use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::object::*;
use strongroom_kmip::ttlv::{Item, Tag, Value};
use strongroom_kmip::types::*;

use super::attribute::attributes;
use super::{count, items, key, raw, value_of};

pub(super) fn key_value(v: ProtocolVersion) -> impl Strategy<Value = KeyValue> {
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

pub(super) fn key_block(v: ProtocolVersion) -> impl Strategy<Value = KeyBlock> {
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

pub(super) fn object(v: ProtocolVersion) -> impl Strategy<Value = ManagedObject> {
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

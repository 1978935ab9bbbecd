//! Messages of every operation and version, made at random: only what the version has, so that each can be encoded.

mod attribute;
mod message;
mod object;
mod payload;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::ttlv::{DateTime, Interval, Item, RawStructure, Tag, Value};
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

pub(crate) use message::{request, response};

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

use value_of;

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

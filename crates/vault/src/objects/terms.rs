//! Under which terms an object can be found. The barrier turns each into a keyed hash before the store sees it.
//!
//! Only what is compared for equality and never changes by itself is a term: the state, which follows from dates, is not.
//! `storage` is one of `online` and `destroyed`, the two that Locate's Storage Status Mask tells apart.

use std::borrow::Cow;

use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::attribute::Attribute;
use strongroom_kmip::ttlv::{Tag, Value, Writer};
use strongroom_kmip::types::ObjectType;

use super::ManagedObject;
use crate::barrier::Term;

// The fields, as docs/formats/object-record.md lists them. They are hashed with their values: renaming one loses what was
// stored under it.
const OBJECT_TYPE: &str = "object type";
const STORAGE: &str = "storage";
const NAME: &str = "name";
const UNIQUE_NAME: &str = "unique name";
const OBJECT_GROUP: &str = "object group";
const APPLICATION: &str = "application";
const CUSTOM: &str = "custom";

/// The terms of one object.
pub(crate) struct FoundBy {
    /// Terms by which it can be found.
    pub(crate) terms: Vec<Term<'static>>,
    /// Terms that it must not share with another object of its wallet.
    pub(crate) unique: Vec<Term<'static>>,
}

/// Where an object's key is, as the Storage Status Mask asks (KMIP 1.4 §9.1.3.3.2). Nothing is archived here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Here.
    Online,
    /// Gone.
    Destroyed,
}

/// The terms of `object`. The Name of a destroyed object can be found but is free for another.
pub(crate) fn of(object: &ManagedObject) -> FoundBy {
    let destroyed = object.life.destroy.is_some();
    let mut terms = vec![
        object_type(object.object_type),
        storage(if destroyed { Storage::Destroyed } else { Storage::Online }),
    ];
    terms.extend(object.attributes.iter().filter_map(exact));
    // The same custom value twice is one term.
    terms.sort_by(|a, b| (&a.field, &a.value).cmp(&(&b.field, &b.value)));
    terms.dedup();
    let unique = if destroyed {
        Vec::new()
    } else {
        object.attributes.names().map(|name| term(UNIQUE_NAME, name.value.as_bytes().to_vec())).collect()
    };
    FoundBy { terms, unique }
}

/// The term of an object type.
pub(crate) fn object_type(object_type: ObjectType) -> Term<'static> {
    term(OBJECT_TYPE, object_type.0.to_be_bytes().to_vec())
}

/// The term of a storage status.
pub(crate) fn storage(storage: Storage) -> Term<'static> {
    term(
        STORAGE,
        match storage {
            Storage::Online => b"online".to_vec(),
            Storage::Destroyed => b"destroyed".to_vec(),
        },
    )
}

/// The term that every object with exactly this attribute has; nothing for attributes that are not searched by hash.
pub(crate) fn exact(attribute: &Attribute) -> Option<Term<'static>> {
    match attribute {
        Attribute::ObjectType(kind) => Some(object_type(*kind)),
        Attribute::Name(name) => {
            let mut value = name.kind.0.to_be_bytes().to_vec();
            value.extend_from_slice(name.value.as_bytes());
            Some(term(NAME, value))
        }
        Attribute::ObjectGroup(group) => Some(term(OBJECT_GROUP, group.as_bytes().to_vec())),
        Attribute::ApplicationSpecificInformation(info) => {
            let data = info.data.as_deref()?;
            Some(term(APPLICATION, joined(&info.namespace, data.as_bytes())))
        }
        Attribute::Custom { name, value } => Some(term(CUSTOM, joined(name, &encoded(value)?))),
        _ => None,
    }
}

/// How many objects are likely to have a term: rare ones first.
pub(crate) fn commonness(term: &Term<'_>) -> u8 {
    match term.field.as_ref() {
        NAME => 0,
        APPLICATION => 1,
        CUSTOM => 2,
        OBJECT_GROUP => 3,
        OBJECT_TYPE => 4,
        _ => 5,
    }
}

fn term(field: &'static str, value: Vec<u8>) -> Term<'static> {
    Term { field: Cow::Borrowed(field), value: Cow::Owned(value) }
}

/// Both parts, the first with its length, so that no two pairs are alike.
fn joined(first: &str, second: &[u8]) -> Vec<u8> {
    let mut value = (first.len() as u64).to_be_bytes().to_vec();
    value.extend_from_slice(first.as_bytes());
    value.extend_from_slice(second);
    value
}

/// A value of any type as TTLV: one encoding for each value, the type included.
fn encoded(value: &Value) -> Option<Vec<u8>> {
    let mut writer = Writer::new(ProtocolVersion::V1_4);
    writer.ungated(|writer| writer.item_value(Tag::AttributeValue, value)).ok()?;
    Some(writer.into_bytes().to_vec())
}

//! A decoded message takes at most a small multiple of its bytes.
//!
//! Counting allocations would need an allocator of our own, and that needs `unsafe`. So the bound is shown in two steps. Every growing
//! list holds one kind of element, and an element is there only because its shortest encoding was read: so elements times their size
//! is at most bytes times (size / shortest encoding), and a `Vec` that doubles holds at most twice that, or four elements if that is
//! more. Strings and byte strings are as long as what was read. The first test checks the ratio of each kind; the second measures
//! messages made of the worst kinds.

use std::mem::size_of;

use strongroom_kmip::attribute::{AttributeInstance, Name};
use strongroom_kmip::message::{Credential, MessageExtension, RequestItem, ResponseItem};
use strongroom_kmip::operation::query::ExtensionInformation;
use strongroom_kmip::ttlv::{Item, RawStructure, Tag, Value};
use strongroom_kmip::{AttributeName, Limits, ProtocolVersion, RequestMessage, RequestPayload};

/// What a byte of input may cost at most, in bytes of memory.
const FACTOR: usize = 32;

/// Bytes of the head of an item: also the shortest structure, text and byte string.
const HEAD: usize = 8;
/// Bytes of the shortest item with a value.
const FOUR_OR_EIGHT: usize = 16;

#[test]
fn no_element_of_a_list_is_much_larger_than_its_shortest_encoding() {
    let elements = [
        ("Item", size_of::<Item>(), HEAD),
        ("RawStructure", size_of::<RawStructure>(), HEAD),
        ("String", size_of::<String>(), HEAD),
        ("AttributeName", size_of::<AttributeName>(), HEAD),
        ("AttributeInstance, 2.x", size_of::<AttributeInstance>(), HEAD),
        ("Name", size_of::<Name>(), HEAD + HEAD + FOUR_OR_EIGHT),
        ("ProtocolVersion", size_of::<ProtocolVersion>(), HEAD + 2 * FOUR_OR_EIGHT),
        ("ExtensionInformation", size_of::<ExtensionInformation>(), HEAD + HEAD),
        ("Credential", size_of::<Credential>(), HEAD + FOUR_OR_EIGHT + HEAD),
        ("MessageExtension", size_of::<MessageExtension>(), HEAD + HEAD + FOUR_OR_EIGHT + HEAD),
        ("RequestItem", size_of::<RequestItem>(), HEAD + FOUR_OR_EIGHT + HEAD),
        ("ResponseItem", size_of::<ResponseItem>(), HEAD + 2 * FOUR_OR_EIGHT),
    ];
    for (name, size, shortest) in elements {
        assert!(2 * size <= FACTOR * shortest, "{name}: twice {size} bytes for {shortest}");
    }
}

/// What a tree holds, its lists counted with the room they have.
fn cost(items: &Vec<Item>) -> usize {
    let inside = items.iter().map(|item| match &item.value {
        Value::Structure(items) => cost(items),
        Value::TextString(text) => text.capacity(),
        Value::ByteString(bytes) | Value::BigInteger(bytes) => bytes.capacity(),
        _ => 0,
    });
    items.capacity() * size_of::<Item>() + inside.sum::<usize>()
}

#[test]
fn the_worst_trees_stay_within_the_factor() {
    let empty = || Value::Structure(Vec::new());
    let item = |value| Item { tag: Tag::new(0x54_0001), value };
    let mut deep = empty();
    for _ in 0..28 {
        deep = Value::Structure(vec![item(deep)]);
    }
    let trees = [
        vec![item(empty()); 9_999],
        vec![item(Value::TextString(String::new())); 4_097],
        vec![item(Value::Structure(vec![item(empty())])); 5_000],
        vec![item(deep.clone()); 500],
        vec![item(Value::ByteString(vec![7; 100_000].into()))],
    ];
    for payload in trees {
        let operation = strongroom_kmip::Operation(0x8000_0000);
        let request =
            RequestMessage::single(ProtocolVersion::V1_4, RequestPayload::Unknown { operation, payload });
        let bytes = request.encode().expect("vendors' tags are in every version");
        let decoded = RequestMessage::decode(&bytes, &Limits::REQUEST).expect("within the limits");
        let RequestPayload::Unknown { payload, .. } = &decoded.items[0].payload else {
            panic!("it was unknown")
        };
        let cost = cost(payload);
        assert!(cost <= FACTOR * bytes.len(), "{cost} bytes for {}", bytes.len());
    }
}

/// A length is believed only once its bytes are there: a message of a hundred bytes that announces gigabytes reserves nothing.
#[test]
fn a_large_batch_count_reserves_nothing() {
    let mut bytes =
        RequestMessage::single(ProtocolVersion::V1_4, strongroom_kmip::operation::get::Request::default())
            .encode()
            .expect("1.4 has Get")
            .to_vec();
    let batch_count = bytes.windows(3).position(|tag| tag == [0x42, 0, 0x0D]).expect("a Batch Count") + 8;
    bytes[batch_count..batch_count + 4].copy_from_slice(&i32::MAX.to_be_bytes());
    let limits = Limits { batch_items: usize::MAX, ..Limits::REQUEST };
    // Room for 2^31 items would be more than this machine has.
    assert!(RequestMessage::decode(&bytes, &limits).is_err());
}

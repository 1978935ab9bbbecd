use super::*;
use crate::version::ProtocolVersion;

/// The tag of the specification's examples.
const EXAMPLE: Tag = Tag::new(0x42_0020);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn read(bytes: &[u8]) -> Result<Item, DecodeError> {
    read_within(bytes, &Limits::REQUEST)
}

fn read_within(bytes: &[u8], limits: &Limits) -> Result<Item, DecodeError> {
    let mut reader = Reader::new(bytes, Unexpected::Refuse, limits)?;
    let item = reader.item()?;
    reader.finish()?;
    Ok(item)
}

fn write(item: &Item) -> Vec<u8> {
    let mut writer = Writer::new(ProtocolVersion::V2_1);
    writer.item(item).expect("2.1 has every type");
    writer.into_bytes().to_vec()
}

/// KMIP 1.4 §9.1.2, and KMIP 2.1 §9.1.2 for the last: every example, byte for byte, in both directions.
#[test]
fn the_specifications_examples_are_encoded_and_decoded_byte_for_byte() {
    let structure = Value::Structure(vec![
        Item { tag: Tag::new(0x42_0004), value: Value::Enumeration(254) },
        Item { tag: Tag::new(0x42_0005), value: Value::Integer(255) },
    ]);
    let big = hex("0000000003FD35EB6BC2DF4618080000");
    let examples = [
        ("420020 02 00000004 00000008 00000000", Value::Integer(8)),
        ("420020 03 00000008 01B69B4BA5749200", Value::LongInteger(123_456_789_000_000_000)),
        ("420020 04 00000010 0000000003FD35EB6BC2DF4618080000", Value::BigInteger(big.into())),
        ("420020 05 00000004 000000FF 00000000", Value::Enumeration(255)),
        ("420020 06 00000008 0000000000000001", Value::Boolean(true)),
        ("420020 07 0000000B 48656C6C6F20576F726C640000000000", Value::TextString("Hello World".to_owned())),
        ("420020 08 00000003 0102030000000000", Value::ByteString(vec![1, 2, 3].into())),
        ("420020 09 00000008 0000000047DA67F8", Value::DateTime(DateTime(1_205_495_800))),
        ("420020 0A 00000004 000D2F00 00000000", Value::Interval(Interval(864_000))),
        (
            "420020 01 00000020 420004 05 00000004 000000FE 00000000 420005 02 00000004 000000FF 00000000",
            structure,
        ),
        ("420020 0B 00000008 0000000047DA67F8", Value::DateTimeExtended(1_205_495_800)),
    ];
    for (bytes, value) in examples {
        let bytes = hex(bytes);
        let item = Item { tag: EXAMPLE, value };
        assert_eq!(write(&item), bytes, "{item:?}");
        assert_eq!(read(&bytes).as_ref(), Ok(&item), "{item:?}");
    }
}

#[test]
fn padding_is_written_as_zeroes_and_ignored_when_read() {
    let bytes = hex("420020 07 00000001 41 FFFFFFFFFFFFFF");
    assert_eq!(read(&bytes).map(|item| item.value), Ok(Value::TextString("A".to_owned())));
}

#[test]
fn every_beginning_of_an_item_is_truncated() {
    let bytes = hex("420020 01 00000010 420004 07 00000003 4142430000000000");
    assert!(read(&bytes).is_ok());
    for end in 0..bytes.len() {
        let error = read(&bytes[..end]).expect_err("the item is not whole");
        assert!(
            matches!(
                error.kind,
                DecodeErrorKind::Truncated { .. } | DecodeErrorKind::Missing { found: None }
            ),
            "{end}: {error}"
        );
    }
}

#[test]
fn an_item_cannot_reach_beyond_its_structure() {
    let inside_claims_too_much =
        hex("420020 01 00000010 420004 08 00000018 0000000000000000 0000000000000000 0000000000000000");
    let error = read(&inside_claims_too_much).expect_err("the byte string is longer than its structure");
    assert_eq!(error.kind, DecodeErrorKind::Truncated { needed: 32, available: 16 });
    assert_eq!(error.offset, 8);
    assert_eq!(error.path.iter().collect::<Vec<_>>(), [EXAMPLE, Tag::new(0x42_0004)]);
}

#[test]
fn lengths_that_a_type_does_not_allow_are_refused() {
    for bytes in [
        "420020 02 00000008 0000000000000000",
        "420020 03 00000004 00000000 00000000",
        "420020 04 00000000",
        "420020 04 00000004 00000000 00000000",
        "420020 05 00000000",
        "420020 06 00000004 00000001 00000000",
        "420020 09 00000004 00000001 00000000",
        "420020 0A 00000008 0000000000000001",
        "420020 01 00000004 00000000 00000000",
    ] {
        let error = read(&hex(bytes)).expect_err(bytes);
        assert!(matches!(error.kind, DecodeErrorKind::WrongLength { .. }), "{bytes}: {error}");
    }
}

#[test]
fn values_outside_their_type_are_refused() {
    let kind = |bytes: &str| read(&hex(bytes)).expect_err(bytes).kind;
    assert_eq!(kind("420020 06 00000008 0000000000000002"), DecodeErrorKind::NotBoolean);
    assert_eq!(kind("420020 07 00000001 FF00000000000000"), DecodeErrorKind::NotUtf8);
    assert_eq!(kind("420020 0F 00000001 FF00000000000000"), DecodeErrorKind::UnknownType { found: 0x0F });
    assert_eq!(kind("420020 00 00000000"), DecodeErrorKind::UnknownType { found: 0 });
}

#[test]
fn bytes_after_the_message_are_refused() {
    let error =
        read(&hex("420020 02 00000004 00000008 00000000 4200200200000004")).expect_err("bytes are left");
    assert_eq!((error.offset, error.kind), (16, DecodeErrorKind::TrailingBytes { count: 8 }));
}

fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for level in (0..depth).rev() {
        bytes.extend_from_slice(&[0x42, 0x00, 0x20, 0x01]);
        bytes.extend_from_slice(&u32::try_from(level * HEADER_BYTES).expect("small").to_be_bytes());
    }
    bytes
}

#[test]
fn structures_nest_as_deep_as_the_limit_and_no_deeper() {
    let limits = Limits { depth: 5, ..Limits::REQUEST };
    assert!(read_within(&nested(5), &limits).is_ok());
    let error = read_within(&nested(6), &limits).expect_err("one too deep");
    assert_eq!((error.offset, error.kind), (40, DecodeErrorKind::TooDeep { limit: 5 }));
    // Far deeper than any stack is high, were it followed.
    assert!(read(&nested(100_000)).is_err());
}

#[test]
fn a_structure_has_as_many_items_as_the_limit_and_no_more() {
    let items =
        |count| Value::Structure(vec![Item { tag: EXAMPLE, value: Value::Structure(Vec::new()) }; count]);
    let limits = Limits { items_per_structure: 3, ..Limits::REQUEST };
    let bytes = |count| write(&Item { tag: EXAMPLE, value: items(count) });
    assert!(read_within(&bytes(3), &limits).is_ok());
    let error = read_within(&bytes(4), &limits).expect_err("one too many");
    assert_eq!((error.offset, error.kind), (32, DecodeErrorKind::TooManyItems { limit: 3 }));
}

#[test]
fn a_text_is_as_long_as_the_limit_and_no_longer() {
    let bytes = |length| write(&Item { tag: EXAMPLE, value: Value::TextString("a".repeat(length)) });
    let limits = Limits { text_bytes: 256, ..Limits::REQUEST };
    assert!(read_within(&bytes(256), &limits).is_ok());
    let error = read_within(&bytes(900), &limits).expect_err("too long");
    assert_eq!(error.to_string(), "at byte 0, Compromise Date: length 900 exceeds 256");
}

#[test]
fn the_length_of_a_message_is_known_from_its_first_8_bytes() {
    let length = |bytes: [u8; 8]| message_length(&bytes, Tag::RequestMessage, &Limits::REQUEST);
    assert_eq!(length([0x42, 0, 0x78, 1, 0, 0, 0, 0x90]), Ok(0x98));
    let kind = |bytes| length(bytes).expect_err("not a message").kind;
    assert_eq!(
        kind([0x42, 0, 0x78, 1, 0xFF, 0xFF, 0xFF, 0xF8]),
        DecodeErrorKind::MessageTooLong { length: 0x1_0000_0000, limit: 1 << 20 }
    );
    assert_eq!(
        kind([0x42, 0, 0x7B, 1, 0, 0, 0, 8]),
        DecodeErrorKind::Missing { found: Some(Tag::ResponseMessage) }
    );
    assert_eq!(
        kind([0x42, 0, 0x78, 8, 0, 0, 0, 8]),
        DecodeErrorKind::WrongType { expected: ItemType::Structure, found: ItemType::ByteString }
    );
    assert!(matches!(kind([0x42, 0, 0x78, 1, 0, 0, 0, 9]), DecodeErrorKind::WrongLength { .. }));
    // What TLS or HTTP sends by mistake.
    assert!(matches!(kind(*b"GET / HT"), DecodeErrorKind::Missing { .. }));
}

#[test]
fn a_message_longer_than_the_limit_is_not_looked_at() {
    let limits = Limits { message_bytes: 16, ..Limits::REQUEST };
    let error = read_within(&[0; 17], &limits).expect_err("too long");
    assert_eq!(error.kind, DecodeErrorKind::MessageTooLong { length: 17, limit: 16 });
}

#[test]
fn a_buffer_that_grows_keeps_what_was_written() {
    let items: Vec<Item> = (0..500)
        .map(|number| Item { tag: EXAMPLE, value: Value::ByteString(vec![number as u8; number].into()) })
        .collect();
    let item = Item { tag: EXAMPLE, value: Value::Structure(items) };
    assert_eq!(read(&write(&item)), Ok(item));
}

#[test]
fn bytes_are_not_printed() {
    let item = Item { tag: EXAMPLE, value: Value::ByteString(vec![0xAB; 32].into()) };
    assert_eq!(format!("{item:?}"), "Item { tag: Compromise Date, value: <32 bytes> }");
}

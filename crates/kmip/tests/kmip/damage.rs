//! Bytes that are no message: an error that says where and what, never a panic.

use proptest::prelude::*;
use strongroom_kmip::message::RequestItem;
use strongroom_kmip::operation::{get, locate};
use strongroom_kmip::ttlv::{BrokenItem, DecodeErrorKind, Tag};
use strongroom_kmip::{DecodeError, Limits, Operation, ProtocolVersion, RequestMessage, ResponseMessage};

use crate::strategies;

fn decode(bytes: &[u8]) -> Result<RequestMessage, DecodeError> {
    RequestMessage::decode(bytes, &Limits::REQUEST)
}

fn get(identifier: &str) -> RequestItem {
    RequestItem {
        batch_id: Some(b"one".to_vec()),
        ..strongroom_kmip::RequestPayload::from(get::Request {
            unique_identifier: Some(identifier.to_owned()),
            ..get::Request::default()
        })
        .into()
    }
}

fn two_gets() -> Vec<u8> {
    let mut request = RequestMessage::single(ProtocolVersion::V1_2, get::Request::default());
    request.items = vec![get("first"), get(&"x".repeat(900))];
    request.encode().expect("1.2 has all of it").to_vec()
}

#[test]
fn an_error_has_the_offset_the_path_and_what_is_needed_to_answer() {
    let limits = Limits { text_bytes: 256, ..Limits::REQUEST };
    let error = RequestMessage::decode(&two_gets(), &limits).expect_err("the second identifier is too long");
    assert_eq!(
        error.to_string(),
        "at byte 184, Request Message > Batch Item > Request Payload > Unique Identifier: length 900 exceeds 256"
    );
    assert_eq!(error.kind, DecodeErrorKind::TextTooLong { length: 900, limit: 256 });
    assert_eq!(error.tag(), Some(Tag::UniqueIdentifier));
    assert_eq!(error.version, Some(ProtocolVersion::V1_2));
    let item = BrokenItem { operation: Some(Operation::Get), batch_id: Some(b"one".to_vec()) };
    assert_eq!(error.item.as_deref(), Some(&item));
}

#[test]
fn an_error_in_the_header_carries_the_version_as_soon_as_it_is_known() {
    let mut bytes = two_gets();
    // A major version below zero: nothing is known yet.
    bytes[32] = 0x80;
    assert_eq!(decode(&bytes).map_err(|error| error.version), Err(None));
    let mut bytes = two_gets();
    // The type of Batch Count.
    let batch_count = bytes.windows(3).position(|tag| tag == [0x42, 0, 0x0D]).expect("a Batch Count");
    bytes[batch_count + 3] = 5;
    let error = decode(&bytes).expect_err("Batch Count is no Enumeration");
    assert_eq!((error.version, error.item, error.offset), (Some(ProtocolVersion::V1_2), None, batch_count));
}

#[test]
fn batch_count_must_be_the_number_of_items() {
    let bytes = two_gets();
    let batch_count = bytes.windows(3).position(|tag| tag == [0x42, 0, 0x0D]).expect("a Batch Count") + 11;
    for (declared, found) in [(0, 1), (1, 2), (3, 2), (200, 2)] {
        let mut bytes = bytes.clone();
        bytes[batch_count] = declared;
        let error = decode(&bytes).expect_err("the count is wrong");
        assert_eq!(error.kind, DecodeErrorKind::BatchCount { declared: declared.into(), found });
        assert_eq!(error.path.to_string(), "Request Message > Request Header > Batch Count");
    }
    let limits = Limits { batch_items: 1, ..Limits::REQUEST };
    let error = RequestMessage::decode(&bytes, &limits).expect_err("two are more than one");
    assert_eq!(error.kind, DecodeErrorKind::BatchTooLong { limit: 1 });
}

#[test]
fn an_unknown_field_of_a_request_is_refused_because_it_could_mean_something() {
    let locate = locate::Request { maximum_items: Some(7), ..locate::Request::default() };
    let bytes = RequestMessage::single(ProtocolVersion::V1_2, locate).encode().expect("1.2 has it");
    let mut bytes = bytes.to_vec();
    let maximum = bytes.windows(3).position(|tag| tag == [0x42, 0, 0x4F]).expect("Maximum Items");
    bytes[maximum..maximum + 3].copy_from_slice(&[0x54, 0, 1]);
    let error = decode(&bytes).expect_err("nobody knows 540001");
    assert_eq!(error.kind, DecodeErrorKind::Unexpected);
    assert_eq!(error.path.to_string(), "Request Message > Batch Item > Request Payload > 0x540001");
}

#[test]
fn fields_out_of_order_are_refused_in_requests() {
    let locate =
        locate::Request { maximum_items: Some(7), offset_items: Some(8), ..locate::Request::default() };
    let bytes = RequestMessage::single(ProtocolVersion::V1_3, locate).encode().expect("1.3 has both");
    let mut bytes = bytes.to_vec();
    let maximum = bytes.windows(3).position(|tag| tag == [0x42, 0, 0x4F]).expect("Maximum Items");
    let (before, after) = bytes[maximum..].split_at_mut(16);
    before.swap_with_slice(&mut after[..16]);
    let error = decode(&bytes).expect_err("Offset Items comes second");
    assert_eq!(
        (error.kind, error.path.iter().last()),
        (DecodeErrorKind::Unexpected, Some(Tag::MaximumItems))
    );
}

#[test]
fn a_count_below_zero_is_refused() {
    let locate = locate::Request { maximum_items: Some(7), ..locate::Request::default() };
    let bytes = RequestMessage::single(ProtocolVersion::V1_2, locate).encode().expect("1.2 has it");
    let mut bytes = bytes.to_vec();
    let maximum = bytes.windows(3).position(|tag| tag == [0x42, 0, 0x4F]).expect("Maximum Items");
    bytes[maximum + 8] = 0xFF;
    assert_eq!(decode(&bytes).map_err(|error| error.kind), Err(DecodeErrorKind::OutOfRange));
}

/// An error in a message that decodes points into it.
fn check<T>(bytes: &[u8], result: Result<T, DecodeError>) -> Result<(), TestCaseError> {
    if let Err(error) = result {
        prop_assert!(error.offset <= bytes.len(), "{error} in {} bytes", bytes.len());
        prop_assert!(!error.to_string().is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::cases(3_000))]

    #[test]
    fn any_bytes_decode_or_give_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes, decode(&bytes))?;
        check(&bytes, ResponseMessage::decode(&bytes, &Limits::RESPONSE))?;
    }

    /// Bytes that begin like messages get further.
    #[test]
    fn any_bytes_inside_a_message_decode_or_give_an_error(
        inside in proptest::collection::vec(prop_oneof![Just(0_u8), Just(0x42), 0..0x20_u8, any::<u8>()], 0..50),
    ) {
        for tag in [0x78, 0x7B] {
            let mut bytes = vec![0x42, 0, tag, 1, 0, 0, 0, (inside.len() * 8) as u8];
            bytes.extend(inside.iter().flat_map(|byte| [0x42, 0, *byte, byte % 12, 0, 0, 0, 8]));
            bytes.truncate(8 + inside.len() * 8);
            check(&bytes, decode(&bytes))?;
            check(&bytes, ResponseMessage::decode(&bytes, &Limits::RESPONSE))?;
        }
    }

    /// A whole message with some bytes changed, or cut off.
    #[test]
    fn a_damaged_request_decodes_or_gives_an_error(
        request in strategies::version().prop_flat_map(strategies::request),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut bytes = request.encode().map_err(|error| TestCaseError::fail(error.to_string()))?.to_vec();
        for (index, byte) in damage {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check(&bytes, decode(&bytes))?;
    }

    #[test]
    fn a_damaged_response_decodes_or_gives_an_error(
        response in strategies::version().prop_flat_map(strategies::response),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut bytes = response.encode().map_err(|error| TestCaseError::fail(error.to_string()))?.to_vec();
        for (index, byte) in damage {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check(&bytes, ResponseMessage::decode(&bytes, &Limits::RESPONSE))?;
    }

    /// A message cut anywhere is never taken for a whole one.
    #[test]
    fn a_message_cut_short_is_an_error(request in strategies::version().prop_flat_map(strategies::request), cut: proptest::sample::Index) {
        let bytes = request.encode().map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
    }
}

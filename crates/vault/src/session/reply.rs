//! Encoding a reply in the version, and within the size, that the client asked for.

use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::message::{
    Failure, RequestHeader, RequestItem, RequestPayload, ResponseHeader, ResponseItem, ResponseMessage,
};
use strongroom_kmip::ttlv::{DateTime, EncodeError, MessageBytes};
use strongroom_kmip::types::{Operation, ResultReason};
use strongroom_kmip::version::{ClientException, LOCATED_ITEMS_FOR_OFFSET};

use crate::operations::{Fault, VERSIONS, batch, is_change};

/// Whether a Locate among the items carries Offset Items: then the total is told under any version.
pub(super) fn asks_for_pages(items: &[RequestItem]) -> bool {
    items.iter().any(
        |item| matches!(&item.payload, RequestPayload::Locate(request) if request.offset_items.is_some()),
    )
}

/// The reply's bytes: what the version lacks is left out, what cannot be left out becomes a failure, and a reply that is
/// longer than the client accepts becomes one too.
pub(super) fn encode(
    header: &RequestHeader,
    time: DateTime,
    items: Vec<ResponseItem>,
    paged: bool,
) -> MessageBytes {
    let version = answerable(header.version);
    let mut response = ResponseMessage { header: ResponseHeader::new(version, time), items };
    if version >= ProtocolVersion::V1_4 {
        response.header.client_correlation_value.clone_from(&header.client_correlation_value);
    }
    // A Digest keeps its Key Format Type under 1.0, which has no such field in it: PyKMIP's client reads one in every version
    // and otherwise fails on all the attributes of an object.
    let exceptions: &[ClientException] = if paged { &[LOCATED_ITEMS_FOR_OFFSET] } else { &[] };
    let bytes = match response.encode_allowing(exceptions) {
        Ok(bytes) => bytes,
        Err(_) => {
            fail_what_does_not_encode(&mut response, exceptions);
            last_resort(response.encode_allowing(exceptions))
        }
    };
    match header.maximum_response_size {
        Some(maximum) if bytes.len() > maximum as usize => {
            // Changes were made, and `batch::check` has seen to it that there is room to say so.
            fail_those(&mut response, &Fault::ResponseTooLarge { maximum }, |operation| {
                !is_change(operation)
            });
            let bytes = last_resort(response.encode_allowing(exceptions));
            if bytes.len() <= maximum as usize {
                return bytes;
            }
            fail_those(&mut response, &Fault::ResponseTooLarge { maximum }, |_| true);
            last_resort(response.encode_allowing(exceptions))
        }
        _ => bytes,
    }
}

/// The version to answer in: the request's, or the nearest one that is spoken here.
fn answerable(version: ProtocolVersion) -> ProtocolVersion {
    VERSIONS.into_iter().find(|known| *known <= version).unwrap_or(ProtocolVersion::V1_0)
}

/// Finds the items that the version cannot express, such as a key of an algorithm it does not know, and fails those.
fn fail_what_does_not_encode(response: &mut ResponseMessage, exceptions: &[ClientException]) {
    let header = response.header.clone();
    response.items = std::mem::take(&mut response.items)
        .into_iter()
        .flat_map(|item| {
            let mut alone = ResponseMessage { header: header.clone(), items: vec![item] };
            if let Err(error) = alone.encode_allowing(exceptions) {
                for item in &mut alone.items {
                    let words = format!("the answer cannot be given in KMIP {}: {error}", header.version);
                    item.result = Err(Failure::new(ResultReason::GeneralFailure, words));
                }
            }
            alone.items
        })
        .collect();
}

fn fail_those(response: &mut ResponseMessage, fault: &Fault, which: impl Fn(Operation) -> bool) {
    for item in &mut response.items {
        if item.operation.is_none_or(&which) {
            item.result = Err(batch::failure(fault));
        }
    }
}

/// A reply of failures always encodes: every version has their reasons. Should it not, silence is better than a panic.
fn last_resort(encoded: Result<MessageBytes, EncodeError>) -> MessageBytes {
    encoded.unwrap_or_else(|error| {
        tracing::error!(%error, "a reply of failures could not be encoded");
        MessageBytes::default()
    })
}

//! The items of one request, in order (KMIP 1.4 §§4, 6.13-6.15).

use strongroom_kmip::fragment;
use strongroom_kmip::message::{
    Failure, RequestHeader, RequestItem, RequestPayload, ResponseItem, ResponsePayload,
};
use strongroom_kmip::object::{KeyBlock, ManagedObject};
use strongroom_kmip::ttlv::Limits;
use strongroom_kmip::types::BatchErrorContinuationOption;
use strongroom_secret::KeyMaterial;

use super::{Context, Done, Fault, Placeholder, is_change, named_object, perform};
use crate::policy::operation_name;
use crate::store::RecordId;

/// The longest reply that one change can have, its failure included: an identifier, or a message of a line or two. An
/// attribute operation repeats its attribute, which is no longer than its request.
const CHANGE_REPLY_BYTES: usize = 512;

/// What a batch may read, roughly: as much as clients take in one response. An answer is put together in memory, and a
/// request of a few kilobytes can ask for a thousand large objects.
const READ_BYTES_MAX: usize = Limits::RESPONSE.message_bytes;

/// Checks what holds for a request as a whole.
///
/// # Errors
/// The one fault that answers it; no item is performed then.
pub(crate) fn check(
    header: &RequestHeader,
    items: &[RequestItem],
    request_bytes: usize,
) -> Result<(), Fault> {
    if items.is_empty() {
        return Err(Fault::InvalidMessage("the request has no batch item"));
    }
    if items.len() > 1 {
        if items.iter().any(|item| item.batch_id.is_none()) {
            return Err(Fault::InvalidMessage(
                "a batch of several items needs a Unique Batch Item ID in each (KMIP 1.4 section 6.4)",
            ));
        }
        // Nothing performed here can be taken back: an item is durable before the next begins.
        if header.batch_error_continuation == Some(BatchErrorContinuationOption::Undo) {
            return Err(Fault::FeatureUnsupported("Undo for a batch (use Stop or Continue)"));
        }
    }
    // A change must not be made when its answer cannot be given: the client would never learn the new identifier.
    if let Some(maximum) = header.maximum_response_size
        && items.iter().any(|item| is_change(item.payload.operation()))
        && (maximum as usize) < CHANGE_REPLY_BYTES * items.len() + request_bytes
    {
        return Err(Fault::ResponseTooLarge { maximum });
    }
    Ok(())
}

/// Performs the items in order and answers each; stops after a failure unless the client asked to continue.
pub(crate) async fn run(
    context: &mut Context<'_>,
    continuation: Option<BatchErrorContinuationOption>,
    items: Vec<RequestItem>,
) -> Vec<ResponseItem> {
    let mut answers = Vec::with_capacity(items.len());
    let alone = items.len() == 1;
    let mut read_bytes = 0;
    for item in items {
        let operation = item.payload.operation();
        let batch_id = item.batch_id;
        let is_critical = item.extensions.iter().any(|extension| extension.critical);
        let refused = if read_bytes > READ_BYTES_MAX && !is_change(operation) {
            Some(Fault::ResponseTooLarge { maximum: u32::try_from(READ_BYTES_MAX).unwrap_or(u32::MAX) })
        } else if is_critical {
            Some(Fault::FeatureUnsupported("the critical message extension of this item"))
        } else {
            None
        };
        match run_one(context, item.payload, refused).await {
            Ok(done) => {
                if !alone {
                    read_bytes += answer_bytes(&done.payload);
                }
                if let Placeholder::Set(placeholder) = done.placeholder {
                    context.placeholder = placeholder;
                }
                answers.push(ResponseItem::success(batch_id, done.payload));
            }
            Err(fault) => {
                answers.push(ResponseItem::failure(Some(operation), batch_id, failure(&fault)));
                if continuation != Some(BatchErrorContinuationOption::Continue) {
                    break;
                }
            }
        }
    }
    answers
}

/// Performs one item and journals it. A key is not released, and nothing is told, unless the journal has it.
async fn run_one(
    context: &Context<'_>,
    payload: RequestPayload,
    refused: Option<Fault>,
) -> Result<Done, Fault> {
    let operation = payload.operation();
    let asked: Option<RecordId> = named_object(&payload)
        .or(if is_create(&payload) { None } else { context.placeholder.as_deref() })
        .and_then(|text| text.parse().ok());
    let result = match (context.policy.still_enrolled(), refused) {
        (Err(fault), _) | (Ok(()), Some(fault)) => Err(fault),
        (Ok(()), None) => perform(context, payload).await,
    };
    match result {
        Ok(done) => {
            if !done.journaled {
                context.policy.journal(operation_name(operation), done.object.or(asked), None)?;
            }
            Ok(done)
        }
        Err(fault) => {
            if let Some(error) = fault.inside().filter(|_| !fault.said_at_source()) {
                tracing::error!(operation = %operation, error, "an operation failed by a fault of the vault");
            }
            let reason = format!("{}: {fault}", fault.reason());
            // The failure is answered even when it cannot be journaled: nothing was released.
            if let Err(error) = context.policy.journal(operation_name(operation), asked, Some(reason)) {
                // The journal has said so itself.
                tracing::debug!(operation = %operation, ?error, "a failed operation could not be journaled");
            }
            Err(fault)
        }
    }
}

/// Whether the item makes an object or asks about none.
fn is_create(payload: &RequestPayload) -> bool {
    use RequestPayload as P;
    matches!(
        payload,
        P::Create(_)
            | P::Register(_)
            | P::Locate(_)
            | P::Query(_)
            | P::DiscoverVersions(_)
            | P::Unknown { .. }
    )
}

/// Roughly how long an answer is, where it can be long.
fn answer_bytes(payload: &ResponsePayload) -> usize {
    /// An identifier on the wire.
    const IDENTIFIER_BYTES: usize = 48;
    match payload {
        ResponsePayload::Get(response) => match &response.object {
            ManagedObject::OpaqueObject { data, .. } => data.len(),
            object => object.key_block().and_then(KeyBlock::material).map_or(0, KeyMaterial::len),
        },
        ResponsePayload::GetAttributes(response) => {
            fragment::encode_attributes(&response.attributes).map_or(0, |bytes| bytes.len())
        }
        ResponsePayload::Locate(response) => response.unique_identifiers.len() * IDENTIFIER_BYTES,
        _ => 0,
    }
}

/// A fault as KMIP says it.
pub(crate) fn failure(fault: &Fault) -> Failure {
    Failure::new(fault.reason(), fault.to_string())
}

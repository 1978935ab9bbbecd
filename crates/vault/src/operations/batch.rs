//! The items of one request, in order (KMIP 1.4 §§4, 6.13-6.15).

use strongroom_kmip::message::{Failure, RequestHeader, RequestItem, ResponseItem};
use strongroom_kmip::types::BatchErrorContinuationOption;

use super::{Context, Done, Fault, Placeholder, is_change, named_object, perform};
use crate::policy::operation_name;
use crate::store::RecordId;

/// The longest reply that one change can have, its failure included: an identifier, or a message of a line or two. An
/// attribute operation repeats its attribute, which is no longer than its request.
const CHANGE_REPLY_BYTES: usize = 512;

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
    for item in items {
        let operation = item.payload.operation();
        let batch_id = item.batch_id;
        match run_one(context, item.payload, item.extensions.iter().any(|extension| extension.critical)).await
        {
            Ok(done) => {
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
    payload: strongroom_kmip::message::RequestPayload,
    has_critical_extension: bool,
) -> Result<Done, Fault> {
    let operation = payload.operation();
    let asked: Option<RecordId> = named_object(&payload)
        .or(if is_create(&payload) { None } else { context.placeholder.as_deref() })
        .and_then(|text| text.parse().ok());
    let result = match context.policy.still_enrolled() {
        Err(fault) => Err(fault),
        Ok(()) if has_critical_extension => {
            Err(Fault::FeatureUnsupported("the critical message extension of this item"))
        }
        Ok(()) => perform(context, payload).await,
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
fn is_create(payload: &strongroom_kmip::message::RequestPayload) -> bool {
    use strongroom_kmip::message::RequestPayload as P;
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

/// A fault as KMIP says it.
pub(crate) fn failure(fault: &Fault) -> Failure {
    Failure::new(fault.reason(), fault.to_string())
}

//! Revoke: an object is no longer to be used, or no longer to be trusted (KMIP 1.4 §4.20, errors §11.21).

use strongroom_kmip::attribute::{Attribute, AttributeInstance, AttributeKind};
use strongroom_kmip::operation::revoke::{Request, Response};
use strongroom_kmip::types::{Operation, RevocationReasonCode};

use super::{Context, Done, Fault};
use crate::objects::Event;

pub(super) async fn revoke(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    let Request { unique_identifier, reason, compromise_occurrence_date } = request;
    if reason.code.name().is_none() {
        return Err(Fault::RevocationReasonUnknown(reason.code));
    }
    let event = match reason.code {
        RevocationReasonCode::KeyCompromise | RevocationReasonCode::CACompromise => Event::Compromise,
        _ if compromise_occurrence_date.is_some() => {
            return Err(Fault::InvalidField("a Compromise Occurrence Date belongs to a compromise only"));
        }
        _ => Event::Deactivate,
    };
    let subject = context.subject(unique_identifier)?;
    let now = context.policy.now();
    let (id, _) = context
        .policy
        .change(Operation::Revoke, &subject, |object| {
            let state = object.life.apply(event, now)?;
            if event == Event::Compromise {
                // The standard's answer to "since when?" when nobody knows: since it exists.
                object.life.compromise_occurrence =
                    Some(compromise_occurrence_date.unwrap_or(object.life.initial));
            }
            let mut kept: Vec<AttributeInstance> = std::mem::take(&mut object.attributes)
                .into_iter()
                .filter(|one| one.attribute.kind() != Some(AttributeKind::RevocationReason))
                .collect();
            kept.push(Attribute::RevocationReason(reason.clone()).into());
            object.attributes = kept.into();
            Ok(state)
        })
        .await?;
    Ok(Done::changed(Response { unique_identifier: id.to_string() }, id))
}

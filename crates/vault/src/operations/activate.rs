//! Activate: a Pre-Active object becomes Active (KMIP 1.4 §4.19, errors §11.20).

use strongroom_kmip::operation::activate::{Request, Response};
use strongroom_kmip::types::Operation;

use super::{Context, Done, Fault};
use crate::objects::Event;

pub(super) async fn activate(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    let subject = context.subject(request.unique_identifier)?;
    let now = context.policy.now();
    let (id, _) = context
        .policy
        .change(Operation::Activate, &subject, |object| Ok(object.life.apply(Event::Activate, now)?))
        .await?;
    Ok(Done::changed(Response { unique_identifier: id.to_string() }, id))
}

//! Destroy: the bytes of an object are removed; its attributes stay, and its Name is free again (KMIP 1.4 §4.21, errors
//! §11.22).

use strongroom_kmip::attribute::{AttributeInstance, AttributeKind};
use strongroom_kmip::operation::destroy::{Request, Response};
use strongroom_kmip::types::{ObjectType, Operation};

use super::{Context, Done, Fault};
use crate::objects::Event;

pub(super) async fn destroy(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    let subject = context.subject(request.unique_identifier)?;
    let now = context.policy.now();
    let (id, _) = context
        .policy
        .change(Operation::Destroy, &subject, |object| {
            let state = object.life.apply(Event::Destroy, now)?;
            object.material = None;
            // A secret may be guessable, a password for one, and then its digest is as good as itself. A key's is not.
            if object.object_type != ObjectType::SymmetricKey {
                object.attributes = std::mem::take(&mut object.attributes)
                    .into_iter()
                    .filter(|one| one.attribute.kind() != Some(AttributeKind::Digest))
                    .collect::<Vec<AttributeInstance>>()
                    .into();
            }
            Ok(state)
        })
        .await?;
    Ok(Done::changed(Response { unique_identifier: id.to_string() }, id))
}

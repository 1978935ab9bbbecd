//! Modify Attribute: an attribute gets another value (KMIP 1.4 §4.15, errors §11.16).

use strongroom_kmip::operation::modify_attribute::{Request, Response};
use strongroom_kmip::types::Operation;

use super::{Context, Done, Fault, attribute_rules};

pub(super) async fn modify_attribute(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    attribute_rules::check_version(&request.attribute.attribute.name(), context.version)?;
    let subject = context.subject(request.unique_identifier)?;
    let policy = context.policy;
    let (id, attribute) = policy
        .change(Operation::ModifyAttribute, &subject, |object| {
            attribute_rules::client_modifies(policy, object, request.attribute.clone())
        })
        .await?;
    Ok(Done::changed(Response { unique_identifier: id.to_string(), attribute: Some(attribute) }, id))
}

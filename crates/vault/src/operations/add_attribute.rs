//! Add Attribute: an object gets one more attribute or instance (KMIP 1.4 §4.14, errors §11.15).

use strongroom_kmip::operation::add_attribute::{Request, Response};
use strongroom_kmip::types::Operation;

use super::{Context, Done, Fault, attribute_rules};

pub(super) async fn add_attribute(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    attribute_rules::check_version(&request.attribute.attribute.name(), context.version)?;
    let subject = context.subject(request.unique_identifier)?;
    let policy = context.policy;
    let (id, attribute) = policy
        .change(Operation::AddAttribute, &subject, |object| {
            attribute_rules::client_adds(policy, object, request.attribute.clone())
        })
        .await?;
    Ok(Done::changed(Response { unique_identifier: id.to_string(), attribute: Some(attribute) }, id))
}

//! Delete Attribute: an object loses an attribute or instance (KMIP 1.4 §4.16, errors §11.17).

use strongroom_kmip::operation::delete_attribute::{Request, Response};
use strongroom_kmip::types::Operation;

use super::{Context, Done, Fault, attribute_rules};

pub(super) async fn delete_attribute(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    attribute_rules::check_version(&request.name, context.version)?;
    let subject = context.subject(request.unique_identifier)?;
    let (id, attribute) = context
        .policy
        .change(Operation::DeleteAttribute, &subject, |object| {
            attribute_rules::client_deletes(object, &request.name, request.index)
        })
        .await?;
    Ok(Done::changed(Response { unique_identifier: id.to_string(), attribute: Some(attribute) }, id))
}

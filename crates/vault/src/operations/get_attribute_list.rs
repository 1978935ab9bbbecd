//! Get Attribute List: which attributes an object has (KMIP 1.4 §4.13, errors §11.14).

use strongroom_kmip::operation::get_attribute_list::{Request, Response};

use super::{Context, Done, Fault};
use crate::policy::ReadAttributes;

pub(super) fn get_attribute_list(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    let subject = context.subject(request.unique_identifier)?;
    let access = context.policy.access::<ReadAttributes>(&subject)?;
    let id = access.id();
    let mut names = Vec::new();
    for attribute in access.into_attributes()?.all_attributes(id, context.policy.now()).iter() {
        let name = attribute.name();
        if name.exists_in(context.version) && !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(Done::read(Response { unique_identifier: id.to_string(), names }, Some(id)))
}

//! Get Attributes: some attributes of an object, or all (KMIP 1.4 §4.12, errors §11.13).

use std::collections::HashSet;

use strongroom_kmip::attribute::{AttributeName, Attributes};
use strongroom_kmip::operation::get_attributes::{Request, Response};

use super::{Context, Done, Fault};
use crate::objects::is_kept_apart;
use crate::policy::ReadAttributes;

pub(super) fn get_attributes(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    let mut seen = HashSet::new();
    if let Some(twice) = request.names.iter().find(|name| !seen.insert(*name)) {
        return Err(Fault::NamedTwice(twice.clone()));
    }
    let subject = context.subject(request.unique_identifier)?;
    let access = context.policy.access::<ReadAttributes>(&subject)?;
    let id = access.id();
    let object = access.into_attributes()?;
    let now = context.policy.now();
    let mut attributes = if request.names.is_empty() {
        object.all_attributes(id, now)
    } else {
        let mut wanted = Attributes::new();
        for name in &request.names {
            match name {
                AttributeName::Standard(kind) if is_kept_apart(*kind) => {
                    wanted.extend(object.kept_apart(*kind, id, now));
                }
                name => {
                    for instance in object.attributes.instances().filter(|one| one.attribute.name() == *name)
                    {
                        wanted.push_instance(instance.clone());
                    }
                }
            }
        }
        wanted
    };
    attributes.project(context.version);
    Ok(Done::read(Response { unique_identifier: id.to_string(), attributes }, Some(id)))
}

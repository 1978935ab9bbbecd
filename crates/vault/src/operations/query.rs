//! Query: what this server can do (KMIP 1.4 §4.25).

use strongroom_kmip::operation::query::{Request, Response};
use strongroom_kmip::ttlv::{Item, RawStructure, Tag, Value};
use strongroom_kmip::types::{ClientRegistrationMethod, QueryFunction};

use super::{Context, Done, Fault, OBJECT_TYPES, OFFERED};

/// What clients are told about who made the server.
const VENDOR: &str = "Strongroom";

/// RNG Algorithm: Unspecified (KMIP 1.4 §9.1.3.2.43). Which generator the library uses depends on its build.
const RNG_UNSPECIFIED: u32 = 1;

pub(super) fn query(context: &Context<'_>, request: &Request) -> Result<Done, Fault> {
    if request.functions.is_empty() {
        return Err(Fault::InvalidMessage("a Query needs at least one Query Function"));
    }
    let mut response = Response::default();
    for &function in &request.functions {
        // Questions of newer versions are ignored: an older client cannot take their answers.
        if function.exists_in(context.version) {
            answer(context, function, &mut response);
        }
    }
    Ok(Done::read(response, None))
}

fn answer(context: &Context<'_>, function: QueryFunction, response: &mut Response) {
    let version = context.version;
    match function {
        QueryFunction::QueryOperations => {
            response.operations =
                OFFERED.into_iter().filter(|operation| operation.exists_in(version)).collect();
        }
        QueryFunction::QueryObjects => {
            response.object_types = OBJECT_TYPES.into_iter().filter(|kind| kind.exists_in(version)).collect();
        }
        QueryFunction::QueryServerInformation => {
            response.vendor_identification = Some(VENDOR.to_owned());
            response.server_information = Some(RawStructure::default());
        }
        QueryFunction::QueryRNGs => {
            let algorithm = Item { tag: Tag::RNGAlgorithm, value: Value::Enumeration(RNG_UNSPECIFIED) };
            response.rng_parameters = vec![RawStructure(vec![algorithm])];
        }
        QueryFunction::QueryCapabilities => {
            let capability = |tag, able| Item { tag, value: Value::Boolean(able) };
            response.capabilities = vec![RawStructure(vec![
                capability(Tag::StreamingCapability, false),
                capability(Tag::AsynchronousCapability, false),
                capability(Tag::AttestationCapability, false),
            ])];
        }
        QueryFunction::QueryClientRegistrationMethods => {
            response.client_registration_methods = vec![ClientRegistrationMethod::ClientGenerated];
        }
        // No namespaces, extensions, attestation, profiles or validations: an absent field is the answer.
        _ => {}
    }
}

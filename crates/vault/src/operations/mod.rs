//! The KMIP operations, one file each, and the batch they come in.
//!
//! An operation gets a typed request and the [`Policy`] of who asks; it reaches objects through that policy and in no other
//! way. It knows nothing of TLS, bytes or versions: what a version lacks is taken out of the reply afterwards.
//!
//! In reading order: [`batch`] runs the items of a request; [`perform`] picks the operation; [`attribute_rules`] and
//! [`key_length`] are the rules that several share; [`fault`] is every way to fail.

mod activate;
mod add_attribute;
mod attribute_rules;
pub(crate) mod batch;
mod create;
mod delete_attribute;
mod destroy;
mod digest;
mod discover_versions;
mod fault;
mod get;
mod get_attribute_list;
mod get_attributes;
mod key_length;
mod locate;
mod modify_attribute;
mod query;
mod register;
mod revoke;
mod rng_retrieve;
#[cfg(test)]
mod tests;

use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::message::{RequestPayload, ResponsePayload};
use strongroom_kmip::types::{ObjectType, Operation};

pub(crate) use fault::Fault;

use crate::policy::Policy;
use crate::store::RecordId;

/// The versions this server speaks, newest first: some clients take the first one they know.
pub(crate) const VERSIONS: [ProtocolVersion; 5] = [
    ProtocolVersion::V1_4,
    ProtocolVersion::V1_3,
    ProtocolVersion::V1_2,
    ProtocolVersion::V1_1,
    ProtocolVersion::V1_0,
];

/// The operations this server performs.
const OFFERED: [Operation; 15] = [
    Operation::Create,
    Operation::Register,
    Operation::Locate,
    Operation::Get,
    Operation::GetAttributes,
    Operation::GetAttributeList,
    Operation::AddAttribute,
    Operation::ModifyAttribute,
    Operation::DeleteAttribute,
    Operation::Activate,
    Operation::Revoke,
    Operation::Destroy,
    Operation::Query,
    Operation::DiscoverVersions,
    Operation::RNGRetrieve,
];

/// The objects this server keeps.
const OBJECT_TYPES: [ObjectType; 3] =
    [ObjectType::SymmetricKey, ObjectType::SecretData, ObjectType::OpaqueObject];

/// What the items of one request share.
pub(crate) struct Context<'r> {
    /// Who asks, and what they may reach.
    pub(crate) policy: &'r Policy<'r>,
    /// The request's version.
    pub(crate) version: ProtocolVersion,
    /// The ID Placeholder (KMIP 1.4 §4): the object that an item without a Unique Identifier means.
    pub(crate) placeholder: Option<String>,
}

impl Context<'_> {
    /// The object an item means.
    fn subject(&self, given: Option<String>) -> Result<String, Fault> {
        given.or_else(|| self.placeholder.clone()).ok_or(Fault::NoPlaceholder)
    }
}

/// An operation that was performed.
struct Done {
    /// What it answers.
    payload: ResponsePayload,
    /// What it was done to.
    object: Option<RecordId>,
    /// Whether it is in the audit journal already, because it was a change and its entry went with the change.
    journaled: bool,
    /// What becomes of the ID Placeholder.
    placeholder: Placeholder,
}

/// What an operation does to the ID Placeholder.
enum Placeholder {
    /// Leaves it.
    Keep,
    /// Sets it, or empties it.
    Set(Option<String>),
}

impl Done {
    /// An operation that changed nothing; its entry is still to be written.
    fn read(payload: impl Into<ResponsePayload>, object: Option<RecordId>) -> Self {
        Self { payload: payload.into(), object, journaled: false, placeholder: Placeholder::Keep }
    }

    /// A change that is durable and journaled.
    fn changed(payload: impl Into<ResponsePayload>, object: RecordId) -> Self {
        Self {
            payload: payload.into(),
            object: Some(object),
            journaled: true,
            placeholder: Placeholder::Keep,
        }
    }

    /// The same, and the object is what later items mean.
    fn becoming_placeholder(mut self) -> Self {
        self.placeholder = Placeholder::Set(self.object.map(|id| id.to_string()));
        self
    }
}

/// Performs one operation.
async fn perform(context: &Context<'_>, payload: RequestPayload) -> Result<Done, Fault> {
    let operation = payload.operation();
    if !operation.exists_in(context.version) {
        return Err(Fault::OperationUnsupported(operation));
    }
    match payload {
        RequestPayload::Create(request) => create::create(context, request).await,
        RequestPayload::Register(request) => register::register(context, request).await,
        RequestPayload::Locate(request) => locate::locate(context, request).await,
        RequestPayload::Get(request) => get::get(context, request).await,
        RequestPayload::GetAttributes(request) => get_attributes::get_attributes(context, request),
        RequestPayload::GetAttributeList(request) => get_attribute_list::get_attribute_list(context, request),
        RequestPayload::AddAttribute(request) => add_attribute::add_attribute(context, request).await,
        RequestPayload::ModifyAttribute(request) => {
            modify_attribute::modify_attribute(context, request).await
        }
        RequestPayload::DeleteAttribute(request) => {
            delete_attribute::delete_attribute(context, request).await
        }
        RequestPayload::Activate(request) => activate::activate(context, request).await,
        RequestPayload::Revoke(request) => revoke::revoke(context, request).await,
        RequestPayload::Destroy(request) => destroy::destroy(context, request).await,
        RequestPayload::Query(request) => query::query(context, &request),
        RequestPayload::DiscoverVersions(request) => Ok(discover_versions::discover_versions(&request)),
        RequestPayload::RNGRetrieve(request) => rng_retrieve::rng_retrieve(&request),
        RequestPayload::Unknown { operation, .. } => Err(Fault::OperationUnsupported(operation)),
    }
}

/// The Unique Identifier that a request names, for the journal.
fn named_object(payload: &RequestPayload) -> Option<&str> {
    match payload {
        RequestPayload::Get(request) => request.unique_identifier.as_deref(),
        RequestPayload::GetAttributes(request) => request.unique_identifier.as_deref(),
        RequestPayload::GetAttributeList(request) => request.unique_identifier.as_deref(),
        RequestPayload::AddAttribute(request) => request.unique_identifier.as_deref(),
        RequestPayload::ModifyAttribute(request) => request.unique_identifier.as_deref(),
        RequestPayload::DeleteAttribute(request) => request.unique_identifier.as_deref(),
        RequestPayload::Activate(request) => request.unique_identifier.as_deref(),
        RequestPayload::Revoke(request) => request.unique_identifier.as_deref(),
        RequestPayload::Destroy(request) => request.unique_identifier.as_deref(),
        RequestPayload::Create(_)
        | RequestPayload::Register(_)
        | RequestPayload::Locate(_)
        | RequestPayload::Query(_)
        | RequestPayload::DiscoverVersions(_)
        | RequestPayload::RNGRetrieve(_)
        | RequestPayload::Unknown { .. } => None,
    }
}

/// Whether performing it can change something.
pub(crate) fn is_change(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Create
            | Operation::Register
            | Operation::AddAttribute
            | Operation::ModifyAttribute
            | Operation::DeleteAttribute
            | Operation::Activate
            | Operation::Revoke
            | Operation::Destroy
    )
}

//! Operations: the payloads of requests and responses, one file each.
//!
//! Each field stands with its tag, in the specification's order. Which versions have a field is in the tag table; what else differs
//! between 1.x and 2.x is in the types of the fields ([`TemplateAttribute`](crate::attribute::TemplateAttribute),
//! [`Attributes`](crate::attribute::Attributes), [`AttributeName`](crate::attribute::AttributeName)).

pub mod activate;
pub mod add_attribute;
pub mod create;
pub mod delete_attribute;
pub mod destroy;
pub mod discover_versions;
pub mod get;
pub mod get_attribute_list;
pub mod get_attributes;
pub mod locate;
pub mod modify_attribute;
pub mod query;
pub mod register;
pub mod revoke;
pub mod rng_retrieve;

use crate::ttlv::structure;
use crate::types::ProtectionStorageMask;

structure! {
    /// Places where key bytes may be kept; one of the masks must hold (KMIP 2.1 §7.27).
    #[derive(Clone, Eq, Default)]
    pub struct ProtectionStorageMasks {
        /// The alternatives.
        pub masks: Vec<ProtectionStorageMask> = ProtectionStorageMask,
    }
}

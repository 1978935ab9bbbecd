//! Register: the client hands an object over (KMIP 1.4 §4.3).

use super::ProtectionStorageMasks;
use crate::attribute::TemplateAttribute;
use crate::object::ManagedObject;
use crate::ttlv::structure;
use crate::types::ObjectType;

structure! {
    /// What shall be kept.
    pub struct Request {
        /// What the object is.
        pub object_type: ObjectType = ObjectType,
        /// The attributes it shall have.
        pub template: TemplateAttribute = TemplateAttribute | Attributes,
        /// The object, under the tag of its type.
        pub object: ManagedObject = SymmetricKey | SecretData | OpaqueObject,
        /// Where its bytes may be kept (since 2.0).
        pub protection_storage_masks: Option<ProtectionStorageMasks> = ProtectionStorageMasks,
    }
}

structure! {
    /// What was registered.
    #[derive(Clone)]
    pub struct Response {
        /// The new object.
        pub unique_identifier: String = UniqueIdentifier,
        /// Attributes that the server chose (1.x only).
        pub template: Option<TemplateAttribute> = TemplateAttribute,
    }
}

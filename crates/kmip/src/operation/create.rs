//! Create: the server makes a symmetric key (KMIP 1.4 §4.1, KMIP 2.1 §6.1.8).

use super::ProtectionStorageMasks;
use crate::attribute::TemplateAttribute;
use crate::ttlv::structure;
use crate::types::ObjectType;

structure! {
    /// What shall be made.
    #[derive(Clone)]
    pub struct Request {
        /// Symmetric Key.
        pub object_type: ObjectType = ObjectType,
        /// The attributes it shall have.
        pub template: TemplateAttribute = TemplateAttribute | Attributes,
        /// Where its bytes may be kept (since 2.0).
        pub protection_storage_masks: Option<ProtectionStorageMasks> = ProtectionStorageMasks,
    }
}

structure! {
    /// What was made.
    #[derive(Clone)]
    pub struct Response {
        /// Symmetric Key.
        pub object_type: ObjectType = ObjectType,
        /// The new object.
        pub unique_identifier: String = UniqueIdentifier,
        /// Attributes that the server chose (1.x only).
        pub template: Option<TemplateAttribute> = TemplateAttribute,
    }
}

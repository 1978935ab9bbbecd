//! Delete Attribute: an object loses an attribute (KMIP 1.4 §4.16).

use crate::attribute::{AttributeInstance, AttributeName};
use crate::ttlv::structure;

structure! {
    /// Which attribute of which object.
    #[derive(Clone)]
    pub struct Request {
        /// The object; the ID Placeholder where absent.
        pub unique_identifier: Option<String> = UniqueIdentifier,
        /// The attribute's name. In 2.x only this form is understood, not the one with Current Attribute.
        pub name: AttributeName = AttributeName | AttributeReference,
        /// Which of several; the first where absent (1.x only).
        pub index: Option<u32> = AttributeIndex,
    }
}

structure! {
    /// What was deleted.
    #[derive(Clone)]
    pub struct Response {
        /// The object.
        pub unique_identifier: String = UniqueIdentifier,
        /// The attribute that is gone (1.x only, where it is required).
        pub attribute: Option<AttributeInstance> = Attribute,
    }
}

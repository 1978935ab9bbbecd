//! Modify Attribute: an attribute gets another value (KMIP 1.4 §4.15).

use crate::attribute::AttributeInstance;
use crate::ttlv::structure;

structure! {
    /// Which attribute of which object.
    #[derive(Clone)]
    pub struct Request {
        /// The object; the ID Placeholder where absent.
        pub unique_identifier: Option<String> = UniqueIdentifier,
        /// The attribute with its new value; the index says which of several. In 2.x only the form without Current Attribute is
        /// understood.
        pub attribute: AttributeInstance = NewAttribute | Attribute,
    }
}

structure! {
    /// What came of it.
    #[derive(Clone)]
    pub struct Response {
        /// The object.
        pub unique_identifier: String = UniqueIdentifier,
        /// The attribute as it is now (1.x only, where it is required).
        pub attribute: Option<AttributeInstance> = Attribute,
    }
}

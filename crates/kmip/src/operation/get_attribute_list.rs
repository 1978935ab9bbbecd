//! Get Attribute List: which attributes an object has (KMIP 1.4 §4.13).

use crate::attribute::AttributeName;
use crate::ttlv::structure;

structure! {
    /// Which object.
    #[derive(Clone, Default)]
    pub struct Request {
        /// The object; the ID Placeholder where absent.
        pub unique_identifier: Option<String> = UniqueIdentifier,
    }
}

structure! {
    /// The names of its attributes, each once.
    #[derive(Clone)]
    pub struct Response {
        /// The object.
        pub unique_identifier: String = UniqueIdentifier,
        /// The names.
        pub names: Vec<AttributeName> = AttributeName | AttributeReference,
    }
}

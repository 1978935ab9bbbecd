//! Get Attributes: some attributes of an object, or all (KMIP 1.4 §4.12, KMIP 2.1 §6.1.20).

use crate::attribute::{AttributeName, Attributes};
use crate::ttlv::structure;

structure! {
    /// Which attributes of which object.
    #[derive(Clone, Default)]
    pub struct Request {
        /// The object; the ID Placeholder where absent.
        pub unique_identifier: Option<String> = UniqueIdentifier,
        /// The attributes; all where none is named. Those that the object lacks are simply absent from the answer.
        pub names: Vec<AttributeName> = AttributeName | AttributeReference,
    }
}

structure! {
    /// The attributes.
    #[derive(Clone)]
    pub struct Response {
        /// The object.
        pub unique_identifier: String = UniqueIdentifier,
        /// Its attributes.
        pub attributes: Attributes = Attribute | Attributes,
    }
}

//! Add Attribute: an object gets one more attribute (KMIP 1.4 §4.14).

use crate::attribute::AttributeInstance;
use crate::ttlv::structure;

structure! {
    /// Which attribute of which object.
    #[derive(Clone)]
    pub struct Request {
        /// The object; the ID Placeholder where absent.
        pub unique_identifier: Option<String> = UniqueIdentifier,
        /// The attribute. Its index, if given, is passed over: the server chooses.
        pub attribute: AttributeInstance = NewAttribute | Attribute,
    }
}

structure! {
    /// What came of it.
    #[derive(Clone)]
    pub struct Response {
        /// The object.
        pub unique_identifier: String = UniqueIdentifier,
        /// The attribute, with the index it got (1.x only, where it is required).
        pub attribute: Option<AttributeInstance> = Attribute,
    }
}

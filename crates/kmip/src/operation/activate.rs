//! Activate: a Pre-Active object becomes Active (KMIP 1.4 §4.19).

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
    /// It is done.
    #[derive(Clone)]
    pub struct Response {
        /// The object.
        pub unique_identifier: String = UniqueIdentifier,
    }
}

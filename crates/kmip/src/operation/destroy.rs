//! Destroy: the bytes of an object are destroyed (KMIP 1.4 §4.21).

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

//! Revoke: an object is not to be used any more, and why (KMIP 1.4 §4.20).

use crate::attribute::RevocationReason;
use crate::ttlv::{DateTime, structure};

structure! {
    /// Which object.
    #[derive(Clone)]
    pub struct Request {
        /// The object; the ID Placeholder where absent.
        pub unique_identifier: Option<String> = UniqueIdentifier,
        /// Why.
        pub reason: RevocationReason = RevocationReason,
        /// When the object was compromised, if it was.
        pub compromise_occurrence_date: Option<DateTime> = CompromiseOccurrenceDate,
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

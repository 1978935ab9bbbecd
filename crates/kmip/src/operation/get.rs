//! Get: the object itself (KMIP 1.4 §4.11, KMIP 2.1 §6.1.19).

use crate::object::ManagedObject;
use crate::ttlv::{RawStructure, structure};
use crate::types::{KeyCompressionType, KeyFormatType, KeyWrapType, ObjectType};

structure! {
    /// Which object, and in which form.
    #[derive(Clone, Default)]
    pub struct Request {
        /// The object; the ID Placeholder where absent.
        pub unique_identifier: Option<String> = UniqueIdentifier,
        /// The format its bytes shall have.
        pub key_format_type: Option<KeyFormatType> = KeyFormatType,
        /// Whether a wrapped key shall come unwrapped (since 1.4).
        pub key_wrap_type: Option<KeyWrapType> = KeyWrapType,
        /// How a point shall be compressed.
        pub key_compression_type: Option<KeyCompressionType> = KeyCompressionType,
        /// With which key it shall be wrapped: carried, not understood (KMIP 1.4 §2.1.6).
        pub key_wrapping_specification: Option<RawStructure> = KeyWrappingSpecification,
    }
}

structure! {
    /// The object.
    pub struct Response {
        /// What it is.
        pub object_type: ObjectType = ObjectType,
        /// The object.
        pub unique_identifier: String = UniqueIdentifier,
        /// The object itself, under the tag of its type.
        pub object: ManagedObject = SymmetricKey | SecretData | OpaqueObject,
    }
}

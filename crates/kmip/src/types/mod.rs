//! Enumerations and masks as they travel: newtypes over the number, so that a value nobody here knows survives a round trip.
//!
//! The constants bear the specification's normalised names (`CryptographicAlgorithm::AES`, `HashingAlgorithm::SHA_256`) and can be
//! matched like variants. Each knows the versions that have it; encoding one under another version is an error.

mod cryptography;
mod key;
mod mask;
mod message;
mod object;

pub use cryptography::{
    BlockCipherMode, CryptographicAlgorithm, DigitalSignatureAlgorithm, HashingAlgorithm, MaskGenerator,
    PaddingMethod,
};
pub use key::{KeyCompressionType, KeyFormatType, KeyRoleType, KeyWrapType, NISTKeyType, ProtectionLevel};
pub use mask::{ProtectionStorageMask, StorageStatusMask, UsageMask};
pub use message::{
    AsynchronousIndicator, AttestationType, BatchErrorContinuationOption, ClientRegistrationMethod,
    CredentialType, Operation, QueryFunction, ResultReason, ResultStatus,
};
pub use object::{
    AlternativeNameType, CertificateType, LinkType, NameType, ObjectGroupMember, ObjectType, OpaqueDataType,
    RevocationReasonCode, SecretDataType, State, UsageLimitsUnit,
};

/// Declares an enumeration: `since VERSION [until VERSION] { Name = number, "name"; … }` groups.
macro_rules! enumeration {
    (
        $(#[$meta:meta])*
        pub struct $Type:ident;
        $(since $since:ident $(until $until:ident)? { $($value:ident = $number:literal, $name:literal;)* })*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Type(pub u32);

        #[allow(non_upper_case_globals)]
        impl $Type {
            $($(
                #[doc = $name]
                pub const $value: Self = Self($number);
            )*)*

            /// Every value the specification defines.
            pub const ALL: &'static [Self] = &[$($(Self::$value,)*)*];

            /// The specification's name, with spaces; `None` for a value it does not define.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($($number => Some($name),)*)*
                    _ => None,
                }
            }

            /// The versions that have it; `None` for a value the specification does not define.
            #[allow(unused_mut, unused_assignments, clippy::manual_range_patterns)]
            pub const fn span(self) -> Option<$crate::version::Span> {
                match self.0 {
                    $($($number)|* => {
                        let mut until = None;
                        $(until = Some($crate::version::ProtocolVersion::$until);)?
                        Some($crate::version::Span { since: $crate::version::ProtocolVersion::$since, until })
                    })*
                    _ => None,
                }
            }

            /// Whether `version` knows it. Values the specification does not define are nobody's to exclude.
            pub fn exists_in(self, version: $crate::version::ProtocolVersion) -> bool {
                self.span().is_none_or(|span| span.contains(version))
            }
        }

        impl std::fmt::Display for $Type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "0x{:08X}", self.0),
                }
            }
        }

        impl std::fmt::Debug for $Type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl $crate::ttlv::Wire for $Type {
            fn decode(
                tag: $crate::ttlv::Tag,
                reader: &mut $crate::ttlv::Reader<'_>,
            ) -> Result<Self, $crate::ttlv::DecodeError> {
                reader.enumeration(tag).map(Self)
            }

            fn encode(
                &self,
                tag: $crate::ttlv::Tag,
                writer: &mut $crate::ttlv::Writer,
            ) -> Result<(), $crate::ttlv::EncodeError> {
                if writer.is_gated() && !self.exists_in(writer.version()) {
                    return Err($crate::ttlv::EncodeError::ValueNotInVersion {
                        tag,
                        value: self.to_string(),
                        version: writer.version(),
                    });
                }
                writer.enumeration(tag, self.0)
            }
        }
    };
}

pub(crate) use enumeration;

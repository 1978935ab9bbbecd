//! Bit masks: integers whose bits have names (KMIP 1.4 §9.1.3.3).

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use crate::ttlv::{DecodeError, EncodeError, Reader, Tag, Wire, Writer};

/// Declares a mask. Bits without a name survive a round trip.
macro_rules! mask {
    ($(#[$meta:meta])* pub struct $Type:ident; $($bit:ident = $number:literal, $name:literal;)*) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $Type(pub u32);

        #[allow(non_upper_case_globals)]
        impl $Type {
            $(
                #[doc = $name]
                pub const $bit: Self = Self($number);
            )*

            /// No bit at all.
            pub const NONE: Self = Self(0);

            /// Whether every bit of `other` is set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Both masks' bits, in constants too.
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl BitOr for $Type {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }

        impl BitOrAssign for $Type {
            fn bitor_assign(&mut self, other: Self) {
                *self = self.with(other);
            }
        }

        impl fmt::Display for $Type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut rest = self.0;
                let mut separator = "";
                $(if self.0 & $number != 0 {
                    write!(f, "{separator}{}", $name)?;
                    rest &= !$number;
                    separator = ", ";
                })*
                match rest {
                    0 if separator.is_empty() => f.write_str("none"),
                    0 => Ok(()),
                    rest => write!(f, "{separator}0x{rest:08X}"),
                }
            }
        }

        impl fmt::Debug for $Type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Wire for $Type {
            fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.integer(tag).map(|bits| Self(bits.cast_unsigned()))
            }

            fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
                writer.integer(tag, self.0.cast_signed())
            }
        }
    };
}

mask! {
    /// What a key may be used for: Cryptographic Usage Mask (KMIP 1.4 §9.1.3.3.1).
    pub struct UsageMask;
    Sign = 0x0000_0001, "Sign";
    Verify = 0x0000_0002, "Verify";
    Encrypt = 0x0000_0004, "Encrypt";
    Decrypt = 0x0000_0008, "Decrypt";
    WrapKey = 0x0000_0010, "Wrap Key";
    UnwrapKey = 0x0000_0020, "Unwrap Key";
    Export = 0x0000_0040, "Export";
    MACGenerate = 0x0000_0080, "MAC Generate";
    MACVerify = 0x0000_0100, "MAC Verify";
    DeriveKey = 0x0000_0200, "Derive Key";
    ContentCommitment = 0x0000_0400, "Content Commitment (Non Repudiation)";
    KeyAgreement = 0x0000_0800, "Key Agreement";
    CertificateSign = 0x0000_1000, "Certificate Sign";
    CRLSign = 0x0000_2000, "CRL Sign";
    GenerateCryptogram = 0x0000_4000, "Generate Cryptogram";
    ValidateCryptogram = 0x0000_8000, "Validate Cryptogram";
    TranslateEncrypt = 0x0001_0000, "Translate Encrypt";
    TranslateDecrypt = 0x0002_0000, "Translate Decrypt";
    TranslateWrap = 0x0004_0000, "Translate Wrap";
    TranslateUnwrap = 0x0008_0000, "Translate Unwrap";
    Authenticate = 0x0010_0000, "Authenticate";
    Unrestricted = 0x0020_0000, "Unrestricted";
    FPEEncrypt = 0x0040_0000, "FPE Encrypt";
    FPEDecrypt = 0x0080_0000, "FPE Decrypt";
}

mask! {
    /// Which objects a Locate means: Storage Status Mask (KMIP 1.4 §9.1.3.3.2).
    pub struct StorageStatusMask;
    OnLineStorage = 0x0000_0001, "On-line storage";
    ArchivalStorage = 0x0000_0002, "Archival storage";
    DestroyedStorage = 0x0000_0004, "Destroyed storage";
}

mask! {
    /// Where key bytes may be kept: Protection Storage Mask (KMIP 2.1 §11.46).
    pub struct ProtectionStorageMask;
    Software = 0x0000_0001, "Software";
    Hardware = 0x0000_0002, "Hardware";
    OnProcessor = 0x0000_0004, "On Processor";
    OnSystem = 0x0000_0008, "On System";
    OffSystem = 0x0000_0010, "Off System";
    Hypervisor = 0x0000_0020, "Hypervisor";
    OperatingSystem = 0x0000_0040, "Operating System";
    Container = 0x0000_0080, "Container";
    OnPremises = 0x0000_0100, "On Premises";
    OffPremises = 0x0000_0200, "Off Premises";
    SelfManaged = 0x0000_0400, "Self Managed";
    Outsourced = 0x0000_0800, "Outsourced";
    Validated = 0x0000_1000, "Validated";
    SameJurisdiction = 0x0000_2000, "Same Jurisdiction";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_prints_the_names_of_its_bits_and_the_rest_in_hexadecimal() {
        assert_eq!((UsageMask::Encrypt | UsageMask::Decrypt).to_string(), "Encrypt, Decrypt");
        assert_eq!(UsageMask(0x8000_0001).to_string(), "Sign, 0x80000000");
        assert_eq!(UsageMask::NONE.to_string(), "none");
    }
}

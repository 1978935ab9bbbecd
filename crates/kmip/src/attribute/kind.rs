//! The table of attributes: which there are, since when, with which type, and what a client may do with them.

use super::values::{
    AlternativeName, ApplicationSpecificInformation, CryptographicParameters, Digest, Link, Name,
    RevocationReason, UsageLimits, VendorAttribute,
};
use crate::ttlv::{
    DateTime, DecodeError, EncodeError, Interval, Item, RawStructure, Reader, Tag, Value, Wire, Writer,
};
use crate::types::{
    CertificateType, CryptographicAlgorithm, DigitalSignatureAlgorithm, KeyFormatType, NISTKeyType,
    ObjectType, OpaqueDataType, ProtectionLevel, ProtectionStorageMask, State, UsageMask,
};
use crate::version::{ProtocolVersion, Span};

/// What the specification lets a client do with an attribute ("Modifiable by client", "Deletable by client", "Initially set by").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRights {
    /// Read it. Only the server sets it.
    Read,
    /// Set it when the object is made, and never after.
    SetOnce,
    /// Set and change it, within the rules of the attribute, but not delete it.
    Change,
    /// Set, change and delete it.
    Delete,
}

macro_rules! attributes {
    ($(
        $(#[$meta:meta])*
        $kind:ident($Type:ty): $multiple:ident, $rights:ident, $since:ident $(until $until:ident)?;
    )*) => {
        /// A standard attribute. Its text name (1.x) and its tag (2.x) are those of the tag of the same name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(non_camel_case_types, reason = "the specification's normalised names")]
        pub enum AttributeKind {
            $($(#[$meta])* $kind,)*
        }

        impl AttributeKind {
            /// All standard attributes.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its tag in 2.x.
            pub const fn tag(self) -> Tag {
                match self { $(Self::$kind => Tag::$kind,)* }
            }

            /// The attribute with this tag.
            pub const fn from_tag(tag: Tag) -> Option<Self> {
                match tag {
                    $(Tag::$kind => Some(Self::$kind),)*
                    _ => None,
                }
            }

            /// The versions that have it as an attribute.
            #[allow(unused_mut, unused_assignments)]
            pub const fn span(self) -> Span {
                match self {
                    $(Self::$kind => {
                        let mut until = None;
                        $(until = Some(ProtocolVersion::$until);)?
                        Span { since: ProtocolVersion::$since, until }
                    })*
                }
            }

            /// Whether an object can have several of it.
            pub const fn is_multiple(self) -> bool {
                match self { $(Self::$kind => attributes!(@multiple $multiple),)* }
            }

            /// What a client may do with it.
            pub const fn client_rights(self) -> ClientRights {
                match self { $(Self::$kind => ClientRights::$rights,)* }
            }
        }

        /// An attribute: its kind and its value.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(non_camel_case_types, reason = "the specification's normalised names")]
        pub enum Attribute {
            $($(#[$meta])* $kind($Type),)*
            /// An attribute with a text name that is not the standard's: `x-…` of clients, `y-…` of servers, or whatever was sent.
            /// 2.x writes `x-` and `y-` as vendors (KMIP 2.1 §4.60).
            Custom {
                /// Its name, prefix included.
                name: String,
                /// Its value, of any type.
                value: Value,
            },
            /// An attribute of a vendor (2.x only).
            Vendor(Box<VendorAttribute>),
            /// An attribute of 2.x under a tag that is not an attribute's here.
            Other(Box<Item>),
        }

        impl Attribute {
            /// Its kind; `None` for those of vendors and clients.
            pub const fn kind(&self) -> Option<AttributeKind> {
                match self {
                    $(Self::$kind(_) => Some(AttributeKind::$kind),)*
                    Self::Custom { .. } | Self::Vendor(_) | Self::Other(_) => None,
                }
            }

            /// Reads the value of a `kind` attribute, which is tagged `tag`.
            pub(super) fn decode_value(kind: AttributeKind, tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match kind {
                    $(AttributeKind::$kind => Wire::decode(tag, reader).map(Self::$kind),)*
                }
            }

            /// Writes the value under `tag`.
            pub(super) fn encode_value(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
                match self {
                    $(Self::$kind(value) => value.encode(tag, writer),)*
                    // A custom attribute's contents are its owner's: no version has a say in them.
                    Self::Custom { value, .. } => writer.ungated(|writer| value.encode(tag, writer)),
                    Self::Vendor(vendor) => writer.ungated(|writer| vendor.value.encode(tag, writer)),
                    Self::Other(item) => item.value.encode(tag, writer),
                }
            }
        }
    };
    (@multiple single) => { false };
    (@multiple multiple) => { true };
}

// The order is that of KMIP 1.4 §3, then what 2.0 and 2.1 added. Rights and instances are those of each attribute's rules table.
attributes! {
    /// The server's name of the object, never used again (KMIP 1.4 §3.1).
    UniqueIdentifier(String): single, Read, V1_0;
    /// A name given by a client (§3.2).
    Name(Name): multiple, Delete, V1_0;
    /// What the object is (§3.3).
    ObjectType(ObjectType): single, Read, V1_0;
    /// The algorithm of the key (§3.4). A client names it when the object is made.
    CryptographicAlgorithm(CryptographicAlgorithm): single, SetOnce, V1_0;
    /// Length of the key in bits (§3.5). A client names it when the object is made.
    CryptographicLength(u32): single, SetOnce, V1_0;
    /// How the key is used (§3.6).
    CryptographicParameters(Box<CryptographicParameters>): multiple, Delete, V1_0;
    /// Parameters of a key pair's domain (§3.7). A client names them when the objects are made.
    CryptographicDomainParameters(RawStructure): single, SetOnce, V1_0;
    /// Format of the certificate (§3.8).
    CertificateType(CertificateType): single, Read, V1_0;
    /// Length of the certificate in bytes (§3.9).
    CertificateLength(u32): single, Read, V1_1;
    /// Issuer and serial number of the certificate (§3.10).
    X_509CertificateIdentifier(RawStructure): single, Read, V1_1;
    /// Subject of the certificate (§3.11).
    X_509CertificateSubject(RawStructure): single, Read, V1_1;
    /// Issuer of the certificate (§3.12).
    X_509CertificateIssuer(RawStructure): single, Read, V1_1;
    /// The older form of [`Self::X_509CertificateIdentifier`] (§3.13).
    CertificateIdentifier(RawStructure): single, Read, V1_0 until V1_4;
    /// The older form of [`Self::X_509CertificateSubject`] (§3.14).
    CertificateSubject(RawStructure): single, Read, V1_0 until V1_4;
    /// The older form of [`Self::X_509CertificateIssuer`] (§3.15).
    CertificateIssuer(RawStructure): single, Read, V1_0 until V1_4;
    /// Signature scheme of the certificate (§3.16).
    DigitalSignatureAlgorithm(DigitalSignatureAlgorithm): multiple, Read, V1_1;
    /// Digest of the object's bytes (§3.17).
    Digest(Digest): multiple, Read, V1_0;
    /// The access rules that apply, by name (§3.18).
    OperationPolicyName(String): single, SetOnce, V1_0 until V1_4;
    /// What the key may be used for (§3.19).
    CryptographicUsageMask(UsageMask): single, SetOnce, V1_0;
    /// How long a client may cache the object (§3.20).
    LeaseTime(Interval): single, Read, V1_0;
    /// How much may be done with the key (§3.21).
    UsageLimits(UsageLimits): single, Delete, V1_0;
    /// Where the object is in its life (§3.22).
    State(State): single, Read, V1_0;
    /// When the server got the object (§3.23).
    InitialDate(DateTime): single, Read, V1_0;
    /// When the object becomes Active (§3.24).
    ActivationDate(DateTime): single, Change, V1_0;
    /// From when a symmetric key may process, that is decrypt (§3.25).
    ProcessStartDate(DateTime): single, Change, V1_0;
    /// From when a symmetric key may no longer protect, that is encrypt (§3.26).
    ProtectStopDate(DateTime): single, Change, V1_0;
    /// When the object becomes Deactivated (§3.27).
    DeactivationDate(DateTime): single, Change, V1_0;
    /// When the object was destroyed (§3.28).
    DestroyDate(DateTime): single, Read, V1_0;
    /// When the object is believed to have been compromised (§3.29).
    CompromiseOccurrenceDate(DateTime): single, Read, V1_0;
    /// When the object was revoked for it (§3.30).
    CompromiseDate(DateTime): single, Read, V1_0;
    /// Why the object was revoked (§3.31).
    RevocationReason(RevocationReason): single, Read, V1_0;
    /// When the object was archived (§3.32).
    ArchiveDate(DateTime): single, Read, V1_0;
    /// A group the object belongs to (§3.33).
    ObjectGroup(String): multiple, Delete, V1_0;
    /// Whether the object was not yet handed out (§3.34).
    Fresh(bool): single, SetOnce, V1_1;
    /// A link to another object (§3.35).
    Link(Link): multiple, Delete, V1_0;
    /// What an application notes about the object (§3.36).
    ApplicationSpecificInformation(ApplicationSpecificInformation): multiple, Delete, V1_0;
    /// Whom to ask about the object (§3.37).
    ContactInformation(String): single, Delete, V1_0;
    /// When anything about the object last changed (§3.38).
    LastChangeDate(DateTime): single, Read, V1_0;
    /// Another name, which need not be unique (§3.40).
    AlternativeName(AlternativeName): multiple, Delete, V1_2;
    /// Whether the server holds the key's bytes (§3.41).
    KeyValuePresent(bool): single, Read, V1_2;
    /// Where the key's bytes are, if not on the server (§3.42).
    KeyValueLocation(RawStructure): multiple, Delete, V1_2;
    /// When the object was first made, wherever that was (§3.43).
    OriginalCreationDate(DateTime): single, SetOnce, V1_2;
    /// What drew the key's bytes (§3.44).
    RandomNumberGenerator(RawStructure): single, SetOnce, V1_3;
    /// The object's name in a PKCS#12 container (§3.45).
    PKCS_12FriendlyName(String): single, Delete, V1_4;
    /// What the object is for, in words (§3.46).
    Description(String): single, Delete, V1_4;
    /// A remark (§3.47).
    Comment(String): single, Delete, V1_4;
    /// Whether the key may only leave wrapped (§3.48).
    Sensitive(bool): single, Change, V1_4;
    /// Whether it always was so (§3.49).
    AlwaysSensitive(bool): single, Read, V1_4;
    /// Whether the key may leave at all (§3.50).
    Extractable(bool): single, Change, V1_4;
    /// Whether it never could (§3.51).
    NeverExtractable(bool): single, Read, V1_4;
    /// How the key's bytes are laid out (KMIP 2.1 §4.26).
    KeyFormatType(KeyFormatType): single, Read, V2_0;
    /// Use of the key in NIST SP 800-57's words (KMIP 2.1 §4.34).
    NISTKeyType(NISTKeyType): multiple, SetOnce, V2_0;
    /// What the Opaque Object holds (KMIP 2.1 §4.37).
    OpaqueDataType(OpaqueDataType): single, Read, V2_0;
    /// How well the key must be protected (KMIP 2.1 §4.42).
    ProtectionLevel(ProtectionLevel): single, Delete, V2_0;
    /// For how long (KMIP 2.1 §4.43).
    ProtectionPeriod(Interval): single, Delete, V2_0;
    /// Where the key's bytes are kept (KMIP 2.1 §4.44).
    ProtectionStorageMask(ProtectionStorageMask): single, Read, V2_0;
    /// Whether the key must withstand quantum computers (KMIP 2.1 §4.45).
    QuantumSafe(bool): single, Delete, V2_0;
    /// A digest of the unique identifier (KMIP 2.1 §4.56).
    ShortUniqueIdentifier(Vec<u8>): single, Read, V2_0;
    /// Whether the server rotates the key by itself (KMIP 2.1 §4.48).
    RotateAutomatic(bool): single, Change, V2_1;
    /// When the key was rotated (KMIP 2.1 §4.49).
    RotateDate(DateTime): single, Read, V2_1;
    /// How often the key was rotated (KMIP 2.1 §4.50).
    RotateGeneration(u32): single, Read, V2_1;
    /// How often the key shall be rotated, in seconds (KMIP 2.1 §4.51).
    RotateInterval(Interval): single, Change, V2_1;
    /// Whether the key is the newest of its generations (KMIP 2.1 §4.52).
    RotateLatest(bool): single, Read, V2_1;
    /// The name of all generations together (KMIP 2.1 §4.53).
    RotateName(RawStructure): single, Delete, V2_1;
    /// How long after a rotation the new key becomes active, in seconds (KMIP 2.1 §4.54).
    RotateOffset(Interval): single, Change, V2_1;
}

impl AttributeKind {
    /// Its text name in 1.x, as the specification writes it.
    pub fn name(self) -> &'static str {
        self.tag().name().unwrap_or_default()
    }

    /// The attribute with this 1.x text name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether `version` has it.
    pub fn exists_in(self, version: ProtocolVersion) -> bool {
        self.span().contains(version)
    }

    /// Whether 1.4 discourages it.
    pub const fn is_deprecated(self) -> bool {
        matches!(
            self,
            Self::CertificateIdentifier
                | Self::CertificateSubject
                | Self::CertificateIssuer
                | Self::OperationPolicyName
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_by_its_tag() {
        for kind in AttributeKind::ALL.iter().copied() {
            assert_eq!(AttributeKind::from_name(kind.name()), Some(kind));
            assert_eq!(AttributeKind::from_tag(kind.tag()), Some(kind));
            assert!(!kind.name().is_empty());
        }
        assert_eq!(
            AttributeKind::from_name("Cryptographic Algorithm"),
            Some(AttributeKind::CryptographicAlgorithm)
        );
        assert_eq!(
            AttributeKind::from_name("PKCS#12 Friendly Name"),
            Some(AttributeKind::PKCS_12FriendlyName)
        );
        assert_eq!(
            AttributeKind::from_name("X.509 Certificate Issuer"),
            Some(AttributeKind::X_509CertificateIssuer)
        );
        assert_eq!(AttributeKind::from_name("x-Name"), None);
    }

    /// An attribute cannot be older than the tag of the same name.
    #[test]
    fn no_attribute_is_older_than_its_tag() {
        for kind in AttributeKind::ALL.iter().copied() {
            assert!(kind.tag().exists_in(kind.span().since), "{kind:?}");
        }
    }

    /// A row of each sort, from the rules tables of KMIP 1.4 §3.
    #[test]
    fn rights_are_those_of_the_specification() {
        let rules = |kind: AttributeKind| (kind.is_multiple(), kind.client_rights());
        assert_eq!(rules(AttributeKind::UniqueIdentifier), (false, ClientRights::Read));
        assert_eq!(rules(AttributeKind::State), (false, ClientRights::Read));
        assert_eq!(rules(AttributeKind::Name), (true, ClientRights::Delete));
        assert_eq!(rules(AttributeKind::ActivationDate), (false, ClientRights::Change));
        assert_eq!(rules(AttributeKind::CryptographicUsageMask), (false, ClientRights::SetOnce));
        assert_eq!(rules(AttributeKind::ObjectGroup), (true, ClientRights::Delete));
        assert_eq!(rules(AttributeKind::Digest), (true, ClientRights::Read));
    }
}

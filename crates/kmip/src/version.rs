//! Protocol versions, and everything that depends on them as data.
//!
//! What a version knows is written in one place for each kind of thing: the tag table says since which version a field exists and
//! until which it did ([`crate::ttlv::Tag`]), the enumeration tables say the same of values ([`crate::types`]), the attribute table
//! of attributes ([`crate::attribute::AttributeKind`]). They all use [`Span`]. Decoding accepts whatever is known in any version;
//! encoding refuses what the message's version lacks. The few things a named client needs in spite of its version are listed here,
//! as [`ClientException`].

use std::fmt;

use crate::ttlv::Tag;

/// A protocol version, ordered by age (KMIP 1.4 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion {
    /// Protocol Version Major.
    pub major: u16,
    /// Protocol Version Minor.
    pub minor: u16,
}

impl ProtocolVersion {
    /// KMIP 1.0, October 2010.
    pub const V1_0: Self = Self::new(1, 0);
    /// KMIP 1.1, January 2013.
    pub const V1_1: Self = Self::new(1, 1);
    /// KMIP 1.2, May 2015.
    pub const V1_2: Self = Self::new(1, 2);
    /// KMIP 1.3, December 2016.
    pub const V1_3: Self = Self::new(1, 3);
    /// KMIP 1.4, November 2017.
    pub const V1_4: Self = Self::new(1, 4);
    /// KMIP 2.0, October 2019.
    pub const V2_0: Self = Self::new(2, 0);
    /// KMIP 2.1, December 2020.
    pub const V2_1: Self = Self::new(2, 1);

    /// The version `major.minor`.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Whether attributes travel as `Attribute` structures with a text name and an index (1.x), not under tags of their own (2.x).
    pub const fn has_named_attributes(self) -> bool {
        self.major < 2
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Debug for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The versions in which something exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first version that has it.
    pub since: ProtocolVersion,
    /// The last version that has it; `None` where it is still there.
    pub until: Option<ProtocolVersion>,
}

impl Span {
    /// Whether `version` has it.
    pub fn contains(self, version: ProtocolVersion) -> bool {
        self.since <= version && self.until.is_none_or(|until| version <= until)
    }
}

/// A field that a version lacks and that a client of that version needs all the same.
///
/// Encoding such a field is an error unless the exception is named to `encode_allowing` of
/// [`RequestMessage`](crate::RequestMessage::encode_allowing) or [`ResponseMessage`](crate::ResponseMessage::encode_allowing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientException {
    /// The field.
    pub tag: Tag,
    /// The client which needs it.
    pub client: &'static str,
    /// When the exception applies.
    pub when: &'static str,
}

/// Percona's keyring component pages through Locate with Offset Items under a 1.0 header and reads Located Items as the total. Both
/// fields came with 1.3. Without the total it keeps asking until a page is empty; with a wrong total it loses keys.
pub const LOCATED_ITEMS_FOR_OFFSET: ClientException = ClientException {
    tag: Tag::LocatedItems,
    client: "Percona Server component_keyring_kmip",
    when: "the Locate request carried Offset Items",
};

/// The request half of [`LOCATED_ITEMS_FOR_OFFSET`]: what such a client sends, so that it can be spoken as well as answered.
pub const OFFSET_ITEMS_BEFORE_1_3: ClientException = ClientException {
    tag: Tag::OffsetItems,
    client: "Percona Server component_keyring_kmip",
    when: "a Locate request pages under a header older than 1.3",
};

/// All exceptions.
pub const CLIENT_EXCEPTIONS: [ClientException; 2] = [LOCATED_ITEMS_FOR_OFFSET, OFFSET_ITEMS_BEFORE_1_3];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_age() {
        assert!(ProtocolVersion::V1_4 < ProtocolVersion::V2_0);
        assert!(ProtocolVersion::V1_0 < ProtocolVersion::V1_1);
        assert_eq!(ProtocolVersion::V2_1.to_string(), "2.1");
    }

    #[test]
    fn a_span_includes_both_its_ends() {
        let span = Span { since: ProtocolVersion::V1_1, until: Some(ProtocolVersion::V1_4) };
        assert!(!span.contains(ProtocolVersion::V1_0));
        assert!(span.contains(ProtocolVersion::V1_1));
        assert!(span.contains(ProtocolVersion::V1_4));
        assert!(!span.contains(ProtocolVersion::V2_0));
    }

    #[test]
    fn every_exception_is_about_a_field_that_an_older_version_lacks() {
        for exception in CLIENT_EXCEPTIONS {
            assert!(!exception.tag.exists_in(ProtocolVersion::V1_0), "{exception:?}");
        }
    }
}

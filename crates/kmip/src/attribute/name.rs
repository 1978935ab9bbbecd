//! Names of attributes.

use std::fmt;

use super::{Attribute, AttributeKind};
use crate::ttlv::{DecodeError, EncodeError, ItemType, Reader, Tag, Wire, Writer};

/// The name of an attribute: a text in 1.x, a reference by tag or by vendor in 2.x (KMIP 2.1 §5.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttributeName {
    /// A standard attribute.
    Standard(AttributeKind),
    /// A text name that is not the standard's, prefix included.
    Custom(String),
    /// A vendor's attribute (2.x only).
    Vendor {
        /// The vendor.
        vendor: String,
        /// The vendor's name of it.
        name: String,
    },
    /// A tag that is no attribute's here (2.x only).
    Other(Tag),
}

impl AttributeName {
    /// The name behind a 1.x text. Any text is one.
    pub fn from_text(text: &str) -> Self {
        AttributeKind::from_name(text).map_or_else(|| Self::Custom(text.to_owned()), Self::Standard)
    }

    /// The name behind a 2.x vendor attribute: vendors `x` and `y` stand for the custom attributes of 1.x (KMIP 2.1 §4.60).
    pub(super) fn from_vendor(vendor: String, name: String) -> Self {
        match vendor.as_str() {
            "x" | "y" => Self::Custom(format!("{vendor}-{name}")),
            _ => Self::Vendor { vendor, name },
        }
    }

    /// Whether `version` has it and can write it.
    pub fn exists_in(&self, version: crate::ProtocolVersion) -> bool {
        match self {
            Self::Standard(kind) => kind.exists_in(version),
            Self::Custom(name) => version.has_named_attributes() || split_custom(name).is_some(),
            Self::Vendor { .. } | Self::Other(_) => !version.has_named_attributes(),
        }
    }
}

/// `x-name` and `y-name` as 2.x writes them: vendor and name.
pub(super) fn split_custom(name: &str) -> Option<(&str, &str)> {
    name.split_once('-').filter(|(vendor, _)| matches!(*vendor, "x" | "y"))
}

impl From<AttributeKind> for AttributeName {
    fn from(kind: AttributeKind) -> Self {
        Self::Standard(kind)
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(kind) => f.write_str(kind.name()),
            Self::Custom(name) => f.write_str(name),
            Self::Vendor { vendor, name } => write!(f, "{vendor}:{name}"),
            Self::Other(tag) => write!(f, "{tag}"),
        }
    }
}

impl Attribute {
    /// Its name.
    pub fn name(&self) -> AttributeName {
        match self {
            Self::Custom { name, .. } => AttributeName::Custom(name.clone()),
            Self::Vendor(attribute) => {
                AttributeName::Vendor { vendor: attribute.vendor.clone(), name: attribute.name.clone() }
            }
            Self::Other(item) => AttributeName::Other(item.tag),
            standard => standard.kind().map_or(AttributeName::Other(Tag::Attribute), AttributeName::Standard),
        }
    }

    /// Whether `version` has it and can write it.
    pub fn exists_in(&self, version: crate::ProtocolVersion) -> bool {
        match self.kind() {
            Some(kind) => kind.exists_in(version),
            None => self.name().exists_in(version),
        }
    }
}

/// The field that names an attribute: Attribute Name in 1.x, Attribute Reference in 2.x. The tag asked for is ignored.
impl Wire for AttributeName {
    fn is_next(_: Tag, reader: &mut Reader<'_>) -> bool {
        reader.at(Tag::AttributeName) || reader.at(Tag::AttributeReference)
    }

    fn decode(_: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if !reader.at(Tag::AttributeReference) {
            return reader.text(Tag::AttributeName).map(Self::from_text);
        }
        if reader.is_type(ItemType::Structure) {
            let tags = &[Tag::VendorIdentification, Tag::AttributeName];
            return reader.structure(Tag::AttributeReference, tags, |reader| {
                let vendor = reader.text(Tag::VendorIdentification)?.to_owned();
                let name = reader.text(Tag::AttributeName)?.to_owned();
                Ok(Self::from_vendor(vendor, name))
            });
        }
        let tag = Tag::new(reader.enumeration(Tag::AttributeReference)?);
        Ok(AttributeKind::from_tag(tag).map_or(Self::Other(tag), Self::Standard))
    }

    fn encode(&self, _: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        let version = writer.version();
        let refused =
            || EncodeError::AttributeNotInVersion { attribute: self.to_string(), version, span: None };
        if let Self::Standard(kind) = self
            && !kind.exists_in(version)
        {
            let (attribute, span) = (kind.name().to_owned(), Some(kind.span()));
            return Err(EncodeError::AttributeNotInVersion { attribute, version, span });
        }
        if version.has_named_attributes() {
            return match self {
                Self::Standard(kind) => writer.text(Tag::AttributeName, kind.name()),
                Self::Custom(name) => writer.text(Tag::AttributeName, name),
                Self::Vendor { .. } | Self::Other(_) => Err(refused()),
            };
        }
        let mut vendor_reference = |vendor: &str, name: &str| {
            writer.structure(Tag::AttributeReference, |writer| {
                writer.text(Tag::VendorIdentification, vendor)?;
                writer.text(Tag::AttributeName, name)
            })
        };
        match self {
            Self::Custom(name) => match split_custom(name) {
                Some((vendor, name)) => vendor_reference(vendor, name),
                None => Err(refused()),
            },
            Self::Vendor { vendor, name } => vendor_reference(vendor, name),
            Self::Standard(kind) => writer.enumeration(Tag::AttributeReference, kind.tag().number()),
            Self::Other(tag) => writer.enumeration(Tag::AttributeReference, tag.number()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProtocolVersion;

    #[test]
    fn custom_attributes_of_1_x_are_the_vendors_x_and_y_of_2_x() {
        let of = |vendor: &str| AttributeName::from_vendor(vendor.to_owned(), "Purpose".to_owned());
        assert_eq!(of("x"), AttributeName::Custom("x-Purpose".to_owned()));
        assert_eq!(of("y"), AttributeName::Custom("y-Purpose".to_owned()));
        assert!(matches!(of("acme"), AttributeName::Vendor { .. }));
        assert_eq!(split_custom("x-a-b"), Some(("x", "a-b")));
        assert_eq!(split_custom("z-a"), None);
    }

    #[test]
    fn only_2_x_can_write_a_vendors_attribute_and_only_1_x_any_text() {
        let vendor = AttributeName::from_vendor("acme".to_owned(), "a".to_owned());
        assert!(!vendor.exists_in(ProtocolVersion::V1_4));
        assert!(vendor.exists_in(ProtocolVersion::V2_1));
        let text = AttributeName::from_text("Storage Status Mask");
        assert!(text.exists_in(ProtocolVersion::V1_0));
        assert!(!text.exists_in(ProtocolVersion::V2_1));
    }
}

//! Attributes on the wire: `Attribute {Name, Index, Value}` in 1.x, tagged in 2.x.

use super::name::split_custom;
use super::{Attribute, AttributeInstance, AttributeKind, Attributes, VendorAttribute};
use crate::ttlv::{DecodeError, EncodeError, Reader, Tag, Value, Wire, Writer};

const NAMED: &[Tag] = &[Tag::AttributeName, Tag::AttributeIndex, Tag::AttributeValue];

/// Reads `Attribute {Attribute Name, Attribute Index, Attribute Value}` (KMIP 1.4 §2.1.1). The index is accepted everywhere.
fn decode_named(reader: &mut Reader<'_>) -> Result<AttributeInstance, DecodeError> {
    reader.structure(Tag::Attribute, NAMED, |reader| {
        let name = reader.text(Tag::AttributeName)?;
        let kind = AttributeKind::from_name(name);
        let index = Option::decode(Tag::AttributeIndex, reader)?;
        let attribute = match kind {
            Some(kind) => Attribute::decode_value(kind, Tag::AttributeValue, reader)?,
            None => Attribute::Custom {
                name: name.to_owned(),
                value: Value::decode(Tag::AttributeValue, reader)?,
            },
        };
        Ok(AttributeInstance { index, attribute })
    })
}

fn encode_named(instance: &AttributeInstance, writer: &mut Writer) -> Result<(), EncodeError> {
    writer.structure(Tag::Attribute, |writer| {
        instance.attribute.name().encode(Tag::AttributeName, writer)?;
        instance.index.encode(Tag::AttributeIndex, writer)?;
        instance.attribute.encode_value(Tag::AttributeValue, writer)
    })
}

/// Reads an attribute under its own tag (KMIP 2.1 §5.1).
fn decode_tagged(reader: &mut Reader<'_>) -> Result<Attribute, DecodeError> {
    match reader.peek() {
        Some(Tag::Attribute) => {
            let vendor = VendorAttribute::decode(Tag::Attribute, reader)?;
            Ok(match vendor.vendor.as_str() {
                "x" | "y" => Attribute::Custom {
                    name: format!("{}-{}", vendor.vendor, vendor.name),
                    value: vendor.value,
                },
                _ => Attribute::Vendor(Box::new(vendor)),
            })
        }
        tag => match tag.and_then(AttributeKind::from_tag) {
            Some(kind) => Attribute::decode_value(kind, kind.tag(), reader),
            None => reader.item().map(|item| Attribute::Other(Box::new(item))),
        },
    }
}

fn encode_tagged(instance: &AttributeInstance, writer: &mut Writer) -> Result<(), EncodeError> {
    let version = writer.version();
    if instance.index.is_some() {
        return Err(EncodeError::FieldNotInVersion { tag: Tag::AttributeIndex, version });
    }
    let attribute = &instance.attribute;
    let refused =
        |span| EncodeError::AttributeNotInVersion { attribute: attribute.name().to_string(), version, span };
    let (vendor, name) = match attribute {
        Attribute::Custom { name, .. } => split_custom(name).ok_or_else(|| refused(None))?,
        Attribute::Vendor(vendor) => (vendor.vendor.as_str(), vendor.name.as_str()),
        Attribute::Other(item) => return writer.item(item),
        standard => {
            return match standard.kind() {
                Some(kind) if kind.exists_in(version) => standard.encode_value(kind.tag(), writer),
                kind => Err(refused(kind.map(AttributeKind::span))),
            };
        }
    };
    writer.structure(Tag::Attribute, |writer| {
        writer.text(Tag::VendorIdentification, vendor)?;
        writer.text(Tag::AttributeName, name)?;
        attribute.encode_value(Tag::AttributeValue, writer)
    })
}

/// Attributes as a field: `Attribute`s one after the other in 1.x, one `Attributes` structure in 2.x (always there, even empty). The
/// tag asked for is ignored.
impl Wire for Attributes {
    fn decode(_: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.at(Tag::Attributes) {
            return decode_attributes_structure(Tag::Attributes, reader);
        }
        let mut attributes = Self::default();
        while reader.at(Tag::Attribute) {
            attributes.push_instance(decode_named(reader)?);
        }
        Ok(attributes)
    }

    fn encode(&self, _: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        if writer.version().has_named_attributes() {
            return self.instances().try_for_each(|instance| encode_named(instance, writer));
        }
        encode_attributes_structure(self, Tag::Attributes, writer)
    }

    fn is_next(_: Tag, reader: &mut Reader<'_>) -> bool {
        reader.at(Tag::Attribute) || reader.at(Tag::Attributes)
    }
}

/// A structure of tagged attributes.
pub(super) fn decode_attributes_structure(
    tag: Tag,
    reader: &mut Reader<'_>,
) -> Result<Attributes, DecodeError> {
    reader.structure(tag, &[], |reader| {
        let mut attributes = Attributes::default();
        while reader.peek().is_some() {
            attributes.push(decode_tagged(reader)?);
        }
        Ok(attributes)
    })
}

/// Writes a structure of tagged attributes.
pub(super) fn encode_attributes_structure(
    attributes: &Attributes,
    tag: Tag,
    writer: &mut Writer,
) -> Result<(), EncodeError> {
    writer.structure(tag, |writer| {
        attributes.instances().try_for_each(|instance| encode_tagged(instance, writer))
    })
}

/// One attribute as a field: `Attribute` in 1.x; in 2.x a structure under the tag asked for (New Attribute, Current Attribute) that
/// holds one tagged attribute.
impl Wire for AttributeInstance {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.at(tag) && tag != Tag::Attribute {
            return reader.structure(tag, &[], decode_tagged).map(Self::from);
        }
        decode_named(reader)
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        if writer.version().has_named_attributes() {
            return encode_named(self, writer);
        }
        if tag == Tag::Attribute {
            // A reply that repeats the attribute: 2.x has no such field.
            return Err(EncodeError::FieldNotInVersion { tag, version: writer.version() });
        }
        writer.structure(tag, |writer| encode_tagged(self, writer))
    }

    fn is_next(tag: Tag, reader: &mut Reader<'_>) -> bool {
        reader.at(Tag::Attribute) || reader.at(tag)
    }
}

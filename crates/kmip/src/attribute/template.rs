//! The attributes that a new object shall have.

use super::wire::{decode_attributes_structure, encode_attributes_structure};
use super::{Attribute, Attributes, Name};
use crate::ttlv::{DecodeError, EncodeError, Reader, Tag, Wire, Writer};

/// Attributes for a new object: Template-Attribute in 1.x (KMIP 1.4 §2.1.8), Attributes in 2.x.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TemplateAttribute {
    /// Names of templates whose attributes shall be taken too (until 1.4; discouraged since 1.3).
    pub names: Vec<Name>,
    /// Attributes given here.
    pub attributes: Attributes,
}

impl From<Attributes> for TemplateAttribute {
    fn from(attributes: Attributes) -> Self {
        Self { names: Vec::new(), attributes }
    }
}

impl FromIterator<Attribute> for TemplateAttribute {
    fn from_iter<I: IntoIterator<Item = Attribute>>(attributes: I) -> Self {
        Attributes::from_iter(attributes).into()
    }
}

/// The tag asked for is ignored.
impl Wire for TemplateAttribute {
    fn decode(_: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.at(Tag::Attributes) {
            return decode_attributes_structure(Tag::Attributes, reader).map(Self::from);
        }
        reader.structure(Tag::TemplateAttribute, &[Tag::Name, Tag::Attribute], |reader| {
            let names = Vec::decode(Tag::Name, reader)?;
            let attributes = Attributes::decode(Tag::Attribute, reader)?;
            Ok(Self { names, attributes })
        })
    }

    fn encode(&self, _: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        if writer.version().has_named_attributes() {
            return writer.structure(Tag::TemplateAttribute, |writer| {
                self.names.encode(Tag::Name, writer)?;
                self.attributes.encode(Tag::Attribute, writer)
            });
        }
        if !self.names.is_empty() {
            return Err(EncodeError::FieldNotInVersion {
                tag: Tag::TemplateAttribute,
                version: writer.version(),
            });
        }
        encode_attributes_structure(&self.attributes, Tag::Attributes, writer)
    }

    fn is_next(_: Tag, reader: &mut Reader<'_>) -> bool {
        reader.at(Tag::TemplateAttribute) || reader.at(Tag::Attributes)
    }
}

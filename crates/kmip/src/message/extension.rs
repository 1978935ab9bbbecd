//! Message extensions: what vendors add to a batch item (KMIP 1.4 §6.16).

use crate::ttlv::{DecodeError, EncodeError, RawStructure, Reader, Tag, Wire, Writer};

/// A vendor's addition to a batch item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageExtension {
    /// The vendor.
    pub vendor: String,
    /// Whether a receiver that does not know it must refuse the item.
    pub critical: bool,
    /// The addition. Its contents are the vendor's: no version has a say in them.
    pub extension: RawStructure,
}

const TAGS: &[Tag] = &[Tag::VendorIdentification, Tag::CriticalityIndicator, Tag::VendorExtension];

impl Wire for MessageExtension {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.structure(tag, TAGS, |reader| {
            Ok(Self {
                vendor: Wire::decode(Tag::VendorIdentification, reader)?,
                critical: Wire::decode(Tag::CriticalityIndicator, reader)?,
                extension: Wire::decode(Tag::VendorExtension, reader)?,
            })
        })
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.structure(tag, |writer| {
            self.vendor.encode(Tag::VendorIdentification, writer)?;
            self.critical.encode(Tag::CriticalityIndicator, writer)?;
            writer.ungated(|writer| self.extension.encode(Tag::VendorExtension, writer))
        })
    }
}

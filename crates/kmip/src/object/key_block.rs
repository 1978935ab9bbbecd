//! Key blocks: key bytes and what is needed to read them (KMIP 1.4 §2.1.3).

use strongroom_secret::KeyMaterial;

use crate::attribute::Attributes;
use crate::ttlv::{
    DecodeError, EncodeError, Item, ItemType, RawStructure, Reader, Tag, Wire, Writer, structure,
};
use crate::types::{CryptographicAlgorithm, KeyCompressionType, KeyFormatType};

structure! {
    /// A key, in some format, perhaps wrapped (KMIP 1.4 §2.1.3).
    pub struct KeyBlock {
        /// How the bytes are laid out.
        pub format: KeyFormatType = KeyFormatType,
        /// How a point is compressed, for elliptic curve public keys.
        pub compression: Option<KeyCompressionType> = KeyCompressionType,
        /// The key; absent where the server does not hold it (since 1.2).
        pub value: Option<KeyValue> = KeyValue,
        /// Its algorithm; may be absent where the format says it, and for Secret Data.
        pub algorithm: Option<CryptographicAlgorithm> = CryptographicAlgorithm,
        /// Its length in bits; may be absent where the algorithm is.
        pub length: Option<u32> = CryptographicLength,
        /// How it is wrapped, if it is: carried, not understood (§2.1.5).
        pub wrapping: Option<RawStructure> = KeyWrappingData,
    }
}

impl KeyBlock {
    /// A raw symmetric key. The length in bits is that of the bytes.
    pub fn raw(algorithm: CryptographicAlgorithm, material: KeyMaterial) -> Self {
        let length = u32::try_from(material.len().saturating_mul(8)).unwrap_or(u32::MAX);
        Self {
            format: KeyFormatType::Raw,
            compression: None,
            value: Some(KeyBytes::Plain(material).into()),
            algorithm: Some(algorithm),
            length: Some(length),
            wrapping: None,
        }
    }

    /// The key's bytes, where they are here, not wrapped, and plain: raw, opaque, or inside a Transparent Symmetric Key.
    pub const fn material(&self) -> Option<&KeyMaterial> {
        match self {
            Self { value: Some(KeyValue::Plain { bytes, .. }), wrapping: None, .. } => bytes.material(),
            _ => None,
        }
    }

    /// The same, taken out.
    pub fn into_material(self) -> Option<KeyMaterial> {
        match self {
            Self {
                value:
                    Some(KeyValue::Plain {
                        bytes: KeyBytes::Plain(key) | KeyBytes::TransparentSymmetric(key),
                        ..
                    }),
                wrapping: None,
                ..
            } => Some(key),
            _ => None,
        }
    }
}

/// A key and its attributes, or both of them wrapped (KMIP 1.4 §2.1.4).
#[derive(Debug, PartialEq)]
pub enum KeyValue {
    /// In the clear (or with wrapped bytes in a structure of their own).
    Plain {
        /// The key.
        bytes: KeyBytes,
        /// Attributes that travel with it.
        attributes: Attributes,
    },
    /// The whole structure, wrapped.
    Wrapped(KeyMaterial),
}

impl From<KeyBytes> for KeyValue {
    fn from(bytes: KeyBytes) -> Self {
        Self::Plain { bytes, attributes: Attributes::new() }
    }
}

/// Key Material (KMIP 1.4 §2.1.4).
#[derive(Debug, PartialEq)]
pub enum KeyBytes {
    /// A byte string: raw, opaque, PKCS#1, PKCS#8, X.509, EC private key.
    Plain(KeyMaterial),
    /// The structure of a Transparent Symmetric Key, which is its bytes (§2.1.7.1).
    TransparentSymmetric(KeyMaterial),
    /// Another transparent key: carried, not understood.
    Transparent(Vec<Item>),
}

impl KeyBytes {
    const fn material(&self) -> Option<&KeyMaterial> {
        match self {
            Self::Plain(key) | Self::TransparentSymmetric(key) => Some(key),
            Self::Transparent(_) => None,
        }
    }
}

impl Wire for KeyValue {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if !reader.is_type(ItemType::Structure) {
            return KeyMaterial::decode(tag, reader).map(Self::Wrapped);
        }
        reader.structure(tag, &[Tag::KeyMaterial, Tag::Attribute, Tag::Attributes], |reader| {
            let bytes = KeyBytes::decode(Tag::KeyMaterial, reader)?;
            let attributes = Attributes::decode(Tag::Attribute, reader)?;
            Ok(Self::Plain { bytes, attributes })
        })
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Wrapped(bytes) => bytes.encode(tag, writer),
            Self::Plain { bytes, attributes } => writer.structure(tag, |writer| {
                bytes.encode(Tag::KeyMaterial, writer)?;
                // 2.x would write the structure even where there is nothing in it, and here it is optional.
                if attributes.is_empty() { Ok(()) } else { attributes.encode(Tag::Attribute, writer) }
            }),
        }
    }
}

impl Wire for KeyBytes {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.at(tag);
        if !reader.is_type(ItemType::Structure) {
            return KeyMaterial::decode(tag, reader).map(Self::Plain);
        }
        reader.structure(tag, &[], |reader| {
            if reader.peek() == Some(Tag::Key) {
                return KeyMaterial::decode(Tag::Key, reader).map(Self::TransparentSymmetric);
            }
            reader.items().map(Self::Transparent)
        })
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Plain(key) => key.encode(tag, writer),
            Self::TransparentSymmetric(key) => writer.structure(tag, |writer| key.encode(Tag::Key, writer)),
            Self::Transparent(items) => {
                writer.structure(tag, |writer| items.iter().try_for_each(|item| writer.item(item)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_bytes_are_never_taken_for_the_key() {
        let raw = || KeyBlock::raw(CryptographicAlgorithm::AES, KeyMaterial::new(&[1; 16]));
        assert_eq!(raw().length, Some(128));
        assert_eq!(raw().material(), Some(&KeyMaterial::new(&[1; 16])));
        assert_eq!(raw().into_material(), Some(KeyMaterial::new(&[1; 16])));
        let wrapped = || KeyBlock { wrapping: Some(RawStructure::default()), ..raw() };
        assert_eq!(wrapped().material(), None);
        assert_eq!(wrapped().into_material(), None);
        let wrapped_whole = KeyBlock { value: Some(KeyValue::Wrapped(KeyMaterial::new(&[1; 24]))), ..raw() };
        assert_eq!(wrapped_whole.material(), None);
    }
}

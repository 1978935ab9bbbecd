//! Managed objects: what a server keeps (KMIP 1.4 §2.2).

mod key_block;

pub use key_block::{KeyBlock, KeyBytes, KeyValue};

use strongroom_secret::KeyMaterial;

use crate::ttlv::{DecodeError, EncodeError, Item, Reader, Tag, Wire, Writer};
use crate::types::{ObjectType, OpaqueDataType, SecretDataType};

/// A managed object as it travels.
#[derive(Debug, PartialEq)]
pub enum ManagedObject {
    /// A symmetric key (KMIP 1.4 §2.2.2).
    SymmetricKey(KeyBlock),
    /// A secret that is not a key, such as a password (§2.2.7).
    SecretData {
        /// What it holds.
        kind: SecretDataType,
        /// Its bytes.
        key_block: KeyBlock,
    },
    /// Bytes the server does not look into (§2.2.8).
    OpaqueObject {
        /// What they are, in their owner's numbering.
        kind: OpaqueDataType,
        /// The bytes.
        data: KeyMaterial,
    },
    /// An object of another type, carried and not understood.
    Unknown(Item),
}

impl ManagedObject {
    /// The tag it travels under.
    pub const fn tag(&self) -> Tag {
        match self {
            Self::SymmetricKey(_) => Tag::SymmetricKey,
            Self::SecretData { .. } => Tag::SecretData,
            Self::OpaqueObject { .. } => Tag::OpaqueObject,
            Self::Unknown(item) => item.tag,
        }
    }

    /// Its Object Type; `None` for a tag that is no object's.
    pub const fn object_type(&self) -> Option<ObjectType> {
        Some(match self.tag() {
            Tag::Certificate => ObjectType::Certificate,
            Tag::SymmetricKey => ObjectType::SymmetricKey,
            Tag::PublicKey => ObjectType::PublicKey,
            Tag::PrivateKey => ObjectType::PrivateKey,
            Tag::SplitKey => ObjectType::SplitKey,
            Tag::Template => ObjectType::Template,
            Tag::SecretData => ObjectType::SecretData,
            Tag::OpaqueObject => ObjectType::OpaqueObject,
            Tag::PGPKey => ObjectType::PGPKey,
            Tag::CertificateRequest => ObjectType::CertificateRequest,
            _ => return None,
        })
    }

    /// Its key block, where it has one that is understood.
    pub const fn key_block(&self) -> Option<&KeyBlock> {
        match self {
            Self::SymmetricKey(key_block) | Self::SecretData { key_block, .. } => Some(key_block),
            Self::OpaqueObject { .. } | Self::Unknown(_) => None,
        }
    }
}

/// The field that is an object: whatever structure stands at the cursor. The tag asked for is ignored.
impl Wire for ManagedObject {
    fn decode(_: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.peek() {
            Some(tag @ Tag::SymmetricKey) => {
                let block = |reader: &mut Reader<'_>| KeyBlock::decode(Tag::KeyBlock, reader);
                reader.structure(tag, &[Tag::KeyBlock], block).map(Self::SymmetricKey)
            }
            Some(tag @ Tag::SecretData) => {
                reader.structure(tag, &[Tag::SecretDataType, Tag::KeyBlock], |reader| {
                    let kind = SecretDataType::decode(Tag::SecretDataType, reader)?;
                    let key_block = KeyBlock::decode(Tag::KeyBlock, reader)?;
                    Ok(Self::SecretData { kind, key_block })
                })
            }
            Some(tag @ Tag::OpaqueObject) => {
                reader.structure(tag, &[Tag::OpaqueDataType, Tag::OpaqueDataValue], |reader| {
                    let kind = OpaqueDataType::decode(Tag::OpaqueDataType, reader)?;
                    let data = KeyMaterial::decode(Tag::OpaqueDataValue, reader)?;
                    Ok(Self::OpaqueObject { kind, data })
                })
            }
            _ => reader.item().map(Self::Unknown),
        }
    }

    fn encode(&self, _: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::SymmetricKey(key_block) => {
                writer.structure(Tag::SymmetricKey, |writer| key_block.encode(Tag::KeyBlock, writer))
            }
            Self::SecretData { kind, key_block } => writer.structure(Tag::SecretData, |writer| {
                kind.encode(Tag::SecretDataType, writer)?;
                key_block.encode(Tag::KeyBlock, writer)
            }),
            Self::OpaqueObject { kind, data } => writer.structure(Tag::OpaqueObject, |writer| {
                kind.encode(Tag::OpaqueDataType, writer)?;
                data.encode(Tag::OpaqueDataValue, writer)
            }),
            Self::Unknown(item) => writer.item(item),
        }
    }

    fn is_next(_: Tag, reader: &mut Reader<'_>) -> bool {
        reader.peek().is_some()
    }
}

//! Parts of messages on their own, for who keeps them: attributes and objects, as KMIP 1.4 writes them.
//!
//! A store needs an encoding that is documented and stays readable; the standard's own is one. What 1.4 lacks cannot be
//! written.

use crate::attribute::Attributes;
use crate::object::ManagedObject;
use crate::ttlv::{DecodeError, EncodeError, Limits, MessageBytes, Reader, Tag, Unexpected, Wire, Writer};
use crate::version::ProtocolVersion;

/// The version in which fragments are written.
const VERSION: ProtocolVersion = ProtocolVersion::V1_4;

/// Attributes one after the other, each with its index.
///
/// # Errors
/// When 1.4 lacks one of them.
pub fn encode_attributes(attributes: &Attributes) -> Result<MessageBytes, EncodeError> {
    encode(Tag::Attribute, attributes)
}

/// The reverse of [`encode_attributes`].
///
/// # Errors
/// When the bytes are anything else, or exceed the limits.
pub fn decode_attributes(bytes: &[u8], limits: &Limits) -> Result<Attributes, DecodeError> {
    decode(Tag::Attribute, bytes, limits)
}

/// A managed object, key bytes included.
///
/// # Errors
/// When 1.4 lacks something in it.
pub fn encode_object(object: &ManagedObject) -> Result<MessageBytes, EncodeError> {
    encode(object.tag(), object)
}

/// The reverse of [`encode_object`].
///
/// # Errors
/// When the bytes are anything else, or exceed the limits.
pub fn decode_object(bytes: &[u8], limits: &Limits) -> Result<ManagedObject, DecodeError> {
    decode(Tag::KeyBlock, bytes, limits)
}

fn encode<T: Wire>(tag: Tag, value: &T) -> Result<MessageBytes, EncodeError> {
    let mut writer = Writer::new(VERSION);
    value.encode(tag, &mut writer)?;
    Ok(writer.into_bytes())
}

fn decode<T: Wire>(tag: Tag, bytes: &[u8], limits: &Limits) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes, Unexpected::Refuse, limits)?;
    let value = T::decode(tag, &mut reader)?;
    reader.finish()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Attribute, AttributeInstance, Name};
    use crate::object::KeyBlock;
    use crate::types::{CryptographicAlgorithm, UsageMask};
    use strongroom_secret::KeyMaterial;

    #[test]
    fn attributes_keep_their_order_and_their_indexes() {
        let mut attributes = Attributes::new();
        attributes.push(Attribute::Name(Name::text("one")));
        attributes.push_instance(AttributeInstance {
            index: Some(7),
            attribute: Attribute::ObjectGroup("g".to_owned()),
        });
        attributes.push(Attribute::CryptographicUsageMask(UsageMask(12)));
        let bytes = encode_attributes(&attributes).unwrap();
        assert_eq!(decode_attributes(&bytes, &Limits::REQUEST).unwrap(), attributes);
        assert_eq!(decode_attributes(&[], &Limits::REQUEST).unwrap(), Attributes::new());
        assert!(decode_attributes(&bytes[..bytes.len() - 8], &Limits::REQUEST).is_err());
    }

    #[test]
    fn an_object_survives() {
        let block = KeyBlock::raw(CryptographicAlgorithm::AES, KeyMaterial::new(&[7; 32]));
        let object = ManagedObject::SymmetricKey(block);
        let bytes = encode_object(&object).unwrap();
        assert_eq!(decode_object(&bytes, &Limits::REQUEST).unwrap(), object);
        assert!(decode_object(&[bytes.as_slice(), &[0; 8]].concat(), &Limits::REQUEST).is_err());
    }
}

//! The bytes of a managed object's record, before the barrier seals them. The format is in `docs/formats/object-record.md`.
//!
//! ```text
//! offset  bytes  content (integers big-endian)
//!      0      1  format: 1
//!      1      1  flags: bit 0 Fresh
//!      2      1  which of the five optional dates are there: bits 0 to 4, in their order below
//!      3      1  zero
//!      4      4  Object Type
//!      8     16  Initial Date, Last Change Date (seconds since the epoch)
//!     24     40  Activation, Deactivation, Destroy, Compromise, Compromise Occurrence Date; zero where absent
//!     64      4  length of the attributes
//!     68      …  the other attributes, as KMIP 1.4 writes them
//!      …      …  the object, as KMIP 1.4 writes it; nothing once destroyed
//! ```
//!
//! The dates come first, and the attributes can be passed over, so that Get touches nothing but the key.

use std::fmt;

use strongroom_kmip::attribute::{AttributeKind, Attributes};
use strongroom_kmip::fragment;
use strongroom_kmip::object::ManagedObject as KmipObject;
use strongroom_kmip::ttlv::{DateTime, DecodeError, EncodeError, Limits};
use strongroom_kmip::types::ObjectType;
use zeroize::Zeroizing;

use super::{Lifecycle, ManagedObject};
use crate::barrier::Opened;

/// The only format so far.
const FORMAT: u8 = 1;
/// Bit of the flags byte.
const FRESH: u8 = 1;
const HEAD_BYTES: usize = 64;
const LENGTH_BYTES: usize = 4;

/// Bounds on what was once accepted under tighter ones: a record is as long as a message, and a little more.
const LIMITS: Limits = Limits { message_bytes: 64 << 20, ..Limits::RESPONSE };
/// Bytes of an object's attributes: what one request can bring, so that their answer fits into a response. They can grow by
/// many small requests.
const ATTRIBUTES_BYTES_MAX: usize = 1 << 20;
/// Bytes on top for an object that was revoked: the reason must always find room.
const REVOCATION_BYTES_MAX: usize = 128 << 10;

/// Why an object is no record.
#[derive(Debug)]
pub(crate) enum EncodingRefused {
    /// 1.4 lacks something in it.
    Encoding(EncodeError),
    /// It could not be read back, or not be answered.
    TooLong {
        /// Which part.
        what: &'static str,
        /// Bytes that it may have.
        limit: usize,
    },
}

impl fmt::Display for EncodingRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding(error) => error.fmt(f),
            Self::TooLong { what, limit } => write!(f, "its {what} would have more than {limit} bytes"),
        }
    }
}

impl std::error::Error for EncodingRefused {}

impl From<EncodeError> for EncodingRefused {
    fn from(error: EncodeError) -> Self {
        Self::Encoding(error)
    }
}

/// Why the bytes of a record are no managed object.
#[derive(Debug)]
pub(crate) enum RecordError {
    /// They end too early.
    Truncated,
    /// They have a format that a newer release wrote.
    Format(u8),
    /// The attributes or the object in them do not decode.
    Content(DecodeError),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the record ends too early"),
            Self::Format(found) => {
                write!(f, "the record has format {found}, and this release knows format {FORMAT}")
            }
            Self::Content(error) => write!(f, "the record's content does not decode: {error}"),
        }
    }
}

impl std::error::Error for RecordError {}

impl From<DecodeError> for RecordError {
    fn from(error: DecodeError) -> Self {
        Self::Content(error)
    }
}

/// The record of an object.
///
/// # Errors
/// When an attribute or the object cannot be written as KMIP 1.4, or is longer than what is read back.
pub(crate) fn encode(object: &ManagedObject) -> Result<Opened, EncodingRefused> {
    let attributes = fragment::encode_attributes(&object.attributes)?;
    let material = object.material.as_ref().map(fragment::encode_object).transpose()?;
    let material = material.as_deref().map_or(&[][..], Vec::as_slice);
    let attributes_limit = match object.attributes.get(AttributeKind::RevocationReason) {
        Some(_) => ATTRIBUTES_BYTES_MAX + REVOCATION_BYTES_MAX,
        None => ATTRIBUTES_BYTES_MAX,
    };
    for (what, bytes, limit) in
        [("attributes", attributes.len(), attributes_limit), ("key", material.len(), LIMITS.message_bytes)]
    {
        if bytes > limit {
            return Err(EncodingRefused::TooLong { what, limit });
        }
    }
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(HEAD_BYTES + LENGTH_BYTES + attributes.len() + material.len()));
    let life = &object.life;
    let optional =
        [life.activation, life.deactivation, life.destroy, life.compromise, life.compromise_occurrence];
    let mut present = 0;
    for (bit, date) in optional.iter().enumerate() {
        present |= u8::from(date.is_some()) << bit;
    }
    bytes.extend_from_slice(&[FORMAT, if object.fresh { FRESH } else { 0 }, present, 0]);
    bytes.extend_from_slice(&object.object_type.0.to_be_bytes());
    for date in [life.initial, object.last_change] {
        bytes.extend_from_slice(&date.0.to_be_bytes());
    }
    for date in optional {
        bytes.extend_from_slice(&date.map_or(0, |date| date.0).to_be_bytes());
    }
    debug_assert_eq!(bytes.len(), HEAD_BYTES);
    let length = u32::try_from(attributes.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&attributes);
    bytes.extend_from_slice(material);
    Ok(Opened::new(bytes))
}

/// An opened record whose head was read and whose rest is read when asked for.
pub(crate) struct StoredObject {
    opened: Opened,
    object_type: ObjectType,
    life: Lifecycle,
    last_change: DateTime,
    fresh: bool,
    /// Where the attributes end and the object begins.
    attributes_end: usize,
}

impl StoredObject {
    /// Reads the head.
    ///
    /// # Errors
    /// [`RecordError::Truncated`], [`RecordError::Format`].
    pub(crate) fn parse(opened: Opened) -> Result<Self, RecordError> {
        let bytes = opened.as_bytes();
        match bytes.first() {
            Some(&FORMAT) => {}
            Some(&other) => return Err(RecordError::Format(other)),
            None => return Err(RecordError::Truncated),
        }
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(RecordError::Truncated)?;
        let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or(RecordError::Truncated)?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > rest.len() {
            return Err(RecordError::Truncated);
        }
        let date = |index: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&head[8 + 8 * index..16 + 8 * index]);
            DateTime(i64::from_be_bytes(eight))
        };
        let optional = |bit: usize| (head[2] >> bit & 1 == 1).then(|| date(2 + bit));
        Ok(Self {
            object_type: ObjectType(u32::from_be_bytes([head[4], head[5], head[6], head[7]])),
            life: Lifecycle {
                initial: date(0),
                activation: optional(0),
                deactivation: optional(1),
                destroy: optional(2),
                compromise: optional(3),
                compromise_occurrence: optional(4),
            },
            last_change: date(1),
            fresh: head[1] & FRESH != 0,
            attributes_end: HEAD_BYTES + LENGTH_BYTES + length,
            opened,
        })
    }

    /// What the object is.
    pub(crate) fn object_type(&self) -> ObjectType {
        self.object_type
    }

    /// Whether it was never handed out.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The key; nothing when it was destroyed.
    ///
    /// # Errors
    /// [`RecordError::Content`].
    pub(crate) fn material(&self) -> Result<Option<KmipObject>, RecordError> {
        match &self.opened.as_bytes()[self.attributes_end..] {
            [] => Ok(None),
            bytes => Ok(Some(fragment::decode_object(bytes, &LIMITS)?)),
        }
    }

    /// The object, its key left out.
    ///
    /// # Errors
    /// [`RecordError::Content`].
    pub(crate) fn without_material(self) -> Result<ManagedObject, RecordError> {
        Ok(ManagedObject {
            object_type: self.object_type,
            life: self.life,
            last_change: self.last_change,
            fresh: self.fresh,
            attributes: self.attributes()?,
            material: None,
        })
    }

    /// The whole object.
    ///
    /// # Errors
    /// [`RecordError::Content`].
    pub(crate) fn whole(self) -> Result<ManagedObject, RecordError> {
        let material = self.material()?;
        Ok(ManagedObject { material, ..self.without_material()? })
    }

    fn attributes(&self) -> Result<Attributes, RecordError> {
        let bytes = &self.opened.as_bytes()[HEAD_BYTES + LENGTH_BYTES..self.attributes_end];
        Ok(fragment::decode_attributes(bytes, &LIMITS)?)
    }
}

#[cfg(test)]
mod tests {
    use strongroom_kmip::attribute::{Attribute, AttributeInstance, Name};
    use strongroom_kmip::object::KeyBlock;
    use strongroom_kmip::types::CryptographicAlgorithm;
    use strongroom_secret::KeyMaterial;

    use super::*;

    fn object() -> ManagedObject {
        let mut attributes = Attributes::new();
        attributes.push(Attribute::Name(Name::text("name")));
        attributes.push_instance(AttributeInstance {
            index: Some(3),
            attribute: Attribute::ObjectGroup("g".to_owned()),
        });
        ManagedObject {
            object_type: ObjectType::SymmetricKey,
            life: Lifecycle {
                activation: Some(DateTime(-1)),
                compromise: Some(DateTime(30)),
                ..Lifecycle::beginning(DateTime(10))
            },
            last_change: DateTime(40),
            fresh: true,
            attributes,
            material: Some(KmipObject::SymmetricKey(KeyBlock::raw(
                CryptographicAlgorithm::AES,
                KeyMaterial::new(&[0xAB; 32]),
            ))),
        }
    }

    fn copy(bytes: &[u8]) -> Opened {
        Opened::new(Zeroizing::new(bytes.to_vec()))
    }

    #[test]
    fn an_object_comes_back_as_it_was() {
        let object = object();
        let opened = encode(&object).unwrap();
        let back = StoredObject::parse(copy(opened.as_bytes())).unwrap().whole().unwrap();
        assert_eq!(back.object_type, object.object_type);
        assert_eq!(back.life, object.life);
        assert_eq!(back.last_change, object.last_change);
        assert_eq!(back.fresh, object.fresh);
        assert_eq!(back.attributes, object.attributes);
        assert_eq!(back.material, object.material);
    }

    #[test]
    fn a_destroyed_object_has_no_trace_of_its_key() {
        let destroyed = ManagedObject { material: None, ..object() };
        let opened = encode(&destroyed).unwrap();
        assert!(!opened.as_bytes().windows(4).any(|bytes| bytes == [0xAB; 4]));
        assert!(StoredObject::parse(opened).unwrap().material().unwrap().is_none());
    }

    /// The table at the top of this file, byte by byte. It is how records of the first release look, for ever.
    #[test]
    fn the_head_is_laid_out_as_documented() {
        let bytes = encode(&object()).unwrap().as_bytes().to_vec();
        let mut head = vec![1, 1, 0b0_1001, 0, 0, 0, 0, 2];
        for date in [10_i64, 40, -1, 0, 0, 30, 0] {
            head.extend_from_slice(&date.to_be_bytes());
        }
        assert_eq!(bytes[..HEAD_BYTES], head);
        let length = u32::from_be_bytes(bytes[64..68].try_into().unwrap()) as usize;
        // Each attribute is a TTLV structure `Attribute`, and the object follows as `Symmetric Key`.
        assert_eq!(bytes[68..72], [0x42, 0x00, 0x08, 0x01]);
        assert_eq!(bytes[68 + length..72 + length], [0x42, 0x00, 0x8F, 0x01]);
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let bytes = encode(&object()).unwrap().as_bytes().to_vec();
        for length in 0..bytes.len() {
            if let Ok(stored) = StoredObject::parse(copy(&bytes[..length])) {
                // Cut exactly between attributes and object, it is an object without a key; anywhere else it is an error.
                assert!(stored.material().is_err() || length == stored.attributes_end, "{length}");
            }
        }
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 0xFF;
            let _ = StoredObject::parse(copy(&damaged)).and_then(StoredObject::whole);
        }
        let mut newer = bytes;
        newer[0] = 2;
        assert!(matches!(StoredObject::parse(copy(&newer)), Err(RecordError::Format(2))));
    }
}

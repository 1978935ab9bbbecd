//! Writing TTLV: one buffer, lengths filled in afterwards.

use zeroize::{Zeroize, Zeroizing};

use super::{EncodeError, HEADER_BYTES, Item, ItemType, MessageBytes, Tag, Value};
use crate::version::{ClientException, ProtocolVersion};

/// What a buffer starts with: enough for a Get and its answer, so that neither is ever moved.
const INITIAL_BYTES: usize = 1024;

/// Stands in for a length until the structure is complete. Were it ever sent, no reader could take it for a length.
const LENGTH_PENDING: [u8; 4] = [0xFF; 4];

/// Appends items to one buffer, and refuses those that the message's version lacks.
///
/// Has no `Debug`: what is written may be key bytes.
pub struct Writer {
    buffer: MessageBytes,
    version: ProtocolVersion,
    exceptions: Vec<Tag>,
    gated: bool,
}

impl Writer {
    /// A writer for a message of `version`.
    pub fn new(version: ProtocolVersion) -> Self {
        Self::allowing(version, &[])
    }

    /// A writer for a message of `version` that lets `exceptions` pass.
    pub fn allowing(version: ProtocolVersion, exceptions: &[ClientException]) -> Self {
        Self {
            buffer: Zeroizing::new(Vec::with_capacity(INITIAL_BYTES)),
            version,
            exceptions: exceptions.iter().map(|exception| exception.tag).collect(),
            gated: true,
        }
    }

    /// The message's version.
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Whether fields and values are held against the version here.
    pub fn is_gated(&self) -> bool {
        self.gated
    }

    /// The encoded bytes.
    pub fn into_bytes(self) -> MessageBytes {
        self.buffer
    }

    /// Writes with the version's gate open: for what its owner, not the specification, defines (vendor extensions), and for the
    /// operation that a failed item echoes.
    pub fn ungated<T>(&mut self, write: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.gated, false);
        let result = write(self);
        self.gated = before;
        result
    }

    /// Makes room without leaving a copy of what was written in freed memory, as growing a `Vec` would.
    fn reserve(&mut self, additional: usize) {
        if self.buffer.capacity() - self.buffer.len() >= additional {
            return;
        }
        let capacity = (self.buffer.len() + additional).max(self.buffer.capacity() * 2);
        let mut larger = Vec::with_capacity(capacity);
        larger.extend_from_slice(&self.buffer);
        let mut smaller = std::mem::replace(&mut *self.buffer, larger);
        smaller.zeroize();
    }

    /// Tag, type and length; `room` bytes will follow.
    fn head(
        &mut self,
        tag: Tag,
        item_type: ItemType,
        length: [u8; 4],
        room: usize,
    ) -> Result<(), EncodeError> {
        if self.gated && !tag.exists_in(self.version) && !self.exceptions.contains(&tag) {
            return Err(EncodeError::FieldNotInVersion { tag, version: self.version });
        }
        self.reserve(HEADER_BYTES + room);
        let [_, a, b, c] = tag.number().to_be_bytes();
        let [l0, l1, l2, l3] = length;
        self.buffer.extend_from_slice(&[a, b, c, item_type as u8, l0, l1, l2, l3]);
        Ok(())
    }

    fn four(&mut self, tag: Tag, item_type: ItemType, value: [u8; 4]) -> Result<(), EncodeError> {
        self.head(tag, item_type, 4_u32.to_be_bytes(), 8)?;
        let [a, b, c, d] = value;
        self.buffer.extend_from_slice(&[a, b, c, d, 0, 0, 0, 0]);
        Ok(())
    }

    fn eight(&mut self, tag: Tag, item_type: ItemType, value: [u8; 8]) -> Result<(), EncodeError> {
        self.head(tag, item_type, 8_u32.to_be_bytes(), 8)?;
        self.buffer.extend_from_slice(&value);
        Ok(())
    }

    fn padded(&mut self, tag: Tag, item_type: ItemType, value: &[u8]) -> Result<(), EncodeError> {
        let length = u32::try_from(value.len()).map_err(|_| EncodeError::TooLong { tag })?;
        let padded = value.len().next_multiple_of(8);
        self.head(tag, item_type, length.to_be_bytes(), padded)?;
        self.buffer.extend_from_slice(value);
        let end = self.buffer.len() + padded - value.len();
        self.buffer.resize(end, 0);
        Ok(())
    }

    /// An Integer.
    pub fn integer(&mut self, tag: Tag, value: i32) -> Result<(), EncodeError> {
        self.four(tag, ItemType::Integer, value.to_be_bytes())
    }

    /// An Integer that is a count, a size or an index.
    pub fn count(&mut self, tag: Tag, value: u32) -> Result<(), EncodeError> {
        self.integer(tag, i32::try_from(value).map_err(|_| EncodeError::OutOfRange { tag })?)
    }

    /// A Long Integer.
    pub fn long_integer(&mut self, tag: Tag, value: i64) -> Result<(), EncodeError> {
        self.eight(tag, ItemType::LongInteger, value.to_be_bytes())
    }

    /// An Enumeration.
    pub fn enumeration(&mut self, tag: Tag, value: u32) -> Result<(), EncodeError> {
        self.four(tag, ItemType::Enumeration, value.to_be_bytes())
    }

    /// A Boolean.
    pub fn boolean(&mut self, tag: Tag, value: bool) -> Result<(), EncodeError> {
        self.eight(tag, ItemType::Boolean, u64::from(value).to_be_bytes())
    }

    /// A Text String.
    pub fn text(&mut self, tag: Tag, value: &str) -> Result<(), EncodeError> {
        self.padded(tag, ItemType::TextString, value.as_bytes())
    }

    /// A Byte String.
    pub fn bytes(&mut self, tag: Tag, value: &[u8]) -> Result<(), EncodeError> {
        self.padded(tag, ItemType::ByteString, value)
    }

    /// A Date-Time, in seconds since the epoch.
    pub fn date_time(&mut self, tag: Tag, value: i64) -> Result<(), EncodeError> {
        self.eight(tag, ItemType::DateTime, value.to_be_bytes())
    }

    /// An Interval, in seconds.
    pub fn interval(&mut self, tag: Tag, value: u32) -> Result<(), EncodeError> {
        self.four(tag, ItemType::Interval, value.to_be_bytes())
    }

    /// A structure, whose items `write` appends.
    pub fn structure(
        &mut self,
        tag: Tag,
        write: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.head(tag, ItemType::Structure, LENGTH_PENDING, 0)?;
        let start = self.buffer.len();
        write(self)?;
        let length = u32::try_from(self.buffer.len() - start).map_err(|_| EncodeError::TooLong { tag })?;
        self.buffer[start - 4..start].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// A tree.
    pub fn item(&mut self, item: &Item) -> Result<(), EncodeError> {
        self.item_value(item.tag, &item.value)
    }

    /// A tree's value under a tag of the caller's choice.
    pub fn item_value(&mut self, tag: Tag, value: &Value) -> Result<(), EncodeError> {
        match value {
            Value::Structure(items) => {
                self.structure(tag, |writer| items.iter().try_for_each(|item| writer.item(item)))
            }
            Value::Integer(value) => self.integer(tag, *value),
            Value::LongInteger(value) => self.long_integer(tag, *value),
            Value::BigInteger(value) => self.padded(tag, ItemType::BigInteger, value),
            Value::Enumeration(value) => self.enumeration(tag, *value),
            Value::Boolean(value) => self.boolean(tag, *value),
            Value::TextString(value) => self.text(tag, value),
            Value::ByteString(value) => self.bytes(tag, value),
            Value::DateTime(value) => self.date_time(tag, value.0),
            Value::Interval(value) => self.interval(tag, value.0),
            Value::DateTimeExtended(value) => {
                if self.gated && self.version < ProtocolVersion::V2_0 {
                    return Err(EncodeError::FieldNotInVersion { tag, version: self.version });
                }
                self.eight(tag, ItemType::DateTimeExtended, value.to_be_bytes())
            }
        }
    }
}

//! Items as trees: for what nobody here knows, and so must only carry.

use std::fmt;

use zeroize::Zeroizing;

use super::{DateTime, DecodeError, EncodeError, Interval, ItemType, Reader, Tag, Wire, Writer};

/// One item: a tag and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name.
    pub tag: Tag,
    /// Its value.
    pub value: Value,
}

/// The value of an item. Byte strings and big integers may be key material: they are wiped when dropped and `Debug` prints their
/// lengths only.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Items in order.
    Structure(Vec<Item>),
    /// Integer.
    Integer(i32),
    /// Long Integer.
    LongInteger(i64),
    /// Big Integer: two's complement, big-endian, a multiple of 8 bytes and not empty.
    BigInteger(Zeroizing<Vec<u8>>),
    /// Enumeration.
    Enumeration(u32),
    /// Boolean.
    Boolean(bool),
    /// Text String.
    TextString(String),
    /// Byte String.
    ByteString(Zeroizing<Vec<u8>>),
    /// Date-Time.
    DateTime(DateTime),
    /// Interval.
    Interval(Interval),
    /// Date-Time Extended: microseconds since the epoch (since KMIP 2.0).
    DateTimeExtended(i64),
}

impl Value {
    /// Its type.
    pub const fn item_type(&self) -> ItemType {
        match self {
            Self::Structure(_) => ItemType::Structure,
            Self::Integer(_) => ItemType::Integer,
            Self::LongInteger(_) => ItemType::LongInteger,
            Self::BigInteger(_) => ItemType::BigInteger,
            Self::Enumeration(_) => ItemType::Enumeration,
            Self::Boolean(_) => ItemType::Boolean,
            Self::TextString(_) => ItemType::TextString,
            Self::ByteString(_) => ItemType::ByteString,
            Self::DateTime(_) => ItemType::DateTime,
            Self::Interval(_) => ItemType::Interval,
            Self::DateTimeExtended(_) => ItemType::DateTimeExtended,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure(items) => f.debug_list().entries(items).finish(),
            Self::Integer(value) => write!(f, "{value}"),
            Self::LongInteger(value) => write!(f, "{value}"),
            Self::BigInteger(value) => write!(f, "<big integer, {} bytes>", value.len()),
            Self::Enumeration(value) => write!(f, "0x{value:08X}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::TextString(value) => write!(f, "{value:?}"),
            Self::ByteString(value) => write!(f, "<{} bytes>", value.len()),
            Self::DateTime(value) => write!(f, "{value:?}"),
            Self::Interval(value) => write!(f, "{value:?}"),
            Self::DateTimeExtended(value) => write!(f, "DateTimeExtended({value})"),
        }
    }
}

impl Wire for Value {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.item_tagged(tag).map(|item| item.value)
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.item_value(tag, self)
    }
}

/// A structure whose items are carried, not understood.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RawStructure(pub Vec<Item>);

impl Wire for RawStructure {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.structure(tag, &[], Reader::items).map(Self)
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.structure(tag, |writer| self.0.iter().try_for_each(|item| writer.item(item)))
    }
}

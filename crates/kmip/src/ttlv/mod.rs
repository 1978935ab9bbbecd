//! TTLV, the encoding of KMIP (KMIP 1.4 §9.1): tag (3 bytes), type (1), length (4), value (padded to a multiple of 8).
//!
//! ```text
//! 0      3    4        8                8 + length    8 + length rounded up to a multiple of 8
//! | tag  |type| length | value          | zeroes      |
//! ```
//!
//! [`Reader`] borrows from its input and is bounded by [`Limits`]; nothing is allocated for bytes that have not arrived.
//! [`Writer`] appends to one buffer and fills in the lengths of structures afterwards. [`Item`] is the tree for what nobody here
//! knows: unknown operations, extensions, custom attributes. Known payloads never pass through it.
//!
//! Padding is written as zeroes and ignored when read: the specification asks senders for zeroes and gives receivers no rule.

mod error;
mod item;
mod limits;
mod reader;
mod tag;
mod wire;
mod writer;

pub use error::{BrokenItem, DecodeError, DecodeErrorKind, EncodeError, TagPath};
pub use item::{Item, RawStructure, Value};
pub use limits::Limits;
pub use reader::{Reader, Unexpected, message_length};
pub use tag::{Tag, TagInfo};
pub(crate) use wire::{Structure, Wire, structure};
pub use writer::Writer;

use zeroize::Zeroizing;

/// An encoded message. Messages can carry key bytes, so the buffer is wiped when dropped.
pub type MessageBytes = Zeroizing<Vec<u8>>;

/// Bytes of tag, type and length before every value.
pub const HEADER_BYTES: usize = 8;

/// The type of an item (KMIP 1.4 §9.1.1.2, KMIP 2.1 §9.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ItemType {
    /// Items one after the other.
    Structure = 0x01,
    /// 32 bits, signed.
    Integer = 0x02,
    /// 64 bits, signed.
    LongInteger = 0x03,
    /// Two's complement, a multiple of 8 bytes long.
    BigInteger = 0x04,
    /// 32 bits, unsigned.
    Enumeration = 0x05,
    /// 64 bits, 0 or 1.
    Boolean = 0x06,
    /// UTF-8, not terminated.
    TextString = 0x07,
    /// Bytes.
    ByteString = 0x08,
    /// 64 bits, signed: seconds since the epoch.
    DateTime = 0x09,
    /// 32 bits, unsigned: seconds.
    Interval = 0x0A,
    /// 64 bits, signed: microseconds since the epoch (since KMIP 2.0).
    DateTimeExtended = 0x0B,
}

impl ItemType {
    /// The type with this number, if there is one.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x01 => Self::Structure,
            0x02 => Self::Integer,
            0x03 => Self::LongInteger,
            0x04 => Self::BigInteger,
            0x05 => Self::Enumeration,
            0x06 => Self::Boolean,
            0x07 => Self::TextString,
            0x08 => Self::ByteString,
            0x09 => Self::DateTime,
            0x0A => Self::Interval,
            0x0B => Self::DateTimeExtended,
            _ => return None,
        })
    }
}

/// A point in time: seconds since 1970-01-01 00:00:00 UTC (KMIP 1.4 §9.1.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(pub i64);

/// A span of time in seconds (KMIP 1.4 §9.1.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(pub u32);

#[cfg(test)]
mod tests;

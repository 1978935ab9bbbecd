//! What can be wrong with bytes, and with values that are to become bytes.

use std::fmt;

use super::{ItemType, Tag};
use crate::types::Operation;
use crate::version::{ProtocolVersion, Span};

/// Bytes that are not what they should be: where, in which field, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset of the offending item (or of the missing byte) from the start of the message.
    pub offset: usize,
    /// The field, from the outermost structure inwards.
    pub path: TagPath,
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// The message's version, where its header could be read: enough to answer in the right version.
    pub version: Option<ProtocolVersion>,
    /// What was read of the batch item in which the error is.
    pub item: Option<Box<BrokenItem>>,
}

/// What could be read of a batch item that could not be read whole.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BrokenItem {
    /// Its operation.
    pub operation: Option<Operation>,
    /// Its Unique Batch Item ID.
    pub batch_id: Option<Vec<u8>>,
}

/// What is wrong with some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The input ends before the item does.
    Truncated {
        /// Bytes the item needs.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// Bytes follow the end of the message.
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The message is longer than [`super::Limits::message_bytes`].
    MessageTooLong {
        /// Its length in bytes, as it declares it.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Structures nest deeper than [`super::Limits::depth`].
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// A structure has more items than [`super::Limits::items_per_structure`].
    TooManyItems {
        /// The limit.
        limit: usize,
    },
    /// A batch has more items than [`super::Limits::batch_items`].
    BatchTooLong {
        /// The limit.
        limit: usize,
    },
    /// A text string is longer than [`super::Limits::text_bytes`].
    TextTooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Another item stands where this one was required.
    Missing {
        /// The item that stands there; `None` at the end of the structure.
        found: Option<Tag>,
    },
    /// An item that does not belong in this structure, or not at this place: fields come in the specification's order.
    Unexpected,
    /// The item has another type than its tag demands.
    WrongType {
        /// The type its tag demands.
        expected: ItemType,
        /// The type it has.
        found: ItemType,
    },
    /// A type number that does not exist.
    UnknownType {
        /// The number.
        found: u8,
    },
    /// A length that the item's type does not allow.
    WrongLength {
        /// The item's type.
        item_type: ItemType,
        /// Its length in bytes.
        length: usize,
    },
    /// A text string that is not UTF-8.
    NotUtf8,
    /// A Boolean that is neither 0 nor 1.
    NotBoolean,
    /// A number outside what its field can mean, such as a negative count.
    OutOfRange,
    /// Batch Count and the number of batch items differ.
    BatchCount {
        /// What the header says.
        declared: usize,
        /// What the message has.
        found: usize,
    },
}

impl DecodeError {
    pub(crate) fn new(offset: usize, kind: DecodeErrorKind) -> Self {
        Self { offset, path: TagPath::default(), kind, version: None, item: None }
    }

    /// The error, inside of `tag`.
    pub(crate) fn within(mut self, tag: Tag) -> Self {
        self.path.innermost_first.push(tag);
        self
    }

    /// The innermost field.
    pub fn tag(&self) -> Option<Tag> {
        self.path.innermost_first.first().copied()
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.offset)?;
        if !self.path.innermost_first.is_empty() {
            write!(f, ", {}", self.path)?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl std::error::Error for DecodeError {}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, available } => {
                write!(f, "needs {needed} bytes and {available} are there")
            }
            Self::TrailingBytes { count } => write!(f, "{count} bytes follow the end of the message"),
            Self::MessageTooLong { length, limit } => write!(f, "message of {length} bytes exceeds {limit}"),
            Self::TooDeep { limit } => write!(f, "structures nest deeper than {limit}"),
            Self::TooManyItems { limit } => write!(f, "structure has more than {limit} items"),
            Self::BatchTooLong { limit } => write!(f, "batch has more than {limit} items"),
            Self::TextTooLong { length, limit } => write!(f, "length {length} exceeds {limit}"),
            Self::Missing { found: Some(found) } => write!(f, "is missing; {found} stands in its place"),
            Self::Missing { found: None } => f.write_str("is missing"),
            Self::Unexpected => f.write_str("does not belong here"),
            Self::WrongType { expected, found } => write!(f, "is {found:?} and must be {expected:?}"),
            Self::UnknownType { found } => write!(f, "has type 0x{found:02X}, which does not exist"),
            Self::WrongLength { item_type, length } => {
                write!(f, "length {length} is wrong for {item_type:?}")
            }
            Self::NotUtf8 => f.write_str("is not UTF-8"),
            Self::NotBoolean => f.write_str("is neither true nor false"),
            Self::OutOfRange => f.write_str("is out of range"),
            Self::BatchCount { declared, found } => {
                write!(f, "says {declared}, and the message has {found} batch items")
            }
        }
    }
}

/// The way to a field, from the outermost structure inwards.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TagPath {
    /// Pushed while an error travels outwards, so that the path costs nothing where there is no error.
    innermost_first: Vec<Tag>,
}

impl TagPath {
    /// The tags, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = Tag> + '_ {
        self.innermost_first.iter().rev().copied()
    }
}

impl fmt::Display for TagPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, tag) in self.iter().enumerate() {
            if depth > 0 {
                f.write_str(" > ")?;
            }
            write!(f, "{tag}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TagPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value that the message's version, or the encoding, cannot carry. Nothing is ever dropped in silence instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// A field that this version does not have.
    FieldNotInVersion {
        /// The field.
        tag: Tag,
        /// The message's version.
        version: ProtocolVersion,
    },
    /// A value of an enumeration that this version does not have.
    ValueNotInVersion {
        /// The field.
        tag: Tag,
        /// The value's name.
        value: String,
        /// The message's version.
        version: ProtocolVersion,
    },
    /// An attribute that this version does not have, or cannot write down.
    AttributeNotInVersion {
        /// The attribute's name.
        attribute: String,
        /// The message's version.
        version: ProtocolVersion,
        /// The versions that have it, where that is why.
        span: Option<Span>,
    },
    /// A number too large for a KMIP Integer.
    OutOfRange {
        /// The field.
        tag: Tag,
    },
    /// A value longer than a 32-bit length can say.
    TooLong {
        /// The field.
        tag: Tag,
    },
    /// A field this version demands and the value does not have.
    Missing {
        /// The field.
        tag: Tag,
        /// The message's version.
        version: ProtocolVersion,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FieldNotInVersion { tag, version } => write!(f, "KMIP {version} has no {tag}"),
            Self::ValueNotInVersion { tag, value, version } => {
                write!(f, "KMIP {version} has no {tag} \"{value}\"")
            }
            Self::AttributeNotInVersion { attribute, version, .. } => {
                write!(f, "KMIP {version} has no attribute \"{attribute}\"")
            }
            Self::OutOfRange { tag } => write!(f, "{tag} does not fit a KMIP Integer"),
            Self::TooLong { tag } => write!(f, "{tag} is longer than a KMIP length can say"),
            Self::Missing { tag, version } => write!(f, "KMIP {version} demands {tag}"),
        }
    }
}

impl std::error::Error for EncodeError {}

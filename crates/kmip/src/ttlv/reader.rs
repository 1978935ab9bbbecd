//! Reading TTLV: a cursor over borrowed bytes.

use super::{DecodeError, DecodeErrorKind, HEADER_BYTES, Item, ItemType, Limits, Tag, Value};

/// What to do with an item that a structure does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unexpected {
    /// Refuse it. For requests: to ignore a field could do something else than was asked.
    Refuse,
    /// Pass over it. For responses: servers add fields that newer versions know (KMIP 1.4 §6.1 lets clients ignore them).
    Skip,
}

/// A cursor over the items of one structure.
///
/// Fields are read in the order of the specification, which both sides SHALL keep (KMIP 1.4 §9.1.1.4). Nothing is read beyond the
/// structure's own end, and a length is believed only once its bytes are there.
///
/// Has no `Debug`: what is read may be key bytes.
pub struct Reader<'a> {
    message: &'a [u8],
    position: usize,
    end: usize,
    depth: usize,
    items: usize,
    known: &'static [Tag],
    unexpected: Unexpected,
    limits: &'a Limits,
}

/// The head of an item, its value's bytes being all there.
#[derive(Clone, Copy)]
struct Head {
    offset: usize,
    item_type: ItemType,
    value: usize,
    length: usize,
    next: usize,
}

/// The whole length of a message in bytes, from its first 8, before anything is allocated for it.
///
/// # Errors
/// When they do not begin a structure tagged `tag`, or announce more than the limits allow.
pub fn message_length(first: &[u8; HEADER_BYTES], tag: Tag, limits: &Limits) -> Result<usize, DecodeError> {
    let found = Tag::new(u32::from_be_bytes([0, first[0], first[1], first[2]]));
    let error = |kind| DecodeError::new(0, kind).within(tag);
    if found != tag {
        return Err(error(DecodeErrorKind::Missing { found: Some(found) }));
    }
    match ItemType::from_byte(first[3]) {
        Some(ItemType::Structure) => {}
        Some(found) => {
            return Err(error(DecodeErrorKind::WrongType { expected: ItemType::Structure, found }));
        }
        None => return Err(error(DecodeErrorKind::UnknownType { found: first[3] })),
    }
    let length = u32::from_be_bytes([first[4], first[5], first[6], first[7]]) as usize;
    if !length.is_multiple_of(8) {
        return Err(error(DecodeErrorKind::WrongLength { item_type: ItemType::Structure, length }));
    }
    let length = length.saturating_add(HEADER_BYTES);
    if length > limits.message_bytes {
        return Err(error(DecodeErrorKind::MessageTooLong { length, limit: limits.message_bytes }));
    }
    Ok(length)
}

impl<'a> Reader<'a> {
    /// A reader over a whole message.
    ///
    /// # Errors
    /// When the message exceeds [`Limits::message_bytes`].
    pub fn new(message: &'a [u8], unexpected: Unexpected, limits: &'a Limits) -> Result<Self, DecodeError> {
        if message.len() > limits.message_bytes {
            let kind = DecodeErrorKind::MessageTooLong { length: message.len(), limit: limits.message_bytes };
            return Err(DecodeError::new(0, kind));
        }
        let end = message.len();
        // At the outermost level nothing is known, yet nothing may be skipped either: whoever reads asks for one item and finishes.
        Ok(Self {
            message,
            position: 0,
            end,
            depth: 0,
            items: 0,
            known: &[],
            unexpected: Unexpected::Refuse,
            limits,
        }
        .skipping(unexpected))
    }

    fn skipping(mut self, unexpected: Unexpected) -> Self {
        self.unexpected = unexpected;
        self
    }

    /// Offset of the cursor from the start of the message.
    pub fn offset(&self) -> usize {
        self.position
    }

    /// The tag of the item at the cursor; `None` at the end (or where not even a tag is left, which reading on will report).
    pub fn peek(&self) -> Option<Tag> {
        match self.message.get(self.position..self.end)? {
            [a, b, c, ..] => Some(Tag::new(u32::from_be_bytes([0, *a, *b, *c]))),
            _ => None,
        }
    }

    /// Whether the item at the cursor is tagged `tag`. Where unknown items may be skipped, passes over those before it.
    pub fn at(&mut self, tag: Tag) -> bool {
        loop {
            match self.peek() {
                Some(found) if found == tag => return true,
                Some(found) if self.may_skip(found) => match self.head(found) {
                    Ok(head) => self.position = head.next,
                    Err(_) => return false,
                },
                _ => return false,
            }
        }
    }

    /// Whether the item at the cursor has this type, for fields that can have one of two.
    pub fn is_type(&self, item_type: ItemType) -> bool {
        self.message[self.position..self.end].get(3) == Some(&(item_type as u8))
    }

    fn may_skip(&self, tag: Tag) -> bool {
        self.unexpected == Unexpected::Skip && self.depth > 0 && !self.known.contains(&tag)
    }

    /// Reads the head of the item at the cursor, which the caller knows to be tagged `tag`, and checks everything but its type.
    fn head(&mut self, tag: Tag) -> Result<Head, DecodeError> {
        let offset = self.position;
        let fail = |kind| Err(DecodeError::new(offset, kind).within(tag));
        let available = self.end - offset;
        let Some(&[a, b, c, kind, l0, l1, l2, l3]) = self.message[offset..self.end].first_chunk() else {
            if available == 0 {
                return fail(DecodeErrorKind::Missing { found: None });
            }
            return fail(DecodeErrorKind::Truncated { needed: HEADER_BYTES, available });
        };
        let found = Tag::new(u32::from_be_bytes([0, a, b, c]));
        if found != tag {
            return fail(DecodeErrorKind::Missing { found: Some(found) });
        }
        let Some(item_type) = ItemType::from_byte(kind) else {
            return fail(DecodeErrorKind::UnknownType { found: kind });
        };
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let wrong_length = match item_type {
            ItemType::Integer | ItemType::Enumeration | ItemType::Interval => length != 4,
            ItemType::LongInteger | ItemType::Boolean | ItemType::DateTime | ItemType::DateTimeExtended => {
                length != 8
            }
            ItemType::Structure => !length.is_multiple_of(8),
            ItemType::BigInteger => length == 0 || !length.is_multiple_of(8),
            ItemType::TextString | ItemType::ByteString => false,
        };
        if wrong_length {
            return fail(DecodeErrorKind::WrongLength { item_type, length });
        }
        // On a 32-bit machine rounding up could overflow; such a length exceeds what is there in any case.
        let needed = length.checked_next_multiple_of(8).and_then(|padded| padded.checked_add(HEADER_BYTES));
        let Some(next) =
            needed.and_then(|needed| offset.checked_add(needed)).filter(|next| *next <= self.end)
        else {
            return fail(DecodeErrorKind::Truncated { needed: needed.unwrap_or(usize::MAX), available });
        };
        self.items += 1;
        if self.items > self.limits.items_per_structure {
            return fail(DecodeErrorKind::TooManyItems { limit: self.limits.items_per_structure });
        }
        Ok(Head { offset, item_type, value: offset + HEADER_BYTES, length, next })
    }

    /// Reads the item at the cursor as `tag` of `expected` type and returns its value's bytes, without padding.
    fn value(&mut self, tag: Tag, expected: ItemType) -> Result<(usize, &'a [u8]), DecodeError> {
        self.at(tag);
        let head = self.head(tag)?;
        if head.item_type != expected {
            let kind = DecodeErrorKind::WrongType { expected, found: head.item_type };
            return Err(DecodeError::new(head.offset, kind).within(tag));
        }
        self.position = head.next;
        Ok((head.offset, &self.message[head.value..head.value + head.length]))
    }

    /// A value whose type fixes its length at `N` bytes.
    fn fixed<const N: usize>(
        &mut self,
        tag: Tag,
        expected: ItemType,
    ) -> Result<(usize, [u8; N]), DecodeError> {
        let (offset, bytes) = self.value(tag, expected)?;
        match bytes.try_into() {
            Ok(bytes) => Ok((offset, bytes)),
            Err(_) => {
                let kind = DecodeErrorKind::WrongLength { item_type: expected, length: bytes.len() };
                Err(DecodeError::new(offset, kind).within(tag))
            }
        }
    }

    /// An Integer.
    pub fn integer(&mut self, tag: Tag) -> Result<i32, DecodeError> {
        self.fixed(tag, ItemType::Integer).map(|(_, bytes)| i32::from_be_bytes(bytes))
    }

    /// An Integer whose field has no meaning below zero: a count, a size, an index.
    pub fn count(&mut self, tag: Tag) -> Result<u32, DecodeError> {
        let (offset, bytes) = self.fixed(tag, ItemType::Integer)?;
        u32::try_from(i32::from_be_bytes(bytes))
            .map_err(|_| DecodeError::new(offset, DecodeErrorKind::OutOfRange).within(tag))
    }

    /// An Integer that numbers a version: below 2^16.
    pub fn small_count(&mut self, tag: Tag) -> Result<u16, DecodeError> {
        let (offset, bytes) = self.fixed(tag, ItemType::Integer)?;
        u16::try_from(i32::from_be_bytes(bytes))
            .map_err(|_| DecodeError::new(offset, DecodeErrorKind::OutOfRange).within(tag))
    }

    /// A Long Integer.
    pub fn long_integer(&mut self, tag: Tag) -> Result<i64, DecodeError> {
        self.fixed(tag, ItemType::LongInteger).map(|(_, bytes)| i64::from_be_bytes(bytes))
    }

    /// An Enumeration.
    pub fn enumeration(&mut self, tag: Tag) -> Result<u32, DecodeError> {
        self.fixed(tag, ItemType::Enumeration).map(|(_, bytes)| u32::from_be_bytes(bytes))
    }

    /// A Boolean.
    pub fn boolean(&mut self, tag: Tag) -> Result<bool, DecodeError> {
        let (offset, bytes) = self.fixed(tag, ItemType::Boolean)?;
        match u64::from_be_bytes(bytes) {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::new(offset, DecodeErrorKind::NotBoolean).within(tag)),
        }
    }

    /// A Text String.
    pub fn text(&mut self, tag: Tag) -> Result<&'a str, DecodeError> {
        let (offset, bytes) = self.value(tag, ItemType::TextString)?;
        let fail = |kind| DecodeError::new(offset, kind).within(tag);
        if bytes.len() > self.limits.text_bytes {
            return Err(fail(DecodeErrorKind::TextTooLong {
                length: bytes.len(),
                limit: self.limits.text_bytes,
            }));
        }
        str::from_utf8(bytes).map_err(|_| fail(DecodeErrorKind::NotUtf8))
    }

    /// A Byte String.
    pub fn bytes(&mut self, tag: Tag) -> Result<&'a [u8], DecodeError> {
        self.value(tag, ItemType::ByteString).map(|(_, bytes)| bytes)
    }

    /// A Date-Time, in seconds since the epoch.
    pub fn date_time(&mut self, tag: Tag) -> Result<i64, DecodeError> {
        self.fixed(tag, ItemType::DateTime).map(|(_, bytes)| i64::from_be_bytes(bytes))
    }

    /// An Interval, in seconds.
    pub fn interval(&mut self, tag: Tag) -> Result<u32, DecodeError> {
        self.fixed(tag, ItemType::Interval).map(|(_, bytes)| u32::from_be_bytes(bytes))
    }

    /// A structure, whose items `read` must all take. `known` lists the tags it can have.
    pub fn structure<T>(
        &mut self,
        tag: Tag,
        known: &'static [Tag],
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let (offset, bytes) = self.value(tag, ItemType::Structure)?;
        if self.depth >= self.limits.depth {
            let kind = DecodeErrorKind::TooDeep { limit: self.limits.depth };
            return Err(DecodeError::new(offset, kind).within(tag));
        }
        let start = offset + HEADER_BYTES;
        let mut inside = Reader {
            message: self.message,
            position: start,
            end: start + bytes.len(),
            depth: self.depth + 1,
            items: 0,
            known,
            unexpected: self.unexpected,
            limits: self.limits,
        };
        read(&mut inside).and_then(|value| inside.finish().map(|()| value)).map_err(|error| error.within(tag))
    }

    /// Any item at the cursor, as a tree.
    pub fn item(&mut self) -> Result<Item, DecodeError> {
        let offset = self.position;
        let Some(tag) = self.peek() else {
            let available = self.end - offset;
            let kind = match available {
                0 => DecodeErrorKind::Missing { found: None },
                _ => DecodeErrorKind::Truncated { needed: HEADER_BYTES, available },
            };
            return Err(DecodeError::new(offset, kind));
        };
        self.item_tagged(tag)
    }

    /// The item at the cursor, which must be tagged `tag`, as a tree.
    pub fn item_tagged(&mut self, tag: Tag) -> Result<Item, DecodeError> {
        self.at(tag);
        let head = self.head(tag)?;
        // The head was counted and will be read again as a typed value.
        self.items -= 1;
        let value = match head.item_type {
            ItemType::Structure => Value::Structure(self.structure(tag, &[], Reader::items)?),
            ItemType::Integer => Value::Integer(self.integer(tag)?),
            ItemType::LongInteger => Value::LongInteger(self.long_integer(tag)?),
            ItemType::BigInteger => {
                Value::BigInteger(self.value(tag, ItemType::BigInteger)?.1.to_vec().into())
            }
            ItemType::Enumeration => Value::Enumeration(self.enumeration(tag)?),
            ItemType::Boolean => Value::Boolean(self.boolean(tag)?),
            ItemType::TextString => Value::TextString(self.text(tag)?.to_owned()),
            ItemType::ByteString => Value::ByteString(self.bytes(tag)?.to_vec().into()),
            ItemType::DateTime => Value::DateTime(super::DateTime(self.date_time(tag)?)),
            ItemType::Interval => Value::Interval(super::Interval(self.interval(tag)?)),
            ItemType::DateTimeExtended => {
                let (_, bytes) = self.fixed(tag, ItemType::DateTimeExtended)?;
                Value::DateTimeExtended(i64::from_be_bytes(bytes))
            }
        };
        Ok(Item { tag, value })
    }

    /// All items up to the end of the structure, as trees.
    pub fn items(&mut self) -> Result<Vec<Item>, DecodeError> {
        let mut items = Vec::new();
        while self.position < self.end {
            items.push(self.item()?);
        }
        Ok(items)
    }

    /// The error that `tag` is missing at the cursor.
    pub fn missing(&self, tag: Tag) -> DecodeError {
        DecodeError::new(self.position, DecodeErrorKind::Missing { found: self.peek() }).within(tag)
    }

    /// Passes over the item at the cursor if it is tagged `tag`.
    pub fn pass_over(&mut self, tag: Tag) -> Result<(), DecodeError> {
        if self.at(tag) {
            self.position = self.head(tag)?.next;
        }
        Ok(())
    }

    /// Ends the structure.
    ///
    /// # Errors
    /// When an item is left that may not be skipped, or bytes that are none.
    pub fn finish(&mut self) -> Result<(), DecodeError> {
        while self.position < self.end {
            let offset = self.position;
            let available = self.end - offset;
            let Some(tag) = self.peek() else {
                return Err(DecodeError::new(
                    offset,
                    DecodeErrorKind::Truncated { needed: HEADER_BYTES, available },
                ));
            };
            if self.depth == 0 {
                return Err(DecodeError::new(offset, DecodeErrorKind::TrailingBytes { count: available }));
            }
            let head = self.head(tag)?;
            if !self.may_skip(tag) {
                return Err(DecodeError::new(offset, DecodeErrorKind::Unexpected).within(tag));
            }
            self.position = head.next;
        }
        Ok(())
    }
}

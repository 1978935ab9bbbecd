//! Rust values as fields of structures.

use zeroize::Zeroizing;

use strongroom_secret::KeyMaterial;

use super::{DateTime, DecodeError, EncodeError, Interval, Reader, Tag, Writer};

/// A value that travels as one field, or as none (`Option`), or as several with one tag (`Vec`).
pub(crate) trait Wire: Sized {
    /// Reads the field `tag` at the cursor.
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Writes the field.
    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError>;

    /// Whether the field is at the cursor.
    fn is_next(tag: Tag, reader: &mut Reader<'_>) -> bool {
        reader.at(tag)
    }
}

/// The items of a structure, without its head.
pub(crate) trait Structure: Sized {
    /// The tags it can have.
    const TAGS: &'static [Tag];

    /// Reads its items.
    fn decode_items(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Writes its items.
    fn encode_items(&self, writer: &mut Writer) -> Result<(), EncodeError>;
}

/// Declares a structure, one field a line in the specification's order: `pub field: Type = Tag`.
///
/// A field that is not required is an `Option`, a repeated one a `Vec`. Which versions have a field is in the tag table.
macro_rules! structure {
    (
        $(#[$meta:meta])*
        pub struct $Type:ident {
            $($(#[$field_meta:meta])* pub $field:ident: $Field:ty = $tag:ident $(| $other:ident)*,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, PartialEq)]
        pub struct $Type {
            $($(#[$field_meta])* pub $field: $Field,)*
        }

        impl $crate::ttlv::Structure for $Type {
            const TAGS: &'static [$crate::ttlv::Tag] =
                &[$($crate::ttlv::Tag::$tag, $($crate::ttlv::Tag::$other,)*)*];

            #[allow(unused_variables)]
            fn decode_items(reader: &mut $crate::ttlv::Reader<'_>) -> Result<Self, $crate::ttlv::DecodeError> {
                Ok(Self { $($field: $crate::ttlv::Wire::decode($crate::ttlv::Tag::$tag, reader)?,)* })
            }

            #[allow(unused_variables)]
            fn encode_items(&self, writer: &mut $crate::ttlv::Writer) -> Result<(), $crate::ttlv::EncodeError> {
                $($crate::ttlv::Wire::encode(&self.$field, $crate::ttlv::Tag::$tag, writer)?;)*
                Ok(())
            }
        }

        impl $crate::ttlv::Wire for $Type {
            fn decode(
                tag: $crate::ttlv::Tag,
                reader: &mut $crate::ttlv::Reader<'_>,
            ) -> Result<Self, $crate::ttlv::DecodeError> {
                reader.structure(
                    tag,
                    <Self as $crate::ttlv::Structure>::TAGS,
                    <Self as $crate::ttlv::Structure>::decode_items,
                )
            }

            fn encode(
                &self,
                tag: $crate::ttlv::Tag,
                writer: &mut $crate::ttlv::Writer,
            ) -> Result<(), $crate::ttlv::EncodeError> {
                writer.structure(tag, |writer| $crate::ttlv::Structure::encode_items(self, writer))
            }
        }
    };
}

pub(crate) use structure;

impl<T: Wire> Wire for Option<T> {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if T::is_next(tag, reader) { T::decode(tag, reader).map(Some) } else { Ok(None) }
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        self.as_ref().map_or(Ok(()), |value| value.encode(tag, writer))
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut values = Vec::new();
        while T::is_next(tag, reader) {
            values.push(T::decode(tag, reader)?);
        }
        Ok(values)
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        self.iter().try_for_each(|value| value.encode(tag, writer))
    }
}

impl<T: Wire> Wire for Box<T> {
    fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(tag, reader).map(Box::new)
    }

    fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
        T::encode(self, tag, writer)
    }

    fn is_next(tag: Tag, reader: &mut Reader<'_>) -> bool {
        T::is_next(tag, reader)
    }
}

/// Implements [`Wire`] for a type that one reader and one writer method serve: how it comes from what is read, and what is written.
macro_rules! wire {
    ($($Type:ty: $method:ident, $from:expr, $value:ident => $written:expr;)*) => {
        $(impl Wire for $Type {
            fn decode(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.$method(tag).map($from)
            }

            fn encode(&self, tag: Tag, writer: &mut Writer) -> Result<(), EncodeError> {
                let $value = self;
                writer.$method(tag, $written)
            }
        })*
    };
}

wire! {
    bool: boolean, |value| value, value => *value;
    i32: integer, |value| value, value => *value;
    u32: count, |value| value, value => *value;
    i64: long_integer, |value| value, value => *value;
    String: text, str::to_owned, text => text;
    Zeroizing<String>: text, |text| Zeroizing::new(text.to_owned()), text => text;
    Vec<u8>: bytes, <[u8]>::to_vec, bytes => bytes;
    KeyMaterial: bytes, KeyMaterial::new, key => key.as_bytes();
    DateTime: date_time, DateTime, time => time.0;
    Interval: interval, Interval, span => span.0;
}

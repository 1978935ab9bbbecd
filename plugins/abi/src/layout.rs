//! The compiler checks our structures against the offsets we measured.

/// Asserts the size of a structure and the offset of each field, in bytes, at compile time.
///
/// ```
/// # use strongroom_plugin_abi::assert_layout;
/// #[repr(C)]
/// struct Pair {
///     first: u8,
///     second: u64,
/// }
/// assert_layout!(Pair, size 16, first: 0, second: 8);
/// ```
#[macro_export]
macro_rules! assert_layout {
    ($structure:ty, size $size:literal $(, $field:ident : $offset:literal)* $(,)?) => {
        const _: () = {
            assert!(::core::mem::size_of::<$structure>() == $size, "the size differs");
            $(assert!(
                ::core::mem::offset_of!($structure, $field) == $offset,
                concat!("the offset of ", stringify!($field), " differs")
            );)*
        };
    };
}

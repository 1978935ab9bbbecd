//! Tables of `INFORMATION_SCHEMA`, in the shapes of both series.
//!
//! These are the server's private C++ structures, so the server wants the interface version to be its own exact
//! version.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;

use strongroom_plugin_abi::assert_layout;

/// Text with its length.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LexString {
    text: *const c_char,
    length: usize,
}

impl LexString {
    const NONE: Self = Self { text: ptr::null(), length: 0 };

    const fn new(text: &'static CStr) -> Self {
        Self { text: text.as_ptr(), length: text.count_bytes() }
    }
}

/// One column. A column without a name ends the array.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FieldInfo {
    type_handler: *const c_void,
    char_length: c_uint,
    unsigned_flag: c_uint,
    words: *const c_void,
    name: LexString,
    nullable: c_int,
    show_name: LexString,
    open_method: c_int,
}

assert_layout!(
    FieldInfo, size 72,
    type_handler: 0, char_length: 8, unsigned_flag: 12, words: 16, name: 24, nullable: 40,
    show_name: 48, open_method: 64,
);

impl FieldInfo {
    /// The entry that ends the array.
    pub const END: Self = Self {
        type_handler: ptr::null(),
        char_length: 0,
        unsigned_flag: 0,
        words: ptr::null(),
        name: LexString::NONE,
        nullable: 0,
        show_name: LexString::NONE,
        open_method: 0,
    };

    /// Flag of a column for numbers without a sign.
    const UNSIGNED: c_uint = 32;

    /// A column for 32-bit numbers without a sign, never null, which `SHOW` shows too.
    ///
    /// `type_handler` is the address of the server's object for its `unsigned long` columns.
    #[must_use]
    pub const fn number(name: &'static CStr, type_handler: *const c_void) -> Self {
        Self {
            type_handler,
            char_length: 10,
            unsigned_flag: Self::UNSIGNED,
            words: ptr::null(),
            name: LexString::new(name),
            nullable: 0,
            show_name: LexString::new(name),
            open_method: 0,
        }
    }
}

impl FieldInfo {
    /// A column for at most `characters` of text, never null, which `SHOW` shows too.
    ///
    /// `type_handler` is the address of the server's object for its `VARCHAR` columns.
    #[must_use]
    pub const fn text(name: &'static CStr, characters: c_uint, type_handler: *const c_void) -> Self {
        let mut field = Self::number(name, type_handler);
        field.char_length = characters;
        field.unsigned_flag = 0;
        field
    }
}

/// Reloads what the table shows: `FLUSH`. Anything but zero fails the statement.
pub type ResetTable = unsafe extern "C" fn() -> c_int;

/// Fills the table for one statement.
pub type FillTable =
    unsafe extern "C" fn(thd: *mut c_void, tables: *mut c_void, condition: *mut c_void) -> c_int;

/// A table's description in 10.11 (64 bytes; the fields after these are not ours).
#[repr(C)]
pub struct SchemaTable1011 {
    /// The name, set by the server.
    pub name: *const c_char,
    /// The columns.
    pub fields: *mut FieldInfo,
    /// `FLUSH`.
    pub reset_table: Option<ResetTable>,
    /// The rows.
    pub fill_table: Option<FillTable>,
}

assert_layout!(SchemaTable1011, size 32, name: 0, fields: 8, reset_table: 16, fill_table: 24);

/// A table's description in 11.8 (72 bytes; the fields after these are not ours).
#[repr(C)]
pub struct SchemaTable118 {
    /// The name, set by the server.
    pub name: LexString,
    /// The columns.
    pub fields: *mut FieldInfo,
    /// `FLUSH`.
    pub reset_table: Option<ResetTable>,
    /// The rows.
    pub fill_table: Option<FillTable>,
}

assert_layout!(SchemaTable118, size 40, name: 0, fields: 16, reset_table: 24, fill_table: 32);

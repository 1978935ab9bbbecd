//! System variables: what stands in a configuration file and in `SHOW VARIABLES`.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};

use strongroom_plugin_abi::assert_layout;

/// Flags of a variable's header: its type and its ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariableFlags;

impl VariableFlags {
    /// Type: a 32-bit number.
    pub const INT: c_int = 2;
    /// Type: text.
    pub const STRING: c_int = 5;
    /// Type: one of several words.
    pub const ENUM: c_int = 6;
    /// The number has no sign.
    pub const UNSIGNED: c_int = 0x80;
    /// Set at start only.
    pub const READ_ONLY: c_int = 0x200;
}

/// Stores a new value; the server has checked it and holds its lock.
pub type VariableUpdate =
    unsafe extern "C" fn(thd: *mut c_void, variable: *mut c_void, place: *mut c_void, new: *const c_void);

/// What every variable begins with.
#[repr(C)]
pub struct VariableHeader {
    flags: c_int,
    name: *const c_char,
    comment: *const c_char,
    check: Option<unsafe extern "C" fn()>,
    update: Option<VariableUpdate>,
}

assert_layout!(VariableHeader, size 40, flags: 0, name: 8, comment: 16, check: 24, update: 32);

impl VariableHeader {
    const fn new(
        flags: c_int,
        name: &'static CStr,
        comment: &'static CStr,
        update: Option<VariableUpdate>,
    ) -> Self {
        let flags = if update.is_none() { flags | VariableFlags::READ_ONLY } else { flags };
        Self { flags, name: name.as_ptr(), comment: comment.as_ptr(), check: None, update }
    }
}

/// Text that is set at start. Its name is without the plugin's, which the server puts in front.
#[repr(C)]
pub struct StringVariable {
    header: VariableHeader,
    value: *mut *mut c_char,
    default: *const c_char,
}

assert_layout!(StringVariable, size 56, header: 0, value: 40, default: 48);

impl StringVariable {
    /// A variable whose value the server keeps in `value`.
    #[must_use]
    pub const fn new(
        name: &'static CStr,
        comment: &'static CStr,
        value: &'static AtomicPtr<c_char>,
        default: &'static CStr,
    ) -> Self {
        Self {
            header: VariableHeader::new(VariableFlags::STRING, name, comment, None),
            value: value.as_ptr(),
            default: default.as_ptr(),
        }
    }
}

/// A number of 32 bits without a sign.
#[repr(C)]
pub struct UintVariable {
    header: VariableHeader,
    value: *mut c_uint,
    default: c_uint,
    min: c_uint,
    max: c_uint,
    block: c_uint,
}

assert_layout!(UintVariable, size 64, header: 0, value: 40, default: 48, min: 52, max: 56, block: 60);

impl UintVariable {
    /// A variable whose value the server keeps in `value`; without `update` it is set at start only.
    #[must_use]
    pub const fn new(
        name: &'static CStr,
        comment: &'static CStr,
        value: &'static AtomicU32,
        (default, min, max): (u32, u32, u32),
        update: Option<VariableUpdate>,
    ) -> Self {
        Self {
            header: VariableHeader::new(VariableFlags::INT | VariableFlags::UNSIGNED, name, comment, update),
            value: value.as_ptr(),
            default,
            min,
            max,
            block: 1,
        }
    }
}

/// One of several words, set at start.
#[repr(C)]
pub struct EnumVariable {
    header: VariableHeader,
    value: *mut c_ulong,
    default: c_ulong,
    words: *mut TypeLib,
}

assert_layout!(EnumVariable, size 64, header: 0, value: 40, default: 48, words: 56);

impl EnumVariable {
    /// A variable whose value (the number of the word) the server keeps in `value`.
    #[must_use]
    pub const fn new(
        name: &'static CStr,
        comment: &'static CStr,
        value: &'static AtomicU64,
        default: u64,
        words: *mut TypeLib,
    ) -> Self {
        Self {
            header: VariableHeader::new(VariableFlags::ENUM, name, comment, None),
            value: value.as_ptr(),
            default,
            words,
        }
    }
}

/// Words to choose from. The last field exists since 11.x; older servers do not look there.
#[repr(C)]
pub struct TypeLib {
    count: c_uint,
    name: *const c_char,
    words: *const *const c_char,
    lengths: *const c_uint,
    hidden: *const c_int,
}

assert_layout!(TypeLib, size 40, count: 0, name: 8, words: 16, lengths: 24, hidden: 32);

impl TypeLib {
    /// `count` words; `words` holds one more pointer, which is null.
    #[must_use]
    pub const fn new(count: u32, words: *const *const c_char) -> Self {
        Self { count, name: c"".as_ptr(), words, lengths: ptr::null(), hidden: ptr::null() }
    }
}

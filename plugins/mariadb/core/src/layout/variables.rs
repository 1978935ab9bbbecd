//! System variables: what stands in a configuration file and in `SHOW VARIABLES`.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64};

use strongroom_plugin_abi::{assert_layout, pointers};

/// Flags of a variable's header: its type and its ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariableFlags;

impl VariableFlags {
    /// Type: ON or OFF.
    pub const BOOL: c_int = 1;
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

/// Looks at a new value and leaves what [`VariableUpdate`] shall store in `save`. Anything but zero fails the statement.
pub type VariableCheck = unsafe extern "C" fn(
    thd: *mut c_void,
    variable: *mut c_void,
    save: *mut c_void,
    value: *mut VariableValue,
) -> c_int;

/// A value that a statement wants to give to a variable; the server's functions read it.
#[repr(C)]
pub struct VariableValue {
    value_type: unsafe extern "C" fn(*mut Self) -> c_int,
    text: unsafe extern "C" fn(*mut Self, buffer: *mut c_char, length: *mut c_int) -> *const c_char,
    real: unsafe extern "C" fn(*mut Self, *mut f64) -> c_int,
    integer: unsafe extern "C" fn(*mut Self, *mut i64) -> c_int,
    is_unsigned: unsafe extern "C" fn(*mut Self) -> c_int,
}

assert_layout!(VariableValue, size 40, value_type: 0, text: 8, real: 16, integer: 24, is_unsigned: 32);

impl VariableValue {
    /// `value_type` of text; of numbers it is something else.
    const TEXT: c_int = 0;

    /// The value of a variable that is ON or OFF; `None` where the statement names something else.
    ///
    /// # Safety
    /// `value` is what the server passed to a [`VariableCheck`] that has not returned.
    #[must_use]
    pub unsafe fn switch(value: *mut Self) -> Option<bool> {
        if value.is_null() {
            return None;
        }
        // SAFETY: the server's functions take the value they belong to. A text that needs more room than the buffer has
        // lives in the server's memory, and has `length` bytes.
        unsafe {
            if ((*value).value_type)(value) == Self::TEXT {
                let mut buffer = [0_u8; 32];
                let mut length = buffer.len() as c_int;
                let start = ((*value).text)(value, buffer.as_mut_ptr().cast(), &raw mut length);
                let text = pointers::input(start.cast(), usize::try_from(length).ok()?)?;
                return match text.to_ascii_uppercase().as_slice() {
                    b"ON" | b"TRUE" | b"1" => Some(true),
                    b"OFF" | b"FALSE" | b"0" => Some(false),
                    _ => None,
                };
            }
            let mut number = 0_i64;
            let is_null = ((*value).integer)(value, &raw mut number) != 0;
            match number {
                0 if !is_null => Some(false),
                1 if !is_null => Some(true),
                _ => None,
            }
        }
    }
}

/// What every variable begins with.
#[repr(C)]
pub struct VariableHeader {
    flags: c_int,
    name: *const c_char,
    comment: *const c_char,
    check: Option<VariableCheck>,
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

    /// Replaces the help text of the variable that begins at `variable`.
    ///
    /// # Safety
    /// `variable` points to a variable that the server does not know yet.
    pub unsafe fn set_comment(variable: *mut Self, comment: &'static CStr) {
        // SAFETY: nobody else uses the variable yet.
        unsafe { (*variable).comment = comment.as_ptr() };
    }
}

/// ON or OFF.
#[repr(C)]
pub struct SwitchVariable {
    header: VariableHeader,
    value: *mut c_char,
    default: c_char,
}

assert_layout!(SwitchVariable, size 56, header: 0, value: 40, default: 48);

impl SwitchVariable {
    /// A variable that is off unless set, whose value the server keeps in `value`; without `check` it is set at start only.
    #[must_use]
    pub const fn new(
        name: &'static CStr,
        comment: &'static CStr,
        value: &'static AtomicU8,
        check: Option<VariableCheck>,
    ) -> Self {
        let mut header = VariableHeader::new(VariableFlags::BOOL, name, comment, None);
        if check.is_some() {
            header.flags = VariableFlags::BOOL;
            header.check = check;
        }
        Self { header, value: value.as_ptr().cast(), default: 0 }
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

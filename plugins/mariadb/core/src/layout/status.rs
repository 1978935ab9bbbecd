//! Status variables.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use strongroom_plugin_abi::assert_layout;

/// How a status variable's value is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum ShowType {
    /// A 64-bit unsigned number.
    UnsignedLongLong = 4,
    /// Characters that a zero byte ends.
    Text = 5,
    /// A function that says.
    Function = 8,
}

/// A function that fills in `out`, and may put the value into `buffer`, which has [`ShowVariable::BUFFER_BYTES`] bytes.
pub type ShowFunction = unsafe extern "C" fn(
    thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    status: *mut c_void,
    scope: c_int,
) -> c_int;

/// One status variable. Its name is complete: the server adds no prefix.
#[repr(C)]
pub struct ShowVariable {
    /// The name, or null at the end of the array.
    pub name: *const c_char,
    /// The value, or the function.
    pub value: *mut c_void,
    /// A [`ShowType`].
    pub show_type: c_int,
}

assert_layout!(ShowVariable, size 24, name: 0, value: 8, show_type: 16);

impl ShowVariable {
    /// Bytes of the buffer that the server lends to a function.
    pub const BUFFER_BYTES: usize = 2048;

    /// The entry that ends the array.
    pub const END: Self = Self { name: ptr::null(), value: ptr::null_mut(), show_type: 0 };

    /// A variable whose value a function tells.
    #[must_use]
    pub const fn function(name: &'static CStr, function: ShowFunction) -> Self {
        Self { name: name.as_ptr(), value: function as *mut c_void, show_type: ShowType::Function as c_int }
    }
}

//! Functions in SQL that live in a library (user-defined functions).

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

use strongroom_plugin_abi::assert_layout;

/// Bytes of the buffer for the message of a function that does not begin.
pub const FUNCTION_MESSAGE_BYTES: usize = 512;

/// Bytes of the buffer that the server lends for a text result.
pub const FUNCTION_RESULT_BYTES: usize = 255;

/// Type of an argument: text.
pub const ARGUMENT_TEXT: c_int = 0;
/// Type of an argument: a 64-bit number.
pub const ARGUMENT_INTEGER: c_int = 2;

/// What the server and a function agree upon before the function is called.
#[repr(C)]
pub struct FunctionInit {
    /// The function may return NULL.
    pub maybe_null: c_char,
    /// Digits after the point.
    pub decimals: c_uint,
    /// The longest result.
    pub max_length: c_ulong,
    /// For the function's own use.
    pub own: *mut c_char,
    /// The function returns the same every time, and may be called once in place of many.
    pub is_constant: c_char,
    extension: *mut c_void,
}

assert_layout!(
    FunctionInit, size 40,
    maybe_null: 0, decimals: 4, max_length: 8, own: 16, is_constant: 24, extension: 32,
);

/// The arguments of a call.
#[repr(C)]
pub struct FunctionArguments {
    /// How many there are.
    pub count: c_uint,
    /// Their types. What is written here before the first call is what they are converted to.
    pub types: *mut c_int,
    /// Their values: null for NULL, else a place for a number, or text that need not end with a zero byte.
    pub values: *mut *mut c_char,
    /// The lengths of texts.
    pub lengths: *mut c_ulong,
    maybe_null: *mut c_char,
    names: *mut *mut c_char,
    name_lengths: *mut c_ulong,
    extension: *mut c_void,
}

assert_layout!(
    FunctionArguments, size 64,
    count: 0, types: 8, values: 16, lengths: 24, maybe_null: 32, names: 40, name_lengths: 48, extension: 56,
);

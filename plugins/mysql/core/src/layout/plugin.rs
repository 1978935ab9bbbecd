//! What a plugin library declares, and its system variables. Proven on 9.7; 8.0 and 8.4 have the same layout, and the host in `tests/`
//! admits the plugin as they do.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use std::ptr;
use std::sync::atomic::AtomicPtr;

use strongroom_plugin_abi::{assert_layout, pointers};

/// Version of the declaration's layout. Servers accept any `0x01xx`.
pub const PLUGIN_INTERFACE_VERSION: c_int = 0x010b;
/// Version of the keyring interface, with iterators: 5.7.23 and later.
pub const KEYRING_INTERFACE_VERSION: c_int = 0x0101;
/// What a service's pointer holds until the server puts the service there.
pub const SERVICE_VERSION: usize = 0x0100;

/// `MYSQL_KEYRING_PLUGIN`.
const KEYRING: c_int = 10;
/// `PLUGIN_LICENSE_BSD`: the nearest to MIT or Apache-2.0, for which there is no number.
const LICENSE_BSD: c_int = 2;
/// `PLUGIN_OPT_ALLOW_EARLY`: the plugin may be loaded before InnoDB.
const ALLOW_EARLY: c_ulong = 4;

/// A plugin's beginning or end: 0, or anything else for failure.
pub type Lifecycle = unsafe extern "C" fn(*mut c_void) -> c_int;

/// One plugin of a library (`st_mysql_plugin`). A library exports an array of these; an all-zero entry ends it.
#[repr(C)]
pub struct Declaration {
    plugin_type: c_int,
    info: *mut c_void,
    name: *const c_char,
    author: *const c_char,
    description: *const c_char,
    license: c_int,
    init: Option<Lifecycle>,
    check_uninstall: Option<Lifecycle>,
    deinit: Option<Lifecycle>,
    version: c_uint,
    status_variables: *mut c_void,
    system_variables: *mut *mut c_void,
    reserved: *mut c_void,
    flags: c_ulong,
}

assert_layout!(
    Declaration, size 112,
    plugin_type: 0, info: 8, name: 16, author: 24, description: 32, license: 40, init: 48, check_uninstall: 56,
    deinit: 64, version: 72, status_variables: 80, system_variables: 88, reserved: 96, flags: 104,
);

impl Declaration {
    /// The entry that ends the array.
    pub const END: Self = Self {
        plugin_type: 0,
        info: ptr::null_mut(),
        name: ptr::null(),
        author: ptr::null(),
        description: ptr::null(),
        license: 0,
        init: None,
        check_uninstall: None,
        deinit: None,
        version: 0,
        status_variables: ptr::null_mut(),
        system_variables: ptr::null_mut(),
        reserved: ptr::null_mut(),
        flags: 0,
    };

    /// A keyring plugin. `variables` ends with a null pointer.
    #[must_use]
    pub const fn keyring(
        name: &'static CStr,
        description: &'static CStr,
        keyring: *mut Keyring,
        variables: *mut *mut c_void,
        init: Lifecycle,
        deinit: Lifecycle,
    ) -> Self {
        Self {
            plugin_type: KEYRING,
            info: keyring.cast(),
            name: name.as_ptr(),
            author: c"Strongroom".as_ptr(),
            description: description.as_ptr(),
            license: LICENSE_BSD,
            init: Some(init),
            deinit: Some(deinit),
            version: 0x0001,
            system_variables: variables,
            flags: ALLOW_EARLY,
            ..Self::END
        }
    }
}

/// What a keyring plugin can do (`st_mysql_keyring`). The functions return a C++ `bool`: true for failure.
#[repr(C)]
pub struct Keyring {
    /// [`KEYRING_INTERFACE_VERSION`].
    pub interface_version: c_int,
    /// Keeps a key.
    pub store: unsafe extern "C" fn(
        id: *const c_char,
        key_type: *const c_char,
        user: *const c_char,
        key: *const c_void,
        bytes: usize,
    ) -> bool,
    /// Gives a key, in memory of the server's allocator; null pointers and false when there is none.
    pub fetch: unsafe extern "C" fn(
        id: *const c_char,
        key_type: *mut *mut c_char,
        user: *const c_char,
        key: *mut *mut c_void,
        bytes: *mut usize,
    ) -> bool,
    /// Destroys a key.
    pub remove: unsafe extern "C" fn(id: *const c_char, user: *const c_char) -> bool,
    /// Makes a key.
    pub generate: unsafe extern "C" fn(
        id: *const c_char,
        key_type: *const c_char,
        user: *const c_char,
        bytes: usize,
    ) -> bool,
    /// Takes a look at all keys.
    pub iterator_init: unsafe extern "C" fn(iterator: *mut *mut c_void),
    /// Ends.
    pub iterator_deinit: unsafe extern "C" fn(iterator: *mut c_void),
    /// Copies the next key's id and owner; true when there is none.
    pub iterator_next:
        unsafe extern "C" fn(iterator: *mut c_void, id: *mut c_char, user: *mut c_char) -> bool,
}

assert_layout!(
    Keyring, size 64,
    interface_version: 0, store: 8, fetch: 16, remove: 24, generate: 32, iterator_init: 40, iterator_deinit: 48,
    iterator_next: 56,
);

/// The server's allocator (`mysql_malloc_service`), as far as plugins need it. What the server frees must come from here.
#[repr(C)]
pub struct Allocator {
    /// `my_malloc`.
    pub malloc: unsafe extern "C" fn(instrument: c_uint, bytes: usize, flags: c_int) -> *mut c_void,
    realloc: *const c_void,
    claim: *const c_void,
    /// `my_free`.
    pub free: unsafe extern "C" fn(*mut c_void),
}

assert_layout!(Allocator, size 32, malloc: 0, realloc: 8, claim: 16, free: 24);

/// Looks at a new value and leaves what [`VariableUpdate`] shall take over in `save`. Anything but zero fails the statement.
pub type VariableCheck = unsafe extern "C" fn(
    thd: *mut c_void,
    variable: *mut c_void,
    save: *mut c_void,
    value: *mut VariableValue,
) -> c_int;

/// Takes a new value over, which the check has seen.
pub type VariableUpdate =
    unsafe extern "C" fn(thd: *mut c_void, variable: *mut c_void, place: *mut c_void, save: *const c_void);

/// A value that a statement wants to give to a variable (`st_mysql_value`); the server's functions read it.
#[repr(C)]
pub struct VariableValue {
    value_type: unsafe extern "C" fn(*mut Self) -> c_int,
    text: unsafe extern "C" fn(*mut Self, buffer: *mut c_char, length: *mut c_int) -> *const c_char,
    real: *const c_void,
    integer: *const c_void,
    is_unsigned: *const c_void,
}

assert_layout!(VariableValue, size 40, value_type: 0, text: 8, real: 16, integer: 24, is_unsigned: 32);

impl VariableValue {
    /// The value as text of the statement; `None` for NULL, and where the text is longer than any path. The pointer is the server's.
    ///
    /// # Safety
    /// `value` is what the server passed to a [`VariableCheck`] that has not returned.
    #[must_use]
    pub unsafe fn text(value: *mut Self, buffer: &mut [u8]) -> Option<&[u8]> {
        if value.is_null() {
            return None;
        }
        let mut length = c_int::try_from(buffer.len()).ok()?;
        // SAFETY: the function takes the value that it belongs to. A text that does not fit the buffer lives in the server's memory;
        // either way it has `length` bytes.
        unsafe {
            let start = ((*value).text)(value, buffer.as_mut_ptr().cast(), &raw mut length);
            if start.is_null() {
                return None;
            }
            pointers::input(start.cast(), usize::try_from(length).ok()?)
        }
    }
}

/// Text that can be set while the server runs (`sysvar_str_t`). The server puts the plugin's name in front of its name.
#[repr(C)]
pub struct StringVariable {
    flags: c_int,
    name: *const c_char,
    comment: *const c_char,
    check: Option<VariableCheck>,
    update: Option<VariableUpdate>,
    value: *mut *mut c_char,
    default: *const c_char,
}

assert_layout!(
    StringVariable, size 56,
    flags: 0, name: 8, comment: 16, check: 24, update: 32, value: 40, default: 48,
);

impl StringVariable {
    /// Type: text.
    const STRING: c_int = 5;
    /// `SET … = DEFAULT` is refused, which no check would see.
    const NO_DEFAULT: c_int = 0x4000;
    /// The value lies in memory of the server's allocator. The server copies a new value before the update and frees the old one after it.
    const ALLOCATED: c_int = 0x8000;

    /// A variable whose value lies in `value`, and is `default` unless set.
    #[must_use]
    pub const fn new(
        name: &'static CStr,
        comment: &'static CStr,
        value: &'static AtomicPtr<c_char>,
        default: &'static CStr,
        check: VariableCheck,
        update: VariableUpdate,
    ) -> Self {
        Self {
            flags: Self::STRING | Self::NO_DEFAULT | Self::ALLOCATED,
            name: name.as_ptr(),
            comment: comment.as_ptr(),
            check: Some(check),
            update: Some(update),
            value: value.as_ptr(),
            default: default.as_ptr(),
        }
    }
}

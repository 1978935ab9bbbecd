//! What a plugin library declares.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;

use strongroom_plugin_abi::assert_layout;

use super::ShowVariable;

/// Version of the declaration's layout; 10.11 and 11.8 have this one, and any `0x01xx` is accepted by both.
pub const PLUGIN_INTERFACE_VERSION: c_int = 0x010f;

/// Kinds of plugin, as far as ours are any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum PluginType {
    /// A table in `INFORMATION_SCHEMA`, with its `SHOW` and `FLUSH`.
    InformationSchema = 4,
    /// Keys and encryption.
    Encryption = 9,
}

/// Licences the server knows by number. It shows the word and does nothing else with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum License {
    /// A permissive licence. The nearest to MIT or Apache-2.0, for which there is no number.
    Bsd = 2,
}

/// How ripe a plugin says it is. A stable server refuses what is below gamma unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Maturity {
    /// Loads everywhere.
    Stable = 5,
}

/// One plugin of a library. A library exports an array of these; an all-zero entry ends it.
#[repr(C)]
pub struct Declaration {
    plugin_type: c_int,
    info: *mut c_void,
    name: *const c_char,
    author: *const c_char,
    description: *const c_char,
    license: c_int,
    init: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    deinit: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    version: c_uint,
    status_variables: *mut ShowVariable,
    system_variables: *mut *mut c_void,
    version_text: *const c_char,
    maturity: c_uint,
}

assert_layout!(
    Declaration, size 104,
    plugin_type: 0, info: 8, name: 16, author: 24, description: 32, license: 40, init: 48, deinit: 56,
    version: 64, status_variables: 72, system_variables: 80, version_text: 88, maturity: 96,
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
        deinit: None,
        version: 0,
        status_variables: ptr::null_mut(),
        system_variables: ptr::null_mut(),
        version_text: ptr::null(),
        maturity: 0,
    };

    /// A stable plugin under a permissive licence, without variables.
    #[must_use]
    pub const fn new(
        plugin_type: PluginType,
        info: *mut c_void,
        name: &'static std::ffi::CStr,
        description: &'static std::ffi::CStr,
        init: unsafe extern "C" fn(*mut c_void) -> c_int,
        deinit: unsafe extern "C" fn(*mut c_void) -> c_int,
    ) -> Self {
        Self {
            plugin_type: plugin_type as c_int,
            info,
            name: name.as_ptr(),
            author: c"Strongroom".as_ptr(),
            description: description.as_ptr(),
            license: License::Bsd as c_int,
            init: Some(init),
            deinit: Some(deinit),
            version: 0x0001,
            status_variables: ptr::null_mut(),
            system_variables: ptr::null_mut(),
            version_text: c"0.1".as_ptr(),
            maturity: Maturity::Stable as c_uint,
        }
    }

    /// Adds status variables, an array that an entry without a name ends.
    #[must_use]
    pub const fn with_status(mut self, variables: *mut ShowVariable) -> Self {
        self.status_variables = variables;
        self
    }

    /// Adds system variables, an array that a null pointer ends.
    #[must_use]
    pub const fn with_variables(mut self, variables: *mut *mut c_void) -> Self {
        self.system_variables = variables;
        self
    }
}

/// Makes a library of plugins: the three symbols that the server looks up by name, and the function that runs while the library is
/// being loaded, before the server reads them.
///
/// `prepare` is an `extern "C" fn()`, which may use nothing but what the loader has set up before it runs such functions:
/// [`table::prepare`](crate::table::prepare), or one that calls it.
#[macro_export]
macro_rules! declare_plugins {
    (prepare: $prepare:path, $($declaration:expr),+ $(,)?) => {
        /// Version of the layout of the declarations.
        #[unsafe(no_mangle)]
        #[allow(non_upper_case_globals, reason = "the server looks it up by name")]
        pub static _maria_plugin_interface_version_: ::std::ffi::c_int =
            $crate::layout::PLUGIN_INTERFACE_VERSION;

        /// Size of one declaration, in bytes.
        #[unsafe(no_mangle)]
        #[allow(non_upper_case_globals, reason = "the server looks it up by name")]
        pub static _maria_sizeof_struct_st_plugin_: ::std::ffi::c_int =
            size_of::<$crate::layout::Declaration>() as ::std::ffi::c_int;

        /// The plugins of this library, and the entry that ends them.
        #[unsafe(no_mangle)]
        #[allow(non_upper_case_globals, reason = "the server looks it up by name")]
        pub static _maria_plugin_declarations_: $crate::layout::ServerOwned<
            [$crate::layout::Declaration; [$(stringify!($declaration)),+].len() + 1],
        > = $crate::layout::ServerOwned::new([$($declaration),+, $crate::layout::Declaration::END]);

        // SAFETY: `prepare` uses nothing that the loader has not set up before it runs such functions.
        #[used]
        #[unsafe(link_section = ".init_array")]
        static PREPARE: extern "C" fn() = $prepare;
    };
}

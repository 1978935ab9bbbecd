//! What a component library declares (`mysql_component_t`).
//!
//! The server loads `file://NAME` from its plugin directory, calls `list_components`, fills in what is required, calls
//! `init`, and registers what is provided. Each array ends with an entry of null pointers.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use strongroom_plugin_abi::assert_layout;

/// The function that a component runs at its beginning or end: 0, or anything else for failure.
pub type Lifecycle = unsafe extern "C" fn() -> c_int;

/// A service that the component provides (`mysql_service_ref_t`).
#[repr(C)]
pub struct Provided {
    name: *const c_char,
    implementation: *mut c_void,
}

/// A service that the component requires, and where the server puts it (`mysql_service_placeholder_ref_t`).
#[repr(C)]
pub struct Required {
    name: *const c_char,
    place: *mut *mut c_void,
}

/// A fact about the component, for people (`mysql_metadata_ref_t`).
#[repr(C)]
pub struct Metadata {
    key: *const c_char,
    value: *const c_char,
}

/// A component (`mysql_component_t`).
#[repr(C)]
pub struct Component {
    name: *const c_char,
    provides: *mut Provided,
    requires: *mut Required,
    metadata: *mut Metadata,
    init: Lifecycle,
    deinit: Lifecycle,
}

assert_layout!(Provided, size 16, name: 0, implementation: 8);
assert_layout!(Required, size 16, name: 0, place: 8);
assert_layout!(Metadata, size 16, key: 0, value: 8);
assert_layout!(Component, size 48, name: 0, provides: 8, requires: 16, metadata: 24, init: 32, deinit: 40);

impl Provided {
    /// The entry that ends the array.
    pub const END: Self = Self { name: ptr::null(), implementation: ptr::null_mut() };

    /// Provides `table` under `name`, which is `service.component`.
    #[must_use]
    pub const fn new<T: Sync>(name: &'static CStr, table: &'static T) -> Self {
        Self { name: name.as_ptr(), implementation: ptr::from_ref(table).cast_mut().cast() }
    }
}

impl Required {
    /// The entry that ends the array.
    pub const END: Self = Self { name: ptr::null(), place: ptr::null_mut() };

    /// Requires the service `name`.
    #[must_use]
    pub const fn new(name: &'static CStr, place: *mut *mut c_void) -> Self {
        Self { name: name.as_ptr(), place }
    }
}

impl Metadata {
    /// The entry that ends the array.
    pub const END: Self = Self { key: ptr::null(), value: ptr::null() };

    /// A fact.
    #[must_use]
    pub const fn new(key: &'static CStr, value: &'static CStr) -> Self {
        Self { key: key.as_ptr(), value: value.as_ptr() }
    }
}

impl Component {
    /// A component. The arrays end with their `END`.
    #[must_use]
    pub const fn new(
        name: &'static CStr,
        provides: *mut Provided,
        requires: *mut Required,
        metadata: *mut Metadata,
        init: Lifecycle,
        deinit: Lifecycle,
    ) -> Self {
        Self { name: name.as_ptr(), provides, requires, metadata, init, deinit }
    }
}

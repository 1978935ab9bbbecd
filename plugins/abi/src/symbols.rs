//! Functions and variables of the process we were loaded into.
//!
//! A server exports far more than its plugin services, and looking a symbol up at run time lets one library serve many
//! server versions, and live in a helper program that lacks the symbol.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

/// The address of a symbol of this process; `None` where it has none of that name.
#[must_use]
pub fn find(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: `name` is a C string, and looking a name up has no other precondition.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_of_the_process_is_found_and_another_is_not() {
        assert!(find(c"malloc").is_some());
        assert!(find(c"no_server_has_this_symbol").is_none());
    }
}

//! What the user of the current statement may do, asked of the server.

use std::ffi::c_void;
use std::mem::transmute;
use std::ptr::NonNull;

use strongroom_plugin_abi::symbols;

/// A global privilege, as the server's bit for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Privilege {
    /// To see what others do, and the server's tables about encryption.
    Process = 1 << 8,
    /// To change what holds for the whole server.
    Super = 1 << 15,
}

/// `check_global_access(THD *, privilege_t, bool no_errors)`: true when the privilege is *missing*.
type CheckGlobalAccess = unsafe extern "C" fn(thd: *mut c_void, privilege: u64, no_errors: bool) -> bool;

/// `_current_thd()`.
type CurrentThd = unsafe extern "C" fn() -> *mut c_void;

/// Whether the user of the statement that this thread executes has the privilege. A server that cannot be asked, or a
/// thread without a statement, has it not.
#[must_use]
pub fn current_user_has(privilege: Privilege) -> bool {
    let Some(function) = symbols::find(c"_current_thd") else {
        return false;
    };
    // SAFETY: the symbol is this function in every server that has it, and any thread may call it.
    let thd = unsafe { transmute::<NonNull<c_void>, CurrentThd>(function)() };
    // SAFETY: the session is the one this thread is working for.
    !thd.is_null() && unsafe { user_has(thd, privilege, true) }
}

/// Whether the user of a session has the privilege; if not, and unless `silent`, the server has told the client. A
/// server that cannot be asked says no.
///
/// # Safety
/// `thd` is the session that this thread is working for.
#[must_use]
pub unsafe fn user_has(thd: *mut c_void, privilege: Privilege, silent: bool) -> bool {
    let Some(function) = symbols::find(c"_Z19check_global_accessP3THD11privilege_tb") else {
        return false;
    };
    // SAFETY: the symbol is this function in every server that has it.
    let check = unsafe { transmute::<NonNull<c_void>, CheckGlobalAccess>(function) };
    // SAFETY: the caller promises the session.
    !unsafe { check(thd, privilege as u64, silent) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_server_nobody_has_a_privilege() {
        assert!(!current_user_has(Privilege::Super));
        // SAFETY: nothing is called, because there is nothing to call.
        assert!(!unsafe { user_has(std::ptr::null_mut(), Privilege::Process, true) });
    }
}

//! From rows of ours to rows of the server's. Never a byte of a key.

use std::ffi::{c_int, c_void};

use strongroom_plugin_abi::boundary::guard;

use super::field::{Kind, Value, columns, store_record};
use super::known;
use crate::keys::KeyService;
use crate::served;
use crate::server::{Privilege, report_error, user_has};

/// Fills a table for one statement with what `rows` makes of the service, if the user may see it.
///
/// # Safety
/// `thd` and `tables` are what the server passes to fill a table, on the statement's thread.
pub(super) unsafe fn fill(
    thd: *mut c_void,
    tables: *mut c_void,
    kinds: impl Iterator<Item = Kind> + Clone,
    rows: impl FnOnce(&KeyService) -> Vec<Vec<Value>>,
) -> c_int {
    guard(1, || {
        // SAFETY: `thd` is the statement's.
        if !unsafe { user_has(thd, Privilege::Process, false) } {
            return 1;
        }
        let Some(service) = served::service() else {
            return 0;
        };
        let (layouts, Some(store_record)) = (known::offsets(), store_record()) else {
            return 0;
        };
        if layouts.is_empty() {
            return 0;
        }
        let Some(columns) = layouts.iter().find_map(|offsets| columns(tables, *offsets, kinds.clone()))
        else {
            report_error("the table cannot be filled: this server's structures are not those of its version");
            return 1;
        };
        for row in rows(&service) {
            columns.store(&row);
            // SAFETY: `thd` is the statement's, and `table` the one whose columns were just filled.
            if unsafe { store_record(thd, columns.table) } != 0 {
                return 1;
            }
        }
        0
    })
}

//! The rows: one for each version of each key. Never a byte of a key.

use std::ffi::{c_int, c_void};

use strongroom_plugin_abi::boundary::guard;

use super::field::{Columns, columns, store_record};
use super::{COLUMNS, known};
use crate::served;
use crate::server::{Privilege, report_error, user_has};

/// Fills the table for one statement.
///
/// # Safety
/// Called by the server, on the statement's thread, with the table to fill.
pub(super) unsafe extern "C" fn fill(
    thd: *mut c_void,
    tables: *mut c_void,
    _condition: *mut c_void,
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
        let found = layouts.iter().find_map(|offsets| columns::<{ COLUMNS.len() }>(tables, *offsets));
        let Some(Columns { table, fields: [id_field, version_field, latest_field] }) = found else {
            report_error(
                "the table of keys cannot be filled: this server's structures are not those of its version",
            );
            return 1;
        };
        let keys = service.snapshot();
        for (id, version, _) in keys.iter() {
            id_field.store(id.0);
            version_field.store(version.number());
            latest_field.store(u32::from(keys.latest(id) == Some(version)));
            // SAFETY: `thd` is the statement's, and `table` the one whose columns were just filled.
            if unsafe { store_record(thd, table) } != 0 {
                return 1;
            }
        }
        0
    })
}

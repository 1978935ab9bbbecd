//! The table of keys: one row for each version of each key.

use std::ffi::{CStr, c_int, c_void};

use super::field::{Kind, Value};
use super::rows;
use crate::keys::KeyService;

/// The columns, in the order in which [`fill`] fills them.
pub(super) const COLUMNS: [(&CStr, Kind); 3] =
    [(c"KEY_ID", Kind::Number), (c"KEY_VERSION", Kind::Number), (c"LATEST", Kind::Number)];

/// Fills the table for one statement.
///
/// # Safety
/// Called by the server, on the statement's thread, with the table to fill.
pub(super) unsafe extern "C" fn fill(
    thd: *mut c_void,
    tables: *mut c_void,
    _condition: *mut c_void,
) -> c_int {
    // SAFETY: passed on.
    unsafe { rows::fill(thd, tables, COLUMNS.iter().map(|(_, kind)| *kind), rows_of) }
}

fn rows_of(service: &KeyService) -> Vec<Vec<Value>> {
    let keys = service.snapshot();
    let row = |(id, version)| {
        let is_latest = keys.latest(id) == Some(version);
        [id.0, version.number(), u32::from(is_latest)].map(Value::Number).to_vec()
    };
    keys.iter().map(|(id, version, _)| row((id, version))).collect()
}

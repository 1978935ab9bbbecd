//! `FLUSH`, `SHOW` and the `INFORMATION_SCHEMA` table of keys and versions.
//!
//! All three are one plugin of the second kind in the same library. Unlike the encryption interface this one consists
//! of the server's private C++ structures, so it is used with distrust:
//!
//! - The server demands that the interface version equal its own exact version, so [`prepare`] writes that in while
//!   the library is being loaded.
//! - Of the two known shapes of the table description, [`init`] finds out which one it was given.
//! - Rows are stored only where the server's series is a known one *and* its structures prove, without being trusted,
//!   to be what we expect (`field.rs`). Otherwise the table is empty, which the error log says, and `FLUSH` works all
//!   the same.

mod field;
mod offsets;
mod rows;

use std::ffi::{CStr, c_int, c_void};

use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::symbols;

use crate::layout::{FieldInfo, SchemaTable118, SchemaTable1011, ServerOwned};
use crate::served;
use crate::server::{Log, server_version};

/// The interface version to declare: the server's own version, shifted left by a byte. Zero until [`prepare`], and in
/// a process that is no server.
static INTERFACE_VERSION: ServerOwned<c_int> = ServerOwned::new(0);

/// The columns and the entry that ends them.
static FIELDS: ServerOwned<[FieldInfo; COLUMNS.len() + 1]> =
    ServerOwned::new([FieldInfo::END, FieldInfo::END, FieldInfo::END, FieldInfo::END]);

/// The columns, in the order in which [`rows`] fills them.
const COLUMNS: [&CStr; 3] = [c"KEY_ID", c"KEY_VERSION", c"LATEST"];

/// The `info` of the table's declaration.
#[must_use]
pub const fn info() -> *mut c_void {
    INTERFACE_VERSION.as_ptr().cast()
}

/// Writes the server's version into the declaration. To be called while the library is being loaded, before the server
/// reads it.
pub extern "C" fn prepare() {
    guard((), || {
        if let Some(version) = server_version() {
            let interface_version = c_int::try_from(version.id() << 8).unwrap_or(0);
            // SAFETY: the loader runs this before anybody else can know the library.
            unsafe { INTERFACE_VERSION.as_ptr().write(interface_version) };
        }
    });
}

/// Describes the table to the server. Where the encryption plugin did not start, which has been logged, the table is empty
/// and `FLUSH` fails; a second fault would say nothing new.
///
/// `name` is the table's name in the server, for the shape of the description and
/// for the error log.
///
/// # Safety
/// To be called by the server, with a description of its own series.
pub unsafe fn init(log: Log, name: &CStr, description: *mut c_void) -> c_int {
    guard(1, || {
        let Some(type_handler) = symbols::find(c"type_handler_ulong") else {
            log.error("the table of keys and FLUSH are not available: this server has no known column type for numbers");
            return 1;
        };
        if description.is_null() {
            return 1;
        }
        let mut fields = COLUMNS.map(|column| FieldInfo::number(column, type_handler.as_ptr())).into_iter();
        // SAFETY: the server initialises plugins one at a time, and reads the columns afterwards. The description has
        // one of the two shapes: the newer one has the length of the name where the older one still has a null pointer.
        unsafe {
            let place = FIELDS.as_ptr().cast::<FieldInfo>();
            for at in 0..COLUMNS.len() {
                place.add(at).write(fields.next().unwrap_or(FieldInfo::END));
            }
            let second = description.cast::<usize>().add(1).read();
            if second == name.count_bytes() {
                let table = description.cast::<SchemaTable118>();
                (*table).fields = place;
                (*table).reset_table = Some(reset);
                (*table).fill_table = Some(rows::fill);
            } else {
                let table = description.cast::<SchemaTable1011>();
                (*table).fields = place;
                (*table).reset_table = Some(reset);
                (*table).fill_table = Some(rows::fill);
            }
        }
        served::keep_cache();
        if offsets::known().is_none() {
            log.note(
                "the table of keys stays empty, because this server version was never tested; FLUSH works",
            );
        }
        0
    })
}

/// `FLUSH`: loads every key again, on the statement's own thread.
extern "C" fn reset() -> c_int {
    guard(1, || c_int::from(!served::reload_for_statement()))
}

/// Nothing to undo: the server forgets its description with the plugin.
///
/// # Safety
/// To be called by the server.
pub unsafe extern "C" fn deinit(_description: *mut c_void) -> c_int {
    0
}

//! `FLUSH`, `SHOW` and the `INFORMATION_SCHEMA` tables: of keys and versions, and of key servers.
//!
//! A table with its `SHOW`, and the keys' with `FLUSH`, is one plugin of the second kind in the same library. Unlike the encryption interface this one consists
//! of the server's private C++ structures, so it is used with distrust:
//!
//! - The server demands that the interface version equal its own exact version, so [`prepare`] writes that in while
//!   the library is being loaded.
//! - Which series has which of the two shapes of the table's description is in one table (`known.rs`). In another series,
//!   and where the description does not look like its shape, this plugin does not start, and keys are reloaded and shown
//!   through variables only.
//! - Rows are stored only on servers that were tested by their exact number, *and* whose structures prove, without being
//!   trusted, to be what we expect (`field.rs`). Otherwise the table is empty, which the error log says, and `FLUSH`
//!   works all the same.

mod field;
mod keys;
mod known;
mod rows;
mod servers;

use std::ffi::{CStr, c_int, c_void};

use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::symbols;

use self::field::Kind;
use self::known::Shape;
use crate::layout::{FieldInfo, FillTable, ResetTable, SchemaTable118, SchemaTable1011, ServerOwned};
use crate::served;
use crate::server::{Log, server_version};

/// The interface version to declare: the server's own version, shifted left by a byte. Zero until [`prepare`], and in
/// a process that is no server.
static INTERFACE_VERSION: ServerOwned<c_int> = ServerOwned::new(0);

/// The columns of the table of keys, and the entry that ends them.
static KEY_FIELDS: ServerOwned<[FieldInfo; keys::COLUMNS.len() + 1]> =
    ServerOwned::new([FieldInfo::END; keys::COLUMNS.len() + 1]);

/// The columns of the table of key servers, and the entry that ends them.
static SERVER_FIELDS: ServerOwned<[FieldInfo; servers::COLUMNS.len() + 1]> =
    ServerOwned::new([FieldInfo::END; servers::COLUMNS.len() + 1]);

/// What the server is told of a table.
struct Description {
    /// Room for one more than there are columns.
    fields: *mut FieldInfo,
    columns: &'static [(&'static CStr, Kind)],
    flush: Option<ResetTable>,
    fill: FillTable,
}

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

/// Describes the table of keys to the server. Where the encryption plugin did not start, which has been logged, the table is empty
/// and `FLUSH` fails; a second fault would say nothing new.
///
/// `name` is the table's name in the server, which tells the shape of the description.
///
/// # Safety
/// To be called by the server, with a description of its own series.
pub unsafe fn init(log: Log, name: &CStr, description: *mut c_void) -> c_int {
    guard(1, || {
        served::keep_cache();
        let keys = Description {
            fields: KEY_FIELDS.as_ptr().cast(),
            columns: &keys::COLUMNS,
            flush: Some(reset),
            fill: keys::fill,
        };
        // SAFETY: passed on.
        let described = unsafe { describe(name, description, &keys) };
        if let Err(why) = described {
            log.error(&format!(
                "there is no FLUSH and no table of keys, because {why}; the variables of {} reload the keys and show them",
                log.plugin
            ));
            return 1;
        }
        if known::offsets().is_empty() {
            log.note(
                "the table of keys stays empty, because this very server version was never tested; FLUSH works, and the \
                 status variables show the keys",
            );
        }
        0
    })
}

/// Describes the table of key servers to the server. Where that cannot be done the table of keys cannot be had either, which has been
/// logged.
///
/// # Safety
/// As [`init`].
pub unsafe fn init_servers(name: &CStr, description: *mut c_void) -> c_int {
    guard(1, || {
        let servers = Description {
            fields: SERVER_FIELDS.as_ptr().cast(),
            columns: &servers::COLUMNS,
            flush: None,
            fill: servers::fill,
        };
        // SAFETY: passed on.
        c_int::from(unsafe { describe(name, description, &servers) }.is_err())
    })
}

/// # Safety
/// As [`init`]; and `this` has room for its columns.
unsafe fn describe(name: &CStr, description: *mut c_void, this: &Description) -> Result<(), &'static str> {
    let shape = known::shape().ok_or("this series of the server was never tested")?;
    if description.is_null() {
        return Err("the server gave nothing to describe it in");
    }
    // SAFETY: the server initialises plugins one at a time, and reads the columns afterwards. Both shapes have at least two
    // words; the one with the length has it where the other still has a null pointer.
    unsafe {
        let length = match shape {
            Shape::Pointer => 0,
            Shape::PointerAndLength => name.count_bytes(),
        };
        if description.cast::<usize>().add(1).read() != length {
            return Err("the server's structures are not those of its series");
        }
        for (at, (column, kind)) in this.columns.iter().enumerate() {
            let handler = symbols::find(kind.type_handler())
                .ok_or("this server has no known column type for numbers or texts")?
                .as_ptr();
            this.fields.add(at).write(match kind {
                Kind::Number => FieldInfo::number(column, handler),
                Kind::Text(characters) => FieldInfo::text(column, *characters, handler),
            });
        }
        match shape {
            Shape::Pointer => {
                let table = description.cast::<SchemaTable1011>();
                (*table).fields = this.fields;
                (*table).reset_table = this.flush;
                (*table).fill_table = Some(this.fill);
            }
            Shape::PointerAndLength => {
                let table = description.cast::<SchemaTable118>();
                (*table).fields = this.fields;
                (*table).reset_table = this.flush;
                (*table).fill_table = Some(this.fill);
            }
        }
    }
    Ok(())
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

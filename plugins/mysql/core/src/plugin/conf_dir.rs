//! The system variable `keyring_okv_conf_dir`: the endpoint directory.
//!
//! A new value goes through two functions of ours: the check opens the directory and asks a server, so that the statement can fail; the
//! update puts it in force. Between them the statement may still fail for another reason, and other sessions may set the variable too.

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::{pointers, text};

use super::SERVICE;
use crate::config::Configuration;
use crate::layout::ServerOwned;
use crate::layout::plugin::{StringVariable, VariableValue};
use crate::service::Loaded;

/// What MySQL's own plugin says when the variable is empty.
const NOT_SET: &str = "For keyring_okv to be initialized, please point the keyring_okv_conf_dir variable to a directory containing \
                       Oracle Key Vault configuration file and ssl materials";

/// Longest path, in bytes, with the zero that ends it.
const PATH_MAX: usize = 4096;

/// How many values may wait between check and update. Those of statements that failed in between stay until others push them out.
const PENDING_MAX: usize = 16;

/// The value without which the variable is.
const DEFAULT: &CStr = c"";

static VALUE: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

static VARIABLE: ServerOwned<StringVariable> = ServerOwned::new(StringVariable::new(
    c"conf_dir",
    c"Endpoint directory: okvclient.ora, which names the key servers, and ssl/ with the certificates",
    &VALUE,
    DEFAULT,
    check,
    update,
));

/// Every variable, and the null pointer that ends them.
pub(super) static VARIABLES: ServerOwned<[*mut c_void; 2]> =
    ServerOwned::new([VARIABLE.as_ptr().cast(), ptr::null_mut()]);

/// A value that was checked, and the keyring that goes with it.
struct Pending {
    value: CString,
    loaded: Arc<Loaded>,
}

static PENDING: Mutex<Vec<Pending>> = Mutex::new(Vec::new());

/// Every value that was ever found to be good. The server has a pointer to such a text for a while and does not say how long, so they
/// stay; there are no more of them than endpoint directories on this machine.
static TEXTS: Mutex<Vec<CString>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same text, at an address where it stays.
fn lasting(text: &CStr) -> *const c_char {
    let mut texts = lock(&TEXTS);
    if let Some(known) = texts.iter().find(|known| known.as_c_str() == text) {
        return known.as_ptr();
    }
    texts.push(text.to_owned());
    texts.last().map_or(ptr::null(), |text| text.as_ptr())
}

/// Loads the directory that was configured at the start.
pub(super) fn begin() {
    // SAFETY: the server keeps the value, and no statement runs yet.
    let value = unsafe { text::bytes_from_c(VALUE.load(Ordering::Acquire)) }.unwrap_or_default();
    if value.is_empty() {
        SERVICE.log().warning(NOT_SET);
        return;
    }
    // What went wrong is in the log, and the variable can be set again.
    let _ = SERVICE.load(Ok(configuration(value)));
}

/// Forgets values that never came into force.
pub(super) fn end() {
    lock(&PENDING).clear();
}

/// A directory is named from where the server runs, which is its data directory.
fn configuration(value: &[u8]) -> Configuration {
    let dir = Path::new(OsStr::from_bytes(value));
    let dir = std::path::absolute(dir).unwrap_or_else(|_| PathBuf::from(dir));
    Configuration { data_dir: std::env::current_dir().ok(), ..Configuration::of_directory(dir) }
}

/// # Safety
/// The server's value of a statement, and a place for the pointer that it hands to [`update`].
unsafe extern "C" fn check(
    _thd: *mut c_void,
    _variable: *mut c_void,
    save: *mut c_void,
    value: *mut VariableValue,
) -> c_int {
    guard(1, || {
        let mut buffer = [0_u8; PATH_MAX];
        // SAFETY: the server's value.
        let text = unsafe { VariableValue::text(value, &mut buffer) }.unwrap_or_default();
        if text.is_empty() {
            SERVICE.log().error(NOT_SET);
            return 1;
        }
        let Ok(value) = CString::new(text) else {
            return 1;
        };
        let Ok(loaded) = SERVICE.prepare(configuration(value.as_bytes())) else {
            return 1;
        };
        let mut pending = lock(&PENDING);
        if pending.len() == PENDING_MAX {
            pending.remove(0);
        }
        // SAFETY: the server's place.
        unsafe { pointers::store(save.cast::<*const c_char>(), lasting(&value)) };
        pending.push(Pending { value, loaded });
        0
    })
}

/// # Safety
/// `place` is the variable's value, and `save` points to a copy of the text that [`check`] left, made by the server for the variable.
unsafe extern "C" fn update(
    _thd: *mut c_void,
    _variable: *mut c_void,
    place: *mut c_void,
    save: *const c_void,
) {
    guard((), || {
        if place.is_null() || save.is_null() {
            return;
        }
        // SAFETY: the server's text and place. The copy becomes the variable's value in any case: the server frees the old one when this
        // returns, whatever was done here.
        let value = unsafe {
            let copy = save.cast::<*mut c_char>().read();
            pointers::store(place.cast::<*mut c_char>(), copy);
            text::bytes_from_c(copy)
        }
        .unwrap_or_default();
        let found = {
            let mut pending = lock(&PENDING);
            let position = pending.iter().rposition(|pending| pending.value.as_bytes() == value);
            position.map(|position| pending.remove(position).loaded)
        };
        match found {
            Some(loaded) => SERVICE.adopt(loaded),
            // Others have pushed it out. What goes wrong is in the log.
            None => {
                let _ = SERVICE.load(Ok(configuration(value)));
            }
        }
    });
}

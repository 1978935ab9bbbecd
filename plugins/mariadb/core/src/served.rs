//! The one key service of this process, and the two functions through which the server asks it.
//!
//! A library serves one set of keys, because MariaDB allows one encryption plugin. The service begins when the plugin
//! is initialised and ends when it is unloaded, after the last page has been written.

use std::ffi::{c_int, c_uint, c_void};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strongroom_key_versions::versions::{KeyId, KeyVersion, VersionedKeys};
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::pointers;

use crate::crypt::{self, Algorithm};
use crate::current::Tenant;
use crate::keys::service::StartError;
use crate::keys::{KeyCache, KeyService, Refresher};
use crate::layout::{
    ENCRYPTION_INTERFACE_VERSION, Encryption, KEY_BUFFER_TOO_SMALL, KEY_VERSION_INVALID, ServerOwned,
    VariableValue,
};
use crate::server::{Log, report_error, report_note, report_warning};

static SERVICE: Tenant<Arc<KeyService>> = Tenant::none();
static REFRESHER: Mutex<Option<Refresher>> = Mutex::new(None);

/// The functions to declare for an encryption plugin.
static ENCRYPTION: ServerOwned<Encryption> = ServerOwned::new(Encryption {
    interface_version: ENCRYPTION_INTERFACE_VERSION,
    latest_key_version,
    key,
    context_size: crypt::context_size,
    context_init: crypt::context_init,
    context_update: crypt::context_update,
    context_finish: crypt::context_finish,
    encrypted_length: crypt::encrypted_length,
});

/// The `info` of an encryption plugin's declaration.
#[must_use]
pub const fn encryption() -> *mut c_void {
    ENCRYPTION.as_ptr().cast()
}

/// Why a service did not begin.
#[derive(Debug)]
pub enum BeginError {
    /// There are no keys to serve.
    Start(StartError),
    /// The refresh thread could not be started.
    Thread(io::Error),
}

impl std::fmt::Display for BeginError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "the refresh thread could not be started: {error}"),
        }
    }
}

impl std::error::Error for BeginError {}

/// Loads every key and begins to serve; `cache` helps while every key server is away. With an interval there is a thread that refreshes the keys; an interval of zero
/// makes it wait until [`set_refresh_interval`] names another.
///
/// # Errors
/// [`BeginError`]; nothing is served then, and nothing of it has been logged.
pub fn begin(
    log: Log,
    source: Box<dyn VersionedKeys>,
    cache: Option<KeyCache>,
    algorithm: Algorithm,
    refresh_interval: Option<Duration>,
) -> Result<(), BeginError> {
    let service = Arc::new(KeyService::start(log, source, cache).map_err(BeginError::Start)?);
    let keys = service.snapshot();
    let refresher = refresh_interval
        .map(|interval| Refresher::start(Arc::clone(&service), interval))
        .transpose()
        .map_err(BeginError::Thread)?;
    log.note(&format!("serving {} versions of {} keys", keys.versions(), keys.keys()));
    crypt::choose(algorithm);
    SERVICE.set(Some(service));
    *refresher_lock() = refresher;
    Ok(())
}

/// Ends the refresh thread and forgets every key.
pub fn end() {
    // Taken out first: the thread is joined without holding the lock.
    let refresher = refresher_lock().take();
    drop(refresher);
    SERVICE.set(None);
}

/// Loads every key again for the statement that this thread executes: the client is told why that was not possible, or,
/// when there are later versions, how InnoDB is made to use them.
#[must_use]
pub fn reload_for_statement() -> bool {
    match reload() {
        Ok(()) => true,
        Err(fault) => {
            report_error(&fault);
            false
        }
    }
}

/// Loads every key again for the statement that this thread executes, which goes on whatever comes of it. The client is told what is not
/// as it should be with the keys, and, when there are later versions, how InnoDB is made to use them.
///
/// # Errors
/// Why the keys could not be loaded, in words.
pub fn reload() -> Result<(), String> {
    let service = service().ok_or("no keys are being served")?;
    let reloaded = service.reload().map_err(|error| error.to_string())?;
    for flaw in &reloaded.flaws {
        report_warning(flaw);
    }
    if !reloaded.later.is_empty() {
        report_note(WAKE_INNODB);
    }
    Ok(())
}

/// For a variable that is OFF and loads every key again when it is set to ON. The reload happens when the new value is checked and not
/// when it is stored, because only then the statement can fail. The server has checked before that the user may set global
/// variables.
///
/// # Safety
/// Called by the server.
pub unsafe extern "C" fn check_reload(
    _thd: *mut c_void,
    _variable: *mut c_void,
    save: *mut c_void,
    value: *mut VariableValue,
) -> c_int {
    guard(1, || {
        // SAFETY: the server passes a value, and a place for one byte.
        let wanted = unsafe {
            pointers::store(save.cast::<u8>(), 0);
            VariableValue::switch(value)
        };
        match wanted {
            Some(true) => c_int::from(!reload_for_statement()),
            Some(false) => 0,
            None => {
                report_error("this variable can be set to ON, which loads the keys again, or to OFF");
                1
            }
        }
    })
}

/// InnoDB's threads sleep until a page is written or one of their variables is set, and nothing that plugins can reach
/// wakes them.
const WAKE_INNODB: &str = "InnoDB re-encrypts old pages when it next writes some; to make an idle server begin: \
     SET GLOBAL innodb_encryption_rotate_key_age = @@GLOBAL.innodb_encryption_rotate_key_age";

/// To be called by what only the server loads, and not mariadb-backup: from now on this process keeps the cache.
pub fn keep_cache() {
    if let Some(service) = service() {
        service.keep_cache();
    }
}

/// Changes the time between refreshes.
pub fn set_refresh_interval(interval: Duration) {
    if let Some(refresher) = &*refresher_lock() {
        refresher.set_interval(interval);
    }
}

/// The service, while there is one.
#[must_use]
pub fn service() -> Option<Arc<KeyService>> {
    SERVICE.read(Arc::clone)
}

fn refresher_lock() -> MutexGuard<'static, Option<Refresher>> {
    REFRESHER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The latest version of a key, or [`KEY_VERSION_INVALID`]. Called for every page write.
extern "C" fn latest_key_version(key_id: c_uint) -> c_uint {
    guard(KEY_VERSION_INVALID, || {
        let id = KeyId(key_id);
        let latest = match SERVICE.read(|service| service.served_latest(id)) {
            Some(None) => service().and_then(|service| service.latest(id)),
            served => served.flatten(),
        };
        latest.map_or(KEY_VERSION_INVALID, KeyVersion::number)
    })
}

/// Copies one version of a key out, and its length; or says that there is no such version, or that the room is too
/// small.
///
/// # Safety
/// Unless it is null, `key` has room for as many bytes as `length` says, and `length` is a place for a number. Where
/// `key` is null, the question is only whether the version exists, and what `length` points to is garbage.
unsafe extern "C" fn key(key_id: c_uint, version: c_uint, key: *mut u8, length: *mut c_uint) -> c_uint {
    guard(KEY_VERSION_INVALID, || {
        let (id, version) = (KeyId(key_id), KeyVersion::new(version));
        let served = SERVICE.read(|service| service.served_material(id, version?).map(Arc::clone));
        let material = match (served, version) {
            (Some(None), Some(version)) => service().and_then(|service| service.material(id, version)),
            (served, _) => served.flatten(),
        };
        let Some(material) = material else {
            return KEY_VERSION_INVALID;
        };
        let bytes = material.as_bytes();
        // SAFETY: the server promises the places; `length` is read only where `key` is given.
        unsafe {
            let room = if key.is_null() || length.is_null() { 0 } else { length.read() as usize };
            // Keys have at most 32 bytes.
            pointers::store(length, bytes.len() as c_uint);
            match pointers::output(key, bytes.len().min(room)) {
                Some(place) if place.len() == bytes.len() => {
                    place.copy_from_slice(bytes);
                    0
                }
                _ => KEY_BUFFER_TOO_SMALL,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::keys::service::tests::{Backend, Bench};

    fn begin_with(keys: &[(u32, u32, u8)]) -> Result<(), BeginError> {
        let source = Box::new(Backend(Bench::with(keys)));
        begin(Log { plugin: "test" }, source, None, Algorithm::AesCbc, Some(Duration::ZERO))
    }

    /// One test, because the service is one per process.
    #[test]
    fn the_server_gets_keys_from_begin_to_end_and_refusals_otherwise() {
        assert_eq!(latest_key_version(1), KEY_VERSION_INVALID, "before the beginning");
        assert!(matches!(begin_with(&[(2, 1, 2)]), Err(BeginError::Start(StartError::NoSystemKey))));
        assert!(service().is_none());

        begin_with(&[(1, 1, 0x11), (1, 3, 0x13), (u32::MAX, 5, 0xFF)]).expect("begins");
        assert_eq!((latest_key_version(1), latest_key_version(u32::MAX)), (3, 5));
        assert_eq!(latest_key_version(77), KEY_VERSION_INVALID);

        let (mut room, mut length) = ([0_u8; 32], 32);
        // SAFETY: each place is ours and has the size passed; null is part of the contract.
        unsafe {
            assert_eq!(key(1, 1, room.as_mut_ptr(), &raw mut length), 0);
            assert_eq!((room, length), ([0x11; 32], 32));
            assert_eq!(key(1, 3, room.as_mut_ptr(), &raw mut length), 0);
            assert_eq!(room, [0x13; 32]);
            for missing in [0, 2, u32::MAX] {
                assert_eq!(key(1, missing, room.as_mut_ptr(), &raw mut length), KEY_VERSION_INVALID);
            }
            assert_eq!(key(0, 1, room.as_mut_ptr(), &raw mut length), KEY_VERSION_INVALID);

            length = 31;
            room = [0; 32];
            assert_eq!(key(1, 1, room.as_mut_ptr(), &raw mut length), KEY_BUFFER_TOO_SMALL);
            assert_eq!((room, length), ([0; 32], 32), "nothing is copied, and the length needed is told");

            // Existence checks pass no buffer and an uninitialised length.
            length = 0xDEAD_BEEF;
            assert_ne!(key(1, 1, ptr::null_mut(), &raw mut length), KEY_VERSION_INVALID);
            assert_eq!(length, 32);
            assert_ne!(key(1, 1, ptr::null_mut(), ptr::null_mut()), KEY_VERSION_INVALID);
            assert_eq!(key(1, 2, ptr::null_mut(), ptr::null_mut()), KEY_VERSION_INVALID);
        }

        set_refresh_interval(Duration::from_secs(3600));
        end();
        assert!(service().is_none());
        assert_eq!(latest_key_version(1), KEY_VERSION_INVALID, "after the end");
        begin_with(&[(1, 7, 7)]).expect("begins again");
        assert_eq!(latest_key_version(1), 7);
        end();
    }
}

//! System variables. The server puts `kmip_key_management_` in front of each name.
//!
//! mariadb-backup copies every variable it sees into its own configuration, so each of them is accepted with the value
//! it shows, and none of them does anything when it is set to that value.

use std::ffi::{OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use strongroom_keyring::key_file::Location;
use strongroom_keyring::versions::DEFAULT_PREFIX;
use strongroom_mariadb_core::crypt::Algorithm;
use strongroom_mariadb_core::layout::{
    EnumVariable, ServerOwned, StringVariable, SwitchVariable, TypeLib, UintVariable,
};
use strongroom_mariadb_core::served;
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::{pointers, text};

use crate::source::Configuration;

static CONF_DIR: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static KEY_PREFIX: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static CACHE_FILE: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static CACHE_SEAL_KEY: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static CACHE_MAX_AGE: AtomicU32 = AtomicU32::new(0);
static RELOAD: AtomicU8 = AtomicU8::new(0);
static ALLOW_KEY_WRITES: AtomicU8 = AtomicU8::new(0);
static ALGORITHM: AtomicU64 = AtomicU64::new(0);
static REFRESH_INTERVAL: AtomicU32 = AtomicU32::new(0);
static TIMEOUT: AtomicU32 = AtomicU32::new(0);

/// Positions are the numbers of [`Algorithm`].
static ALGORITHM_WORDS: ServerOwned<[*const c_char; 3]> =
    ServerOwned::new([c"aes_cbc".as_ptr(), c"aes_ctr".as_ptr(), ptr::null()]);
static ALGORITHMS: ServerOwned<TypeLib> = ServerOwned::new(TypeLib::new(2, ALGORITHM_WORDS.as_ptr().cast()));

static CONF_DIR_VARIABLE: ServerOwned<StringVariable> = ServerOwned::new(StringVariable::new(
    c"conf_dir",
    c"Endpoint directory, as an absolute path: okvclient.ora and ssl/ with the certificates",
    &CONF_DIR,
    c"",
));
static KEY_PREFIX_VARIABLE: ServerOwned<StringVariable> = ServerOwned::new(StringVariable::new(
    c"key_prefix",
    c"First part of the names of keys on the KMIP server: PREFIX/key id/key version",
    &KEY_PREFIX,
    c"mariadb",
));
static ALGORITHM_VARIABLE: ServerOwned<EnumVariable> = ServerOwned::new(EnumVariable::new(
    c"encryption_algorithm",
    c"Encryption algorithm; aes_ctr is the recommended one. Data can only be read with the one it was written with",
    &ALGORITHM,
    Algorithm::AesCbc as u64,
    ALGORITHMS.as_ptr(),
));
static REFRESH_INTERVAL_VARIABLE: ServerOwned<UintVariable> = ServerOwned::new(UintVariable::new(
    c"refresh_interval",
    c"Seconds between two looks for new keys and versions; 0 means that only FLUSH KMIP_KEY_MANAGEMENT_KEYS looks",
    &REFRESH_INTERVAL,
    (60, 0, 7 * 24 * 3600),
    Some(update_refresh_interval),
));
static TIMEOUT_VARIABLE: ServerOwned<UintVariable> = ServerOwned::new(UintVariable::new(
    c"timeout",
    c"Seconds that one KMIP server is given to answer; the whole list of servers is given three times as long",
    &TIMEOUT,
    (20, 1, 600),
    None,
));
static CACHE_FILE_VARIABLE: ServerOwned<StringVariable> = ServerOwned::new(StringVariable::new(
    c"cache_file",
    c"File for a sealed copy of the keys, as an absolute path, for a start while no KMIP server answers; none unless set",
    &CACHE_FILE,
    c"",
));
static CACHE_SEAL_KEY_VARIABLE: ServerOwned<StringVariable> = ServerOwned::new(StringVariable::new(
    c"cache_seal_key",
    c"What the copy is sealed with: CREDENTIAL: and the name of a systemd credential, or the path of a file on another disk",
    &CACHE_SEAL_KEY,
    c"",
));
static CACHE_MAX_AGE_VARIABLE: ServerOwned<UintVariable> = ServerOwned::new(UintVariable::new(
    c"cache_max_age",
    c"Seconds for which the sealed copy is believed after a KMIP server has last given the keys",
    &CACHE_MAX_AGE,
    (24 * 3600, 1, 30 * 24 * 3600),
    None,
));
static RELOAD_VARIABLE: ServerOwned<SwitchVariable> = ServerOwned::new(SwitchVariable::new(
    c"reload",
    c"Setting it to ON loads the keys again, as FLUSH KMIP_KEY_MANAGEMENT_KEYS does; it is OFF again afterwards",
    &RELOAD,
    Some(served::check_reload),
));
static ALLOW_KEY_WRITES_VARIABLE: ServerOwned<SwitchVariable> = ServerOwned::new(SwitchVariable::new(
    c"allow_key_writes",
    c"The function kmip_key_management_rotate_key may make new versions of keys on the KMIP server",
    &ALLOW_KEY_WRITES,
    None,
));

/// Every variable, and the null pointer that ends them.
pub(crate) static ALL: ServerOwned<[*mut c_void; 11]> = ServerOwned::new([
    CONF_DIR_VARIABLE.as_ptr().cast(),
    KEY_PREFIX_VARIABLE.as_ptr().cast(),
    ALGORITHM_VARIABLE.as_ptr().cast(),
    REFRESH_INTERVAL_VARIABLE.as_ptr().cast(),
    TIMEOUT_VARIABLE.as_ptr().cast(),
    CACHE_FILE_VARIABLE.as_ptr().cast(),
    CACHE_SEAL_KEY_VARIABLE.as_ptr().cast(),
    CACHE_MAX_AGE_VARIABLE.as_ptr().cast(),
    RELOAD_VARIABLE.as_ptr().cast(),
    ALLOW_KEY_WRITES_VARIABLE.as_ptr().cast(),
    ptr::null_mut(),
]);

/// The variables as they are now. To be called when the server has filled them in, which it does before it initialises
/// the plugin.
pub(crate) fn configuration() -> Configuration {
    // SAFETY: the server keeps the texts for as long as the plugin is loaded, and they are set at start only.
    let (conf_dir, key_prefix, cache_file, seal_key) = unsafe {
        (
            text::from_c(CONF_DIR.load(Ordering::Relaxed)),
            text::from_c(KEY_PREFIX.load(Ordering::Relaxed)),
            text::bytes_from_c(CACHE_FILE.load(Ordering::Relaxed)).unwrap_or_default(),
            text::bytes_from_c(CACHE_SEAL_KEY.load(Ordering::Relaxed)).unwrap_or_default(),
        )
    };
    let seconds = |variable: &AtomicU32| Duration::from_secs(variable.load(Ordering::Relaxed).into());
    Configuration {
        conf_dir: conf_dir.map(|text| PathBuf::from(text.as_ref())).unwrap_or_default(),
        key_prefix: key_prefix.map_or_else(|| DEFAULT_PREFIX.to_owned(), |text| text.into_owned()),
        algorithm: Algorithm::from_number(ALGORITHM.load(Ordering::Relaxed)),
        refresh_interval: seconds(&REFRESH_INTERVAL),
        timeout: seconds(&TIMEOUT),
        cache_file: PathBuf::from(OsStr::from_bytes(cache_file)),
        cache_seal_key: Location::parse(seal_key),
        cache_max_age: seconds(&CACHE_MAX_AGE),
    }
}

/// Whether new versions may be made on the KMIP server.
pub(crate) fn key_writes_are_allowed() -> bool {
    ALLOW_KEY_WRITES.load(Ordering::Relaxed) != 0
}

/// `SET GLOBAL kmip_key_management_refresh_interval`.
unsafe extern "C" fn update_refresh_interval(
    _thd: *mut c_void,
    _variable: *mut c_void,
    place: *mut c_void,
    new: *const c_void,
) {
    guard((), || {
        // SAFETY: the server passes the variable's place and its new value, both 32-bit numbers.
        let seconds = unsafe {
            let seconds = new.cast::<u32>().read();
            pointers::store(place.cast(), seconds);
            seconds
        };
        served::set_refresh_interval(Duration::from_secs(seconds.into()));
    });
}

//! A plugin for this crate's own tests: a real server loads it, and its keys are lines `id;version;hex` of a file.
//!
//! It is not for use. It shows every part of the crate at work without a key server, so that a fault is found where it
//! is.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use strongroom_key_versions::versions::{
    KeyFault, KeyId, KeyVersion, LoadError, VersionedKey, VersionedKeys,
};
use strongroom_mariadb_core::crypt::Algorithm;
use strongroom_mariadb_core::declare_plugins;
use strongroom_mariadb_core::layout::{
    Declaration, EnumVariable, PluginType, ServerOwned, ShowVariable, StringVariable, TypeLib, UintVariable,
};
use strongroom_mariadb_core::server::Log;
use strongroom_mariadb_core::{served, status, table};
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::{pointers, text};
use strongroom_secret::KeyMaterial;

const LOG: Log = Log { plugin: "bench_keys" };

static FILE: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static ALGORITHM: AtomicU64 = AtomicU64::new(0);
static INTERVAL: AtomicU32 = AtomicU32::new(0);

static WORDS: ServerOwned<[*const c_char; 3]> =
    ServerOwned::new([c"aes_cbc".as_ptr(), c"aes_ctr".as_ptr(), ptr::null()]);
static ALGORITHMS: ServerOwned<TypeLib> = ServerOwned::new(TypeLib::new(2, WORDS.as_ptr().cast()));
static FILE_VARIABLE: ServerOwned<StringVariable> =
    ServerOwned::new(StringVariable::new(c"file", c"Lines id;version;hex.", &FILE, c""));
static ALGORITHM_VARIABLE: ServerOwned<EnumVariable> = ServerOwned::new(EnumVariable::new(
    c"encryption_algorithm",
    c"Algorithm.",
    &ALGORITHM,
    0,
    ALGORITHMS.as_ptr(),
));
static INTERVAL_VARIABLE: ServerOwned<UintVariable> = ServerOwned::new(UintVariable::new(
    c"refresh_interval",
    c"Seconds.",
    &INTERVAL,
    (0, 0, 3600),
    Some(set_interval),
));
static VARIABLES: ServerOwned<[*mut c_void; 4]> = ServerOwned::new([
    FILE_VARIABLE.as_ptr().cast(),
    ALGORITHM_VARIABLE.as_ptr().cast(),
    INTERVAL_VARIABLE.as_ptr().cast(),
    ptr::null_mut(),
]);
static STATUS: ServerOwned<[ShowVariable; 5]> = ServerOwned::new([
    ShowVariable::function(c"bench_keys_keys", status::keys),
    ShowVariable::function(c"bench_keys_versions", status::versions),
    ShowVariable::function(c"bench_keys_last_refresh", status::last_refresh),
    ShowVariable::function(c"bench_keys_seconds_since_contact", status::seconds_since_contact),
    ShowVariable::END,
]);

declare_plugins!(
    prepare: table::prepare,
    Declaration::new(
        PluginType::Encryption,
        served::encryption(),
        c"bench_keys",
        c"For tests.",
        init,
        deinit,
    )
    .with_status(STATUS.as_ptr().cast())
    .with_variables(VARIABLES.as_ptr().cast()),
    Declaration::new(
        PluginType::InformationSchema,
        table::info(),
        c"BENCH_KEYS_KEYS",
        c"For tests.",
        init_table,
        table::deinit,
    ),
);

unsafe extern "C" fn init(_plugin: *mut c_void) -> c_int {
    guard(1, || {
        // SAFETY: the server has filled in the variables.
        let path = unsafe { text::from_c(FILE.load(Ordering::Relaxed)) }.unwrap_or_default().into_owned();
        let algorithm = Algorithm::from_number(ALGORITHM.load(Ordering::Relaxed));
        let interval = Duration::from_secs(INTERVAL.load(Ordering::Relaxed).into());
        match served::begin(LOG, Box::new(File(path)), None, algorithm, Some(interval)) {
            Ok(()) => 0,
            Err(error) => {
                LOG.error(&error.to_string());
                1
            }
        }
    })
}

unsafe extern "C" fn deinit(_plugin: *mut c_void) -> c_int {
    guard(1, || {
        served::end();
        0
    })
}

unsafe extern "C" fn init_table(description: *mut c_void) -> c_int {
    // SAFETY: passed on.
    unsafe { table::init(LOG, c"BENCH_KEYS_KEYS", description) }
}

unsafe extern "C" fn set_interval(_: *mut c_void, _: *mut c_void, place: *mut c_void, new: *const c_void) {
    // SAFETY: the server passes the variable's place and its new value, both of this type.
    unsafe {
        let seconds = new.cast::<u32>().read();
        pointers::store(place.cast(), seconds);
        guard((), || served::set_refresh_interval(Duration::from_secs(seconds.into())));
    }
}

struct File(String);

impl File {
    fn matching(&self, wanted: impl Fn(u32, u32) -> bool) -> Result<Vec<VersionedKey>, LoadError> {
        let unusable = || LoadError::Unusable { name: self.0.clone(), fault: KeyFault::NotRaw };
        let lines = std::fs::read_to_string(&self.0).map_err(|_| unusable())?;
        let mut keys = Vec::new();
        for line in lines.lines() {
            let fields: Vec<&str> = line.split(';').collect();
            let [id, version, hex] = fields[..] else { return Err(unusable()) };
            let (id, version): (u32, u32) =
                (id.parse().map_err(|_| unusable())?, version.parse().map_err(|_| unusable())?);
            let bytes: Result<Vec<u8>, _> =
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16)).collect();
            if wanted(id, version) {
                keys.push(VersionedKey {
                    id: KeyId(id),
                    version: KeyVersion::new(version).ok_or_else(unusable)?,
                    material: KeyMaterial::new(&bytes.map_err(|_| unusable())?),
                });
            }
        }
        Ok(keys)
    }
}

impl VersionedKeys for File {
    fn load(&self) -> Result<Vec<VersionedKey>, LoadError> {
        self.matching(|_, _| true)
    }

    fn key(&self, id: KeyId) -> Result<Vec<VersionedKey>, LoadError> {
        self.matching(|other, _| other == id.0)
    }

    fn version(&self, id: KeyId, version: KeyVersion) -> Result<Option<VersionedKey>, LoadError> {
        Ok(self.matching(|other, number| (other, number) == (id.0, version.number()))?.pop())
    }
}

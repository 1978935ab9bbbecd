//! Status variables: what the plugin knows of itself and of its key server.

use std::ffi::{c_int, c_void};

use strongroom_key_versions::versions::KeySet;
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::{pointers, text};

use crate::keys::{KeyCache, KeyService};
use crate::layout::{ShowType, ShowVariable};
use crate::served;

/// How many keys are served.
///
/// # Safety
/// Called by the server, with a variable to fill in and a buffer of [`ShowVariable::BUFFER_BYTES`].
pub unsafe extern "C" fn keys(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    // SAFETY: passed on.
    unsafe { number(out, buffer, |service| service.snapshot().keys() as u64) }
}

/// How many versions are served, of all keys together.
///
/// # Safety
/// As [`keys`].
pub unsafe extern "C" fn versions(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    // SAFETY: passed on.
    unsafe { number(out, buffer, |service| service.snapshot().versions() as u64) }
}

/// Seconds since the key server last gave a usable answer.
///
/// # Safety
/// As [`keys`].
pub unsafe extern "C" fn seconds_since_contact(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    // SAFETY: passed on.
    unsafe { number(out, buffer, |service| service.health().1.as_secs()) }
}

/// `OK`, or why the key server gave no usable answer the last time.
///
/// # Safety
/// As [`keys`].
pub unsafe extern "C" fn last_refresh(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    // SAFETY: passed on.
    unsafe { words(out, buffer, |service| service.health().0) }
}

/// How the sealed cache does: `OFF`, `OK`, `in use`, or why it is not written.
///
/// # Safety
/// As [`keys`].
pub unsafe extern "C" fn cache(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    let outcome = |service: &KeyService| service.cache().map_or_else(|| "OFF".to_owned(), KeyCache::outcome);
    // SAFETY: passed on.
    unsafe { words(out, buffer, outcome) }
}

/// Seconds since the sealed cache was written; 0 where there is none.
///
/// # Safety
/// As [`keys`].
pub unsafe extern "C" fn cache_age(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    let age = |service: &KeyService| service.cache().and_then(KeyCache::age).map_or(0, |age| age.as_secs());
    // SAFETY: passed on.
    unsafe { number(out, buffer, age) }
}

/// The key servers in the order of their list, each with what it is doing, as in `[::1]:5696 in use, 10.0.0.2:5696 away`.
///
/// # Safety
/// As [`keys`].
pub unsafe extern "C" fn servers(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    let list = |service: &KeyService| {
        let servers = service.servers();
        let words: Vec<_> =
            servers.iter().map(|server| format!("{} {}", server.address, server.state)).collect();
        words.join(", ")
    };
    // SAFETY: passed on.
    unsafe { words(out, buffer, list) }
}

/// # Safety
/// As [`keys`].
unsafe fn words(
    out: *mut ShowVariable,
    buffer: *mut c_void,
    value: impl FnOnce(&KeyService) -> String,
) -> c_int {
    guard(1, || {
        let text = served::service().map_or_else(String::new, |service| value(&service));
        // SAFETY: the server promises the buffer.
        let Some(room) = (unsafe { pointers::output(buffer.cast(), ShowVariable::BUFFER_BYTES) }) else {
            return 1;
        };
        text::write_c(room, &text);
        // SAFETY: the buffer holds a C string now.
        unsafe { fill(out, buffer, ShowType::Text) };
        0
    })
}

/// Every key with its latest version and all its versions, as in `1:3(1,3) 2:1(1)`; cut where the server's buffer ends.
///
/// # Safety
/// As [`keys`].
pub unsafe extern "C" fn version_list(
    _thd: *mut c_void,
    out: *mut ShowVariable,
    buffer: *mut c_void,
    _status: *mut c_void,
    _scope: c_int,
) -> c_int {
    // SAFETY: passed on.
    unsafe { words(out, buffer, |service| list(&service.snapshot())) }
}

fn list(keys: &KeySet) -> String {
    let mut text = String::new();
    let mut of = None;
    for (id, version, _) in keys.iter() {
        if of == Some(id) {
            text.push(',');
        } else {
            let (end, latest) = (if of.is_some() { ") " } else { "" }, keys.latest(id).unwrap_or(version));
            text.push_str(&format!("{end}{id}:{latest}("));
            of = Some(id);
        }
        text.push_str(&version.to_string());
    }
    if of.is_some() {
        text.push(')');
    }
    text
}

/// # Safety
/// As [`keys`].
unsafe fn number(
    out: *mut ShowVariable,
    buffer: *mut c_void,
    value: impl FnOnce(&KeyService) -> u64,
) -> c_int {
    guard(1, || {
        let value = served::service().map_or(0, |service| value(&service));
        // SAFETY: the server's buffer has room for a number, and bytes need no alignment.
        unsafe {
            pointers::store(buffer.cast(), value.to_ne_bytes());
            fill(out, buffer, ShowType::UnsignedLongLong);
        }
        0
    })
}

/// # Safety
/// Unless it is null, `out` is the server's variable to fill in.
unsafe fn fill(out: *mut ShowVariable, buffer: *mut c_void, show_type: ShowType) {
    if !out.is_null() {
        // SAFETY: not null; the rest is the caller's promise.
        unsafe {
            (*out).value = buffer;
            (*out).show_type = show_type as c_int;
        }
    }
}

#[cfg(test)]
mod tests {
    use strongroom_key_versions::versions::{KeyId, KeyVersion, VersionedKey};
    use strongroom_secret::KeyMaterial;

    use super::*;

    #[test]
    fn every_key_is_listed_with_its_latest_version_and_all_of_them() {
        let key = |(id, version): (u32, u32)| VersionedKey {
            id: KeyId(id),
            version: KeyVersion::new(version).expect("a version"),
            material: KeyMaterial::new(&[1; 16]),
        };
        let keys = [(1, 1), (1, 3), (2, 1), (77, 5), (77, 9)].map(key);
        assert_eq!(list(&KeySet::from_keys(keys).expect("keys")), "1:3(1,3) 2:1(1) 77:9(5,9)");
        assert_eq!(list(&KeySet::default()), "");
    }
}

//! Any bytes are the front of a cache or are not; any bytes that had been sealed are keys in one way only, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_key_versions::cache::format::{is_cache, read_keys};

fuzz_target!(|bytes: &[u8]| {
    let _ = is_cache(bytes);
    let Ok(keys) = read_keys(bytes) else { return };
    let mut again = (keys.versions() as u32).to_be_bytes().to_vec();
    for (id, version, key) in keys.iter() {
        again.extend_from_slice(&id.0.to_be_bytes());
        again.extend_from_slice(&version.number().to_be_bytes());
        again.push(key.len() as u8);
        again.extend_from_slice(key.as_bytes());
    }
    assert_eq!(again, bytes);
});

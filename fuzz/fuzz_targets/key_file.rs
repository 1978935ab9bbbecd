//! Any bytes are a key file or give an error; the keys of one that is good, written anew, are the same keys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_key_versions::key_file::text::{line, parse};

fuzz_target!(|bytes: &[u8]| {
    let Ok(lines) = parse(bytes) else { return };
    let mut text = Vec::new();
    for entry in &lines.entries {
        text.extend_from_slice(&line(entry.key.id, entry.key.version, &entry.key.material));
    }
    let again = parse(&text).expect("what was written is read");
    assert!(again.replaced.is_empty());
    assert!(again.entries.iter().zip(&lines.entries).all(|(again, first)| {
        (again.key.id, again.key.version) == (first.key.id, first.key.version)
            && again.key.material == first.key.material
    }));
    assert_eq!(again.entries.len(), lines.entries.len());
});

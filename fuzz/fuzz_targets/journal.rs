//! Any bytes are a journal or give an error, and a journal that is read is the one that was written.
//!
//! Each input is tried twice: as it is, and with the beginning, length and checksum that it must have, behind which most of the
//! code is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_tablespace::journal::Journal;

fuzz_target!(|bytes: &[u8]| {
    exercise(bytes);
    let mut whole = b"SRTSJRN1".to_vec();
    whole.extend_from_slice(&(bytes.len() as u64 + 20).to_be_bytes());
    whole.extend_from_slice(bytes);
    whole.extend_from_slice(&crc32c::crc32c(&whole).to_be_bytes());
    exercise(&whole);
});

fn exercise(bytes: &[u8]) {
    if let Ok(journal) = Journal::parse(bytes) {
        assert_eq!(journal.to_bytes(), bytes, "there is one way to write a journal");
    }
}

//! Any bytes decode as a request or give an error; what decodes and can be encoded for its version decodes to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_kmip::{Limits, RequestMessage};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = RequestMessage::decode(bytes, &Limits::REQUEST) else { return };
    // A message may carry what its version lacks; that is decoded and cannot be encoded.
    let Ok(encoded) = message.encode() else { return };
    let again = RequestMessage::decode(&encoded, &Limits::REQUEST).expect("what was encoded decodes");
    assert_eq!(again, message);
});

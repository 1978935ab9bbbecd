//! Any bytes decode as a response or give an error; what decodes and can be encoded for its version decodes to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_kmip::{Limits, ResponseMessage};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = ResponseMessage::decode(bytes, &Limits::RESPONSE) else { return };
    // A message may carry what its version lacks; that is decoded and cannot be encoded.
    let Ok(encoded) = message.encode() else { return };
    let again = ResponseMessage::decode(&encoded, &Limits::RESPONSE).expect("what was encoded decodes");
    assert_eq!(again, message);
});

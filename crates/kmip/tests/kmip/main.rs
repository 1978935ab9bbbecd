//! Tests of the crate as others use it: messages in, messages out.

mod damage;
mod golden;
mod memory;
mod roundtrip;
mod strategies;
mod vectors;
mod versions;

use proptest::test_runner::Config;

/// How many messages a property is tried on: `PROPTEST_CASES` where it is set, for a long soak.
fn cases(everyday: u32) -> Config {
    let config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { config } else { Config { cases: everyday, ..config } }
}

/// Bytes from hexadecimal digits; blanks are passed over.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    assert!(digits.len().is_multiple_of(2), "half a byte");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

//! What MariaDB 10.11.19's own plugin accepts and refuses, line by line, and then what is ours alone.
//!
//! The plugin's tests hold the same table against the stock plugin of a real server.

use proptest::prelude::*;

use super::*;

const K: &str = "00112233445566778899aabbccddeeff";

/// Id, version and length of every key, or the message.
fn outcome(text: impl AsRef<[u8]>) -> Result<Vec<(u32, u32, usize)>, String> {
    match parse(text.as_ref()) {
        Ok(lines) => Ok(lines
            .entries
            .iter()
            .map(|entry| (entry.key.id.0, entry.key.version.number(), entry.key.material.len()))
            .collect()),
        Err(LineError { fault, line, column }) => Err(format!("{fault} line {line}, column {column}")),
    }
}

fn accepted(text: impl AsRef<[u8]>) -> Vec<(u32, u32, usize)> {
    outcome(&text).unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(text.as_ref())))
}

fn refused(text: impl AsRef<[u8]>) -> String {
    match outcome(&text) {
        Err(error) => error,
        Ok(keys) => panic!("{}: {keys:?}", String::from_utf8_lossy(text.as_ref())),
    }
}

#[test]
fn what_stock_accepts_is_accepted() {
    let one = vec![(1, 1, 16)];
    for text in [
        format!("1;{K}\n"),
        format!("1;{K}"),
        format!("1;{K}\r\n\r\n"),
        format!("\n  # a comment\n#1;zz\n \t\r\x0b\x0c1;{K}\n\n"),
        format!("1;{K} --> ignored\n"),
        format!("1;{K}# a comment\n"),
        format!("1;{K}zz\n"),
        format!("1;{K};2;{K}\n"),
        format!("0001;{K}\n"),
        format!("1;{}\n", K.to_uppercase()),
        format!("1;{K}\n  # no end of line"),
        format!("1;{K}\n\0 1;zz"),
    ] {
        assert_eq!(accepted(&text), one, "{text}");
    }
    let text = format!("4294967295;{K}\n2;{K}{K}\n1;{K}{}\n", &K[..16]);
    assert_eq!(accepted(text), [(1, 1, 24), (2, 1, 32), (4_294_967_295, 1, 16)]);
}

#[test]
fn a_first_version_is_written_as_stock_reads_it() {
    let key = KeyMaterial::new(&[0xab; 16]);
    let digits = "ab".repeat(16);
    let written = |version| line(KeyId(7), KeyVersion::new(version).unwrap(), &key).to_vec();
    assert_eq!(written(1), format!("7;{digits}\n").into_bytes());
    assert_eq!(written(3), format!("7;3;{digits}\n").into_bytes());
}

#[test]
fn of_two_lines_for_a_key_the_later_counts() {
    let text = format!("1;{K}\n1;{K}{K}\n1;1;{}\n", "ab".repeat(24));
    let lines = parse(text.as_bytes()).unwrap();
    assert_eq!(lines.entries[0].key.material.as_bytes(), [0xAB; 24]);
    assert_eq!(lines.replaced, [Replaced { line: 1, by: 2 }, Replaced { line: 2, by: 3 }]);
}

#[test]
fn what_stock_refuses_is_refused_with_its_message_and_column() {
    for (text, message) in [
        (format!("1;{K}\n  "), "Syntax error line 2, column 3"),
        (format!("1;{K}\n\t"), "Syntax error line 2, column 2"),
        (format!("  1 ;{K}"), "Syntax error line 1, column 4"),
        ("1".into(), "Syntax error line 1, column 2"),
        (format!("  -1;{K}"), "Syntax error line 1, column 3"),
        (format!("+1;{K}"), "Syntax error line 1, column 1"),
        (format!("\u{FEFF}1;{K}"), "Syntax error line 1, column 1"),
        (format!("0;{K}"), "Invalid key id line 1, column 2"),
        (format!("   0;{K}"), "Invalid key id line 1, column 5"),
        (format!("00;{K}"), "Invalid key id line 1, column 3"),
        (format!("4294967296;{K}"), "Invalid key id line 1, column 10"),
        (format!("1;{K}\n99999999999999999999999999;{K}"), "Invalid key id line 2, column 10"),
        ("1;".into(), "Invalid key line 1, column 3"),
        (format!("1; {K}"), "Invalid key line 1, column 3"),
        (format!("1;{K}a"), "Invalid key line 1, column 35"),
        (format!("  1;{K}0"), "Invalid key line 1, column 37"),
        (format!("1;{}", &K[..16]), "Invalid key line 1, column 19"),
        (format!("1;{K}{K}00"), "Invalid key line 1, column 67"),
        (format!("1;{K}{K}0"), "Invalid key line 1, column 67"),
        (format!("1;{K}{K}0011223344556677"), "Invalid key line 1, column 67"),
        (format!("2;{K}\n3;{K}\n"), "System key id 1 is missing line 2, column 1"),
        (format!("2;{K}\n3;{K}"), "System key id 1 is missing line 2, column 1"),
        (format!("2;{K}\n\0001;{K}"), "System key id 1 is missing line 1, column 1"),
        (String::new(), "System key id 1 is missing line 0, column 1"),
        ("# nothing\n".into(), "System key id 1 is missing line 1, column 1"),
        ("\n\n".into(), "System key id 1 is missing line 2, column 1"),
    ] {
        assert_eq!(refused(&text), message, "{text}");
    }
}

#[test]
fn lines_with_and_without_a_version_go_together() {
    let text = format!("1;{K}\n1;3;{K}{K}\n\n # sparse\n1;4294967294;{K} tail\n2;7;{K}\r\n");
    assert_eq!(accepted(&text), [(1, 1, 16), (1, 3, 32), (1, 4_294_967_294, 16), (2, 7, 16)]);
    let lines = parse(text.as_bytes()).unwrap();
    let places: Vec<_> = lines.entries.iter().map(|e| (e.line, e.column, e.has_version)).collect();
    assert_eq!(places, [(1, 3, false), (2, 5, true), (5, 14, true), (6, 5, true)]);
}

#[test]
fn versions_that_are_none_are_refused() {
    for (text, message) in [
        (format!("1;0;{K}"), "Invalid key version line 1, column 4"),
        (format!("1;4294967295;{K}"), "Invalid key version line 1, column 12"),
        (format!("1;9999999999;{K}"), "Invalid key version line 1, column 12"),
        (format!("1;99999999999;{K}"), "Invalid key line 1, column 13"),
        (format!("1;-1;{K}"), "Invalid key line 1, column 3"),
        (format!("1;;{K}"), "Invalid key line 1, column 3"),
        (format!("1;1 ;{K}"), "Invalid key line 1, column 3"),
        ("1;1;".into(), "Invalid key line 1, column 5"),
        (format!("1;2; {K}"), "Invalid key line 1, column 5"),
        (format!("1;2;3;{K}"), "Invalid key line 1, column 5"),
        (format!("1;2;{K}a"), "Invalid key line 1, column 37"),
    ] {
        assert_eq!(refused(&text), message, "{text}");
    }
}

#[test]
fn a_key_of_decimal_digits_is_a_key() {
    assert_eq!(accepted("1;11112222333344445555666677778888;3"), [(1, 1, 16)]);
    assert_eq!(accepted("1;2;11112222333344445555666677778888;3"), [(1, 2, 16)]);
}

#[test]
fn a_zero_byte_hides_what_follows() {
    assert!(parse(format!("1;{K}\n\0x").as_bytes()).unwrap().cut_by_zero);
    assert!(!parse(format!("1;{K}\n\0").as_bytes()).unwrap().cut_by_zero);
}

#[test]
fn keys_are_read_from_bare_digits() {
    assert_eq!(key_from_hex(K.as_bytes()).unwrap().len(), 16);
    for text in ["", "00", &K[1..], &format!("{K} "), &format!("{K}{K}00")] {
        assert!(key_from_hex(text.as_bytes()).is_none(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused_within_the_file(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b';'), Just(b'#'), Just(0), b'0'..=b'9', b'a'..=b'f', any::<u8>()], 0..300)
    ) {
        let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() + 1;
        if let Err(error) = parse(&bytes) {
            prop_assert!(error.line as usize <= lines && error.column <= bytes.len() + 1);
        }
    }

    #[test]
    fn what_is_written_is_read(
        keys in prop::collection::btree_map((2..=u32::MAX, 1..u32::MAX), prop::collection::vec(any::<u8>(), 24), 0..20)
    ) {
        let mut text = format!("1;{K}\n").into_bytes();
        for ((id, version), bytes) in &keys {
            text.extend_from_slice(&line(KeyId(*id), KeyVersion::new(*version).unwrap(), &KeyMaterial::new(bytes)));
        }
        let lines = parse(&text).unwrap();
        prop_assert!(lines.entries.iter().skip(1).map(|e| ((e.key.id.0, e.key.version.number()), e.key.material.as_bytes().to_vec())).eq(keys));
    }
}

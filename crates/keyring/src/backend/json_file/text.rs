//! The file's text: `{"version":"1.0","elements":[{"user":…,"data_id":…,"data_type":…,"data":HEX,"extension":[]}]}`.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::JsonFault;
use crate::error::Error;
use crate::key::KeyKind;
use crate::name::KeyName;

/// The version of the format that is read and written.
const VERSION: &str = "1.0";
/// Bytes of an element beside its key, id, owner and extension.
const ELEMENT_BYTES: usize = 96;

/// One key of the file, kept by this keyring or not.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: KeyName,
    pub(super) data_type: String,
    pub(super) material: KeyMaterial,
    /// Nothing known writes anything into it; whatever is there stays.
    extension: serde_json::Value,
}

impl Element {
    pub(super) fn new(name: KeyName, kind: KeyKind, material: KeyMaterial) -> Self {
        Self { name, data_type: kind.to_string(), material, extension: serde_json::Value::Array(Vec::new()) }
    }

    /// The kind, if this keyring keeps such keys.
    pub(super) fn kind(&self) -> Result<KeyKind, Error> {
        let kind: KeyKind = self.data_type.to_ascii_uppercase().parse()?;
        kind.check(self.material.len())?;
        Ok(kind)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    elements: Vec<Written<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    data_id: Cow<'a, str>,
    #[serde(borrow)]
    data_type: Cow<'a, str>,
    /// Borrowed, so that the digits are nowhere but in the file's own buffer.
    data: &'a str,
    #[serde(default = "no_extension")]
    extension: serde_json::Value,
}

fn no_extension() -> serde_json::Value {
    serde_json::Value::Array(Vec::new())
}

/// The keys of a file. A file without any bytes is one without keys, as the server has it.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Element>, JsonFault> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let document: Document<'_> = serde_json::from_slice(text)
        .map_err(|error| JsonFault::Syntax { line: error.line(), column: error.column() })?;
    if document.version != VERSION {
        return Err(JsonFault::Version(document.version.into_owned()));
    }
    let mut seen = HashMap::new();
    let mut elements = Vec::with_capacity(document.elements.len());
    for (written, element) in document.elements.into_iter().zip(1..) {
        let name = KeyName::new(&written.data_id, Some(&written.user))
            .map_err(|fault| JsonFault::Name { element, fault })?;
        if let Some(first) = seen.insert(name.clone(), element) {
            return Err(JsonFault::Twice { element, first });
        }
        let material = unhex(written.data).ok_or(JsonFault::Hex { element })?;
        elements.push(Element {
            name,
            data_type: written.data_type.into_owned(),
            material,
            extension: written.extension,
        });
    }
    Ok(elements)
}

fn unhex(digits: &str) -> Option<KeyMaterial> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    KeyMaterial::try_fill(digits.len() / 2, |bytes| {
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *byte = value(pair[0]).zip(value(pair[1])).map(|(high, low)| high << 4 | low).ok_or(())?;
        }
        Ok::<(), ()>(())
    })
    .ok()
}

/// The file with these keys, as the server itself writes it.
pub(super) fn render(elements: &[Element]) -> Zeroizing<Vec<u8>> {
    let written: Vec<[String; 4]> = elements
        .iter()
        .map(|element| {
            let json = |text: &str| serde_json::Value::from(text).to_string();
            [
                json(element.name.owner().unwrap_or_default()),
                json(element.name.id()),
                json(&element.data_type),
                element.extension.to_string(),
            ]
        })
        .collect();
    let around: usize = written.iter().flatten().map(String::len).sum();
    let keys: usize = elements.iter().map(|element| 2 * element.material.len()).sum();
    // A buffer that grows would leave copies of keys behind.
    let capacity = 64 + around + keys + ELEMENT_BYTES * elements.len();
    let mut text = Zeroizing::new(Vec::with_capacity(capacity));
    text.extend_from_slice(b"{\"version\":\"1.0\",\"elements\":[");
    for (number, (element, [user, id, data_type, extension])) in elements.iter().zip(&written).enumerate() {
        if number > 0 {
            text.push(b',');
        }
        text.extend_from_slice(
            format!("{{\"user\":{user},\"data_id\":{id},\"data_type\":{data_type},\"data\":\"").as_bytes(),
        );
        for byte in element.material.as_bytes() {
            text.push(HEX[usize::from(byte >> 4)]);
            text.push(HEX[usize::from(byte & 15)]);
        }
        text.extend_from_slice(format!("\",\"extension\":{extension}}}").as_bytes());
    }
    text.extend_from_slice(b"]}");
    debug_assert!(text.len() <= capacity);
    text
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> JsonFault {
        parse(text.as_bytes()).unwrap_err()
    }

    fn element(user: &str, id: &str, data: &str) -> String {
        format!(r#"{{"user":"{user}","data_id":"{id}","data_type":"SECRET","data":"{data}","extension":[]}}"#)
    }

    fn file(elements: &[String]) -> String {
        format!(r#"{{"version":"1.0","elements":[{}]}}"#, elements.join(","))
    }

    #[test]
    fn what_the_server_writes_is_read_and_written_back_byte_for_byte() {
        let text = file(&[
            r#"{"user":"","data_id":"INNODBKey-u-1","data_type":"AES","data":"000102030405060708090A0B0C0D0E0F","extension":[]}"#.into(),
            r#"{"user":"root@localhost","data_id":"R","data_type":"RSA","data":"FF","extension":[]}"#.into(),
            element("a\\\"b", "é", "20"),
        ]);
        let elements = parse(text.as_bytes()).unwrap();
        assert_eq!(elements[0].material.as_bytes(), (0..16).collect::<Vec<u8>>());
        assert_eq!((elements[0].name.owner(), elements[0].kind().unwrap()), (None, KeyKind::Aes));
        assert!(matches!(elements[1].kind(), Err(Error::TypeNotKept(kind)) if kind == "RSA"));
        assert_eq!(elements[2].name.owner(), Some("a\"b"));
        assert_eq!(String::from_utf8_lossy(&render(&elements)), text);
        assert!(parse(b"").unwrap().is_empty());
        assert!(parse(&render(&[])).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_element_and_holds_no_key() {
        let ok = element("", "a", "00");
        assert!(matches!(fault(&file(&[ok.clone(), element("", "b", "0")])), JsonFault::Hex { element: 2 }));
        assert!(matches!(fault(&file(&[element("", "b", "0g")])), JsonFault::Hex { element: 1 }));
        assert!(matches!(fault(&file(&[ok.clone(), ok])), JsonFault::Twice { element: 2, first: 1 }));
        assert!(matches!(fault(&file(&[element("", "", "00")])), JsonFault::Name { element: 1, .. }));
        assert!(matches!(fault(r#"{"version":"2.0","elements":[]}"#), JsonFault::Version(v) if v == "2.0"));
        assert!(matches!(fault("1;abcd"), JsonFault::Syntax { line: 1, .. }));
        assert!(matches!(fault(r#"{"path":"/a"}"#), JsonFault::Syntax { .. }));
    }
}

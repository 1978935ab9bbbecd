//! The lines of a key file.
//!
//! MariaDB's own plugin defines what is a good file: blanks may lead, `#` begins a comment, whatever follows a key on its
//! line is ignored, a zero byte ends the file, and of two lines for the same key the later one counts. All of that holds
//! here too, down to the columns of the errors. What is added is a version between id and key: a line that MariaDB's plugin
//! accepts means the same here, so a number is a version only where the line would otherwise be refused.

use std::collections::BTreeMap;
use std::fmt;

use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use crate::versions::{KeyId, KeyVersion, VersionedKey};

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 32;
/// The digits of the highest version.
const VERSION_DIGITS_MAX: usize = 10;

/// The keys of a file.
#[derive(Debug, Default)]
pub struct Lines {
    /// One entry for each version of each key, in order.
    pub entries: Vec<Entry>,
    /// Entries that a later line replaced.
    pub replaced: Vec<Replaced>,
    /// The number of the last line; 0 in an empty file.
    pub last_line: u32,
    /// Whether a zero byte ended the file early, and something stands behind it.
    pub cut_by_zero: bool,
}

/// One version of one key, and where it stands.
#[derive(Debug)]
pub struct Entry {
    /// The key.
    pub key: VersionedKey,
    /// Its line, from 1.
    pub line: u32,
    /// The column where the hexadecimal digits begin, from 1.
    pub column: usize,
    /// Whether the line names a version; without one it is 1.
    pub has_version: bool,
}

/// Two lines for the same version of the same key, of which MariaDB silently takes the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// The line that does not count.
    pub line: u32,
    /// The line that does.
    pub by: u32,
}

/// What is wrong with a line, and where. The message is MariaDB's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineError {
    /// What is wrong.
    pub fault: LineFault,
    /// The line, from 1; 0 for an empty file without the key it must have.
    pub line: u32,
    /// The column, from 1, in bytes.
    pub column: usize,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFault {
    /// There is no number, or no semicolon after it.
    Syntax,
    /// The key id is 0, or does not fit 32 bits.
    KeyId,
    /// The version is 0, or higher than [`KeyVersion::LAST`].
    KeyVersion,
    /// The key does not consist of 32, 48 or 64 hexadecimal digits.
    Key,
    /// The file ends without the key that MariaDB cannot do without: id 1.
    NoSystemKey,
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "Syntax error",
            Self::KeyId => "Invalid key id",
            Self::KeyVersion => "Invalid key version",
            Self::Key => "Invalid key",
            Self::NoSystemKey => "System key id 1 is missing",
        })
    }
}

/// Reads all lines, and takes them only if every one is good and key 1 is among them.
///
/// # Errors
/// [`LineError`]: the first fault.
pub fn parse(text: &[u8]) -> Result<Lines, LineError> {
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    let mut lines = Lines { cut_by_zero: end + 1 < text.len(), ..Lines::default() };
    let mut entries = BTreeMap::new();
    for line in text[..end].split_inclusive(|&byte| byte == b'\n') {
        lines.last_line += 1;
        let number = lines.last_line;
        let parsed = parse_line(line).map_err(|(fault, offset)| LineError {
            fault,
            line: number,
            column: offset + 1,
        })?;
        let Some(parsed) = parsed else { continue };
        let entry = Entry {
            line: number,
            column: parsed.key_offset + 1,
            has_version: parsed.version.is_some(),
            key: VersionedKey {
                id: parsed.id,
                version: parsed.version.unwrap_or(KeyVersion::FIRST),
                material: parsed.material,
            },
        };
        if let Some(earlier) = entries.insert((entry.key.id, entry.key.version), entry) {
            lines.replaced.push(Replaced { line: earlier.line, by: number });
        }
    }
    lines.entries = entries.into_values().collect();
    if lines.entries.first().is_none_or(|first| first.key.id != KeyId(1)) {
        return Err(LineError { fault: LineFault::NoSystemKey, line: lines.last_line, column: 1 });
    }
    Ok(lines)
}

/// The line that [`parse`] reads as this version of this key, with its end of line.
///
/// The first version goes without its number, so that MariaDB's own plugin reads the file, too, until there is a later one.
#[must_use]
pub fn line(id: KeyId, version: KeyVersion, key: &KeyMaterial) -> Zeroizing<Vec<u8>> {
    let prefix = if version == KeyVersion::FIRST { format!("{id};") } else { format!("{id};{version};") };
    // Its capacity is exact, so that no copy is left behind by growing.
    let mut line = Zeroizing::new(Vec::with_capacity(prefix.len() + 2 * key.len() + 1));
    line.extend_from_slice(prefix.as_bytes());
    line.extend_from_slice(&hex(key));
    line.push(b'\n');
    line
}

/// The digits of a key, in lower case.
#[must_use]
pub fn hex(key: &KeyMaterial) -> Zeroizing<Vec<u8>> {
    let mut digits = Zeroizing::new(Vec::with_capacity(2 * key.len()));
    for byte in key.as_bytes() {
        for digit in [byte >> 4, byte & 0xF] {
            digits.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
        }
    }
    digits
}

/// The key that hexadecimal digits spell; `None` where they are not the 32, 48 or 64 digits of a key.
#[must_use]
pub fn key_from_hex(text: &[u8]) -> Option<KeyMaterial> {
    let mut rest = Rest { bytes: text, offset: 0 };
    let material = rest.key().ok()?;
    rest.peek().is_none().then_some(material)
}

struct ParsedLine {
    id: KeyId,
    version: Option<KeyVersion>,
    material: KeyMaterial,
    key_offset: usize,
}

/// The fault and its offset in the line.
type Fault = (LineFault, usize);

/// One line with its end; `None` where it holds no key.
fn parse_line(line: &[u8]) -> Result<Option<ParsedLine>, Fault> {
    let mut rest = Rest { bytes: line, offset: 0 };
    // MariaDB counts the vertical tab among the blanks, which Rust does not.
    while rest.peek().is_some_and(|byte| byte != b'\n' && (byte.is_ascii_whitespace() || byte == 0x0B)) {
        rest.offset += 1;
    }
    if matches!(rest.peek(), Some(b'#' | b'\n')) {
        return Ok(None);
    }
    let id = rest.number(u32::MAX, LineFault::KeyId)?;
    rest.semicolon()?;
    let version = if rest.has_version() {
        let number = rest.number(KeyVersion::LAST.number(), LineFault::KeyVersion)?;
        rest.semicolon()?;
        KeyVersion::new(number)
    } else {
        None
    };
    let key_offset = rest.offset;
    let material = rest.key()?;
    Ok(Some(ParsedLine { id: KeyId(id), version, material, key_offset }))
}

/// What is left of a line.
struct Rest<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Rest<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    fn digit(&self, ahead: usize) -> Option<u8> {
        let byte = self.bytes.get(self.offset + ahead)?;
        char::from(*byte).to_digit(16).map(|digit| digit as u8)
    }

    /// A decimal number from 1 to `max`. The fault stands where the number became too large, or after a number that is 0.
    fn number(&mut self, max: u32, fault: LineFault) -> Result<u32, Fault> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err((LineFault::Syntax, self.offset));
        }
        let mut number = 0_u32;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            number = number
                .checked_mul(10)
                .and_then(|number| number.checked_add(u32::from(digit - b'0')))
                .filter(|&number| number <= max)
                .ok_or((fault, self.offset))?;
            self.offset += 1;
        }
        if number == 0 { Err((fault, self.offset)) } else { Ok(number) }
    }

    fn semicolon(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b';') {
            return Err((LineFault::Syntax, self.offset));
        }
        self.offset += 1;
        Ok(())
    }

    /// Whether a version comes next: a few decimal digits and a semicolon. A key made of decimal digits has at least 32 of
    /// them, so nothing that MariaDB's plugin takes for a key is taken for a version.
    fn has_version(&self) -> bool {
        let rest = &self.bytes[self.offset..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (1..=VERSION_DIGITS_MAX).contains(&digits) && rest.get(digits) == Some(&b';')
    }

    fn key(&mut self) -> Result<KeyMaterial, Fault> {
        let mut bytes = Zeroizing::new([0_u8; KEY_BYTES_MAX]);
        let mut len = 0;
        while let (Some(high), Some(low), Some(byte)) = (self.digit(0), self.digit(1), bytes.get_mut(len)) {
            *byte = high << 4 | low;
            len += 1;
            self.offset += 2;
        }
        if self.digit(0).is_some() || !matches!(len, 16 | 24 | 32) {
            return Err((LineFault::Key, self.offset));
        }
        Ok(KeyMaterial::new(&bytes[..len]))
    }
}

#[cfg(test)]
mod tests;

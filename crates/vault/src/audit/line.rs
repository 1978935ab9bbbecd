//! One line of the journal, and how lines hang together.
//!
//! `{"seq":N,"prev":"<hash of the line before>","through":C[,"change":C],<event>,"hash":"<hash>"}`
//!
//! The hash is SHA-256 over the line's bytes before `,"hash"`, in lower-case hexadecimal.

use aws_lc_rs::digest;
use serde::Deserialize;

use super::error::Fault;
use crate::store::ChangeNumber;

/// A line is never longer, so that damage cannot make the vault read without end.
pub(super) const LINE_LEN_MAX: usize = 64 * 1024;

/// `,"hash":"` + 64 digits + `"}`.
const TAIL_LEN: usize = 9 + 64 + 2;

/// SHA-256 of a line.
pub(super) type LineHash = [u8; 32];

/// A place in the journal: just after one of its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The sequence number of the line, from 1; 0 before the first.
    pub seq: u64,
    /// Bytes of the file before the line.
    pub start: u64,
    /// Bytes of the file up to and with the line.
    pub end: u64,
    /// The hash of the line; zeros before the first.
    pub hash: [u8; 32],
    /// The last change whose entry is in the journal up to here; 0 when there is none.
    pub through: u64,
}

impl Position {
    /// Bytes of an encoded position.
    pub const ENCODED_LEN: usize = 4 * 8 + 32;

    /// seq, start, end, through (8 each, big-endian), hash (32).
    pub fn encode(&self) -> [u8; Self::ENCODED_LEN] {
        let mut bytes = [0; Self::ENCODED_LEN];
        for (index, number) in [self.seq, self.start, self.end, self.through].into_iter().enumerate() {
            bytes[8 * index..8 * index + 8].copy_from_slice(&number.to_be_bytes());
        }
        bytes[32..].copy_from_slice(&self.hash);
        bytes
    }

    /// The reverse of [`Position::encode`].
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::ENCODED_LEN] = bytes.try_into().ok()?;
        let (numbers, hash) = bytes.split_at(32);
        let mut numbers = numbers
            .chunks_exact(8)
            .map(|chunk| chunk.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte)));
        let mut next = || numbers.next();
        let (seq, start, end, through) = (next()?, next()?, next()?, next()?);
        Some(Self { seq, start, end, through, hash: hash.try_into().ok()? })
    }

    /// Appends the line that follows this position to `out`, and gives the position after it.
    pub(super) fn write_line(&self, out: &mut Vec<u8>, change: Option<ChangeNumber>, body: &[u8]) -> Self {
        let from = out.len();
        let seq = self.seq + 1;
        let through = change.map_or(self.through, |change| change.0);
        out.extend_from_slice(b"{\"seq\":");
        push_number(out, seq);
        out.extend_from_slice(b",\"prev\":\"");
        out.extend_from_slice(&hex(&self.hash));
        out.extend_from_slice(b"\",\"through\":");
        push_number(out, through);
        out.push(b',');
        if let Some(change) = change {
            out.extend_from_slice(b"\"change\":");
            push_number(out, change.0);
            out.push(b',');
        }
        out.extend_from_slice(body);
        let hash = hash(&out[from..]);
        out.extend_from_slice(b",\"hash\":\"");
        out.extend_from_slice(&hex(&hash));
        out.extend_from_slice(b"\"}\n");
        Self { seq, start: self.end, end: self.end + (out.len() - from) as u64, hash, through }
    }

    /// The hash of a line (with its line feed), when its content has the hash that it states.
    pub(super) fn own_hash(line: &[u8]) -> Option<LineHash> {
        Entry::parse(line.strip_suffix(b"\n")?).ok().map(|entry| entry.hash)
    }

    /// Checks that `line` (without its line feed) follows this position, and gives the position after it.
    pub(super) fn follow(&self, line: &[u8]) -> Result<Self, Fault> {
        let entry = Entry::parse(line)?;
        if entry.seq != self.seq + 1 || entry.prev != self.hash || entry.through < self.through {
            return Err(Fault::OutOfChain);
        }
        Ok(Self {
            seq: entry.seq,
            start: self.end,
            end: self.end + line.len() as u64 + 1,
            hash: entry.hash,
            through: entry.through,
        })
    }
}

/// The chain's part of a line.
struct Entry {
    seq: u64,
    prev: LineHash,
    through: u64,
    hash: LineHash,
}

impl Entry {
    fn parse(line: &[u8]) -> Result<Self, Fault> {
        #[derive(Deserialize)]
        struct Members<'a> {
            seq: u64,
            prev: &'a str,
            through: u64,
            hash: &'a str,
        }
        let members: Members<'_> = serde_json::from_slice(line).map_err(|_| Fault::Malformed)?;
        let content = line.len().checked_sub(TAIL_LEN).map(|len| &line[..len]).ok_or(Fault::Malformed)?;
        let prev = parse_hex(members.prev).ok_or(Fault::Malformed)?;
        let stated = parse_hex(members.hash).ok_or(Fault::Malformed)?;
        if hash(content) != stated {
            return Err(Fault::Edited);
        }
        Ok(Self { seq: members.seq, prev, through: members.through, hash: stated })
    }
}

fn hash(content: &[u8]) -> LineHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, content).as_ref());
    hash
}

/// By hand, like the numbers: the journal's lock is held meanwhile, and every release of a key writes a line.
fn hex(hash: &LineHash) -> [u8; 64] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (digits, byte) in text.chunks_exact_mut(2).zip(hash) {
        digits[0] = HEX[usize::from(byte >> 4)];
        digits[1] = HEX[usize::from(byte & 15)];
    }
    text
}

/// Appends a number in decimal.
pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[from..]);
}

fn parse_hex(text: &str) -> Option<LineHash> {
    // One way to write each hash, so that no byte of a line can be altered unnoticed.
    let text: &[u8; 64] = text
        .as_bytes()
        .try_into()
        .ok()
        .filter(|text: &&[u8; 64]| !text.iter().any(u8::is_ascii_uppercase))?;
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let high = char::from(digits[0]).to_digit(16)?;
        let low = char::from(digits[1]).to_digit(16)?;
        *byte = (high << 4 | low) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_encoding() {
        let position = Position { seq: 1, start: 2, end: 3, hash: [4; 32], through: 5 };
        assert_eq!(Position::decode(&position.encode()), Some(position));
    }

    #[test]
    fn numbers_are_written_as_everybody_writes_them() {
        for number in [0, 9, 10, 1_234_567_890, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    #[test]
    fn a_line_follows_the_position_that_wrote_it_and_no_other() {
        let mut lines = Vec::new();
        let first =
            Position::default().write_line(&mut lines, Some(ChangeNumber(3)), br#""operation":"Get""#);
        let line = lines.strip_suffix(b"\n").unwrap();
        assert_eq!(Position::default().follow(line), Ok(first));
        assert_eq!(first.through, 3);
        assert_eq!(first.follow(line), Err(Fault::OutOfChain));
    }

    #[test]
    fn no_byte_of_a_line_can_be_altered() {
        let mut lines = Vec::new();
        Position::default().write_line(&mut lines, None, br#""operation":"Get""#);
        lines.pop();
        for at in 0..lines.len() {
            let mut altered = lines.clone();
            altered[at] ^= 1;
            assert!(Position::default().follow(&altered).is_err(), "byte {at}");
        }
    }
}

//! A journal's bytes (`docs/formats/rotate-journal.md`). All numbers are big-endian.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `SRTSJRN1`; the last digit is the version of this format |
//! | 8 | 8 | length of the journal |
//! | 16 | 4 | what is done: 1 rotate, 2 rekey |
//! | 20 | 4 | number of the new master key |
//! | 24 | 4 | bytes of the server's uuid, then the uuid |
//! | … | 4 | entries |
//! | per entry | 4 | bytes of the path, then the path |
//! | | 4 | patches |
//! | per patch | 8 + 4 | offset in the file, bytes; then the old bytes, then the new ones |
//! | end - 4 | 4 | CRC-32C of everything before |

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::{Change, Entry, Journal, Patch};

const MAGIC: [u8; 8] = *b"SRTSJRN1";
/// Where the length stands.
const LENGTH: usize = 8;

/// What is wrong with a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It does not begin as a journal of this version does.
    Magic,
    /// It is longer than any journal.
    TooLong,
    /// It has another length than it says.
    Length,
    /// Its checksum is not right.
    Checksum,
    /// Its checksum is right and its contents make no sense.
    Contents,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Magic => "it does not begin as a journal of this version does",
            Self::TooLong => "it is longer than any journal",
            Self::Length => "it has another length than it says",
            Self::Checksum => "its checksum is wrong",
            Self::Contents => "its contents make no sense",
        })
    }
}

impl Journal {
    /// What the file of the journal holds.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        write(self)
    }

    /// The journal in a file of these bytes.
    ///
    /// # Errors
    /// [`Damage`]: it is not whole, or none at all.
    pub fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        read(bytes)
    }
}

fn write(journal: &Journal) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[0; 8]);
    let change: u32 = match journal.change {
        Change::Rotate => 1,
        Change::Rekey => 2,
    };
    put(&mut out, change);
    put(&mut out, journal.master_key_id);
    put_bytes(&mut out, journal.server_uuid.as_bytes());
    put_count(&mut out, journal.entries.len());
    for entry in &journal.entries {
        put_bytes(&mut out, entry.path.as_os_str().as_bytes());
        put_count(&mut out, entry.patches.len());
        for patch in &entry.patches {
            out.extend_from_slice(&patch.offset.to_be_bytes());
            put_bytes(&mut out, &patch.old);
            out.extend_from_slice(&patch.new);
        }
    }
    let length = out.len() as u64 + 4;
    out[LENGTH..LENGTH + 8].copy_from_slice(&length.to_be_bytes());
    let sum = crc32c::crc32c(&out);
    put(&mut out, sum);
    out
}

fn put(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// A count of things in memory, which are fewer than 2^32: an entry alone takes more than a byte.
fn put_count(out: &mut Vec<u8>, count: usize) {
    put(out, u32::try_from(count).unwrap_or(u32::MAX));
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn read(bytes: &[u8]) -> Result<Journal, Damage> {
    let mut reader = Reader(bytes);
    if reader.take(8).ok() != Some(&MAGIC) {
        return Err(Damage::Magic);
    }
    if reader.u64().ok() != Some(bytes.len() as u64) {
        return Err(Damage::Length);
    }
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or(Damage::Length)?;
    if crc32c::crc32c(body) != u32::from_be_bytes(*sum) {
        return Err(Damage::Checksum);
    }
    reader.0 = reader.0.strip_suffix(sum).ok_or(Damage::Length)?;
    let change = match reader.u32()? {
        1 => Change::Rotate,
        2 => Change::Rekey,
        _ => return Err(Damage::Contents),
    };
    let master_key_id = reader.u32()?;
    let server_uuid = String::from_utf8(reader.bytes()?.to_vec()).map_err(|_| Damage::Contents)?;
    let entries = reader.list(Reader::entry)?;
    if reader.0.is_empty() {
        Ok(Journal { change, server_uuid, master_key_id, entries })
    } else {
        Err(Damage::Contents)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Damage::Contents)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, Damage> {
        let (number, rest) = self.0.split_first_chunk().ok_or(Damage::Contents)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*number))
    }

    fn u64(&mut self) -> Result<u64, Damage> {
        let (number, rest) = self.0.split_first_chunk().ok_or(Damage::Contents)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*number))
    }

    fn count(&mut self) -> Result<usize, Damage> {
        usize::try_from(self.u32()?).map_err(|_| Damage::Contents)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let count = self.count()?;
        self.take(count)
    }

    /// As many things as a count says. Nothing is allocated for those that are not there.
    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, Damage>) -> Result<Vec<T>, Damage> {
        let count = self.count()?;
        (0..count).map(|_| read(self)).collect()
    }

    fn entry(&mut self) -> Result<Entry, Damage> {
        let path = PathBuf::from(OsString::from_vec(self.bytes()?.to_vec()));
        Ok(Entry { path, patches: self.list(Self::patch)? })
    }

    fn patch(&mut self) -> Result<Patch, Damage> {
        let offset = self.u64()?;
        let count = self.count()?;
        Ok(Patch { offset, old: self.take(count)?.to_vec(), new: self.take(count)?.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        let patch = |offset, byte| Patch { offset, old: vec![byte; 5], new: vec![byte + 1; 5] };
        Journal {
            change: Change::Rotate,
            server_uuid: "00000000-0000-0000-0000-000000000001".into(),
            master_key_id: 7,
            entries: vec![
                Entry { path: "s/t.ibd".into(), patches: vec![patch(0, 1), patch(10390, 3)] },
                Entry { path: "/elsewhere/u.ibd".into(), patches: Vec::new() },
            ],
        }
    }

    #[test]
    fn a_journal_is_read_as_it_was_written() {
        assert_eq!(read(&write(&journal())), Ok(journal()));
    }

    #[test]
    fn a_journal_that_is_cut_short_or_changed_anywhere_is_not_believed() {
        let whole = write(&journal());
        for len in 0..whole.len() {
            assert!(read(&whole[..len]).is_err(), "{len}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert!(read(&changed).is_err(), "{at}");
        }
    }

    #[test]
    fn counts_that_promise_more_than_there_is_are_refused_without_room_for_them() {
        let mut bytes = write(&Journal { entries: Vec::new(), ..journal() });
        let count = bytes.len() - 8;
        bytes[count..count + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        let body = bytes.len() - 4;
        let sum = crc32c::crc32c(&bytes[..body]).to_be_bytes();
        bytes[body..].copy_from_slice(&sum);
        assert_eq!(read(&bytes), Err(Damage::Contents));
    }
}

//! Looking for bytes in files, to show that rows are not there.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// How much of a file is looked at in one go, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// What a search went through.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Search {
    /// Files that were read.
    pub(crate) files: usize,
    /// Bytes that were read.
    pub(crate) bytes: u64,
    /// Files that hold the pattern.
    pub(crate) hits: Vec<PathBuf>,
}

/// Searches every file under `folder` for `pattern`, which is not empty.
///
/// # Errors
/// [`Error::Read`] for a file that cannot be read: a search that left something out would prove nothing.
pub(crate) fn search(folder: &Path, pattern: &[u8]) -> Result<Search, Error> {
    let mut found = Search::default();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let failed = |source| Error::Read { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path();
                match contains(&path, pattern) {
                    Ok((hit, bytes)) => {
                        found.files += 1;
                        found.bytes += bytes;
                        if hit {
                            found.hits.push(path);
                        }
                    }
                    // A running server removes temporary files under our hands.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(source) => return Err(Error::Read { path, source }),
                }
            }
        }
    }
    Ok(found)
}

/// Whether the file holds the pattern, and how many bytes it has.
fn contains(path: &Path, pattern: &[u8]) -> std::io::Result<(bool, u64)> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; CHUNK_BYTES + pattern.len()];
    let (mut kept, mut total, mut hit) = (0, 0, false);
    loop {
        let read = match file.read(&mut buffer[kept..]) {
            Ok(0) => return Ok((hit, total)),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        total += read as u64;
        let filled = kept + read;
        hit |= find(&buffer[..filled], pattern);
        // The end of this chunk is looked at again with the next: the pattern may lie across the border.
        kept = filled.min(pattern.len() - 1);
        buffer.copy_within(filled - kept..filled, 0);
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(start) = rest.iter().position(|&byte| byte == pattern[0]) {
        rest = &rest[start..];
        if rest.starts_with(pattern) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_found_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("db")).unwrap();
        for at in [0, 5, CHUNK_BYTES - 3, CHUNK_BYTES, CHUNK_BYTES + 2, 2 * CHUNK_BYTES - 1] {
            let mut bytes = vec![b'M'; 2 * CHUNK_BYTES + 100];
            bytes[at..at + 6].copy_from_slice(b"MARKER");
            fs::write(folder.path().join("db/t.ibd"), &bytes).unwrap();
            let found = search(folder.path(), b"MARKER").unwrap();
            assert_eq!(found.hits, [folder.path().join("db/t.ibd")], "at {at}");
            assert_eq!(found.bytes, bytes.len() as u64);
        }
    }

    #[test]
    fn an_absent_pattern_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), vec![b'M'; 3 * CHUNK_BYTES]).unwrap();
        fs::write(folder.path().join("b"), b"MARKE").unwrap();
        let found = search(folder.path(), b"MARKER").unwrap();
        assert_eq!((found.files, found.hits.len()), (2, 0));
    }
}

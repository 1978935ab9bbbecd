//! What the files of a stopped server hold, by the server's own checker and by the version in the head of each page.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use strongroom_testkit::Unavailable;
use strongroom_testkit::mariadb::Server;

/// The tablespaces of the data directory but the system's, which holds pages of the others (its doublewrite buffer) that the
/// checker takes for damaged.
fn tablespaces(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the data directory").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            found.extend(tablespaces(&path));
        } else if name.ends_with(".ibd") || name.starts_with("undo") {
            found.push(path);
        }
    }
    found
}

/// Runs `innochecksum` over the tablespaces of a stopped server, and says how many they are.
///
/// # Panics
/// When it finds a fault.
pub(crate) fn innochecksum(server: &Server) -> Result<usize, Unavailable> {
    let files = tablespaces(&server.data());
    for file in &files {
        let output =
            server.installation().tool("innochecksum")?.arg(file).output().expect("innochecksum runs");
        assert!(
            output.status.success(),
            "{}: {}{}",
            file.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(files.len())
}

/// Where the head of a page has its key's version, 4 bytes, big-endian: `FIL_PAGE_FILE_FLUSH_LSN_OR_KEY_VERSION`.
const VERSION_AT: usize = 26;
/// The same in the format `full_crc32`: `FIL_PAGE_FCRC32_KEY_VERSION`.
const VERSION_AT_FULL_CRC32: usize = 0;

/// How many pages of a file are encrypted with which version; 0 is for those that are not. The first page never is, and is
/// left out.
pub(crate) fn key_versions(file: &Path, page_bytes: usize, full_crc32: bool) -> BTreeMap<u32, usize> {
    let at = if full_crc32 { VERSION_AT_FULL_CRC32 } else { VERSION_AT };
    let bytes = fs::read(file).expect("the file");
    let mut versions = BTreeMap::new();
    for page in bytes.chunks_exact(page_bytes).skip(1) {
        let version = page[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        *versions.entry(version).or_default() += 1;
    }
    versions
}

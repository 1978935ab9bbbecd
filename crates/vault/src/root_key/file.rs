//! A key in a file: 32 random bytes that only their owner may read.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::{KEY_LEN, SlotError};

/// Makes a slot file with a new key, mode 0600, durable when this returns. Never overwrites.
///
/// # Errors
/// [`SlotError::File`].
pub fn create_file(path: &Path) -> Result<(), SlotError> {
    let failed = |source| SlotError::File { doing: "creating", path: path.to_owned(), source };
    let key = super::generate();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(key.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            std::fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)
        }
        _ => Ok(()),
    }
}

/// Reads a slot file.
///
/// # Errors
/// [`SlotError::FileTooOpen`] when others than the owner may use it; [`SlotError::NotAKey`]; [`SlotError::File`].
pub fn read_file(path: &Path) -> Result<KeyMaterial, SlotError> {
    let failed = |source: io::Error| SlotError::File { doing: "reading", path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    // What was opened is what is checked: the name may lead elsewhere by now.
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SlotError::FileTooOpen { path: path.to_owned(), mode });
    }
    let not_a_key = || SlotError::NotAKey { path: path.to_owned() };
    if !metadata.is_file() || metadata.len() != KEY_LEN as u64 {
        return Err(not_a_key());
    }
    let mut bytes = Zeroizing::new(vec![0; KEY_LEN]);
    file.read_exact(&mut bytes).map_err(failed)?;
    Ok(KeyMaterial::from_zeroizing(bytes))
}

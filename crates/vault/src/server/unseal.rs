//! Where the root key comes from at start.

use std::io::{self, Read};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::ServeError;
use crate::config::Unseal;
use crate::root_key::SlotSecret;
use crate::vault::SealedVault;

/// Bytes of a passphrase at most.
const PASSPHRASE_LEN_MAX: usize = 4096;

/// What opens the vault at start; nothing means that it starts sealed.
pub(super) fn secret(config: &Unseal, sealed: &SealedVault) -> Result<Option<SlotSecret>, ServeError> {
    if let Some(path) = &config.file_slot {
        return Ok(Some(SlotSecret::File(path.clone())));
    }
    if let Some(fd) = config.passphrase_fd {
        let from = format!("file descriptor {fd}");
        return read_fd(fd).map(Some).map_err(|source| ServeError::Passphrase { from, source });
    }
    if let Some(name) = &config.passphrase_credential {
        let from = format!("systemd credential {name}");
        return read_credential(name).map(Some).map_err(|source| ServeError::Passphrase { from, source });
    }
    Ok(sealed.slot_files().next().map(|path| SlotSecret::File(path.to_owned())))
}

/// Reads a passphrase from a file descriptor that this process inherited.
fn read_fd(fd: u32) -> io::Result<SlotSecret> {
    // Opening it anew through /proc needs no unsafe claim to own the number, and works for pipes and files.
    let fd = RawFd::try_from(fd).map_err(|_| io::ErrorKind::InvalidInput)?;
    read_path(Path::new(&format!("/proc/self/fd/{fd}")))
}

fn read_credential(name: &str) -> io::Result<SlotSecret> {
    if name.is_empty() || name.contains('/') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a credential's name has no slash"));
    }
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "CREDENTIALS_DIRECTORY is not set; use LoadCredential= in the unit",
        )
    })?;
    read_path(&PathBuf::from(directory).join(name))
}

fn read_path(path: &Path) -> io::Result<SlotSecret> {
    let file = std::fs::File::open(path)?;
    // Room for all of it at once: growing would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(PASSPHRASE_LEN_MAX + 1));
    file.take(PASSPHRASE_LEN_MAX as u64 + 1).read_to_end(&mut text)?;
    if text.len() > PASSPHRASE_LEN_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a passphrase has at most 4096 bytes"));
    }
    Ok(SlotSecret::passphrase(text))
}

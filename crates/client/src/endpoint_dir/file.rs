//! Reading files after looking at who else may.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::error::{EndpointDirError, Fault, Warning};
use crate::error::IoFault;

/// No file of an endpoint directory is as large as this.
const MAX_BYTES: u64 = 1 << 20;

const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
/// What 0750 does not grant.
const LOOSER_THAN_0750: u32 = 0o027;

/// Looks at a directory's mode: others that may write are refused, anything else looser than 0750 is a warning.
pub(super) fn check_directory(path: &Path) -> Result<Vec<Warning>, EndpointDirError> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Err(EndpointDirError::new(path, Fault::WrongKind));
    }
    let mode = permissions(&metadata);
    if mode & OTHERS_WRITE != 0 {
        return Err(EndpointDirError::new(path, Fault::WritableByOthers(mode)));
    }
    Ok(if mode & LOOSER_THAN_0750 == 0 {
        vec![]
    } else {
        vec![Warning::LooseDirectory { path: path.into(), mode }]
    })
}

/// Reads a file that is no secret. Others may read it, and must not write it.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, EndpointDirError> {
    let (mut file, metadata) = open(path).map_err(|error| unreadable(path, &error))?;
    let mut bytes = content(path, &mut file, &metadata, OTHERS_WRITE)?;
    Ok(std::mem::take(&mut *bytes))
}

/// Reads a secret file, which others must not read either; `None` when there is none.
pub(super) fn read_secret(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, EndpointDirError> {
    match open(path) {
        Ok((mut file, metadata)) => content(path, &mut file, &metadata, OTHERS_READ | OTHERS_WRITE).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Opens without waiting, so that a FIFO in the place of a file does not hang a starting database. The mode is that of the open
/// file, and cannot change between the look and the reading.
fn open(path: &Path) -> std::io::Result<(File, Metadata)> {
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn content(
    path: &Path,
    file: &mut File,
    metadata: &Metadata,
    forbidden: u32,
) -> Result<Zeroizing<Vec<u8>>, EndpointDirError> {
    let fault = |fault| Err(EndpointDirError::new(path, fault));
    if !metadata.is_file() {
        return fault(Fault::WrongKind);
    }
    let mode = permissions(metadata);
    if mode & forbidden & OTHERS_READ != 0 {
        return fault(Fault::ReadableByOthers(mode));
    }
    if mode & forbidden & OTHERS_WRITE != 0 {
        return fault(Fault::WritableByOthers(mode));
    }
    if metadata.len() > MAX_BYTES {
        return fault(Fault::TooLarge(metadata.len()));
    }
    // Room for all of it from the start: a buffer that grew would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(metadata.len()).unwrap_or_default()]);
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn permissions(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o777
}

fn unreadable(path: &Path, error: &std::io::Error) -> EndpointDirError {
    EndpointDirError::new(path, Fault::Unreadable(IoFault::from(error)))
}

//! The one way in which a key file is changed: read under a lock, then replaced in one step.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use strongroom_keyring::key_file::append::{self, AppendError};
use strongroom_keyring::key_file::text::{self, LineError, LineFault, Lines};
use strongroom_keyring::key_file::{Derivation, FILE_BYTES_MAX, KeyFileError, sealed};
use strongroom_keyring::versions::KeyId;
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::{Fault, secret};
use crate::args::KeyfileReadArgs;
use crate::error::Error;

/// A key file that nobody else of ours changes until this is dropped.
#[derive(Debug)]
pub(super) struct Locked {
    /// The file itself, where a symbolic link was named.
    path: PathBuf,
    /// The lines, in the clear.
    text: Zeroizing<Vec<u8>>,
    /// What the file is encrypted with, if it is.
    seal: Option<(KeyMaterial, Derivation)>,
    /// Holds the lock.
    _file: File,
}

impl Locked {
    /// Locks and opens the file. A person is asked for the secret before the lock is taken.
    ///
    /// # Errors
    /// [`Fault::Read`], [`Fault::Change`], and as [`secret::to_open`].
    pub(super) fn open(args: &KeyfileReadArgs) -> Result<Self, Error> {
        let secret = secret::to_open(args)?.secret().map_err(Fault::Read)?;
        let mut locked = Self::lock(&args.file)?;
        if sealed::is_sealed(&locked.text) {
            let secret = secret.unwrap_or_else(|| KeyMaterial::new(&[]));
            let derivation = secret::derivation(&args.secret);
            locked.text = sealed::open(&locked.text, secret.as_bytes(), derivation)
                .map_err(|_| Fault::Read(KeyFileError::WrongKey(locked.path.clone())))?;
            locked.seal = Some((secret, derivation));
        } else if secret.is_some() {
            return Err(Fault::Read(KeyFileError::NotEncrypted(locked.path)).into());
        }
        Ok(locked)
    }

    /// Locks a file that must not be encrypted.
    ///
    /// # Errors
    /// [`Fault::Read`], [`Fault::Change`], [`Fault::Sealed`].
    pub(super) fn open_plain(path: &Path) -> Result<Self, Error> {
        let locked = Self::lock(path)?;
        if sealed::is_sealed(&locked.text) {
            return Err(Fault::Sealed(locked.path).into());
        }
        Ok(locked)
    }

    fn lock(path: &Path) -> Result<Self, Error> {
        let path = fs::canonicalize(path)
            .map_err(|error| Fault::Read(KeyFileError::NotFound(path.to_path_buf(), error)))?;
        let mut file = append::lock(&path).map_err(Fault::Change)?;
        let not_readable = |error| Fault::Read(KeyFileError::NotReadable(path.clone(), error));
        let limit = FILE_BYTES_MAX + 1;
        // A buffer that grows would leave copies of keys behind.
        let mut text = Zeroizing::new(Vec::with_capacity(limit));
        (&mut file).take(limit as u64).read_to_end(&mut text).map_err(not_readable)?;
        if text.len() == limit {
            return Err(Fault::Read(KeyFileError::TooLarge(path)).into());
        }
        Ok(Self { path, text, seal: None, _file: file })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The text in the clear.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether the file is encrypted.
    pub(super) fn is_sealed(&self) -> bool {
        self.seal.is_some()
    }

    /// The lines as a server reads them.
    ///
    /// # Errors
    /// [`Fault::Read`] with the line that is wrong.
    pub(super) fn lines(&self) -> Result<Lines, Fault> {
        parse(&self.path, &self.text)
    }

    /// The lines of a file to which `id` is added: the one file without key 1 that is taken is that to which key 1 is added.
    ///
    /// # Errors
    /// As [`Locked::lines`].
    pub(super) fn lines_to_add(&self, id: KeyId) -> Result<Lines, Fault> {
        match self.lines() {
            Err(Fault::Read(KeyFileError::Line(_, LineError { fault: LineFault::NoSystemKey, .. })))
                if id == KeyId(1) =>
            {
                Ok(Lines::default())
            }
            lines => lines,
        }
    }

    /// Puts one more line below the others, which stay as they are.
    ///
    /// # Errors
    /// [`Fault::Change`], [`Fault::Read`]; the file is as it was.
    pub(super) fn append(self, line: &[u8]) -> Result<(), Error> {
        if self.text.contains(&0) {
            return Err(Fault::Change(AppendError::ZeroByte(self.path)).into());
        }
        let mut longer = Zeroizing::new(Vec::with_capacity(self.text.len() + 1 + line.len()));
        longer.extend_from_slice(&self.text);
        if longer.last().is_some_and(|&last| last != b'\n') {
            longer.push(b'\n');
        }
        longer.extend_from_slice(line);
        parse(&self.path, &longer)?;
        match &self.seal {
            Some((secret, derivation)) => self.replace(&seal(&longer, secret, *derivation)?),
            None => self.replace(&longer),
        }
    }

    /// Puts these bytes in the place of the file.
    ///
    /// # Errors
    /// [`Fault::Change`]; the file is as it was.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Fault::Change(AppendError::Full(self.path.clone())).into());
        }
        append::replace(&self.path, bytes).map_err(|error| Fault::Change(error).into())
    }
}

/// The text encrypted under a new salt, and opened again before anybody relies on it.
///
/// # Errors
/// [`Fault::Change`] without randomness, [`Fault::NotReadBack`].
pub(super) fn seal(text: &[u8], secret: &KeyMaterial, derivation: Derivation) -> Result<Vec<u8>, Fault> {
    let sealed =
        sealed::seal(text, secret.as_bytes(), derivation).map_err(|_| Fault::Change(AppendError::Random))?;
    match sealed::open(&sealed, secret.as_bytes(), derivation) {
        Ok(opened) if *opened == text => Ok(sealed),
        _ => Err(Fault::NotReadBack),
    }
}

/// Whether any line of the file names a version, so that MariaDB's own plugin refuses the file.
pub(super) fn names_versions(lines: &Lines) -> bool {
    lines.entries.iter().any(|entry| entry.has_version)
}

/// Writes a file (0600) that appears whole, and only where there is none.
///
/// # Errors
/// [`Error::Exists`], [`Error::Write`].
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::AlreadyExists => Error::Exists { path: path.into() },
        _ => Error::Write { path: path.into(), source },
    };
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Fault::Change(AppendError::Full(path.into())).into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Readable by its owner alone from its first byte on, and gone again if a step fails.
    let mut file = tempfile::Builder::new().prefix(".strongroom-").tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist_noclobber(path).map_err(|refused| failed(refused.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Fails where there is a file already, before anybody is asked for anything.
///
/// # Errors
/// [`Error::Exists`].
pub(super) fn must_be_absent(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(Error::Exists { path: path.into() }),
        // Whatever else is wrong with the path is told by the writing.
        Err(_) => Ok(()),
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<Lines, Fault> {
    text::parse(text).map_err(|error| Fault::Read(KeyFileError::Line(path.to_path_buf(), error)))
}

//! A key file as a source of versioned keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::read::{PATIENCE, Turn, read};
use super::text::{self, Lines};
use super::{Derivation, FileKey, KeyFileError, Location, sealed};
use crate::versions::{KeyId, KeyVersion, LoadError, Refused, VersionedKey, VersionedKeys};

/// A key file, and how it is opened. It is read anew for every question.
#[derive(Debug)]
pub struct KeyFile {
    location: Option<Location>,
    file_key: FileKey,
    derivation: Derivation,
    last: Mutex<Last>,
}

/// What the last reading left behind: no keys, only where they stood.
#[derive(Debug, Default)]
struct Last {
    was_read: bool,
    places: BTreeMap<(KeyId, KeyVersion), (u32, usize)>,
    last_line: u32,
}

/// A file that was read and found good.
#[derive(Debug)]
pub struct Contents {
    /// Its keys.
    pub lines: Lines,
    /// Whether it is encrypted.
    pub sealed: bool,
}

impl KeyFile {
    /// A file that has not been read yet. Without a location every reading fails, in the order of MariaDB's own plugin.
    #[must_use]
    pub fn new(location: Option<Location>, file_key: FileKey, derivation: Derivation) -> Self {
        Self { location, file_key, derivation, last: Mutex::default() }
    }

    /// Where the file is now.
    ///
    /// # Errors
    /// [`KeyFileError::NoName`], [`KeyFileError::NoCredentials`].
    pub fn path(&self) -> Result<PathBuf, KeyFileError> {
        self.location
            .as_ref()
            .ok_or(KeyFileError::NoName)?
            .path(std::env::var_os("CREDENTIALS_DIRECTORY").as_deref())
    }

    /// Reads the file, all of it or nothing.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn contents(&self) -> Result<Contents, KeyFileError> {
        let turn = if self.last().was_read { Turn::Again } else { Turn::First };
        let secret = self.file_key.secret_at(turn)?;
        let path = self.path()?;
        let bytes = read(&path, turn)?;
        let (text, sealed) = self.text(&path, bytes, secret.as_ref())?;
        let lines = text::parse(&text).map_err(|error| KeyFileError::Line(path, error))?;
        Ok(Contents { lines, sealed })
    }

    /// The text of a file, and whether it was encrypted.
    pub(super) fn text(
        &self,
        path: &Path,
        bytes: Zeroizing<Vec<u8>>,
        secret: Option<&KeyMaterial>,
    ) -> Result<(Zeroizing<Vec<u8>>, bool), KeyFileError> {
        if sealed::is_sealed(&bytes) {
            let secret = secret.map_or(&[][..], KeyMaterial::as_bytes);
            let text = sealed::open(&bytes, secret, self.derivation)
                .map_err(|_| KeyFileError::WrongKey(path.to_path_buf()))?;
            Ok((text, true))
        } else if secret.is_some() {
            Err(KeyFileError::NotEncrypted(path.to_path_buf()))
        } else {
            Ok((bytes, false))
        }
    }

    pub(super) fn secret(&self) -> Result<Option<KeyMaterial>, KeyFileError> {
        self.file_key.secret_at(Turn::Again)
    }

    pub(super) fn derivation(&self) -> Derivation {
        self.derivation
    }

    /// Whether the file can be read at any time and by anybody who comes: not a pipe, whose content is gone once it is read,
    /// nor a socket, whose owner may want to be asked only when somebody means to.
    fn can_be_looked_into(&self) -> bool {
        let is_file = self
            .path()
            .and_then(|path| fs::metadata(&path).map_err(|error| KeyFileError::NotFound(path, error)))
            // A file that is not there is an error that the reading reports.
            .map_or(true, |metadata| metadata.is_file());
        is_file && self.file_key.can_be_looked_into()
    }

    fn keys_where(&self, wanted: impl Fn(&VersionedKey) -> bool) -> Result<Vec<VersionedKey>, LoadError> {
        if !self.can_be_looked_into() {
            return Ok(Vec::new());
        }
        let entries = self.contents()?.lines.entries;
        Ok(entries.into_iter().map(|entry| entry.key).filter(wanted).collect())
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VersionedKeys for KeyFile {
    fn load(&self) -> Result<Vec<VersionedKey>, LoadError> {
        let contents = self.contents();
        let mut last = self.last();
        last.was_read = true;
        let lines = contents?.lines;
        last.places = lines
            .entries
            .iter()
            .map(|entry| ((entry.key.id, entry.key.version), (entry.line, entry.column)))
            .collect();
        last.last_line = lines.last_line;
        Ok(lines.entries.into_iter().map(|entry| entry.key).collect())
    }

    fn key(&self, id: KeyId) -> Result<Vec<VersionedKey>, LoadError> {
        self.keys_where(|key| key.id == id)
    }

    fn version(&self, id: KeyId, version: KeyVersion) -> Result<Option<VersionedKey>, LoadError> {
        Ok(self.keys_where(|key| key.id == id && key.version == version)?.pop())
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    /// The line that says other than before; the end of the file where a line is missing.
    fn place(&self, refused: &Refused) -> Option<String> {
        let last = self.last();
        let entry = match *refused {
            Refused::BytesChanged(id, version) | Refused::LatestLowered { id, offered: version, .. } => {
                last.places.get(&(id, version)).copied()
            }
            Refused::KeyDropped(_) | Refused::VersionDropped(..) => None,
        };
        let (line, column) = entry.unwrap_or((last.last_line, 1));
        let path = self.path().ok()?;
        Some(format!("{} line {line}, column {column}", path.display()))
    }
}

#[cfg(test)]
mod tests;

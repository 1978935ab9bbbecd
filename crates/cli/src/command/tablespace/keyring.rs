//! Master keys for tablespaces, from wherever the command line says they are.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use strongroom_keyring::backend::{JsonFile, Kmip, Memory};
use strongroom_keyring::key_file::{self, Derivation, FileKey, KeyFile, KeyFileError, Location};
use strongroom_keyring::versions::{KeyId, KeySet, KeyVersion, KmipVersions, VersionedKeys};
use strongroom_keyring::{Error as KeyringError, KeyKind, KeyName, Keyring};
use strongroom_secret::KeyMaterial;
use strongroom_tablespace::Family;
use strongroom_tablespace::keys::{KeySourceError, MasterKeySource};
use zeroize::Zeroizing;

use super::Fault;
use crate::args::{KeyNamesArgs, KeysPlace};
use crate::command::endpoint_session;
use crate::error::Error;
use crate::output::Output;

/// Bytes of text that are read from a descriptor at most: as many as a key file may have.
const FD_BYTES_MAX: u64 = key_file::FILE_BYTES_MAX as u64;
/// Bytes of InnoDB's master keys.
const MASTER_KEY_BYTES: usize = 32;

/// An opened keyring. What it has answered once, it answers from memory: a data directory asks for one key ten thousand times.
pub(super) struct Keys {
    holder: Holder,
    answers: Mutex<Answers>,
}

enum Holder {
    /// On a KMIP server: MySQL's and MariaDB's keys have names of their own there.
    Kmip { mysql: Keyring, mariadb: Box<KmipVersions> },
    /// In the file of `component_keyring_file`, read when it was opened.
    Json { keys: Keyring, file: JsonFile },
    /// The same from a descriptor, to which nothing can be written.
    JsonText(Keyring),
    /// MariaDB's keys, read when they were opened.
    Versions(KeySet),
    /// One key, which answers to every name.
    One(KeyMaterial),
}

#[derive(Default)]
struct Answers {
    mysql: HashMap<String, Option<KeyMaterial>>,
    mariadb: HashMap<(u32, u32), Option<KeyMaterial>>,
}

impl Keys {
    /// Opens a keyring. A KMIP server is reached when it is first asked.
    ///
    /// # Errors
    /// [`Error::EndpointDir`], [`Error::Keyring`], [`Error::KeyFile`], [`Error::Read`], [`Fault::NoKeys`].
    pub(super) fn open(place: &KeysPlace, names: &KeyNamesArgs, output: Output) -> Result<Self, Error> {
        let holder = match place {
            KeysPlace::Okv(dir) => {
                let session = || endpoint_session::session(dir, output);
                let mysql = Kmip::new(session()?, names.group.clone()).into();
                Holder::Kmip {
                    mysql,
                    mariadb: Box::new(KmipVersions::with_prefix(session()?, &names.prefix)),
                }
            }
            KeysPlace::Json(path) => {
                let file = JsonFile::open(path).map_err(|error| Error::Keyring(error.into()))?;
                let keys: Memory = file.to_memory().map_err(Error::Keyring)?;
                Holder::Json { keys: keys.into(), file }
            }
            KeysPlace::KeyFile(path, secret) => {
                let secret = secret.clone().map_or(FileKey::None, FileKey::File);
                let file = KeyFile::new(Some(Location::Path(path.clone())), secret, Derivation::default());
                let keys = file.load().map_err(Error::Load)?;
                Holder::Versions(KeySet::from_keys(keys).map_err(Error::Load)?)
            }
            KeysPlace::Fd(fd) => from_fd(*fd)?,
        };
        Ok(Self { holder, answers: Mutex::default() })
    }

    /// Whose keys these can only be.
    pub(super) fn family(&self) -> Option<Family> {
        match &self.holder {
            Holder::Json { .. } | Holder::JsonText(_) => Some(Family::MySql),
            Holder::Versions(_) => Some(Family::MariaDb),
            Holder::Kmip { .. } | Holder::One(_) => None,
        }
    }

    /// Makes a master key of MySQL's keyring. That it exists already is no error here: `false`.
    ///
    /// # Errors
    /// [`Error::Keyring`], [`Fault::CannotMake`].
    pub(super) fn make_mysql_key(&self, id: &str) -> Result<bool, Error> {
        let name = KeyName::new(id, None).map_err(Error::KeyName)?;
        let made = match &self.holder {
            Holder::Kmip { mysql, .. } => mysql.generate(&name, KeyKind::Aes, MASTER_KEY_BYTES),
            Holder::Json { keys, file } => {
                let file =
                    Keyring::from(JsonFile::open(file.path()).map_err(|error| Error::Keyring(error.into()))?);
                file.generate(&name, KeyKind::Aes, MASTER_KEY_BYTES).and_then(|()| {
                    match file.fetch(&name)? {
                        Some(key) => keys.store(&name, key.kind, &key.material),
                        None => Ok(()),
                    }
                })
            }
            Holder::JsonText(_) | Holder::Versions(_) | Holder::One(_) => {
                return Err(Fault::CannotMake.into());
            }
        };
        match made {
            Ok(()) => {
                self.answers().mysql.remove(id);
                Ok(true)
            }
            Err(KeyringError::Exists { .. }) => Ok(false),
            Err(error) => Err(Error::Keyring(error)),
        }
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_mysql(&self, key_id: &str) -> Result<Option<KeyMaterial>, KeySourceError> {
        let keys = match &self.holder {
            Holder::Kmip { mysql, .. } => mysql,
            Holder::Json { keys, .. } | Holder::JsonText(keys) => keys,
            Holder::Versions(_) => return Ok(None),
            Holder::One(key) => return Ok(Some(key.duplicate())),
        };
        // An id that no keyring can hold is one that it does not have.
        let Ok(name) = KeyName::new(key_id, None) else { return Ok(None) };
        Ok(keys.fetch(&name).map_err(KeySourceError::new)?.map(|key| key.material))
    }

    fn ask_mariadb(&self, key_id: u32, version: KeyVersion) -> Result<Option<KeyMaterial>, KeySourceError> {
        match &self.holder {
            Holder::Kmip { mariadb, .. } => {
                let key = mariadb.version(KeyId(key_id), version).map_err(KeySourceError::new)?;
                Ok(key.map(|key| key.material))
            }
            Holder::Versions(keys) => Ok(keys.material(KeyId(key_id), version).map(|key| key.duplicate())),
            Holder::One(key) => Ok(Some(key.duplicate())),
            Holder::Json { .. } | Holder::JsonText(_) => Ok(None),
        }
    }
}

impl MasterKeySource for Keys {
    fn mysql_key(&self, key_id: &str) -> Result<Option<KeyMaterial>, KeySourceError> {
        let mut answers = self.answers();
        if let Some(answer) = answers.mysql.get(key_id) {
            return Ok(answer.as_ref().map(KeyMaterial::duplicate));
        }
        let answer = self.ask_mysql(key_id)?;
        answers.mysql.insert(key_id.to_owned(), answer.as_ref().map(KeyMaterial::duplicate));
        Ok(answer)
    }

    fn mysql_key_ids(&self, prefix: &str) -> Result<Vec<String>, KeySourceError> {
        let keys = match &self.holder {
            Holder::Kmip { mysql, .. } => mysql,
            Holder::Json { keys, .. } | Holder::JsonText(keys) => keys,
            Holder::Versions(_) | Holder::One(_) => return Ok(Vec::new()),
        };
        let all = keys.list().map_err(KeySourceError::new)?.into_iter().map(|key| key.name);
        Ok(all
            .filter(|name| name.owner().is_none() && name.id().starts_with(prefix))
            .map(|name| name.id().to_owned())
            .collect())
    }

    fn mariadb_key(&self, key_id: u32, version: u32) -> Result<Option<KeyMaterial>, KeySourceError> {
        let Some(number) = KeyVersion::new(version) else { return Ok(None) };
        let mut answers = self.answers();
        if let Some(answer) = answers.mariadb.get(&(key_id, version)) {
            return Ok(answer.as_ref().map(KeyMaterial::duplicate));
        }
        let answer = self.ask_mariadb(key_id, number)?;
        answers.mariadb.insert((key_id, version), answer.as_ref().map(KeyMaterial::duplicate));
        Ok(answer)
    }

    fn mariadb_latest_version(&self, key_id: u32) -> Result<Option<u32>, KeySourceError> {
        match &self.holder {
            Holder::Kmip { mariadb, .. } => {
                let keys = mariadb.key(KeyId(key_id)).map_err(KeySourceError::new)?;
                Ok(keys.into_iter().map(|key| key.version.number()).max())
            }
            Holder::Versions(keys) => Ok(keys.latest(KeyId(key_id)).map(KeyVersion::number)),
            Holder::Json { .. } | Holder::JsonText(_) | Holder::One(_) => Ok(None),
        }
    }
}

/// The text of a key file or of `component_keyring_file`'s data, or one key in hexadecimal digits.
fn from_fd(fd: u32) -> Result<Holder, Error> {
    let path = PathBuf::from(format!("/dev/fd/{fd}"));
    let failed = |source| Error::Read { path: path.clone(), source };
    // The whole room at once, because growing would leave copies of keys behind.
    let mut text = Zeroizing::new(Vec::with_capacity(key_file::FILE_BYTES_MAX + 1));
    let file = File::open(&path).map_err(failed)?;
    file.take(FD_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > FD_BYTES_MAX {
        return Err(crate::command::keyfile::Fault::Read(KeyFileError::TooLarge(path)).into());
    }
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() {
        return Err(Fault::NoKeys(path).into());
    }
    if trimmed.starts_with(b"{") {
        let keys = JsonFile::text_to_memory(&path, trimmed).map_err(Error::Keyring)?;
        return Ok(Holder::JsonText(keys.into()));
    }
    if let Some(key) = hexadecimal(trimmed) {
        return Ok(Holder::One(key));
    }
    let lines = key_file::text::parse(&text)
        .map_err(|error| crate::command::keyfile::Fault::Read(KeyFileError::Line(path, error)))?;
    let keys = lines.entries.into_iter().map(|entry| entry.key);
    Ok(Holder::Versions(KeySet::from_keys(keys).map_err(Error::Load)?))
}

/// A key of 16, 24 or 32 bytes.
fn hexadecimal(digits: &[u8]) -> Option<KeyMaterial> {
    if !matches!(digits.len(), 32 | 48 | 64) {
        return None;
    }
    let mut bytes = Zeroizing::new(vec![0; digits.len() / 2]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(KeyMaterial::new(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_key_has_the_length_of_an_aes_key() {
        let bytes = |text: &[u8]| hexadecimal(text).map(|key| key.as_bytes().to_vec());
        assert_eq!(bytes(&[b'a'; 64]), Some(vec![0xAA; 32]));
        assert_eq!(bytes(b"000102030405060708090a0b0C0D0E0F"), Some((0..16).collect()));
        assert_eq!(bytes(&[b'a'; 62]), None);
        assert_eq!(bytes(&[b'x'; 64]), None);
    }
}

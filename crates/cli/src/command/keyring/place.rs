//! A keyring that the command line names, opened.

use std::path::PathBuf;

use strongroom_keyring::backend::{Backend, JsonFile, Kmip, Memory};
use strongroom_keyring::{Description, Key, KeyName, Keyring};

use crate::args::KeyringPlace;
use crate::command::endpoint_session;
use crate::error::Error;
use crate::output::Output;

/// How many keys go into a file at once: few enough to be lost by a kill, many enough for the file not to be written for each.
const AT_ONCE: usize = 500;

/// An opened keyring.
pub(super) enum Place {
    /// On a KMIP server.
    Kmip {
        keyring: Keyring,
        /// Whether names hold the owners.
        owners: bool,
    },
    /// In a file.
    Json(JsonFile),
    /// In a file that is yet to be made.
    NewJson(PathBuf),
}

/// A key that a keyring has and that cannot be moved from or to it, with the reason.
pub(super) struct Unsupported {
    pub(super) name: KeyName,
    pub(super) why: String,
}

impl Place {
    /// A keyring that is there.
    ///
    /// # Errors
    /// [`Error::EndpointDir`], [`Error::Keyring`].
    pub(super) fn open(place: &KeyringPlace, group: Option<&str>, output: Output) -> Result<Self, Error> {
        let (dir, owners) = match place {
            KeyringPlace::Okv(dir) => (dir, true),
            KeyringPlace::Percona(dir) => (dir, false),
            KeyringPlace::Json(path) => {
                return JsonFile::open(path).map(Self::Json).map_err(|error| Error::Keyring(error.into()));
            }
        };
        let session = endpoint_session::session(dir, output)?;
        Ok(Self::Kmip { keyring: Kmip::new(session, group.map(Into::into)).into(), owners })
    }

    /// A keyring that is there, or a file that is yet to be made.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn open_or_new(
        place: &KeyringPlace,
        group: Option<&str>,
        output: Output,
    ) -> Result<Self, Error> {
        match place {
            KeyringPlace::Json(path) if !path.exists() => Ok(Self::NewJson(path.clone())),
            place => Self::open(place, group, output),
        }
    }

    /// Its keys, and those of them that no keyring of ours holds.
    ///
    /// # Errors
    /// [`Error::Keyring`].
    pub(super) fn keys(&self) -> Result<(Vec<Description>, Vec<Unsupported>), Error> {
        match self {
            Self::Kmip { keyring, owners } => {
                let mut keys = keyring.list().map_err(Error::Keyring)?;
                keys.retain(|key| *owners || key.name.owner().is_none());
                Ok((keys, Vec::new()))
            }
            Self::Json(file) => {
                let not_kept = file.not_kept().map_err(|error| Error::Keyring(error.into()))?;
                let not_kept = not_kept.into_iter().map(|key| Unsupported {
                    why: format!("{}, {} bits", key.key_type, key.bytes * 8),
                    name: key.name,
                });
                let mut keys = file.list().map_err(Error::Keyring)?;
                keys.sort_by(|a, b| (a.name.owner(), a.name.id()).cmp(&(b.name.owner(), b.name.id())));
                Ok((keys, not_kept.collect()))
            }
            Self::NewJson(_) => Ok((Vec::new(), Vec::new())),
        }
    }

    /// Why a key cannot be put here.
    pub(super) fn refuses(&self, name: &KeyName) -> Option<String> {
        match (self, name.owner()) {
            (Self::Kmip { owners: false, .. }, Some(_)) => Some("Percona's layout has no owners".to_owned()),
            _ => None,
        }
    }

    /// What answers to many questions about keys.
    ///
    /// # Errors
    /// [`Error::Keyring`].
    pub(super) fn reader(&self) -> Result<Reader<'_>, Error> {
        Ok(match self {
            Self::Kmip { keyring, .. } => Reader::Kmip(keyring),
            Self::Json(file) => Reader::Copy(file.to_memory().map_err(Error::Keyring)?),
            Self::NewJson(_) => Reader::Copy(Memory::new()),
        })
    }

    /// Puts keys here that are not here yet, and says of each bunch how many there were.
    ///
    /// # Errors
    /// What `key` returns; [`Error::Keyring`]. Keys that were put before stay.
    pub(super) fn store(
        &mut self,
        names: &[KeyName],
        mut key: impl FnMut(&KeyName) -> Result<Key, Error>,
        mut done: impl FnMut(usize),
    ) -> Result<(), Error> {
        if let Self::NewJson(path) = self {
            *self = Self::Json(JsonFile::create(path).map_err(|error| Error::Keyring(error.into()))?);
        }
        match self {
            Self::Kmip { keyring, .. } => {
                for name in names {
                    let Key { kind, material } = key(name)?;
                    keyring.store(name, kind, &material).map_err(Error::Keyring)?;
                    done(1);
                }
            }
            Self::Json(file) => {
                for names in names.chunks(AT_ONCE) {
                    let keys = names.iter().map(|name| Ok((name.clone(), key(name)?)));
                    file.register_all(keys.collect::<Result<_, Error>>()?).map_err(Error::Keyring)?;
                    done(names.len());
                }
            }
            Self::NewJson(_) => {}
        }
        Ok(())
    }
}

/// Reads the keys of a keyring.
pub(super) enum Reader<'a> {
    /// Each from the server.
    Kmip(&'a Keyring),
    /// From a copy, made in one go.
    Copy(Memory),
}

impl Reader<'_> {
    /// The key; `None` when the keyring says that there is none.
    ///
    /// # Errors
    /// [`Error::Keyring`].
    pub(super) fn fetch(&self, name: &KeyName) -> Result<Option<Key>, Error> {
        match self {
            Self::Kmip(keyring) => keyring.fetch(name),
            Self::Copy(memory) => memory.fetch(name),
        }
        .map_err(Error::Keyring)
    }
}

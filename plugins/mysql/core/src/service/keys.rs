//! What the server asks of its keyring. Whatever is refused is in the error log with its reason: to the server's callers a refusal is
//! one bit.

use std::fmt;
use std::sync::Arc;

use strongroom_keyring::name::NameError;
use strongroom_keyring::{Error, Key, KeyKind, KeyName};
use strongroom_secret::KeyMaterial;

use super::loaded::{Loaded, Purpose};
use super::{Service, server_uuid};

/// Why something was not done.
#[derive(Debug)]
pub enum Trouble {
    /// No keyring is loaded.
    NotLoaded,
    /// No id was given, or no type, or no bytes where there must be some.
    Incomplete,
    /// The id or the owner is no UTF-8 text, which a KMIP name must be.
    NotText,
    /// There can be no such name.
    Name(NameError),
    /// There is no such key to remove.
    Absent,
    /// The server needs this key to have another length, and would read past its end.
    WrongLength {
        /// How many bytes it has.
        bytes: usize,
        /// How many it must have.
        needed: usize,
    },
    /// The group is to be the server's uuid, which the server has not made yet.
    NoServerUuid,
    /// The keyring's reason.
    Keyring(Error),
}

/// A key as the server names it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its id.
    pub id: Option<&'a [u8]>,
    /// Its owner; none and an empty one are the same.
    pub owner: Option<&'a [u8]>,
}

impl Asked<'_> {
    fn name(self) -> Result<KeyName, Trouble> {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Trouble::NotText);
        let id = text(self.id.ok_or(Trouble::Incomplete)?)?;
        KeyName::new(id, self.owner.map(text).transpose()?).map_err(Trouble::Name)
    }
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.id.unwrap_or_default()))?;
        match self.owner {
            Some(owner) if !owner.is_empty() => write!(f, " of {}", shown(owner)),
            _ => Ok(()),
        }
    }
}

/// How many bytes of an id or owner are shown: SQL users name keys, with as many bytes as a statement may have.
const SHOWN_MAX: usize = 256;

fn shown(text: &[u8]) -> String {
    match text.get(..SHOWN_MAX) {
        Some(front) if front.len() < text.len() => {
            format!("{:?}… ({} bytes)", String::from_utf8_lossy(front), text.len())
        }
        _ => format!("{:?}", String::from_utf8_lossy(text)),
    }
}

impl Service {
    /// The key; `None` when there is none, which is certain.
    ///
    /// # Errors
    /// [`Trouble`], logged.
    pub fn fetch(&self, asked: Asked<'_>) -> Result<Option<Arc<Key>>, Trouble> {
        let result = asked.name().and_then(|name| {
            let loaded = self.loaded().ok_or(Trouble::NotLoaded)?;
            let key = match loaded.memory().in_memory(&name) {
                Some(key) => Some(key),
                None => {
                    let keyring = loaded.keyring(Purpose::Read(&name)).ok_or(Trouble::NoServerUuid)?;
                    loaded.learn(keyring.fetch(&name)).map_err(Trouble::Keyring)?
                }
            };
            if let Some(key) = &key {
                check_length(&name, key.material.len())?;
            }
            Ok(key)
        });
        match result {
            // A name that no key can have is no key's.
            Err(Trouble::NotText | Trouble::Name(_)) => Ok(None),
            Err(trouble) => {
                // The reason was logged when the server was asked, and thousands may ask.
                if !matches!(trouble, Trouble::Keyring(Error::StillAway { .. })) {
                    self.log_failure(format!("key {asked} was not fetched: {trouble}"));
                }
                Err(trouble)
            }
            Ok(key) => Ok(key),
        }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`Trouble`], logged.
    pub fn generate(&self, asked: Asked<'_>, kind: Option<&[u8]>, bytes: usize) -> Result<(), Trouble> {
        self.change(asked, "generated", |loaded, name| {
            let kind = self::kind(kind)?;
            let keyring = loaded.keyring(Purpose::Change(name)).ok_or(Trouble::NoServerUuid)?;
            loaded.learn(keyring.generate(name, kind, bytes)).map_err(Trouble::Keyring)
        })
    }

    /// Keeps a key that was made elsewhere.
    ///
    /// # Errors
    /// [`Trouble`], logged.
    pub fn store(&self, asked: Asked<'_>, kind: Option<&[u8]>, bytes: Option<&[u8]>) -> Result<(), Trouble> {
        self.change(asked, "stored", |loaded, name| {
            let kind = self::kind(kind)?;
            let bytes = bytes.ok_or(Trouble::Incomplete)?;
            kind.check(bytes.len()).map_err(Trouble::Keyring)?;
            let keyring = loaded.keyring(Purpose::Change(name)).ok_or(Trouble::NoServerUuid)?;
            loaded.learn(keyring.store(name, kind, &KeyMaterial::new(bytes))).map_err(Trouble::Keyring)
        })
    }

    /// Destroys a key.
    ///
    /// # Errors
    /// [`Trouble`], logged.
    pub fn remove(&self, asked: Asked<'_>) -> Result<(), Trouble> {
        self.change(asked, "removed", |loaded, name| {
            let keyring = loaded.keyring(Purpose::Change(name)).ok_or(Trouble::NoServerUuid)?;
            match loaded.learn(keyring.remove(name)).map_err(Trouble::Keyring)? {
                true => Ok(()),
                false => Err(Trouble::Absent),
            }
        })
    }

    fn change(
        &self,
        asked: Asked<'_>,
        done: &str,
        change: impl FnOnce(&Loaded, &KeyName) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let result = asked.name().and_then(|name| {
            let loaded = self.loaded().ok_or(Trouble::NotLoaded)?;
            // Whatever becomes of it, what was known of the key may no longer hold.
            loaded.identifiers().remove(&name);
            change(&loaded, &name)
        });
        match &result {
            Ok(()) => {}
            Err(trouble @ (Trouble::Keyring(Error::Exists { .. }) | Trouble::Absent)) => {
                let line = format!("key {asked} was not {done}: {trouble}");
                // The server tries this of its own accord: InnoDB generates keys that may exist and fetches them then. A user who
                // tries it sees NULL, and finds the reason here.
                if asked.owner.is_none_or(<[u8]>::is_empty) {
                    self.log.note(&line);
                } else {
                    self.log.warning(&line);
                }
            }
            Err(trouble) => self.log.error(&format!("key {asked} was not {done}: {trouble}")),
        }
        result
    }

    /// The names of all keys.
    ///
    /// # Errors
    /// [`Trouble`], logged.
    pub fn names(&self) -> Result<Vec<KeyName>, Trouble> {
        let result = self.loaded().ok_or(Trouble::NotLoaded).and_then(|loaded| {
            let keyring = loaded.keyring(Purpose::List).ok_or(Trouble::NoServerUuid)?;
            let names = loaded.learn(keyring.names(usize::MAX)).map_err(Trouble::Keyring)?;
            *loaded.identifiers() = names.iter().cloned().collect();
            Ok(names.into_iter().map(|(name, _)| name).collect())
        });
        if let Err(trouble) = &result {
            self.log.error(&format!("the keys were not listed: {trouble}"));
        }
        result
    }

    /// What the back end calls a key; `None` when there is no such key.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn identifier(&self, asked: Asked<'_>) -> Result<Option<String>, Trouble> {
        let name = asked.name()?;
        let loaded = self.loaded().ok_or(Trouble::NotLoaded)?;
        // Whoever asks for identifiers has usually just listed the keys.
        if let Some(identifier) = loaded.identifiers().get(&name) {
            return Ok(Some(identifier.clone()));
        }
        let keyring = loaded.keyring(Purpose::Read(&name)).ok_or(Trouble::NoServerUuid)?;
        let described = loaded.learn(keyring.describe(&name)).map_err(Trouble::Keyring)?;
        Ok(described.map(|key| key.identifier))
    }
}

/// The kind that a type's name means, in upper or lower case as MySQL's SQL functions take it.
fn kind(text: Option<&[u8]>) -> Result<KeyKind, Trouble> {
    let text = String::from_utf8_lossy(text.ok_or(Trouble::Incomplete)?).to_ascii_uppercase();
    text.parse().map_err(Trouble::Keyring)
}

/// Refuses a key that the server would take for a longer one: it asks for some keys by name and uses as many bytes of what it gets as
/// such a key has, whatever it gets.
fn check_length(name: &KeyName, bytes: usize) -> Result<(), Trouble> {
    match server_uuid::length_of_own_key(name) {
        Some(needed) if needed != bytes => Err(Trouble::WrongLength { bytes, needed }),
        _ => Ok(()),
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoaded => f.write_str(
                "no keyring is loaded; see above in this log for the reason, then ALTER INSTANCE RELOAD KEYRING",
            ),
            Self::Incomplete => f.write_str("id, type or bytes are missing"),
            Self::NotText => f.write_str("id and owner must be UTF-8 text to be names on a key server"),
            Self::Name(error) => error.fmt(f),
            Self::Absent => f.write_str("there is no such key"),
            Self::WrongLength { bytes, needed } => write!(
                f,
                "the key server gave {bytes} bytes where such a key has {needed}; it is not used"
            ),
            Self::NoServerUuid => {
                f.write_str("the group is the server's uuid, and the server has not made one yet")
            }
            Self::Keyring(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Trouble {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever may call the keyring functions would otherwise fill the error log's disk.
    #[test]
    fn an_id_of_any_length_makes_a_short_line() {
        let long = vec![b'x'; 1 << 20];
        let shown = Asked { id: Some(&long), owner: Some(&long) }.to_string();
        assert!(shown.len() < 1000 && shown.contains("(1048576 bytes)"), "{shown}");
        let longest = [b'x'; SHOWN_MAX];
        let whole = Asked { id: Some(&longest), owner: Some(b"root@localhost") }.to_string();
        assert_eq!(whole, format!("{:?} of \"root@localhost\"", "x".repeat(SHOWN_MAX)));
    }
}

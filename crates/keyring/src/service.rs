//! The keyring service: what a database asks of its keyring, whatever the back end.

use strongroom_secret::KeyMaterial;

use crate::backend::Backend;
use crate::error::Error;
use crate::key::{Description, Key, KeyKind};
use crate::name::KeyName;

/// A database's keyring over a back end.
pub struct Keyring {
    backend: Box<dyn Backend>,
}

/// A keyring over this back end.
impl<B: Backend + 'static> From<B> for Keyring {
    fn from(backend: B) -> Self {
        Self { backend: Box::new(backend) }
    }
}

impl Keyring {
    /// Makes a key of `bytes` bytes. They are drawn by the back end; only where it has no generator for secrets, those of a secret are
    /// drawn here.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is a key of this name, which is then unchanged; [`Error::Length`].
    pub fn generate(&self, name: &KeyName, kind: KeyKind, bytes: usize) -> Result<(), Error> {
        kind.check(bytes)?;
        match kind {
            KeyKind::Aes => self.backend.create(name, bytes),
            KeyKind::Secret if bytes == 0 => Err(Error::Length { kind, bytes }),
            KeyKind::Secret => self.backend.create_secret(name, bytes),
        }
    }

    /// Keeps a key that was made elsewhere.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is a key of this name, which is then unchanged; [`Error::Length`].
    pub fn store(&self, name: &KeyName, kind: KeyKind, material: &KeyMaterial) -> Result<(), Error> {
        kind.check(material.len())?;
        self.backend.register(name, kind, material)
    }

    /// The key with its bytes; `None` when the back end says that there is none.
    ///
    /// # Errors
    /// [`Error`]: it is not known whether there is such a key. [`Error::Length`] when what is kept under this name is longer or shorter
    /// than such keys are.
    pub fn fetch(&self, name: &KeyName) -> Result<Option<Key>, Error> {
        let key = self.backend.fetch(name)?;
        if let Some(key) = &key {
            key.kind.check(key.material.len())?;
        }
        Ok(key)
    }

    /// Type and length without the bytes; `None` when the back end says that there is no such key.
    ///
    /// # Errors
    /// [`Error`]: it is not known whether there is such a key.
    pub fn describe(&self, name: &KeyName) -> Result<Option<Description>, Error> {
        self.backend.describe(name)
    }

    /// Destroys a key; `false` when there was none. The name is free again.
    ///
    /// # Errors
    /// [`Error`].
    pub fn remove(&self, name: &KeyName) -> Result<bool, Error> {
        self.backend.remove(name)
    }

    /// Every key, in the order of owner-less names first, then by name.
    ///
    /// # Errors
    /// [`Error`].
    pub fn list(&self) -> Result<Vec<Description>, Error> {
        let mut keys = self.backend.list()?;
        keys.sort_by(|a, b| {
            (a.name.owner(), a.name.id(), &a.identifier).cmp(&(b.name.owner(), b.name.id(), &b.identifier))
        });
        Ok(keys)
    }

    /// The names of up to `limit` keys, each with its identifier in the back end, in the order of [`list`](Self::list). Which ones
    /// they are where there are more is for the back end to choose.
    ///
    /// # Errors
    /// [`Error`].
    pub fn names(&self, limit: usize) -> Result<Vec<(KeyName, String)>, Error> {
        let mut names = self.backend.names(limit)?;
        names.sort_by(|(a, first), (b, second)| (a.owner(), a.id(), first).cmp(&(b.owner(), b.id(), second)));
        Ok(names)
    }
}

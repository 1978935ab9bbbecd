//! Where keys are kept.

mod memory;

use strongroom_secret::KeyMaterial;

use crate::error::Error;
use crate::key::{Description, Key, KeyKind};
use crate::name::KeyName;

pub use memory::Memory;

/// Where keys are kept, by name. Every back end passes the suite in `tests/`.
///
/// The lengths given to [`create`](Self::create) and [`register`](Self::register) have been checked against the kind.
pub trait Backend: Send + Sync {
    /// Makes an AES key of `bytes` bytes, drawn by the back end.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is an object of this name, which is then unchanged.
    fn create(&self, name: &KeyName, bytes: usize) -> Result<(), Error>;

    /// Keeps a key that was made elsewhere.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is an object of this name, which is then unchanged.
    fn register(&self, name: &KeyName, kind: KeyKind, material: &KeyMaterial) -> Result<(), Error>;

    /// The key with its bytes; `None` when the back end says that there is none.
    ///
    /// # Errors
    /// [`Error::Ambiguous`], [`Error::NotReadable`].
    fn fetch(&self, name: &KeyName) -> Result<Option<Key>, Error>;

    /// The key without its bytes; `None` when the back end says that there is none.
    ///
    /// # Errors
    /// [`Error::Ambiguous`], [`Error::NotReadable`].
    fn describe(&self, name: &KeyName) -> Result<Option<Description>, Error>;

    /// Destroys the key; `false` when there was none. The name is free again.
    ///
    /// # Errors
    /// [`Error::Ambiguous`].
    fn remove(&self, name: &KeyName) -> Result<bool, Error>;

    /// Every key of this keyring, in no order. Objects that are neither symmetric keys nor secrets are left out.
    ///
    /// # Errors
    /// [`Error::BackEnd`].
    fn list(&self) -> Result<Vec<Description>, Error>;
}

//! Where keys are kept.

pub mod json_file;
mod kmip;
mod memory;

use aws_lc_rs::rand;
use strongroom_client::{Effect, Session};
use strongroom_kmip::attribute::{Attribute, AttributeKind, Attributes, Name};
use strongroom_kmip::types::{ResultReason, RevocationReasonCode};
use strongroom_secret::KeyMaterial;

use crate::error::Error;
use crate::key::{Description, Key, KeyKind};
use crate::name::KeyName;

pub use json_file::JsonFile;
pub use kmip::Kmip;
pub(crate) use kmip::{is_live, now};
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

    /// Makes a secret of `bytes` bytes, at least one: drawn by the back end where it has a generator for them, else here.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is an object of this name, which is then unchanged.
    fn create_secret(&self, name: &KeyName, bytes: usize) -> Result<(), Error> {
        self.register(name, KeyKind::Secret, &drawn_here(bytes)?)
    }

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

    /// The names of up to `limit` keys of this keyring, each with its identifier in the back end, in no order. Cheaper than
    /// [`list`](Self::list) where the back end does not say how long a key is.
    ///
    /// # Errors
    /// [`Error::BackEnd`].
    fn names(&self, limit: usize) -> Result<Vec<(KeyName, String)>, Error> {
        Ok(self.list()?.into_iter().take(limit).map(|key| (key.name, key.identifier)).collect())
    }
}

/// Random bytes of the system's generator.
fn drawn_here(bytes: usize) -> Result<KeyMaterial, Error> {
    KeyMaterial::try_fill(bytes, rand::fill).map_err(|_| Error::Random)
}

/// Makes an active object: with its Activation Date in the same request or, at servers that do not take one there, by Activate.
pub(crate) fn activated(
    session: &Session,
    identity: Attributes,
    make: impl Fn(&Attributes) -> Result<String, strongroom_client::Error>,
) -> Result<String, strongroom_client::Error> {
    let mut dated = identity.clone();
    dated.push(Attribute::ActivationDate(now()));
    match make(&dated) {
        Err(strongroom_client::Error::Refused { failure, .. })
            if matches!(
                failure.reason,
                ResultReason::InvalidField
                    | ResultReason::FeatureNotSupported
                    | ResultReason::UnsupportedAttribute
                    | ResultReason::InvalidAttribute
            ) =>
        {
            let made = make(&identity)?;
            // A key that stays Pre-Active is as good as any for being fetched, so its activation is not worth failing for.
            let _ = session.activate(&made);
            Ok(made)
        }
        result => result,
    }
}

/// Takes an object out of use and destroys its bytes: Revoke, because an active object cannot be destroyed, then Destroy.
pub(crate) fn dispose(session: &Session, identifier: &str) -> Result<Effect, strongroom_client::Error> {
    match deactivate(session, identifier)? {
        Effect::NoSuchObject => Ok(Effect::NoSuchObject),
        Effect::Done => session.destroy(identifier),
    }
}

/// The same, and the object's name is free again afterwards, even at servers that keep those of destroyed objects: it loses its name
/// before it is destroyed, and gets it back where the server refuses to destroy it. Once it has none, it is destroyed however long
/// the calls before have taken.
pub(crate) fn dispose_with_name(session: &Session, identifier: &str, name: &str) -> Result<Effect, Error> {
    if deactivate(session, identifier)? == Effect::NoSuchObject {
        return Ok(Effect::NoSuchObject);
    }
    match session.delete_attribute(identifier, AttributeKind::Name) {
        Ok(Effect::Done) => session.apart(|session| {
            session.destroy(identifier).map_err(|error| {
                let named = Attribute::Name(Name::text(name));
                let is_refused = matches!(error, strongroom_client::Error::Refused { .. });
                if is_refused && matches!(session.add_attribute(identifier, &named), Ok(Effect::Done)) {
                    return error.into();
                }
                Error::LeftNameless { identifier: identifier.to_owned(), source: Box::new(error) }
            })
        }),
        // A server that takes no name away may still free it with the object.
        Ok(_) | Err(strongroom_client::Error::Refused { .. }) => Ok(session.destroy(identifier)?),
        Err(error) => Err(error.into()),
    }
}

fn deactivate(session: &Session, identifier: &str) -> Result<Effect, strongroom_client::Error> {
    match session.revoke(identifier, RevocationReasonCode::CessationOfOperation) {
        // Revoked already, or never activated: whether it can be destroyed is for the server to say.
        Err(strongroom_client::Error::Refused { .. }) => Ok(Effect::Done),
        result => result,
    }
}

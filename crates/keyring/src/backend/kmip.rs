//! Keys on a KMIP server, under the names of [`crate::name`].

use std::time::{SystemTime, UNIX_EPOCH};

use strongroom_client::{Effect, Session};
use strongroom_kmip::ManagedObject;
use strongroom_kmip::attribute::{Attribute, AttributeKind, Attributes, Name};
use strongroom_kmip::object::KeyBlock;
use strongroom_kmip::ttlv::DateTime;
use strongroom_kmip::types::{
    CryptographicAlgorithm, ObjectType, ResultReason, SecretDataType, State, UsageMask,
};
use strongroom_secret::KeyMaterial;

use super::Backend;
use crate::error::Error;
use crate::key::{Description, Key, KeyKind};
use crate::name::KeyName;

/// Keys on a KMIP server.
pub struct Kmip {
    session: Session,
    group: Option<String>,
}

/// What describes an object.
const DESCRIBING: [AttributeKind; 6] = [
    AttributeKind::Name,
    AttributeKind::ObjectGroup,
    AttributeKind::ObjectType,
    AttributeKind::State,
    AttributeKind::CryptographicAlgorithm,
    AttributeKind::CryptographicLength,
];

impl Kmip {
    /// Keys over this session. With a `group`, new objects are put into that Object Group and no other objects are seen.
    #[must_use]
    pub fn new(session: Session, group: Option<String>) -> Self {
        Self { session, group }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What a new object that is called so is given, beside its algorithm and length.
    fn identity(&self, called: &str, usage: UsageMask) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.push(Attribute::CryptographicUsageMask(usage));
        attributes.push(Attribute::Name(Name::text(called.to_owned())));
        if let Some(group) = &self.group {
            attributes.push(Attribute::ObjectGroup(group.clone()));
        }
        attributes
    }

    /// The objects that are called so, as the server lists them.
    fn listed(&self, called: &str) -> Result<Vec<String>, Error> {
        let mut filter = Attributes::new();
        filter.push(Attribute::Name(Name::text(called.to_owned())));
        if let Some(group) = &self.group {
            filter.push(Attribute::ObjectGroup(group.clone()));
        }
        Ok(self.session.locate(&filter)?)
    }

    /// Those of them that are what was asked for: some servers go on listing what is destroyed, and some pass over what they do not understand of a
    /// question and list objects of other names. A server that does not tell names is believed.
    fn matching(&self, wanted: &str, found: Vec<String>) -> Result<Vec<String>, Error> {
        if found.is_empty() {
            return Ok(found);
        }
        let is_it = |attributes: &Attributes| {
            let mut names = attributes.names().peekable();
            is_live(attributes)
                && self.is_in_group(attributes)
                && (names.peek().is_none() || names.any(|name| name.value == wanted))
        };
        const TELLING: [AttributeKind; 3] =
            [AttributeKind::State, AttributeKind::Name, AttributeKind::ObjectGroup];
        let told = self.session.get_attributes_many(&found, &TELLING)?;
        let matching = found.into_iter().zip(told);
        let mut identifiers = Vec::new();
        for (identifier, told) in matching {
            let Some(told) = told.filter(is_it) else { continue };
            // One that may be another server's is neither used nor destroyed, and not taken for absent.
            if self.group.is_some() && groups(&told).next().is_none() {
                return Err(Error::GroupNotTold { name: wanted.to_owned(), identifier });
            }
            identifiers.push(identifier);
        }
        Ok(identifiers)
    }

    /// Whether an object with these attributes is in the group, where there is one and the server tells groups.
    fn is_in_group(&self, attributes: &Attributes) -> bool {
        let Some(group) = &self.group else { return true };
        let mut groups = groups(attributes).peekable();
        groups.peek().is_none() || groups.any(|one| one == group)
    }

    /// The objects that are this key and are not destroyed.
    fn identifiers(&self, name: &KeyName) -> Result<Vec<String>, Error> {
        let usual = name.in_back_end();
        let found = self.matching(&usual, self.listed(&usual)?)?;
        match &self.group {
            Some(group) if found.is_empty() => {
                let grouped = name.in_group(group);
                self.matching(&grouped, self.listed(&grouped)?)
            }
            _ => Ok(found),
        }
    }

    /// The key that an object's attributes tell.
    fn name_in(&self, attributes: &Attributes) -> Option<KeyName> {
        let name = attributes.name()?;
        Some(match &self.group {
            Some(group) => KeyName::from_group(name, group),
            None => KeyName::from_back_end(name),
        })
    }

    /// The one object that carries this name and is not destroyed.
    fn identifier(&self, name: &KeyName) -> Result<Option<String>, Error> {
        let mut identifiers = self.identifiers(name)?;
        match identifiers.len() {
            0 | 1 => Ok(identifiers.pop()),
            _ => Err(Error::Ambiguous { name: name.in_back_end(), identifiers }),
        }
    }

    /// Makes an object of this name through `make`, if there is none.
    ///
    /// Not every server keeps names unique, and an answer may be lost, so the name is looked up before and after. An object that turns
    /// out to have company was made at the same time as another one: it is taken back, before anybody could use it. `material` are
    /// its bytes, unless the server draws them. All of that has the time of one call: a database holds its keyring's lock meanwhile.
    fn make(
        &self,
        name: &KeyName,
        material: Option<&KeyMaterial>,
        make: impl Fn(&Attributes) -> Result<String, strongroom_client::Error>,
        usage: UsageMask,
    ) -> Result<(), Error> {
        self.session.together(|_| self.look_and_make(name, material, make, usage))
    }

    fn look_and_make(
        &self,
        name: &KeyName,
        material: Option<&KeyMaterial>,
        make: impl Fn(&Attributes) -> Result<String, strongroom_client::Error>,
        usage: UsageMask,
    ) -> Result<(), Error> {
        if !self.identifiers(name)?.is_empty() {
            return Err(Error::Exists { name: name.in_back_end() });
        }
        match (self.make_called(&name.in_back_end(), name, material, &make, usage), &self.group) {
            // Where the key is not in the group, its name may be taken outside it: nobody there is to be in its way.
            (Err(Error::BackEnd(refused @ strongroom_client::Error::Refused { .. })), Some(group)) => {
                match self.make_called(&name.in_group(group), name, material, make, usage) {
                    // Then it was not the name, and the first words were to the point.
                    Err(Error::BackEnd(strongroom_client::Error::Refused { .. })) => Err(refused.into()),
                    result => result,
                }
            }
            (result, _) => result,
        }
    }

    /// Makes an object that is called so, of which there is none.
    fn make_called(
        &self,
        called: &str,
        name: &KeyName,
        material: Option<&KeyMaterial>,
        make: impl Fn(&Attributes) -> Result<String, strongroom_client::Error>,
        usage: UsageMask,
    ) -> Result<(), Error> {
        let exists = || Error::Exists { name: name.in_back_end() };
        match super::activated(&self.session, self.identity(called, usage), make) {
            Ok(made) => {
                let error = match self.identifiers(name) {
                    Ok(found) if found.iter().any(|id| *id != made) => exists(),
                    Err(error @ Error::GroupNotTold { .. }) => error,
                    // Where nobody can be asked any more, the key is made all the same, and a twin would show when it is fetched.
                    _ => return Ok(()),
                };
                self.session.apart(|session| super::dispose(session, &made))?;
                Err(error)
            }
            Err(error @ strongroom_client::Error::OutcomeUnknown { .. }) => {
                // Nothing was there: one that is there now is ours, unless its bytes are others. None may still be on its way, so that
                // only the one who asked can decide.
                match self.identifiers(name) {
                    Ok(found) if found.len() == 1 && self.holds(&found[0], material) => Ok(()),
                    _ => Err(error.into()),
                }
            }
            Err(strongroom_client::Error::Refused { ref failure, .. })
                if self.group.is_none()
                    && matches!(
                        failure.reason,
                        ResultReason::NonUniqueNameAttribute | ResultReason::ObjectAlreadyExists
                    ) =>
            {
                Err(exists())
            }
            Err(error @ strongroom_client::Error::Refused { .. }) => {
                // Older versions have no reason of their own for a name that is taken; and it may be taken in another group, of which
                // the server's words tell more than ours could.
                match self.identifiers(name) {
                    Ok(found) if !found.is_empty() => Err(exists()),
                    _ => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether an object's bytes are these, where it is known which they must be.
    fn holds(&self, identifier: &str, material: Option<&KeyMaterial>) -> bool {
        let Some(material) = material else { return true };
        let object = self.session.get(identifier).ok().flatten();
        object.and_then(key).is_some_and(|key| key.material == *material)
    }
}

impl Backend for Kmip {
    fn create(&self, name: &KeyName, bytes: usize) -> Result<(), Error> {
        let bits = u32::try_from(bytes * 8).map_err(|_| Error::Length { kind: KeyKind::Aes, bytes })?;
        self.make(
            name,
            None,
            |identity| {
                let mut attributes = Attributes::new();
                attributes.push(Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES));
                attributes.push(Attribute::CryptographicLength(bits));
                identity.instances().cloned().for_each(|attribute| attributes.push_instance(attribute));
                self.session.create(&attributes)
            },
            UsageMask::Encrypt | UsageMask::Decrypt,
        )
    }

    fn create_secret(&self, name: &KeyName, bytes: usize) -> Result<(), Error> {
        self.session.together(|session| {
            let material = match session.random(bytes)? {
                Some(drawn) => drawn,
                None => super::drawn_here(bytes)?,
            };
            self.register(name, KeyKind::Secret, &material)
        })
    }

    fn register(&self, name: &KeyName, kind: KeyKind, material: &KeyMaterial) -> Result<(), Error> {
        match kind {
            KeyKind::Aes => self.make(
                name,
                Some(material),
                |identity| {
                    let mut attributes = Attributes::new();
                    attributes.push(Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES));
                    attributes.push(Attribute::CryptographicLength(bits(material)));
                    identity.instances().cloned().for_each(|attribute| attributes.push_instance(attribute));
                    self.session.register(ObjectType::SymmetricKey, &attributes, || {
                        ManagedObject::SymmetricKey(KeyBlock::raw(
                            CryptographicAlgorithm::AES,
                            material.duplicate(),
                        ))
                    })
                },
                UsageMask::Encrypt | UsageMask::Decrypt,
            ),
            KeyKind::Secret => self.make(
                name,
                Some(material),
                |identity| self.session.register(ObjectType::SecretData, identity, || secret_data(material)),
                UsageMask::DeriveKey | UsageMask::Export,
            ),
        }
    }

    fn fetch(&self, name: &KeyName) -> Result<Option<Key>, Error> {
        self.session.together(|session| {
            let Some(identifier) = self.identifier(name)? else { return Ok(None) };
            match session.get(&identifier)? {
                None => Ok(None),
                Some(object) => {
                    key(object).map(Some).ok_or_else(|| Error::NotReadable { name: name.in_back_end() })
                }
            }
        })
    }

    fn describe(&self, name: &KeyName) -> Result<Option<Description>, Error> {
        self.session.together(|session| {
            let Some(identifier) = self.identifier(name)? else { return Ok(None) };
            let Some(attributes) = session.get_attributes(&identifier, &DESCRIBING)? else {
                return Ok(None);
            };
            if !is_live(&attributes) {
                return Ok(None);
            }
            if let Some((kind, bytes)) = kind_and_length(&attributes) {
                return Ok(Some(Description { name: name.clone(), kind, bytes, identifier }));
            }
            // A server that does not say how long a secret is.
            let Some(key) = self.fetch(name)? else { return Ok(None) };
            Ok(Some(Description {
                name: name.clone(),
                kind: key.kind,
                bytes: key.material.len(),
                identifier,
            }))
        })
    }

    fn remove(&self, name: &KeyName) -> Result<bool, Error> {
        self.session.together(|session| match self.identifier(name)? {
            Some(identifier) => {
                Ok(super::dispose_with_name(session, &identifier, &name.in_back_end())? == Effect::Done)
            }
            None => Ok(false),
        })
    }

    fn list(&self) -> Result<Vec<Description>, Error> {
        self.session.together(|_| self.list_all())
    }

    fn names(&self, limit: usize) -> Result<Vec<(KeyName, String)>, Error> {
        const TELLING: [AttributeKind; 4] = [
            AttributeKind::Name,
            AttributeKind::ObjectGroup,
            AttributeKind::ObjectType,
            AttributeKind::State,
        ];
        self.session.together(|session| {
            let mut identifiers = self.every_identifier()?;
            identifiers.truncate(limit);
            let attributes = session.get_attributes_many(&identifiers, &TELLING)?;
            let keys = self.keys_among(identifiers, attributes)?;
            Ok(keys.into_iter().map(|(name, identifier, _)| (name, identifier)).collect())
        })
    }
}

impl Kmip {
    /// The identifiers of all objects that this keyring sees.
    fn every_identifier(&self) -> Result<Vec<String>, Error> {
        let mut filter = Attributes::new();
        if let Some(group) = &self.group {
            filter.push(Attribute::ObjectGroup(group.clone()));
        }
        Ok(self.session.locate(&filter)?)
    }

    /// Those of the objects that are keys of this keyring, each with its name.
    ///
    /// A server that tells no groups at all has listed everybody's: none of them is taken for ours.
    fn keys_among(
        &self,
        identifiers: Vec<String>,
        attributes: Vec<Option<Attributes>>,
    ) -> Result<Vec<(KeyName, String, Attributes)>, Error> {
        let mut keys = Vec::with_capacity(identifiers.len());
        let (mut tells_groups, mut without_group) = (false, None);
        for (identifier, attributes) in identifiers.into_iter().zip(attributes) {
            let Some(attributes) = attributes else { continue };
            let is_told = groups(&attributes).next().is_some();
            tells_groups |= is_told;
            if !(is_live(&attributes) && may_be_kept(&attributes) && self.is_in_group(&attributes)) {
                continue;
            }
            let Some(name) = self.name_in(&attributes) else { continue };
            if self.group.is_some() && !is_told {
                without_group.get_or_insert((name, identifier));
            } else {
                keys.push((name, identifier, attributes));
            }
        }
        match without_group {
            Some((name, identifier)) if !tells_groups => {
                Err(Error::GroupNotTold { name: name.in_back_end(), identifier })
            }
            _ => Ok(keys),
        }
    }

    fn list_all(&self) -> Result<Vec<Description>, Error> {
        let identifiers = self.every_identifier()?;
        let attributes = self.session.get_attributes_many(&identifiers, &DESCRIBING)?;
        let mut keys = Vec::with_capacity(identifiers.len());
        for (name, identifier, attributes) in self.keys_among(identifiers, attributes)? {
            let described = match kind_and_length(&attributes) {
                Some(described) => Some(described),
                None => {
                    self.session.get(&identifier)?.and_then(key).map(|key| (key.kind, key.material.len()))
                }
            };
            if let Some((kind, bytes)) = described {
                keys.push(Description { name, kind, bytes, identifier });
            }
        }
        Ok(keys)
    }
}

/// The groups that an object is in.
fn groups(attributes: &Attributes) -> impl Iterator<Item = &String> {
    attributes.instances().filter_map(|instance| match &instance.attribute {
        Attribute::ObjectGroup(group) => Some(group),
        _ => None,
    })
}

/// Whether an object with these attributes still has its bytes. A state that the server does not give is no reason to doubt it.
pub(crate) fn is_live(attributes: &Attributes) -> bool {
    !matches!(attributes.state(), Some(State::Destroyed | State::DestroyedCompromised))
}

/// Seconds since the epoch.
pub(crate) fn now() -> DateTime {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DateTime(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn may_be_kept(attributes: &Attributes) -> bool {
    matches!(attributes.object_type(), Some(ObjectType::SymmetricKey | ObjectType::SecretData))
}

fn kind_and_length(attributes: &Attributes) -> Option<(KeyKind, usize)> {
    let kind = match attributes.object_type()? {
        ObjectType::SymmetricKey => KeyKind::Aes,
        ObjectType::SecretData => KeyKind::Secret,
        _ => return None,
    };
    let bits = attributes.cryptographic_length().filter(|bits| *bits > 0)?;
    Some((kind, usize::try_from(bits / 8).ok()?))
}

fn key(object: ManagedObject) -> Option<Key> {
    let (kind, block) = match object {
        ManagedObject::SymmetricKey(block) => (KeyKind::Aes, block),
        ManagedObject::SecretData { key_block, .. } => (KeyKind::Secret, key_block),
        _ => return None,
    };
    if block.wrapping.is_some() {
        return None;
    }
    block.into_material().map(|material| Key { kind, material })
}

/// Secret Data as Percona's component registers it: a password in raw form, without algorithm and length.
fn secret_data(material: &KeyMaterial) -> ManagedObject {
    let mut key_block = KeyBlock::raw(CryptographicAlgorithm::AES, material.duplicate());
    (key_block.algorithm, key_block.length) = (None, None);
    ManagedObject::SecretData { kind: SecretDataType::Password, key_block }
}

fn bits(material: &KeyMaterial) -> u32 {
    u32::try_from(material.len().saturating_mul(8)).unwrap_or(u32::MAX)
}

//! The bytes of versions, and what is made of those that cannot be used.

use std::time::Duration;

use strongroom_client::error::Step;
use strongroom_client::session::{AnswerFault, ServerHealth};
use strongroom_kmip::ManagedObject;

use super::{
    KeyFault, KeyId, KeyServer, KeyServerState, KeyVersion, KmipVersions, LoadError, Loaded, OnLoss,
    Unusable, VersionDescription, VersionedKey, VersionedKeys, could_not_ask, is_usable_length,
};

impl VersionedKeys for KmipVersions {
    fn load(&self) -> Result<Vec<VersionedKey>, LoadError> {
        self.session.together(|_| {
            let found = self.list()?;
            self.believe_all(&found)?;
            let loaded = self.fetch(found)?;
            match loaded.unusable.into_iter().next() {
                Some(unusable) => Err(unusable.into()),
                None => Ok(loaded.keys),
            }
        })
    }

    fn load_usable(&self) -> Result<Loaded, LoadError> {
        self.session.together(|_| {
            let found = self.list_all()?;
            self.take_note(&found);
            self.fetch(found)
        })
    }

    fn patience(&self) -> Duration {
        self.session.options().total
    }

    fn servers(&self) -> Vec<KeyServer> {
        self.session.health().into_iter().map(key_server).collect()
    }

    fn on_loss(&self) -> OnLoss {
        OnLoss::KeepAndGoOn
    }

    fn key(&self, id: KeyId) -> Result<Vec<VersionedKey>, LoadError> {
        self.session.together(|_| {
            let Loaded { keys, unusable } = self.fetch(self.find(id)?)?;
            let latest = keys.iter().map(|key| key.version).max();
            match unusable.into_iter().find(|unusable| Some(unusable.version) > latest) {
                Some(unusable) => Err(unusable.into()),
                None => Ok(keys),
            }
        })
    }

    fn version(&self, id: KeyId, version: KeyVersion) -> Result<Option<VersionedKey>, LoadError> {
        self.session.together(|_| match self.named(id, version)?.first() {
            Some(found) => self.fetch_one(found),
            None => Ok(None),
        })
    }
}

impl KmipVersions {
    /// The bytes of these versions, in batches. Where several objects have one name, none of them is fetched.
    fn fetch(&self, found: Vec<VersionDescription>) -> Result<Loaded, LoadError> {
        let (found, mut unusable) = self.apart(found);
        let identifiers: Vec<_> = found.iter().map(|key| key.identifier.clone()).collect();
        let objects = self.session.get_each(&identifiers).map_err(could_not_ask)?;
        let mut keys = Vec::with_capacity(found.len());
        for (key, object) in found.iter().zip(objects) {
            let usable = match object {
                Ok(Some(object)) => self.versioned(key, object),
                Ok(None) => Err(self.unusable(key, KeyFault::Vanished)),
                Err(error) => Err(self.unusable(key, fault_of(error)?)),
            };
            match usable {
                Ok(key) => keys.push(key),
                Err(fault) => unusable.push(fault),
            }
        }
        Ok(Loaded { keys, unusable })
    }

    /// In order, and without those of which it is not known which object is meant.
    fn apart(&self, mut found: Vec<VersionDescription>) -> (Vec<VersionDescription>, Vec<Unusable>) {
        found.sort_by_key(|key| (key.id, key.version));
        let (mut single, mut ambiguous) = (Vec::with_capacity(found.len()), Vec::new());
        for same in found.chunk_by(|one, other| (one.id, one.version) == (other.id, other.version)) {
            match same {
                [only] => single.push(only.clone()),
                _ => ambiguous.push(self.unusable(&same[0], KeyFault::Ambiguous)),
            }
        }
        (single, ambiguous)
    }

    pub(super) fn fetch_one(&self, found: &VersionDescription) -> Result<Option<VersionedKey>, LoadError> {
        match self.session.get(&found.identifier).map_err(could_not_ask)? {
            Some(object) => Ok(Some(self.versioned(found, object)?)),
            None => Ok(None),
        }
    }

    fn versioned(&self, key: &VersionDescription, object: ManagedObject) -> Result<VersionedKey, Unusable> {
        let material = match object {
            ManagedObject::SymmetricKey(block) if block.wrapping.is_none() => block.into_material(),
            _ => None,
        };
        let material = material.ok_or_else(|| self.unusable(key, KeyFault::NotRaw))?;
        if !is_usable_length(material.len()) {
            return Err(self.unusable(key, KeyFault::Length(material.len())));
        }
        Ok(VersionedKey { id: key.id, version: key.version, material })
    }

    fn unusable(&self, key: &VersionDescription, fault: KeyFault) -> Unusable {
        Unusable { id: key.id, version: key.version, name: self.name(key.id, key.version), fault }
    }
}

fn key_server(health: ServerHealth) -> KeyServer {
    let state = match health {
        ServerHealth { is_failing: true, .. } => KeyServerState::Away,
        ServerHealth { is_in_use: true, .. } => KeyServerState::InUse,
        ServerHealth { last_answer: Some(_), .. } => KeyServerState::Standby,
        _ => KeyServerState::NotTried,
    };
    let step = |step| match step {
        Step::Name => "name",
        Step::Tcp => "TCP",
        Step::Tls => "TLS",
        Step::Kmip => "KMIP",
    };
    KeyServer {
        address: health.server.to_string(),
        state,
        last_answer: health.last_answer,
        round_trip: health.round_trip,
        last_failure: health
            .last_failure
            .map(|(at, failure)| (at, step(failure.step), failure.cause.to_string())),
    }
}

/// What is wrong with one object, where the error is about it and not about the server.
fn fault_of(error: strongroom_client::Error) -> Result<KeyFault, LoadError> {
    match error {
        strongroom_client::Error::Refused { failure, .. } => {
            Ok(KeyFault::Withheld(failure.reason.to_string()))
        }
        strongroom_client::Error::Answer {
            fault: AnswerFault::KeyLength { declared_bits, bytes }, ..
        } => Ok(KeyFault::LengthMismatch { declared_bits, bytes }),
        other => Err(could_not_ask(other)),
    }
}

//! What is made of an answer about all keys: the keys to serve from now on, and what is not as it should be.
//!
//! Two rules come before everything. What has been served is served for ever, because InnoDB does not survive the loss of a key or
//! a version. And no version is served as the latest one of its key while a later one is known to be there, because data may have
//! been written with that one.

use strongroom_key_versions::versions::{
    KeyId, KeySet, KeyVersion, LoadError, Loaded, OnLoss, Refused, Unusable, VersionedKeys,
};

/// An answer that can be served.
#[derive(Debug)]
pub(super) struct Offer {
    /// The keys to serve.
    pub(super) keys: KeySet,
    /// What is not as it should be, in words for the administrator.
    pub(super) flaws: Vec<String>,
    /// What was left out.
    pub(super) unusable: Vec<Unusable>,
}

/// Asks for all keys and judges the answer by what is `held`, which is nothing at the start.
pub(super) fn ask(source: &dyn VersionedKeys, held: &KeySet) -> Result<Offer, LoadError> {
    let Loaded { keys, unusable } = source.load_usable()?;
    let offered = KeySet::from_keys(keys)?;
    // An answer without any key is that of a server which is not the one it was, whatever the source's rule.
    if source.on_loss() == OnLoss::RefuseAll || (offered.is_empty() && unusable.is_empty()) {
        let keys = KeySet::merge(held, offered).map_err(|refused| match source.place(&refused) {
            Some(place) => LoadError::RefusedAt(refused, place),
            None => LoadError::Refused(refused),
        })?;
        return Ok(Offer { keys, flaws: Vec::new(), unusable });
    }
    let (mut keys, lost) = KeySet::keep(held, offered);
    let mut flaws = Vec::new();
    for flaw in &unusable {
        let Unusable { id, version, .. } = *flaw;
        let consequence = match keys.latest(id) {
            _ if held.material(id, version).is_some() => "it is served from memory".to_owned(),
            Some(latest) if version < latest => "it is left out".to_owned(),
            Some(latest) if held.latest(id).is_some() => {
                format!("version {latest} stays the latest of key {id}")
            }
            _ => {
                keys = keys.without(id);
                format!("key {id} is not served, because data may have been written with this version")
            }
        };
        flaws.push(format!("{}; {consequence}", LoadError::from(flaw.clone())));
    }
    let is_told = |id: KeyId, version: KeyVersion| {
        unusable.iter().any(|unusable| (unusable.id, unusable.version) == (id, version))
    };
    flaws.extend(lost.iter().filter_map(|lost| match lost {
        Refused::VersionDropped(id, version) if is_told(*id, *version) => None,
        Refused::LatestLowered { id, served, .. } if is_told(*id, *served) => None,
        Refused::KeyDropped(id) if unusable.iter().any(|unusable| unusable.id == *id) => None,
        Refused::VersionDropped(..) => {
            Some(format!("{}; it is served from memory, and lost with the next restart", lost.loss()))
        }
        _ => Some(lost.to_string()),
    }));
    Ok(Offer { keys, flaws, unusable })
}

//! Keys over KMIP, each step through a connection of its own.

use std::path::{Path, PathBuf};

use strongroom_client::{Endpoint, Options, Session};
use strongroom_keyring::backend::Kmip;
use strongroom_keyring::versions::{DEFAULT_STEP, KeyId, KmipVersions, VersionedKeys};
use strongroom_keyring::{KeyKind, KeyName, Keyring};

use crate::command::list;
use crate::error::Error;
use crate::output::Steps;

/// The key that each run makes and removes.
const DEMO: &str = "quickstart";
/// Bytes of it.
const DEMO_BYTES: usize = 32;
/// MariaDB's system key, which it encrypts its logs and, unless told otherwise, its tables with.
const SYSTEM_KEY: KeyId = KeyId(1);
/// Its length in bits.
const SYSTEM_KEY_BITS: u32 = 256;

/// The keys of the private MariaDB.
pub(super) struct MariadbKeys {
    conf: PathBuf,
}

impl MariadbKeys {
    /// Makes a new version of the system key and returns it.
    ///
    /// # Errors
    /// [`Error::Versions`]
    pub(super) fn rotate(&self) -> Result<u32, Error> {
        let version = self.versions()?.rotate(SYSTEM_KEY, DEFAULT_STEP).map_err(Error::Versions)?;
        Ok(version.number())
    }

    fn versions(&self) -> Result<KmipVersions, Error> {
        Ok(KmipVersions::new(session(&self.conf)?))
    }
}

/// Generates, fetches, rotates, lists and removes.
///
/// # Errors
/// The first step that does not hold.
pub(super) fn run(conf: &Path, steps: &mut Steps) -> Result<MariadbKeys, Error> {
    let keyring = || Ok::<_, Error>(Keyring::from(Kmip::new(session(conf)?, None)));
    let name = KeyName::new(DEMO, None).map_err(Error::KeyName)?;

    steps.run("Generated a key", || {
        let keyring = keyring()?;
        // Left of a run that was ended before it could remove it.
        keyring.remove(&name).map_err(Error::Keyring)?;
        keyring.generate(&name, KeyKind::Aes, DEMO_BYTES).map_err(Error::Keyring)?;
        Ok(((), format!("AES-{}, drawn inside the vault, named {DEMO:?}", DEMO_BYTES * 8)))
    })?;

    steps.run("Fetched it twice", || {
        let fetch = || {
            let key = keyring()?.fetch(&name).map_err(Error::Keyring)?;
            key.ok_or_else(|| Error::NotHeld { what: format!("key {name} is gone") })
        };
        let (one, two) = (fetch()?, fetch()?);
        held(
            one.material.len() == DEMO_BYTES && one.material == two.material,
            "the two are not the same key",
        )?;
        Ok(((), format!("the same {DEMO_BYTES} bytes over two connections")))
    })?;

    let keys = MariadbKeys { conf: conf.to_path_buf() };
    steps.run("Rotated a key", || rotate(&keys))?;

    steps.run("Listed what this endpoint may see", || {
        let rows = list::rows(&session(conf)?)?;
        let names: Vec<&str> = rows.iter().filter_map(|row| row.identifier.as_deref()).collect();
        held(names.contains(&DEMO) && names.contains(&"mariadb/1/1"), "a key that was made is not listed")?;
        Ok(((), format!("{} objects, the new ones among them", rows.len())))
    })?;

    steps.run("Removed the first key", || {
        let keyring = keyring()?;
        held(keyring.remove(&name).map_err(Error::Keyring)?, "it was gone already")?;
        held(keyring.fetch(&name).map_err(Error::Keyring)?.is_none(), "it can still be fetched")?;
        Ok(((), "revoked and destroyed; nobody can fetch it any more".to_owned()))
    })?;
    Ok(keys)
}

/// A new version of MariaDB's system key, which is made in the first run; older versions stay as they are.
fn rotate(keys: &MariadbKeys) -> Result<((), String), Error> {
    let versions = keys.versions()?;
    if versions.key(SYSTEM_KEY).map_err(Error::Load)?.is_empty() {
        versions.add(SYSTEM_KEY, SYSTEM_KEY_BITS).map_err(Error::Versions)?;
    }
    let before = versions.key(SYSTEM_KEY).map_err(Error::Load)?;
    let new = keys.rotate()?;
    let after = keys.versions()?.key(SYSTEM_KEY).map_err(Error::Load)?;
    held(after.len() == before.len() + 1, "there is not one version more than before")?;
    for old in &before {
        let kept = after.iter().any(|key| key.version == old.version && key.material == old.material);
        held(kept, "an older version is gone or was changed")?;
    }
    let latest = after.iter().find(|key| key.version.number() == new);
    let fresh = latest.is_some_and(|new| before.iter().all(|old| old.material != new.material));
    held(fresh, "the new version has the bytes of an old one")?;
    let old: Vec<String> = before.iter().map(|key| key.version.to_string()).collect();
    Ok(((), format!("MariaDB's key 1 is at version {new}; {} still there, unchanged", old.join(", "))))
}

fn session(conf: &Path) -> Result<Session, Error> {
    let endpoint = Endpoint::open(conf).map_err(Error::EndpointDir)?;
    Session::connect(&endpoint, Options::default()).map_err(Error::Client)
}

fn held(held: bool, otherwise: &str) -> Result<(), Error> {
    if held { Ok(()) } else { Err(Error::NotHeld { what: otherwise.to_owned() }) }
}

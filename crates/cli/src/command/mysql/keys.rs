//! A server's master keys: in its keyring, and in the vault.

use strongroom_keyring::backend::Kmip;
use strongroom_keyring::{Key, KeyName, Keyring};
use strongroom_kmip::attribute::AttributeKind;
use strongroom_kmip::types::{RevocationReasonCode, State};
use strongroom_tablespace::mysql::information::MASTER_KEY_PREFIX;

use super::Fault;
use super::account::Account;
use super::configuration::Vault;
use crate::error::Error;

/// The name of a server's master key.
pub(super) fn key_id(uuid: &str, number: u32) -> String {
    format!("{MASTER_KEY_PREFIX}{uuid}-{number}")
}

/// The number of one of the server's master keys.
fn number(key_id: &str, uuid: &str) -> Option<u32> {
    let text = key_id.strip_prefix(MASTER_KEY_PREFIX)?.strip_prefix(uuid)?.strip_prefix('-')?;
    text.parse().ok().filter(|&number| self::key_id(uuid, number) == key_id)
}

/// The numbers of the master keys that the server's keyring has, ascending.
///
/// # Errors
/// [`Fault::Sql`].
pub(super) fn in_keyring(account: &mut Account, uuid: &str) -> Result<Vec<u32>, Error> {
    let ids: Vec<(String,)> = account.rows(
        "SELECT CAST(KEY_ID AS CHAR) FROM performance_schema.keyring_keys WHERE KEY_OWNER IS NULL OR KEY_OWNER = ''",
    )?;
    let mut numbers: Vec<u32> = ids.iter().filter_map(|(id,)| number(id, uuid)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// A master key in the vault.
pub(super) struct MasterKey {
    /// Its number.
    pub(super) number: u32,
    /// Its name.
    pub(super) name: KeyName,
    /// Its Unique Identifier.
    pub(super) identifier: String,
    /// Its state, where the vault tells it.
    pub(super) state: Option<State>,
}

/// The master keys in a vault.
pub(super) struct VaultKeys {
    keyring: Keyring,
    vault: Vault,
}

impl VaultKeys {
    /// The keys of this vault.
    ///
    /// # Errors
    /// [`Error::Client`].
    pub(super) fn new(vault: Vault) -> Result<Self, Error> {
        let keyring = Kmip::new(vault.session()?, vault.group.clone()).into();
        Ok(Self { keyring, vault })
    }

    /// Where the endpoint is described.
    pub(super) fn place(&self) -> &str {
        &self.vault.place
    }

    /// The server's master keys, ascending.
    ///
    /// # Errors
    /// [`Error::Keyring`], [`Error::Client`].
    pub(super) fn of(&self, uuid: &str) -> Result<Vec<MasterKey>, Error> {
        let mut keys: Vec<MasterKey> = self
            .keyring
            .list()
            .map_err(Error::Keyring)?
            .into_iter()
            .filter(|key| key.name.owner().is_none())
            .filter_map(|key| {
                let number = number(key.name.id(), uuid)?;
                Some(MasterKey { number, name: key.name, identifier: key.identifier, state: None })
            })
            .collect();
        let identifiers: Vec<String> = keys.iter().map(|key| key.identifier.clone()).collect();
        let attributes = self
            .vault
            .session()?
            .get_attributes_many(&identifiers, &[AttributeKind::State])
            .map_err(Error::Client)?;
        for (key, attributes) in keys.iter_mut().zip(attributes) {
            key.state = attributes.and_then(|attributes| attributes.state());
        }
        keys.sort_by_key(|key| key.number);
        Ok(keys)
    }

    /// Deactivates a key (Revoke, Superseded), and proves that it can still be fetched.
    ///
    /// # Errors
    /// [`Error::Client`], [`Error::Keyring`], [`Fault::Lost`].
    pub(super) fn retire(&self, key: &MasterKey) -> Result<(), Error> {
        let before = self.fetch(key)?;
        self.vault
            .session()?
            .revoke(&key.identifier, RevocationReasonCode::Superseded)
            .map_err(Error::Client)?;
        let after = self.fetch(key)?;
        if after.is_some() && after == before {
            Ok(())
        } else {
            Err(Fault::Lost(key.name.id().to_owned()).into())
        }
    }

    fn fetch(&self, key: &MasterKey) -> Result<Option<Key>, Error> {
        self.keyring.fetch(&key.name).map_err(Error::Keyring)
    }
}

/// Whether a key in this state can be deactivated.
pub(super) fn can_be_retired(state: Option<State>) -> bool {
    matches!(state, None | Some(State::Active | State::PreActive))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_master_keys_are_told_from_all_others() {
        let uuid = "00000000-0000-0000-0000-00000000000a";
        assert_eq!(number(&key_id(uuid, 7), uuid), Some(7));
        for other in [
            "INNODBKey-00000000-0000-0000-0000-00000000000b-7",
            "INNODBKey-00000000-0000-0000-0000-00000000000a-07",
            "INNODBKey-00000000-0000-0000-0000-00000000000a-",
            "INNODBKey-1-7",
            "MySQLReplicationKey_00000000-0000-0000-0000-00000000000a_7",
        ] {
            assert_eq!(number(other, uuid), None, "{other}");
        }
    }
}

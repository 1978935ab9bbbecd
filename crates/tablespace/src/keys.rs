//! Where master keys come from. Whoever has a keyring implements [`MasterKeySource`]; this crate opens no connection and
//! reads no key file.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use strongroom_secret::KeyMaterial;

/// The keys of a database server, as its keyring names them.
///
/// "Absent" is an answer (`Ok(None)`), and not being able to ask is an error: nothing may take one for the other.
/// A source that holds keys of one server only leaves the other server's methods as they are: it has none of those keys.
pub trait MasterKeySource: Send + Sync {
    /// A key of MySQL's keyring, by its key id, such as `INNODBKey-<server uuid>-<number>` or
    /// `MySQLReplicationKey_<server uuid>_<number>`. These keys have no owner.
    ///
    /// # Errors
    /// [`KeySourceError`] when the keyring could not be asked.
    fn mysql_key(&self, key_id: &str) -> Result<Option<KeyMaterial>, KeySourceError> {
        let _ = key_id;
        Ok(None)
    }

    /// The ids of all keys of MySQL's keyring that have no owner and begin with `prefix`, in any order.
    ///
    /// # Errors
    /// [`KeySourceError`] when the keyring could not be asked.
    fn mysql_key_ids(&self, prefix: &str) -> Result<Vec<String>, KeySourceError> {
        let _ = prefix;
        Ok(Vec::new())
    }

    /// A version of a key of MariaDB.
    ///
    /// # Errors
    /// [`KeySourceError`] when the keyring could not be asked.
    fn mariadb_key(&self, key_id: u32, version: u32) -> Result<Option<KeyMaterial>, KeySourceError> {
        let _ = (key_id, version);
        Ok(None)
    }

    /// The highest version of a key of MariaDB.
    ///
    /// # Errors
    /// [`KeySourceError`] when the keyring could not be asked.
    fn mariadb_latest_version(&self, key_id: u32) -> Result<Option<u32>, KeySourceError> {
        let _ = key_id;
        Ok(None)
    }
}

/// A keyring could not be asked. This says nothing about what keys it has.
#[derive(Debug)]
pub struct KeySourceError(Box<dyn Error + Send + Sync>);

impl KeySourceError {
    /// Wraps what went wrong.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for KeySourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the keyring could not be asked: {}", self.0)
    }
}

impl Error for KeySourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// Keys held in memory: for tests, for an application that fetched its keys by itself, and for keys passed to a command
/// on an open file.
#[derive(Debug, Default)]
pub struct KeysInMemory {
    mysql: BTreeMap<String, KeyMaterial>,
    mariadb: BTreeMap<(u32, u32), KeyMaterial>,
}

impl KeysInMemory {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key of MySQL's keyring. A key with the same id is replaced.
    #[must_use]
    pub fn with_mysql_key(mut self, key_id: impl Into<String>, key: KeyMaterial) -> Self {
        self.mysql.insert(key_id.into(), key);
        self
    }

    /// Adds a version of a key of MariaDB. The same version is replaced.
    #[must_use]
    pub fn with_mariadb_key(mut self, key_id: u32, version: u32, key: KeyMaterial) -> Self {
        self.mariadb.insert((key_id, version), key);
        self
    }
}

impl MasterKeySource for KeysInMemory {
    fn mysql_key(&self, key_id: &str) -> Result<Option<KeyMaterial>, KeySourceError> {
        Ok(self.mysql.get(key_id).map(KeyMaterial::duplicate))
    }

    fn mysql_key_ids(&self, prefix: &str) -> Result<Vec<String>, KeySourceError> {
        Ok(self.mysql.keys().filter(|id| id.starts_with(prefix)).cloned().collect())
    }

    fn mariadb_key(&self, key_id: u32, version: u32) -> Result<Option<KeyMaterial>, KeySourceError> {
        Ok(self.mariadb.get(&(key_id, version)).map(KeyMaterial::duplicate))
    }

    fn mariadb_latest_version(&self, key_id: u32) -> Result<Option<u32>, KeySourceError> {
        Ok(self.mariadb.range((key_id, 0)..=(key_id, u32::MAX)).next_back().map(|((_, version), _)| *version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_version_is_the_highest_of_its_own_key() {
        let keys = KeysInMemory::new()
            .with_mariadb_key(1, 3, KeyMaterial::new(&[1; 16]))
            .with_mariadb_key(1, 10, KeyMaterial::new(&[2; 16]))
            .with_mariadb_key(2, 99, KeyMaterial::new(&[3; 16]));
        assert_eq!(keys.mariadb_latest_version(1).expect("memory answers"), Some(10));
        assert_eq!(keys.mariadb_latest_version(3).expect("memory answers"), None);
    }

    #[test]
    fn key_ids_are_listed_by_prefix() {
        let keys = KeysInMemory::new()
            .with_mysql_key("INNODBKey-a-1", KeyMaterial::new(&[1; 32]))
            .with_mysql_key("MySQLReplicationKey_a_1", KeyMaterial::new(&[2; 32]));
        assert_eq!(keys.mysql_key_ids("INNODBKey-").expect("memory answers"), ["INNODBKey-a-1"]);
    }
}

//! From a configuration to keys being served, and the faults on the way in the words of the server's own plugin.

use std::ffi::c_uint;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strongroom_key_versions::key_file::{Derivation, FileKey, KeyFile, KeyFileError, Location};
use strongroom_key_versions::versions::LoadError;
use strongroom_mariadb_core::crypt::Algorithm;
use strongroom_mariadb_core::keys::service::StartError;
use strongroom_mariadb_core::served::{self, BeginError};
use strongroom_mariadb_core::server::{Log, ServerVersion, log_error, server_version};

/// What the system variables say.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Where the keys are; `None` when it was not set.
    pub(crate) location: Option<Location>,
    /// What opens an encrypted file.
    pub(crate) file_key: FileKey,
    /// How.
    pub(crate) derivation: Derivation,
    /// What data is encrypted with.
    pub(crate) algorithm: Algorithm,
}

/// The file whose keys are being served.
static FILE: Mutex<Option<Arc<KeyFile>>> = Mutex::new(None);

/// Reads the file and begins to serve; if that fails, the error log has been told and the answer is `false`.
pub(crate) fn begin(log: Log, configuration: Configuration) -> bool {
    let Configuration { location, file_key, derivation, algorithm } = configuration;
    let file = Arc::new(KeyFile::new(location, file_key, derivation));
    match served::begin(log, Box::new(Arc::clone(&file)), None, algorithm, None) {
        Ok(()) => {
            *slot() = Some(file);
            true
        }
        Err(BeginError::Start(StartError::Load(LoadError::KeyFile(error)))) => {
            let (number, message) = words(&error, server_version());
            log_error(log, number, &message);
            false
        }
        Err(error) => {
            log.error(&format!("not started: {error}"));
            false
        }
    }
}

/// Forgets every key.
pub(crate) fn end() {
    // Taken out first: nothing is closed while the lock is held.
    let file = slot().take();
    drop(file);
    served::end();
}

/// The file whose keys are being served; `None` when none are.
pub(crate) fn file() -> Option<Arc<KeyFile>> {
    slot().clone()
}

fn slot() -> MutexGuard<'static, Option<Arc<KeyFile>>> {
    FILE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Numbers of the server's errors about files.
const EE_READ: c_uint = 2;
const EE_CANT_OPEN_STREAM: c_uint = 15;
const EE_FILENOTFOUND: c_uint = 29;

/// The first series that says it in the words of today; in 11.4 and before, two messages were others.
const NEW_WORDS: (u32, u32) = (11, 5);

/// Number and text of a fault, as the plugin of that server has them.
fn words(error: &KeyFileError, server: Option<ServerVersion>) -> (c_uint, String) {
    let is_old = server.is_some_and(|version| version.series() < NEW_WORDS);
    match error {
        KeyFileError::NoName => (EE_CANT_OPEN_STREAM, error.to_string()),
        KeyFileError::NotFound(..) => (EE_FILENOTFOUND, error.to_string()),
        KeyFileError::TooLarge(path) if is_old => {
            (EE_READ, format!("Error reading file '{}' (Errcode: 27 \"File too large\")", path.display()))
        }
        KeyFileError::SecretTooLong(path) if is_old => (
            EE_READ,
            format!("Cannot read {}, the filekey is too long, max secret size is 256B ", path.display()),
        ),
        _ => (EE_READ, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_messages_have_the_words_of_their_series() {
        let large = KeyFileError::TooLarge("/keys".into());
        let long = KeyFileError::SecretTooLong("/secret".into());
        for old in ["10.6.23", "10.11.19", "11.4.5"] {
            let said = |error| words(error, ServerVersion::parse(old)).1;
            assert_eq!(said(&large), "Error reading file '/keys' (Errcode: 27 \"File too large\")", "{old}");
            assert_eq!(
                said(&long),
                "Cannot read /secret, the filekey is too long, max secret size is 256B ",
                "{old}"
            );
        }
        for new in ["11.8.6", "12.0.1", "12.3.0"] {
            let said = |error| words(error, ServerVersion::parse(new)).1;
            assert_eq!(said(&large), "File /keys too large, must be less than 1048576 bytes", "{new}");
            assert_eq!(
                said(&long),
                "Cannot read /secret, the filekey is too long, max secret size is 256 bytes",
                "{new}"
            );
        }
    }
}

//! Where a key file is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::KeyFileError;

/// What a value begins with to name a credential.
const CREDENTIAL: &[u8] = b"CREDENTIAL:";

/// Where a key file is: `file_key_management_filename`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A path: a file, a named pipe, or a Unix socket from which the keys are read until its end.
    Path(PathBuf),
    /// A credential that systemd gave to the process, by name (`LoadCredential=`, `LoadCredentialEncrypted=`).
    Credential(String),
}

impl Location {
    /// Reads the variable's value: `CREDENTIAL:` and a name, or a path. `None` when it is empty.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.is_empty() {
            return None;
        }
        let name = value.strip_prefix(CREDENTIAL).map(String::from_utf8_lossy);
        // A name is one step of a path; anything else is a path that happens to begin like this.
        match name.filter(|name| !name.is_empty() && !name.contains('/') && name != "..") {
            Some(name) => Some(Self::Credential(name.into_owned())),
            None => Some(Self::Path(PathBuf::from(OsStr::from_bytes(value)))),
        }
    }

    /// The path to read. `credentials` is what systemd says of the directory: `CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// [`KeyFileError::NoCredentials`].
    pub fn path(&self, credentials: Option<&OsStr>) -> Result<PathBuf, KeyFileError> {
        match (self, credentials) {
            (Self::Path(path), _) => Ok(path.clone()),
            (Self::Credential(name), Some(folder)) => Ok(Path::new(folder).join(name)),
            (Self::Credential(name), None) => Err(KeyFileError::NoCredentials(name.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_found_in_the_directory_that_systemd_names() {
        let location = Location::parse(b"CREDENTIAL:keys").unwrap();
        assert_eq!(location.path(Some(OsStr::new("/run/c"))).unwrap(), Path::new("/run/c/keys"));
        assert!(matches!(location.path(None), Err(KeyFileError::NoCredentials(_))));
    }

    #[test]
    fn everything_else_is_a_path() {
        assert_eq!(Location::parse(b""), None);
        for path in
            ["/etc/keys", "keys", "CREDENTIAL:", "CREDENTIAL:../keys", "CREDENTIAL:..", "credential:x"]
        {
            assert_eq!(Location::parse(path.as_bytes()), Some(Location::Path(path.into())), "{path}");
        }
    }
}

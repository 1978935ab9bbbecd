//! Why a key file was not read or changed: what happened, then, after a semicolon, what to do.

use std::fmt;
use std::path::PathBuf;

use strongroom_keyring::key_file::text::{LineError, LineFault};
use strongroom_keyring::key_file::{AppendError, KeyFileError};
use strongroom_keyring::versions::{KeyId, KeyVersion};

use crate::exit::Exit;

/// Why a key file was not read or changed. No message holds a byte of a key or of a secret.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It cannot be read.
    Read(KeyFileError),
    /// It cannot be changed.
    Change(AppendError),
    /// It is encrypted, and nobody can be asked for the secret.
    NoSecret(PathBuf),
    /// A file is to be encrypted, and nobody can be asked for the secret.
    NoSecretForNew,
    /// The secret for a file that is to be encrypted is empty.
    EmptySecret,
    /// It is encrypted already.
    Sealed(PathBuf),
    /// It is not encrypted.
    Plain(PathBuf),
    /// It has no such key.
    NoSuchKey(PathBuf, KeyId),
    /// It has the key already.
    Exists {
        /// The file.
        path: PathBuf,
        /// The key.
        id: KeyId,
        /// Its latest version.
        latest: KeyVersion,
    },
    /// There are no version numbers left.
    VersionsExhausted(KeyId),
    /// What was encrypted does not come out again.
    NotReadBack,
    /// A running server uses versions that it does not have; one sentence for each.
    InUse(Vec<String>),
}

impl Fault {
    /// The exit code. A file whose lines are wrong is as useless to a server as one that does not open.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Read(error) | Self::Change(AppendError::File(error)) => match error {
                KeyFileError::WrongKey(_) | KeyFileError::Line(..) => Exit::Integrity,
                _ => Exit::Failed,
            },
            Self::NotReadBack => Exit::Integrity,
            Self::NoSuchKey(..) => Exit::NotFound,
            Self::Change(_)
            | Self::NoSecret(_)
            | Self::NoSecretForNew
            | Self::EmptySecret
            | Self::Sealed(_)
            | Self::Plain(_)
            | Self::Exists { .. }
            | Self::VersionsExhausted(_)
            | Self::InUse(_) => Exit::Failed,
        }
    }
}

/// What to do about a file that cannot be read; the library's own words say it for the others.
fn remedy(error: &KeyFileError) -> Option<&'static str> {
    Some(match error {
        KeyFileError::NotFound(..) => "check the path, and the owner and mode of it and of the folders above",
        KeyFileError::NotReadable(..) => "check the path and the device",
        KeyFileError::TooLarge(_) => "take out what is no key",
        KeyFileError::SecretTooLong(_) => "name the file of the secret, not another",
        KeyFileError::NoSecret(_) => "put the secret into it, in one line",
        KeyFileError::WrongKey(_) => "check the secret, --digest and --use-pbkdf2",
        KeyFileError::NotEncrypted(_) => "leave out --filekey and --password-fd, or encrypt the file",
        KeyFileError::Line(_, LineError { fault: LineFault::NoSystemKey, .. }) => {
            "add it: strongroom keyfile add FILE --key-id 1"
        }
        KeyFileError::Line(..) => {
            "correct the line: a server takes all lines or none (an encrypted file that opens with a wrong secret looks \
             like this, too)"
        }
        _ => return None,
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) | Self::Change(AppendError::File(error)) => match remedy(error) {
                Some(remedy) => write!(f, "{error}; {remedy}"),
                None => error.fmt(f),
            },
            Self::Change(error) => error.fmt(f),
            Self::NoSecret(path) => write!(
                f,
                "{} is encrypted and there is no terminal to ask on; use --filekey or --password-fd",
                path.display()
            ),
            Self::NoSecretForNew => {
                f.write_str("there is no terminal to ask for a secret on; use --filekey or --password-fd")
            }
            Self::EmptySecret => {
                f.write_str("the secret is empty; a server takes that for none, so choose one")
            }
            Self::Sealed(path) => {
                write!(f, "{} is encrypted already; decrypt it first to change its secret", path.display())
            }
            Self::Plain(path) => write!(f, "{} is not encrypted; there is nothing to do", path.display()),
            Self::NoSuchKey(path, id) => write!(
                f,
                "there is no key {id} in {}; add it: strongroom keyfile add FILE --key-id {id}",
                path.display()
            ),
            Self::Exists { path, id, latest } => write!(
                f,
                "{} has key {id} already, at version {latest}; for a new version: strongroom keyfile rotate FILE \
                 --key-id {id}",
                path.display()
            ),
            Self::VersionsExhausted(id) => {
                write!(
                    f,
                    "key {id} has no version numbers left; use a smaller --step, or move its tables to a new key"
                )
            }
            Self::InUse(missing) => {
                write!(f, "{}; put the lines back, from a backup of the file if need be", missing.join(", "))
            }
            Self::NotReadBack => f.write_str(
                "what was encrypted does not come out again, and was not written; test this machine's memory",
            ),
        }
    }
}

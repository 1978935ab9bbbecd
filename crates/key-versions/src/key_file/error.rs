//! Why a key file cannot be read.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::FILE_BYTES_MAX;
use super::file_key::SECRET_BYTES_MAX;
use super::text::LineError;

/// Why a key file cannot be read. No message holds a byte of a key or of a secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// No file was named.
    NoName,
    /// The file, or that of its secret, cannot be opened.
    NotFound(PathBuf, io::Error),
    /// The file, or that of its secret, cannot be read.
    NotReadable(PathBuf, io::Error),
    /// The file has more than [`FILE_BYTES_MAX`] bytes.
    TooLarge(PathBuf),
    /// The file of the secret has more than [`SECRET_BYTES_MAX`] bytes.
    SecretTooLong(PathBuf),
    /// The file of the secret is empty.
    NoSecret(PathBuf),
    /// The secret does not open the file.
    WrongKey(PathBuf),
    /// There is a secret, and the file is not encrypted.
    NotEncrypted(PathBuf),
    /// A line is wrong.
    Line(PathBuf, LineError),
    /// A named pipe into which nobody writes, when it is read again.
    NoWriter(PathBuf),
    /// A credential was named, and the process was given none.
    NoCredentials(String),
}

impl KeyFileError {
    /// What the system says of an error, as MariaDB shows it: the number and its text.
    pub(super) fn errcode(error: &io::Error) -> String {
        let text = error.to_string();
        match error.raw_os_error() {
            Some(number) => {
                let plain = text.split(" (os error").next().unwrap_or_default();
                format!("(Errcode: {number} \"{plain}\")")
            }
            None => format!("({text})"),
        }
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("file-key-management-filename is not set"),
            Self::NotFound(path, error) => {
                write!(f, "File '{}' not found {}", path.display(), Self::errcode(error))
            }
            Self::NotReadable(path, error) => {
                write!(f, "Error reading file '{}' {}", path.display(), Self::errcode(error))
            }
            Self::TooLarge(path) => {
                write!(f, "File {} too large, must be less than {FILE_BYTES_MAX} bytes", path.display())
            }
            Self::SecretTooLong(path) => write!(
                f,
                "Cannot read {}, the filekey is too long, max secret size is {SECRET_BYTES_MAX} bytes",
                path.display()
            ),
            Self::NoSecret(path) => {
                write!(f, "Error reading file '{}': it is empty", path.display())
            }
            Self::WrongKey(path) => write!(f, "Cannot decrypt {}. Wrong key?", path.display()),
            Self::NotEncrypted(path) => write!(f, "Cannot decrypt {}. Not encrypted", path.display()),
            Self::Line(path, LineError { fault, line, column }) => {
                write!(f, "{fault} at {} line {line}, column {column}", path.display())
            }
            Self::NoWriter(path) => write!(
                f,
                "{} is a named pipe and nobody writes to it; write the keys to it while they are being reloaded",
                path.display()
            ),
            Self::NoCredentials(name) => write!(
                f,
                "there is no credential {name:?}: CREDENTIALS_DIRECTORY is not set; add LoadCredential={name}:PATH to the \
                 server's systemd unit"
            ),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotFound(_, error) | Self::NotReadable(_, error) => Some(error),
            _ => None,
        }
    }
}

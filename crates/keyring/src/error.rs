//! Why a keyring operation was not done.

use std::fmt;
use std::time::Duration;

use crate::backend::json_file::JsonFileError;
use crate::key::KeyKind;

/// Why a keyring operation was not done. That a key is absent is an answer, and not among these.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The back end could not be asked, or refused, or it is not known what became of a change.
    BackEnd(strongroom_client::Error),
    /// The file of keys cannot be read or changed.
    File(JsonFileError),
    /// There is a key of this name already; nothing was changed.
    Exists {
        /// The key's name in the back end.
        name: String,
    },
    /// Several objects have this name, and it is not known which is meant.
    Ambiguous {
        /// The name in the back end.
        name: String,
        /// Their unique identifiers.
        identifiers: Vec<String>,
    },
    /// An object of this name is there, and the server does not say of which group it is.
    GroupNotTold {
        /// The name in the back end.
        name: String,
        /// The object's unique identifier.
        identifier: String,
    },
    /// Keys of this type are not kept. Holds the type's name as it was asked for.
    TypeNotKept(String),
    /// Keys of this type cannot have this length.
    Length {
        /// The type.
        kind: KeyKind,
        /// The length asked for, in bytes.
        bytes: usize,
    },
    /// The object exists, and is no key or secret in the clear.
    NotReadable {
        /// The name in the back end.
        name: String,
    },
    /// The key has lost its name, so that it is found no more, and then its object was not destroyed.
    LeftNameless {
        /// The object's unique identifier.
        identifier: String,
        /// Why it was not destroyed.
        source: Box<strongroom_client::Error>,
    },
    /// The back end did not answer a moment ago, and is left alone for a while, so that nobody waits for it again and again.
    StillAway {
        /// How long it is left alone from now on.
        left: Duration,
    },
    /// The system's random generator failed.
    Random,
}

impl From<strongroom_client::Error> for Error {
    fn from(error: strongroom_client::Error) -> Self {
        Self::BackEnd(error)
    }
}

impl From<JsonFileError> for Error {
    fn from(error: JsonFileError) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackEnd(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
            Self::Exists { name } => {
                write!(f, "a key named {name:?} exists already; remove it first, or choose another id")
            }
            Self::Ambiguous { name, identifiers } => write!(
                f,
                "{} objects are named {name:?} ({}); destroy those that were never used",
                identifiers.len(),
                identifiers.join(", ")
            ),
            Self::GroupNotTold { name, identifier } => write!(
                f,
                "the key server does not say in which Object Group the object {identifier} named {name:?} is, so that it may be another \
                 database's; where the server has no groups, give each database an account of its own and configure no group"
            ),
            Self::TypeNotKept(kind) => write!(f, "keys of type {kind:?} are not kept; AES and SECRET are"),
            Self::Length { kind: KeyKind::Aes, bytes } => {
                write!(f, "an AES key cannot have {bytes} bytes; 16, 24 and 32 are possible")
            }
            Self::Length { kind: KeyKind::Secret, bytes: 0 } => {
                f.write_str("a secret of no bytes can be stored, and not generated")
            }
            Self::Length { kind: KeyKind::Secret, bytes } => {
                write!(
                    f,
                    "a secret cannot have {bytes} bytes; up to {} are possible",
                    crate::key::MAX_SECRET_BYTES
                )
            }
            Self::NotReadable { name } => {
                write!(f, "the object named {name:?} is not a key or secret in the clear")
            }
            Self::LeftNameless { identifier, source } => write!(
                f,
                "the key is out of use and has no name any more, but its object {identifier} was not destroyed; destroy it at the \
                 key server ({source})"
            ),
            Self::StillAway { left } => write!(
                f,
                "the key server did not answer a moment ago, and is asked again in {:.1} s",
                left.as_secs_f64()
            ),
            Self::Random => f.write_str("the system's random generator failed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::BackEnd(error) => Some(error),
            Self::LeftNameless { source, .. } => Some(source),
            Self::File(error) => Some(error),
            _ => None,
        }
    }
}

//! Why a JSON file of keys is not read or changed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::key_file::AppendError;
use crate::name::NameError;

/// A JSON file of keys that cannot be read or changed. No message holds a byte of a key.
#[derive(Debug)]
pub struct JsonFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub fault: JsonFault,
}

/// What is wrong with the file. Elements are counted from 1.
#[derive(Debug)]
#[non_exhaustive]
pub enum JsonFault {
    /// The system refused a step.
    System {
        /// What was tried.
        step: &'static str,
        /// Its answer.
        error: io::Error,
    },
    /// It cannot be locked or replaced.
    Change(AppendError),
    /// It is no regular file.
    NotRegular,
    /// It has more than [`FILE_BYTES_MAX`](super::FILE_BYTES_MAX) bytes.
    TooLarge,
    /// The server's backup file is beside it: a change was not finished, and only the server knows which of the two holds.
    Unfinished,
    /// It is not the JSON of `component_keyring_file`.
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Its format has another version. Holds the version.
    Version(String),
    /// A key's bytes are not written in pairs of hexadecimal digits.
    Hex {
        /// The element.
        element: usize,
    },
    /// A key cannot have its name.
    Name {
        /// The element.
        element: usize,
        /// What is wrong with the name.
        fault: NameError,
    },
    /// Two keys have the same id and owner.
    Twice {
        /// The second one.
        element: usize,
        /// The first one.
        first: usize,
    },
}

impl JsonFileError {
    pub(super) fn new(path: &Path, fault: JsonFault) -> Self {
        Self { path: path.to_path_buf(), fault }
    }

    /// Whether the file was read and is not what it should be, as against not being there to be read.
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        matches!(
            self.fault,
            JsonFault::Syntax { .. }
                | JsonFault::Version(_)
                | JsonFault::Hex { .. }
                | JsonFault::Name { .. }
                | JsonFault::Twice { .. }
        )
    }
}

impl fmt::Display for JsonFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.fault {
            JsonFault::System { step, error } => {
                write!(f, "cannot {step} {path}: {error}; check the path, its owner and its mode")
            }
            JsonFault::Change(error) => error.fmt(f),
            JsonFault::NotRegular => write!(f, "{path} is not a regular file"),
            JsonFault::TooLarge => {
                write!(f, "{path} has more than {} MiB", super::FILE_BYTES_MAX >> 20)
            }
            JsonFault::Unfinished => write!(
                f,
                "the server has not finished a change of {path}, whose .backup is beside it; start the server once and \
                 stop it again"
            ),
            JsonFault::Syntax { line, column } => write!(
                f,
                "{path} is not a data file of component_keyring_file (line {line}, column {column}); name the file that \
                 \"path\" in component_keyring_file.cnf names"
            ),
            JsonFault::Version(version) => {
                write!(f, "{path} has format version {version:?}, and \"1.0\" is the one that is known")
            }
            JsonFault::Hex { element } => {
                write!(f, "{path}: the bytes of element {element} are not hexadecimal")
            }
            JsonFault::Name { element, fault } => write!(f, "{path}: element {element}: {fault}"),
            JsonFault::Twice { element, first } => {
                write!(f, "{path}: elements {first} and {element} have the same id and owner")
            }
        }
    }
}

impl std::error::Error for JsonFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            JsonFault::System { error, .. } => Some(error),
            JsonFault::Change(error) => Some(error),
            JsonFault::Name { fault, .. } => Some(fault),
            _ => None,
        }
    }
}

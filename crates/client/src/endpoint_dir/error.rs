//! Why an endpoint directory cannot be used: the file, and what is wrong with it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::okvclient::OkvClientError;
use crate::error::IoFault;
use crate::key_file::KeyFileError;

/// Why an endpoint directory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointDirError {
    /// The file or directory at fault.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a file of an endpoint directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It cannot be read.
    Unreadable(IoFault),
    /// It is a file where a directory is needed, or the other way round.
    WrongKind,
    /// It is larger than any such file is, in bytes.
    TooLarge(u64),
    /// Others may read it, and it is secret. Holds its mode.
    ReadableByOthers(u32),
    /// Others may write to it, and so replace what is in it. Holds its mode.
    WritableByOthers(u32),
    /// The list of servers is not usable.
    Servers(OkvClientError),
    /// There is no certificate in it.
    NoCertificate,
    /// A certificate in it is damaged.
    BadCertificate,
    /// The private key cannot be opened.
    Key(KeyFileError),
}

/// What is not as it should be, yet no reason to refuse the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The directory's mode is looser than 0750.
    LooseDirectory {
        /// The directory.
        path: PathBuf,
        /// Its mode: the lowest nine bits.
        mode: u32,
    },
}

impl EndpointDirError {
    pub(super) fn new(path: &Path, fault: Fault) -> Self {
        Self { path: path.into(), fault }
    }
}

impl Fault {
    pub(super) fn io(kind: io::ErrorKind) -> Self {
        Self::Unreadable(IoFault { kind, errno: None })
    }
}

impl fmt::Display for EndpointDirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.fault)
    }
}

impl std::error::Error for EndpointDirError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(IoFault { kind: io::ErrorKind::NotFound, .. }) => {
                f.write_str("not found; enrol this host (strongroom enroll), or name the right directory")
            }
            Self::Unreadable(IoFault { kind: io::ErrorKind::PermissionDenied, .. }) => f.write_str(
                "permission denied; let the user that runs this read it (chown, or chgrp and chmod g+r)",
            ),
            Self::Unreadable(fault) => fault.fmt(f),
            Self::WrongKind => {
                f.write_str("a file where a directory is needed, or a directory where a file is")
            }
            Self::TooLarge(bytes) => write!(f, "{bytes} bytes are too many for such a file"),
            Self::ReadableByOthers(mode) => {
                write!(
                    f,
                    "mode {mode:04o} lets everyone read it; chmod o-rwx it, and replace the key if others used this host"
                )
            }
            Self::WritableByOthers(mode) => {
                write!(
                    f,
                    "mode {mode:04o} lets everyone write to it; chmod o-w it, and check that nothing in it was replaced"
                )
            }
            Self::Servers(fault) => fault.fmt(f),
            Self::NoCertificate => f.write_str("no certificate in PEM form is in it"),
            Self::BadCertificate => f.write_str("a certificate in it is damaged; copy it again"),
            Self::Key(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LooseDirectory { path, mode } => write!(
                f,
                "{}: mode {mode:04o} is looser than 0750; tighten it: chmod 0750 {0}",
                path.display()
            ),
        }
    }
}

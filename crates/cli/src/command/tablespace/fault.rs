//! Why nothing was done with tablespaces: what happened, then, after a semicolon, what to do.

use std::error::Error as _;
use std::fmt;
use std::path::PathBuf;

use strongroom_keyring::Error as KeyringError;
use strongroom_keyring::versions::LoadError;
use strongroom_tablespace::disk::in_use::InUse;
use strongroom_tablespace::file::{FileFault, Refusal};
use strongroom_tablespace::journal::JournalError;
use strongroom_tablespace::mysql::UnlockError;
use strongroom_tablespace::mysql::binlog::BinlogError;
use strongroom_tablespace::page::{Fault as Bad, PageFault};
use strongroom_tablespace::rekey::RekeyError;
use strongroom_tablespace::rotate::{HeadFault, RedoFault, RotateError};
use strongroom_tablespace::{CodecError, KeySourceError, OpenError};

use crate::error;
use crate::exit::Exit;

/// Why nothing was done with tablespaces.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There is no file of InnoDB.
    Nothing,
    /// A server has a file open.
    InUse(InUse),
    /// A file.
    File(PathBuf, FileFault),
    /// The data directory was not left in a state to change it in.
    Redo(RedoFault),
    /// A rotation.
    Rotate(RotateError),
    /// New tablespace keys.
    Rekey(RekeyError),
    /// The journal of a change that was interrupted.
    Journal(JournalError),
    /// The keys that were named are not for this.
    Keys(Refusal),
    /// A descriptor gives no key. Holds its path.
    NoKeys(PathBuf),
    /// The keyring takes no new keys of MySQL.
    CannotMake,
    /// It is not known which server's master key is meant. Holds the servers that there are.
    WhichServer(Vec<String>),
    /// What was given is no uuid.
    NotAUuid(String),
    /// The keyring has no master key of a server. Holds its uuid.
    NoMasterKey(String),
    /// All numbers of master keys are used up.
    NumbersExhausted,
    /// A data directory is MariaDB's.
    MariaDbDirectory(PathBuf),
    /// There was something in the way in files: how many, of how many, and the exit code of the worst.
    Several {
        /// Files with which something is wrong.
        bad: usize,
        /// All files.
        files: usize,
        /// The exit code.
        exit: Exit,
    },
}

impl Fault {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Nothing | Self::NoMasterKey(_) => Exit::NotFound,
            Self::NotAUuid(_) | Self::WhichServer(_) | Self::Keys(_) => Exit::Usage,
            Self::InUse(_)
            | Self::NoKeys(_)
            | Self::CannotMake
            | Self::NumbersExhausted
            | Self::MariaDbDirectory(_) => Exit::Failed,
            Self::File(_, fault) => file_exit(fault),
            Self::Redo(_) => Exit::Failed,
            Self::Journal(error) => journal_exit(error),
            Self::Rotate(error) => rotate_exit(error),
            Self::Rekey(error) => match error {
                RekeyError::File(_, fault) | RekeyError::Interrupted(_, fault) => file_exit(fault),
                RekeyError::Journal(error) => journal_exit(error),
                RekeyError::OtherChange => Exit::Usage,
                RekeyError::Foreign(_) => Exit::Integrity,
            },
            Self::Several { exit, .. } => *exit,
        }
    }
}

fn rotate_exit(error: &RotateError) -> Exit {
    match error {
        RotateError::Head(_, fault) => match fault {
            HeadFault::Damaged(_)
            | HeadFault::Information(_)
            | HeadFault::NotReadBack
            | HeadFault::Foreign => Exit::Integrity,
            HeadFault::Unlock(error) => unlock_exit(error),
            _ => Exit::Failed,
        },
        RotateError::Keys(error) => source_exit(error),
        RotateError::KeyGone(_) => Exit::NotFound,
        RotateError::Journal(error) => journal_exit(error),
        RotateError::OtherChange => Exit::Usage,
        RotateError::Uuid => Exit::Integrity,
        RotateError::Write(..) | RotateError::Changed(_) | RotateError::Sync(_) => Exit::Failed,
    }
}

fn journal_exit(error: &JournalError) -> Exit {
    match error {
        JournalError::Damaged(..) => Exit::Integrity,
        JournalError::Unfinished(_) | JournalError::Io(..) => Exit::Failed,
    }
}

/// The exit code for one file.
pub(super) fn file_exit(fault: &FileFault) -> Exit {
    match fault {
        FileFault::Open(OpenError::Unlock(error)) | FileFault::Unlock(error) => unlock_exit(error),
        FileFault::Open(OpenError::Damaged(_) | OpenError::Information(_))
        | FileFault::Information(_)
        | FileFault::Head(_)
        | FileFault::HeadLost
        | FileFault::Redo(_)
        | FileFault::Binlog(_)
        | FileFault::Transfer(_) => Exit::Integrity,
        FileFault::Pages(faults) => pages_exit(faults),
        FileFault::Codec(CodecError::Source(error)) | FileFault::Keys(error) => source_exit(error),
        FileFault::Codec(CodecError::KeyAbsent { .. }) | FileFault::KeyAbsent(_) => Exit::NotFound,
        FileFault::BinlogKey(error) => match error {
            BinlogError::Absent { .. } => Exit::NotFound,
            BinlogError::Source(error) => source_exit(error),
            _ => Exit::Integrity,
        },
        _ => Exit::Failed,
    }
}

/// A key that is not there is not found; anything else is damage.
pub(super) fn pages_exit(faults: &[PageFault]) -> Exit {
    match faults.iter().all(|fault| matches!(fault.fault, Bad::KeyAbsent { .. })) {
        true => Exit::NotFound,
        false => Exit::Integrity,
    }
}

fn unlock_exit(error: &UnlockError) -> Exit {
    match error {
        UnlockError::Absent { .. } => Exit::NotFound,
        UnlockError::WrongMasterKey { .. } | UnlockError::Length { .. } => Exit::Integrity,
        UnlockError::Source(error) => source_exit(error),
        _ => Exit::Failed,
    }
}

/// What the keyring's own error would end with.
fn source_exit(error: &KeySourceError) -> Exit {
    let Some(cause) = error.source() else { return Exit::Failed };
    if let Some(error) = cause.downcast_ref::<KeyringError>() {
        error::keyring_exit(error)
    } else if let Some(error) = cause.downcast_ref::<LoadError>() {
        error::load_exit(error)
    } else {
        Exit::Failed
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("there is no file of InnoDB; name tablespaces or a data directory"),
            Self::InUse(InUse { path, pid }) => {
                write!(f, "{} is open in another process", path.display())?;
                if let Some(pid) = pid {
                    write!(f, " ({pid})")?;
                }
                f.write_str(
                    "; shut the server down first, or use --consistent-copy for a snapshot that no server will write to",
                )
            }
            Self::File(path, fault) => {
                write!(f, "{}: {fault}", path.display())?;
                match fault {
                    FileFault::Pages(_) => f.write_str("; nothing was written: strongroom tablespace verify names every bad page"),
                    FileFault::Open(OpenError::Unlock(UnlockError::Absent { .. })) | FileFault::KeyAbsent(_) => {
                        f.write_str("; name the keyring of the server that the file is from")
                    }
                    FileFault::Write(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                        f.write_str("; name another file, or move this one away")
                    }
                    _ => Ok(()),
                }
            }
            Self::Redo(fault) => fault.fmt(f),
            Self::Rotate(error) => error.fmt(f),
            Self::Rekey(error) => error.fmt(f),
            Self::Journal(error) => error.fmt(f),
            Self::Keys(refusal) => refusal.fmt(f),
            Self::NoKeys(path) => write!(f, "{} gives no key; write a key file or a key into it", path.display()),
            Self::CannotMake => f.write_str(
                "this source of keys takes no new master key of MySQL; use okv:DIR or json:FILE, as the server does",
            ),
            Self::WhichServer(servers) if servers.is_empty() => {
                f.write_str("neither the files nor the keyring tell whose master keys are meant; use --server-uuid")
            }
            Self::WhichServer(servers) => {
                write!(f, "there are master keys of several servers ({}); use --server-uuid", servers.join(", "))
            }
            Self::NotAUuid(text) => write!(f, "{text} is no uuid; SELECT @@server_uuid tells a server's"),
            Self::NoMasterKey(uuid) => write!(
                f,
                "the keyring has no master key of server {uuid}; a server makes one when it encrypts its first table, or with \
                 ALTER INSTANCE ROTATE INNODB MASTER KEY"
            ),
            Self::NumbersExhausted => f.write_str("there are no numbers of master keys left; start a new keyring"),
            Self::MariaDbDirectory(path) => write!(
                f,
                "{} is a data directory of MariaDB, which wraps no tablespace keys: there is nothing to rotate; rekey moves \
                 pages to a newer version of their key",
                path.display()
            ),
            Self::Several { bad, files, .. } => {
                write!(f, "something is wrong with {bad} of {files} files; the lines above say what")
            }
        }
    }
}

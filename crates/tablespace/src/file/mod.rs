//! One tablespace file, from the outside: what it is, whether it is good, and the same file encrypted, decrypted or encrypted
//! anew.
//!
//! | module | what it does |
//! |---|---|
//! | [`source`] | opens a file and tells what it is |
//! | [`count`] | its pages, by what they are |
//! | [`verify`] | decrypts and checks every page |
//! | [`convert`] | writes another file from it |
//! | [`mariadb`] | the same for MariaDB's files |
//! | [`transfer`] | transfer files of MySQL |
//! | [`logs`] | redo and binary logs, decrypted |

pub mod convert;
pub mod count;
pub mod logs;
pub mod mariadb;
pub mod source;
pub mod transfer;
pub mod verify;

use std::fmt;
use std::io;

use crate::codec::CodecError;
use crate::keys::KeySourceError;
use crate::mariadb::CryptDataFault;
use crate::mysql::binlog::{BinlogError, BinlogFault};
use crate::mysql::redo::RedoFault;
use crate::mysql::transfer::TransferFault;
use crate::mysql::{InformationFault, UnlockError};
use crate::page::{Fault, PageFault};
use crate::run::pipeline::Stopped;
use crate::tablespace::{DetectError, OpenError};

pub use count::Counts;
pub use source::Source;

/// Why nothing was done with a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileFault {
    /// It cannot be read.
    Read(io::Error),
    /// The result cannot be written.
    Write(io::Error),
    /// It is no tablespace.
    Detect(DetectError),
    /// Its key cannot be had.
    Open(OpenError),
    /// The key of a file that is no tablespace cannot be had.
    Unlock(UnlockError),
    /// Its encryption information makes no sense.
    Information(InformationFault),
    /// Its crypt data makes no sense (MariaDB).
    CryptData(CryptDataFault),
    /// Page 0 is zeros, and later pages are not.
    HeadLost,
    /// Page 0 is damaged.
    Head(Fault),
    /// These pages are bad. Nothing was written.
    Pages(Vec<PageFault>),
    /// Pages cannot be worked on.
    Codec(CodecError),
    /// It is a redo log, and damaged.
    Redo(RedoFault),
    /// It is a binary log, and its header is damaged.
    Binlog(BinlogFault),
    /// It is a binary log, and its key cannot be had.
    BinlogKey(BinlogError),
    /// The transfer file is none.
    Transfer(TransferFault),
    /// The keyring could not be asked.
    Keys(KeySourceError),
    /// The keyring does not have a key. Holds its name.
    KeyAbsent(String),
    /// It is not for this verb.
    Refused(Refusal),
    /// The system's random generator failed.
    Random,
}

/// Why a file is not for a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not encrypted.
    Plain,
    /// It is encrypted already.
    Encrypted,
    /// A server was interrupted while it encrypted or decrypted it.
    HalfDone,
    /// It is MariaDB's.
    MariaDb,
    /// It is MySQL's.
    MySql,
    /// It belongs to the system tablespace, or is one of undo logs, which are not moved alone.
    System,
    /// It is the first of several files of a system tablespace, which have one key.
    SeveralFiles,
    /// The server's data dictionary says how it is encrypted and would contradict it.
    InPlace,
    /// Its key is wrapped by no key of a keyring.
    NoMasterKey,
    /// No key id was named.
    NoKeyId,
    /// MySQL and MariaDB write it in the same way while it is plain, and not when it is encrypted.
    WhichFamily,
    /// It is neither a redo log nor a binary log.
    NoLog,
    /// It is an encrypted log of MariaDB's.
    MariaDbLog,
}

impl From<Stopped> for FileFault {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Read(error) => Self::Read(error),
            Stopped::Write(error) => Self::Write(error),
            Stopped::Pages(faults) => Self::Pages(faults),
            Stopped::Codec(error) => Self::Codec(error),
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "it cannot be read: {error}"),
            Self::Write(error) => write!(f, "the result cannot be written: {error}"),
            Self::Detect(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Unlock(error) => error.fmt(f),
            Self::Information(fault) => fault.fmt(f),
            Self::CryptData(fault) => fault.fmt(f),
            Self::Head(fault) => write!(f, "page 0 is damaged: {fault}"),
            Self::Pages(faults) => match faults.as_slice() {
                [] => f.write_str("pages are damaged"),
                [fault] => fault.fmt(f),
                [first, rest @ ..] => write!(f, "{first}, and {} more", rest.len()),
            },
            Self::Codec(error) => error.fmt(f),
            Self::Redo(fault) => fault.fmt(f),
            Self::Binlog(fault) => fault.fmt(f),
            Self::BinlogKey(error) => error.fmt(f),
            Self::Transfer(fault) => fault.fmt(f),
            Self::Keys(error) => error.fmt(f),
            Self::KeyAbsent(name) => write!(f, "the keyring does not have {name}"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::HeadLost => f.write_str(
                "page 0 is nothing but zeros and later pages are not, so that it is lost, and the key with it; restore the \
                 file from a backup",
            ),
            Self::Random => f.write_str("the system's random generator failed"),
        }
    }
}

impl std::error::Error for FileFault {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "it is not encrypted",
            Self::Encrypted => "it is encrypted already; rekey encrypts it anew",
            Self::HalfDone => {
                "a server was interrupted while it encrypted or decrypted it; start the server and let it finish, or decrypt \
                 it to another file"
            }
            Self::MariaDb => {
                "it is MariaDB's, which has no tablespace keys and no transfer files; decrypt, encrypt and rekey work with it"
            }
            Self::MySql => "it is MySQL's, and this is for MariaDB's files",
            Self::System => {
                "it is a part of a data directory that no server imports alone; inspect, verify, rotate and rekey work with it"
            }
            Self::SeveralFiles => {
                "it is a system tablespace of several files with one key, and only the first of them would get the new one"
            }
            Self::InPlace => {
                "the data dictionary of the server records whether a table is encrypted, and no server opens a file that says \
                 otherwise; write another file with -o and import it"
            }
            Self::NoMasterKey => "its key is wrapped by no key of a keyring; rotate first",
            Self::NoKeyId => "a key id is needed to encrypt MariaDB's files; name it with --key-id",
            Self::WhichFamily => {
                "nothing tells whether it is MySQL's or MariaDB's, whose encrypted files differ; use --key-id for MariaDB, \
                 --server-uuid for MySQL"
            }
            Self::NoLog => "it is neither a redo log nor a binary log of MySQL's",
            Self::MariaDbLog => {
                "it is an encrypted log of MariaDB's, whose keys are in each of its blocks; only its server reads it \
                 (mariadb-binlog --read-from-remote-server)"
            }
        })
    }
}

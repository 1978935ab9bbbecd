//! Everything a command can end with: what happened, what to do, and the exit code.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use strongroom_client::Error as ClientError;
use strongroom_client::address::AddressError;
use strongroom_client::endpoint_dir::{EndpointDirError, WriteError};
use strongroom_keyring::name::NameError;
use strongroom_keyring::versions::LoadError;
use strongroom_keyring::{Error as KeyringError, versions};
use strongroom_kmip::types::ResultReason;
use strongroom_vault::audit::AuditError;
use strongroom_vault::config::ConfigError;
use strongroom_vault::control::{ControlError, Refusal, RefusalKind};
use strongroom_vault::enrolment::TokenError;
use strongroom_vault::server::ServeError;

use crate::command::keyfile::Fault;
use crate::command::{keyring, mysql as mysql_server, tablespace};
use crate::enrolment::AddressFault;
use crate::exit::Exit;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Error {
    /// Standard output did not take the result.
    Output(io::Error),
    /// Ctrl-C, SIGTERM, or the parent is gone.
    Interrupted,
    /// Signals cannot be listened for.
    Signals(io::Error),

    /// A question was to be asked and nobody is there.
    NoTerminal,
    /// A systemd credential was to be read, and systemd has passed none.
    NoCredentials,
    /// The two entries of a new passphrase differ.
    PassphrasesDiffer,
    /// A passphrase has no characters.
    PassphraseEmpty,
    /// A passphrase is longer than [`PASSPHRASE_MAX`](crate::terminal::PASSPHRASE_MAX).
    PassphraseTooLong,
    /// A passphrase is not UTF-8.
    PassphraseNotText,
    /// The question whether to go on was not answered with yes.
    NotConfirmed,
    /// The question whether to go on could not be asked, and `--yes` was not given.
    NeedsYes,

    /// A file, folder or descriptor cannot be read.
    Read {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file or folder cannot be written.
    Write {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file to be written is there already.
    Exists {
        /// Which.
        path: PathBuf,
    },

    /// A folder for secrets is there already, and somebody else may have put something into it.
    NotOurs {
        /// Which.
        path: PathBuf,
    },

    /// A key cannot be made. Holds the reason in the words of the library.
    Generate(String),

    /// The endpoint directory cannot be used.
    EndpointDir(EndpointDirError),
    /// The endpoint directory cannot be written.
    WriteEndpoint(WriteError),
    /// A KMIP server could not be asked, or refused.
    Client(ClientError),
    /// The keyring did not do it.
    Keyring(KeyringError),
    /// A key cannot have this id and owner.
    KeyName(NameError),
    /// There is no such key. Holds its id and owner.
    NoSuchKey {
        /// The key.
        name: String,
    },
    /// A length in bits that is no whole number of bytes.
    Bits(u32),
    /// A key version was not made.
    Versions(versions::ChangeError),
    /// Key versions cannot be loaded.
    Load(LoadError),
    /// A key file was not read or changed.
    KeyFile(Fault),
    /// Keys were not copied from one keyring to another.
    Migrate(keyring::Fault),
    /// A command about a MySQL server was not done.
    Mysql(mysql_server::Fault),
    /// Nothing was done with tablespaces.
    Tablespace(tablespace::Fault),
    /// Too few servers passed the test.
    Ping {
        /// How many passed.
        passed: usize,
        /// How many were tested.
        asked: usize,
    },

    /// The text is not an enrolment token.
    Token(TokenError),
    /// The token is whole and names no usable address.
    TokenAddresses,
    /// No address of the token gave a certificate; what became of each, never empty.
    Enrol(Vec<AddressFault>),

    /// The vault, here or through its socket, did not do it.
    Vault(Refusal),
    /// The vault cannot be asked through its socket.
    Control(ControlError),
    /// The vault gave an answer to another question.
    ControlAnswer,
    /// An address on the command line cannot be read.
    Address {
        /// The flag.
        flag: &'static str,
        /// What was written.
        text: String,
        /// What is wrong with it.
        fault: AddressError,
    },
    /// The vault's configuration file cannot be used.
    Config(ConfigError),
    /// The vault cannot be served.
    Serve(ServeError),
    /// The journal does not hold.
    Audit(AuditError),

    /// A program cannot be started.
    Start {
        /// Which.
        program: OsString,
        /// The system's answer.
        source: io::Error,
    },
    /// A program ended with an error.
    ProgramFailed {
        /// Which.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The errors in its log, oldest first.
        complaints: Vec<String>,
    },
    /// A program neither came up nor ended in time.
    ProgramSlow {
        /// Which.
        program: PathBuf,
        /// How long it was given.
        waited: Duration,
    },
    /// A mariadbd without the scripts that make its system tables.
    MariadbIncomplete {
        /// The server program.
        mariadbd: PathBuf,
    },
    /// The plugin is not where cargo puts it.
    PluginMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A running MariaDB cannot be reached, or does not let us in.
    Mariadb {
        /// Its socket.
        socket: PathBuf,
        /// The driver's or the server's answer.
        source: Box<mysql::Error>,
    },
    /// MariaDB refused a statement.
    Sql {
        /// The statement.
        statement: String,
        /// MariaDB's answer.
        source: Box<mysql::Error>,
    },
    /// Something that a step was to prove is not so.
    NotHeld {
        /// What was found instead.
        what: String,
    },
}

impl Error {
    /// Nobody is left to read the message: the reader of our output closed it.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code: the table that scripts rely on.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Address { .. }
            | Self::NeedsYes
            | Self::KeyName(_)
            | Self::Bits(_)
            | Self::Token(_)
            | Self::TokenAddresses => Exit::Usage,
            Self::NoSuchKey { .. } => Exit::NotFound,
            Self::Ping { .. } | Self::ControlAnswer | Self::Mariadb { .. } => Exit::OtherSide,
            Self::Audit(_) => Exit::Integrity,
            Self::Serve(ServeError::Address { .. }) => Exit::Usage,
            Self::EndpointDir(error) => endpoint_dir_exit(error),
            Self::Client(error) => client_exit(error),
            Self::Keyring(error) => keyring_exit(error),
            Self::Versions(error) => change_exit(error),
            Self::Load(error) => load_exit(error),
            Self::KeyFile(fault) => fault.exit(),
            Self::Tablespace(fault) => fault.exit(),
            Self::Migrate(fault) => fault.exit(),
            Self::Mysql(fault) => fault.exit(),
            Self::Enrol(faults) => faults.last().map_or(Exit::OtherSide, |last| last.fault.exit()),
            Self::Vault(refusal) => refusal_exit(refusal.kind),
            Self::Control(error) => control_exit(error),
            Self::Output(_)
            | Self::Interrupted
            | Self::Signals(_)
            | Self::NoTerminal
            | Self::NoCredentials
            | Self::PassphrasesDiffer
            | Self::PassphraseEmpty
            | Self::PassphraseTooLong
            | Self::PassphraseNotText
            | Self::NotConfirmed
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Exists { .. }
            | Self::NotOurs { .. }
            | Self::Generate(_)
            | Self::WriteEndpoint(_)
            | Self::Config(_)
            | Self::Serve(_)
            | Self::Start { .. }
            | Self::ProgramFailed { .. }
            | Self::ProgramSlow { .. }
            | Self::MariadbIncomplete { .. }
            | Self::PluginMissing { .. }
            | Self::Sql { .. }
            | Self::NotHeld { .. } => Exit::Failed,
        }
    }
}

/// A private key that does not open is a wrong key; everything else is a matter of files.
fn endpoint_dir_exit(error: &EndpointDirError) -> Exit {
    use strongroom_client::endpoint_dir::Fault;
    use strongroom_client::key_file::KeyFileError;
    match error.fault {
        Fault::Key(KeyFileError::WrongPassword) => Exit::Integrity,
        _ => Exit::Failed,
    }
}

fn client_exit(error: &ClientError) -> Exit {
    match error {
        ClientError::Refused { failure, .. } if failure.reason == ResultReason::ItemNotFound => {
            Exit::NotFound
        }
        ClientError::TlsConfig(_) | ClientError::Request { .. } => Exit::Failed,
        _ => Exit::OtherSide,
    }
}

pub(crate) fn keyring_exit(error: &KeyringError) -> Exit {
    match error {
        KeyringError::BackEnd(error) => client_exit(error),
        KeyringError::File(error) if error.is_corrupt() => Exit::Integrity,
        KeyringError::TypeNotKept(_) | KeyringError::Length { .. } => Exit::Usage,
        _ => Exit::Failed,
    }
}

pub(crate) fn load_exit(error: &LoadError) -> Exit {
    match error {
        LoadError::CouldNotAsk(could_not) => could_not.downcast_ref().map_or(Exit::OtherSide, client_exit),
        _ => Exit::Integrity,
    }
}

fn change_exit(error: &versions::ChangeError) -> Exit {
    match error {
        versions::ChangeError::Load(error) => load_exit(error),
        versions::ChangeError::NoSuchKey(_) => Exit::NotFound,
        versions::ChangeError::Bits(_) | versions::ChangeError::ZeroStep => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn refusal_exit(kind: RefusalKind) -> Exit {
    match kind {
        RefusalKind::NotFound => Exit::NotFound,
        RefusalKind::Forbidden | RefusalKind::Sealed => Exit::OtherSide,
        RefusalKind::WrongKey | RefusalKind::Integrity => Exit::Integrity,
        RefusalKind::BadRequest | RefusalKind::Exists | RefusalKind::Failed => Exit::Failed,
    }
}

fn control_exit(error: &ControlError) -> Exit {
    match error {
        ControlError::NotAVault { .. } => Exit::NotFound,
        ControlError::Refused(refusal) => refusal_exit(refusal.kind),
        ControlError::NotRunning { .. } | ControlError::Io { .. } | ControlError::Protocol { .. } => {
            Exit::OtherSide
        }
    }
}

impl From<tablespace::Fault> for Error {
    fn from(fault: tablespace::Fault) -> Self {
        Self::Tablespace(fault)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::KeyFile(fault)
    }
}

impl From<keyring::Fault> for Error {
    fn from(fault: keyring::Fault) -> Self {
        Self::Migrate(fault)
    }
}

impl From<mysql_server::Fault> for Error {
    fn from(fault: mysql_server::Fault) -> Self {
        Self::Mysql(fault)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use strongroom_client::endpoint_dir::Fault as DirFault;
    use strongroom_client::error::{Cause, IoFault, Step};
    use strongroom_client::key_file::KeyFileError;
    use strongroom_client::{ServerAddress, ServerFailure};
    use strongroom_keyring::KeyKind;
    use strongroom_keyring::key_file::text::{LineError, LineFault};
    use strongroom_keyring::key_file::{AppendError, KeyFileError as KeyFileFault};
    use strongroom_keyring::versions::{ChangeError, KeyFault, KeyId, KeyVersion};
    use strongroom_kmip::Operation;
    use strongroom_kmip::message::Failure;
    use strongroom_kmip::types::ResultStatus;

    use super::*;

    fn server() -> ServerAddress {
        "vault.example".parse().unwrap()
    }

    fn unreachable() -> ClientError {
        let failure = ServerFailure { server: server(), step: Step::Tcp, cause: Cause::Refused };
        ClientError::NoServer { failures: vec![failure] }
    }

    fn refused(reason: ResultReason) -> ClientError {
        let failure = Failure { status: ResultStatus::OperationFailed, reason, message: None };
        ClientError::Refused { server: server(), operation: Operation::Get, failure }
    }

    fn refusal(kind: RefusalKind) -> Error {
        Error::Vault(Refusal { kind, message: String::new() })
    }

    fn endpoint_dir(fault: DirFault) -> Error {
        Error::EndpointDir(EndpointDirError { path: "conf".into(), fault })
    }

    fn io() -> io::Error {
        io::ErrorKind::NotFound.into()
    }

    #[test]
    fn every_error_has_its_exit_code() {
        let unreadable = DirFault::Unreadable(IoFault { kind: io::ErrorKind::NotFound, errno: None });
        let line = LineError { fault: LineFault::Syntax, line: 1, column: 1 };
        let table = [
            (Error::Output(io()), Exit::Failed),
            (Error::Interrupted, Exit::Failed),
            (Error::NoTerminal, Exit::Failed),
            (Error::NotConfirmed, Exit::Failed),
            (Error::NeedsYes, Exit::Usage),
            (Error::Read { path: "a".into(), source: io() }, Exit::Failed),
            (Error::Write { path: "a".into(), source: io() }, Exit::Failed),
            (Error::Exists { path: "a".into() }, Exit::Failed),
            (Error::NotOurs { path: "a".into() }, Exit::Failed),
            (Error::Bits(7), Exit::Usage),
            (Error::NoSuchKey { name: "a".to_owned() }, Exit::NotFound),
            (Error::Ping { passed: 1, asked: 2 }, Exit::OtherSide),
            (Error::Token(TokenError::Mistyped), Exit::Usage),
            (Error::TokenAddresses, Exit::Usage),
            (endpoint_dir(unreadable), Exit::Failed),
            (endpoint_dir(DirFault::ReadableByOthers(0o644)), Exit::Failed),
            (endpoint_dir(DirFault::Key(KeyFileError::WrongPassword)), Exit::Integrity),
            (Error::Client(unreachable()), Exit::OtherSide),
            (Error::Client(refused(ResultReason::PermissionDenied)), Exit::OtherSide),
            (Error::Client(refused(ResultReason::ItemNotFound)), Exit::NotFound),
            (Error::Keyring(KeyringError::BackEnd(unreachable())), Exit::OtherSide),
            (Error::Keyring(KeyringError::Exists { name: "a".to_owned() }), Exit::Failed),
            (Error::Keyring(KeyringError::Length { kind: KeyKind::Aes, bytes: 5 }), Exit::Usage),
            (Error::Versions(ChangeError::NoSuchKey(KeyId(1))), Exit::NotFound),
            (Error::Versions(ChangeError::Exists(KeyId(1))), Exit::Failed),
            (Error::Versions(ChangeError::Bits(5)), Exit::Usage),
            (Error::Versions(ChangeError::Load(versions::could_not_ask(unreachable()))), Exit::OtherSide),
            (Error::Load(versions::could_not_ask(unreachable())), Exit::OtherSide),
            (
                Error::Load(LoadError::Unusable { name: "a".to_owned(), fault: KeyFault::Length(5) }),
                Exit::Integrity,
            ),
            (Error::KeyFile(Fault::Read(KeyFileFault::WrongKey("a".into()))), Exit::Integrity),
            (Error::KeyFile(Fault::Read(KeyFileFault::Line("a".into(), line))), Exit::Integrity),
            (
                Error::KeyFile(Fault::Change(AppendError::File(KeyFileFault::WrongKey("a".into())))),
                Exit::Integrity,
            ),
            (Error::KeyFile(Fault::NotReadBack), Exit::Integrity),
            (Error::KeyFile(Fault::Read(KeyFileFault::NotFound("a".into(), io()))), Exit::Failed),
            (Error::KeyFile(Fault::Read(KeyFileFault::NotEncrypted("a".into()))), Exit::Failed),
            (Error::KeyFile(Fault::Change(AppendError::Busy("a".into()))), Exit::Failed),
            (Error::KeyFile(Fault::NoSecret("a".into())), Exit::Failed),
            (Error::KeyFile(Fault::NoSecretForNew), Exit::Failed),
            (Error::KeyFile(Fault::EmptySecret), Exit::Failed),
            (Error::KeyFile(Fault::Sealed("a".into())), Exit::Failed),
            (Error::KeyFile(Fault::Plain("a".into())), Exit::Failed),
            (Error::KeyFile(Fault::NoSuchKey("a".into(), KeyId(1))), Exit::NotFound),
            (
                Error::KeyFile(Fault::Exists { path: "a".into(), id: KeyId(1), latest: KeyVersion::FIRST }),
                Exit::Failed,
            ),
            (Error::KeyFile(Fault::VersionsExhausted(KeyId(1))), Exit::Failed),
            (Error::Migrate(keyring::Fault::SamePlace), Exit::Usage),
            (Error::Migrate(keyring::Fault::Conflict(vec![])), Exit::Failed),
            (Error::Migrate(keyring::Fault::NotReadBack(vec![])), Exit::Integrity),
            (Error::Mysql(mysql_server::Fault::NoVault), Exit::Usage),
            (Error::Mysql(mysql_server::Fault::Checks(1)), Exit::Failed),
            (Error::Mysql(mysql_server::Fault::Lost(String::new())), Exit::Integrity),
            (refusal(RefusalKind::NotFound), Exit::NotFound),
            (refusal(RefusalKind::Forbidden), Exit::OtherSide),
            (refusal(RefusalKind::Sealed), Exit::OtherSide),
            (refusal(RefusalKind::WrongKey), Exit::Integrity),
            (refusal(RefusalKind::Integrity), Exit::Integrity),
            (refusal(RefusalKind::Exists), Exit::Failed),
            (refusal(RefusalKind::BadRequest), Exit::Failed),
            (refusal(RefusalKind::Failed), Exit::Failed),
            (Error::Control(ControlError::NotAVault { dir: "a".into() }), Exit::NotFound),
            (Error::Control(ControlError::NotRunning { dir: "a".into() }), Exit::OtherSide),
            (Error::ControlAnswer, Exit::OtherSide),
            (
                Error::Mariadb { socket: "a".into(), source: Box::new(mysql::Error::IoError(io())) },
                Exit::OtherSide,
            ),
            (Error::Audit(AuditError::Backlog { changes: 1 }), Exit::Integrity),
            (Error::NotHeld { what: "a".to_owned() }, Exit::Failed),
        ];
        for (error, exit) in table {
            assert_eq!(error.exit(), exit, "{error:?}");
        }
    }
}

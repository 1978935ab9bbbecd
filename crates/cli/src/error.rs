//! Everything a command can end with: what happened, what to do, and the exit code.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

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

    /// A key cannot be made. Holds the reason in the words of the library.
    Generate(String),

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
    /// The exit code: the table that scripts rely on.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Output(_)
            | Self::Interrupted
            | Self::Signals(_)
            | Self::NoTerminal
            | Self::PassphrasesDiffer
            | Self::PassphraseEmpty
            | Self::PassphraseTooLong
            | Self::PassphraseNotText
            | Self::NotConfirmed
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Exists { .. }
            | Self::Generate(_)
            | Self::Start { .. }
            | Self::ProgramFailed { .. }
            | Self::ProgramSlow { .. }
            | Self::MariadbIncomplete { .. }
            | Self::PluginMissing { .. }
            | Self::Sql { .. }
            | Self::NotHeld { .. } => Exit::Failed,
            Self::NeedsYes => Exit::Usage,
        }
    }

    /// Nobody is left to read the message: the reader of our output closed it.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What to do about it, where that is not a part of the message.
    pub(crate) fn remedy(&self) -> Option<String> {
        let remedy = match self {
            Self::Output(_) | Self::Interrupted | Self::NotConfirmed | Self::NotHeld { .. } => return None,
            Self::Signals(_) => "check the limits on open files and processes (ulimit -a)",
            Self::NoTerminal => "run it on a terminal, or use --passphrase-fd or --passphrase-credential",
            Self::PassphrasesDiffer | Self::PassphraseEmpty => "try again",
            Self::PassphraseTooLong => "use at most 1024 bytes",
            Self::PassphraseNotText => "use UTF-8 text",
            Self::NeedsYes => "add --yes if you are sure",
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "check the path",
                io::ErrorKind::PermissionDenied => {
                    "check the owner and the mode of it and of the folders above"
                }
                _ => "check the device and the path",
            },
            Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "make room and run it again; nothing is lost"
                }
                io::ErrorKind::NotFound => "make the folder above it first",
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "choose a place where you may write, or run it as the owner"
                }
                _ => "check the device and the path",
            },
            Self::Exists { .. } => "name another file, or move this one away",
            Self::Generate(_) => "check that the system has randomness to give (getrandom(2))",
            Self::Start { .. } => "check that it is an executable program for this machine",
            Self::ProgramFailed { complaints, .. } => {
                return Some(match complaints.is_empty() {
                    true => "it logged no error; run it by hand to see more".to_owned(),
                    false => format!("its log says:\n  {}", complaints.join("\n  ")),
                });
            }
            Self::ProgramSlow { .. } => "look for other work on this machine, and run it again",
            Self::MariadbIncomplete { .. } => {
                "install the whole package (Debian: mariadb-server), or name another with --mariadbd"
            }
            Self::PluginMissing { .. } => {
                "build it: cargo build -p strongroom-mariadb-kmip-key-management (with the same --release)"
            }
            Self::Sql { .. } => "the statement is one that MariaDB 10.11 and later take; check its version",
        };
        Some(remedy.to_owned())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(source) => write!(f, "cannot write to standard output: {source}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Signals(source) => write!(f, "cannot listen for signals: {source}"),
            Self::NoTerminal => f.write_str("there is no terminal to ask on"),
            Self::PassphrasesDiffer => f.write_str("the two entries differ"),
            Self::PassphraseEmpty => f.write_str("the passphrase is empty"),
            Self::PassphraseTooLong => f.write_str("the passphrase is too long"),
            Self::PassphraseNotText => f.write_str("the passphrase is not UTF-8"),
            Self::NotConfirmed => f.write_str("not confirmed; nothing was changed"),
            Self::NeedsYes => f.write_str("there is no terminal to ask on, and this cannot be undone"),
            Self::Read { path, source } => write!(f, "cannot read {}: {}", path.display(), reason(source)),
            Self::Write { path, source } => write!(f, "cannot write {}: {}", path.display(), reason(source)),
            Self::Exists { path } => write!(f, "{} exists and is not overwritten", path.display()),
            Self::Generate(fault) => write!(f, "cannot make a key: {fault}"),
            Self::Start { program, source } => {
                write!(f, "cannot start {}: {}", program.display(), reason(source))
            }
            Self::ProgramFailed { program, status, .. } => {
                write!(f, "{} failed ({status})", program.display())
            }
            Self::ProgramSlow { program, waited } => {
                write!(f, "{} was not done after {} s", program.display(), waited.as_secs())
            }
            Self::MariadbIncomplete { mariadbd } => {
                write!(f, "the scripts for the system tables of {} are missing", mariadbd.display())
            }
            Self::PluginMissing { path } => write!(f, "the MariaDB plugin is not at {}", path.display()),
            Self::Sql { statement, source } => write!(f, "MariaDB refused {statement:?}: {source}"),
            Self::NotHeld { what } => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

/// The system's words without "(os error 2)", which tells a person nothing more.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

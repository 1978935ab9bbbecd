//! Errors in words: what happened, and what to do.
//!
//! The libraries end their sentences with a remedy after a semicolon; here the two are told apart, so that each stands on
//! a line of its own.

use std::fmt;
use std::io;

use strongroom_client::Error as ClientError;
use strongroom_keyring::Error as KeyringError;
use strongroom_keyring::versions::{ChangeError, LoadError};

use crate::error::Error;

impl Error {
    /// What to do about it.
    pub(crate) fn remedy(&self) -> Option<String> {
        let remedy = match self {
            Self::Output(_) | Self::Interrupted | Self::NotConfirmed | Self::NotHeld { .. } => return None,
            Self::Signals(_) => "check the limits on open files and processes (ulimit -a)",
            Self::NoTerminal => "run it on a terminal, or use --passphrase-fd or --passphrase-credential",
            Self::NoCredentials => "start it by systemd with LoadCredential=, or use --passphrase-fd",
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
            Self::NotOurs { .. } => {
                "remove it and run it again, or choose a folder that only you can write to"
            }
            Self::Generate(_) => "check that the system has randomness to give (getrandom(2))",
            Self::NoSuchKey { .. } => "strongroom list --conf DIR shows what there is",
            Self::Bits(_) => "use a multiple of 8",
            Self::Ping { .. } => "the steps above say what to do about each",
            Self::TokenAddresses => "make a new one; vault serve --advertise names the addresses",
            Self::Enrol(faults) => return several(faults.iter().map(ToString::to_string)).1,
            Self::ControlAnswer => "use the release that serves the vault",
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
                "build it: cargo build -p strongroom-kmip-key-management (with the same --release)"
            }
            Self::Mariadb { .. } => "check that the server runs, --socket, --user and --password-fd",
            Self::Sql { .. } => "the statement is one that MariaDB 10.11 and later take; check its version",
            _ => return self.library_words().and_then(|(_, remedy)| remedy),
        };
        Some(remedy.to_owned())
    }

    /// What a library says of its error: what happened, and what to do.
    fn library_words(&self) -> Option<(String, Option<String>)> {
        Some(match self {
            Self::EndpointDir(error) => split(&error.to_string()),
            Self::WriteEndpoint(error) => split(&error.to_string()),
            Self::Client(error) | Self::Keyring(KeyringError::BackEnd(error)) => client_words(error),
            Self::Load(LoadError::CouldNotAsk(could_not))
            | Self::Versions(ChangeError::Load(LoadError::CouldNotAsk(could_not)))
                if let Some(error) = could_not.downcast_ref() =>
            {
                client_words(error)
            }
            Self::Keyring(error) => split(&error.to_string()),
            Self::KeyName(error) => split(&error.to_string()),
            Self::Versions(error) => split(&error.to_string()),
            Self::Load(error) => split(&error.to_string()),
            Self::KeyFile(fault) => split(&fault.to_string()),
            Self::Tablespace(fault) => split(&fault.to_string()),
            Self::Migrate(fault) => split(&fault.to_string()),
            Self::Mysql(fault) => split(&fault.to_string()),
            Self::Token(error) => split(&error.to_string()),
            Self::Vault(refusal) => split(&refusal.message),
            Self::Control(error) => split(&error.to_string()),
            Self::Address { flag, text, fault } => split(&format!("{flag} {text}: {fault}")),
            Self::Serve(error) => split(&error.to_string()),
            Self::Config(error) => split(&error.to_string()),
            Self::Audit(error) => split(&error.to_string()),
            _ => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(source) => write!(f, "cannot write to standard output: {}", reason(source)),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Signals(source) => write!(f, "cannot listen for signals: {}", reason(source)),
            Self::NoTerminal => f.write_str("there is no terminal to ask on"),
            Self::NoCredentials => {
                f.write_str("there are no systemd credentials ($CREDENTIALS_DIRECTORY is not set)")
            }
            Self::PassphrasesDiffer => f.write_str("the two entries differ"),
            Self::PassphraseEmpty => f.write_str("the passphrase is empty"),
            Self::PassphraseTooLong => f.write_str("the passphrase is too long"),
            Self::PassphraseNotText => f.write_str("the passphrase is not UTF-8"),
            Self::NotConfirmed => f.write_str("not confirmed; nothing was changed"),
            Self::NeedsYes => f.write_str("there is no terminal to ask on, and this cannot be undone"),
            Self::Read { path, source } => write!(f, "cannot read {}: {}", path.display(), reason(source)),
            Self::Write { path, source } => write!(f, "cannot write {}: {}", path.display(), reason(source)),
            Self::Exists { path } => write!(f, "{} exists and is not overwritten", path.display()),
            Self::NotOurs { path } => {
                write!(f, "{} is there already, and others own it or may write to it", path.display())
            }
            Self::Generate(fault) => write!(f, "cannot make a key: {fault}"),
            Self::NoSuchKey { name } => write!(f, "there is no key {name}"),
            Self::Bits(bits) => write!(f, "{bits} bits are no whole number of bytes"),
            Self::Ping { passed, asked } => write!(f, "{passed} of {asked} servers passed"),
            Self::TokenAddresses => f.write_str("the token names no address that can be used"),
            Self::Enrol(faults) => f.write_str(&several(faults.iter().map(ToString::to_string)).0),
            Self::ControlAnswer => f.write_str("the vault gave an answer to another question"),
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
            Self::Mariadb { socket, source } => {
                write!(f, "MariaDB at {}: {}", socket.display(), mariadb_words(source))
            }
            Self::Sql { statement, source } => write!(f, "MariaDB refused {statement:?}: {source}"),
            Self::NotHeld { what } => f.write_str(what),
            _ => match self.library_words() {
                Some((what, _)) => f.write_str(&what),
                None => Ok(()),
            },
        }
    }
}

/// The server's or the driver's own sentence, without the names of Rust's types around it.
fn mariadb_words(error: &mysql::Error) -> String {
    match error {
        mysql::Error::MySqlError(error) => error.message.clone(),
        mysql::Error::DriverError(error) => without_errno(&error.to_string()),
        mysql::Error::IoError(error) => reason(error),
        error => error.to_string(),
    }
}

fn client_words(error: &ClientError) -> (String, Option<String>) {
    match error {
        ClientError::NoServer { failures } => several(failures.iter().map(ToString::to_string)),
        _ => split(&error.to_string()),
    }
}

/// One fault is told as such; of several, each has a line.
fn several(faults: impl Iterator<Item = String>) -> (String, Option<String>) {
    let faults: Vec<String> = faults.collect();
    match faults.as_slice() {
        [fault] => split(fault),
        faults => (format!("none of {} servers could be used", faults.len()), Some(faults.join("\n  "))),
    }
}

/// `what; what to do` in two. What stands in parentheses is somebody else's sentence and stays whole.
fn split(text: &str) -> (String, Option<String>) {
    let text = without_errno(text);
    let mut depth = 0_u32;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => {
                if let Some(remedy) = text[at..].strip_prefix("; ") {
                    return (text[..at].to_owned(), Some(remedy.to_owned()));
                }
            }
            _ => {}
        }
    }
    (text, None)
}

/// A sentence without "(os error 2)", wherever it stands.
fn without_errno(text: &str) -> String {
    let cut =
        text.split_once(" (os error ").and_then(|(before, rest)| Some((before, rest.split_once(')')?.1)));
    cut.map_or_else(|| text.to_owned(), |(before, after)| format!("{before}{after}"))
}

/// The system's words without "(os error 2)", which tells a person nothing more.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_and_what_to_do_are_told_apart() {
        assert_eq!(split("gone; look; again"), ("gone".to_owned(), Some("look; again".to_owned())));
        assert_eq!(split("gone"), ("gone".to_owned(), None));
        assert_eq!(split("no (os error 99); try"), ("no".to_owned(), Some("try".to_owned())));
        assert_eq!(
            split("no (they say; a; b); ask"),
            ("no (they say; a; b)".to_owned(), Some("ask".to_owned()))
        );
    }

    #[test]
    fn of_several_faults_each_has_a_line() {
        let faults = ["a: refused; start it".to_owned(), "b: silent; wait".to_owned()];
        let (what, remedy) = several(faults.into_iter());
        assert_eq!(what, "none of 2 servers could be used");
        assert_eq!(remedy.as_deref(), Some("a: refused; start it\n  b: silent; wait"));
    }

    #[test]
    fn errno_is_not_shown() {
        assert_eq!(reason(&io::Error::from_raw_os_error(2)), "no such file or directory");
    }
}

//! Why a command about a MySQL server was not done: what happened, then, after a semicolon, what to do.

use std::fmt;
use std::path::PathBuf;

use crate::exit::Exit;

/// Why a command about a MySQL server was not done.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server cannot be reached, or does not let us in.
    Connect {
        /// Its socket.
        socket: PathBuf,
        /// The driver's or the server's answer.
        source: Box<mysql::Error>,
    },
    /// The server refused a statement.
    Sql {
        /// The statement.
        statement: String,
        /// The server's answer.
        source: Box<mysql::Error>,
        /// What its error log says since.
        log: Vec<String>,
    },
    /// It is no MySQL. Holds its version.
    NotMysql(String),
    /// The option file has no such group, or says it in a way that is not read.
    OptionFile(PathBuf),
    /// Nobody says where something of the server is. Holds the flag.
    Where(&'static str),
    /// The server runs in another root folder, so that its paths mean nothing here.
    OtherRoot(PathBuf),
    /// The data directory is not one yet.
    NotInitialised(PathBuf),
    /// The library is not where it was looked for.
    NoLibrary(PathBuf),
    /// A file is not what the server expects.
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The manifest loads another keyring.
    OtherKeyring {
        /// The manifest.
        path: PathBuf,
        /// The other component.
        component: String,
    },
    /// The manifest loads a keyring component, beside which no plugin is used.
    ComponentFirst {
        /// The manifest.
        path: PathBuf,
        /// The component.
        component: String,
    },
    /// The component's configuration cannot be used. Holds the component's words.
    Configuration(String),
    /// So many checks failed.
    Checks(usize),
    /// The server has no keyring in operation.
    NoKeyring,
    /// A rotation was asked for and the newest key is still the old one.
    NotRotated(String),
    /// Files that may hold a master key's number cannot be read.
    Unreadable(Vec<String>),
    /// The vault does not hold the master key in use, so that it is another vault than the server's.
    NotThisVault(String),
    /// Nobody says which vault the server uses.
    NoVault,
    /// A key that was deactivated cannot be fetched any more, or has other bytes.
    Lost(String),
}

impl Fault {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Connect { .. } => Exit::OtherSide,
            Self::Where(_) | Self::NoVault => Exit::Usage,
            Self::Lost(_) => Exit::Integrity,
            _ => Exit::Failed,
        }
    }
}

/// The server's or the driver's own sentence, without the names of Rust's types around it.
fn words(error: &mysql::Error) -> String {
    match error {
        mysql::Error::MySqlError(error) => error.message.clone(),
        mysql::Error::IoError(error) => crate::message::reason(error),
        error => error.to_string(),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { socket, source } => write!(
                f,
                "MySQL at {}: {}; check that the server runs, --socket, --user and where the password comes from",
                socket.display(),
                words(source)
            ),
            Self::Sql { statement, source, log } => {
                write!(f, "MySQL refused {statement:?}: {}", words(source))?;
                match log.as_slice() {
                    [] => write!(f, "; its error log may say why"),
                    lines => write!(f, "; its error log says:\n  {}", lines.join("\n  ")),
                }
            }
            Self::NotMysql(version) => write!(
                f,
                "this is no MySQL ({version}); for MariaDB there is strongroom mariadb status"
            ),
            Self::OptionFile(path) => {
                write!(f, "{} has no [client] group with a user or a password; add one", path.display())
            }
            Self::Where(flag) => write!(
                f,
                "nobody says where this server's {flag} is; start the server and name its --socket, or give --mysqld, \
                 --datadir and --plugin-dir"
            ),
            Self::OtherRoot(path) => write!(
                f,
                "the server runs in {}, so that its paths mean something else here; run the command in there",
                path.display()
            ),
            Self::NotInitialised(path) => write!(
                f,
                "{} is no data directory of MySQL yet; run mysqld --initialize first, because it wants the folder empty, \
                 or use --global",
                path.display()
            ),
            Self::NoLibrary(path) => write!(
                f,
                "the library is not at {}; name it with --library (cargo build makes it in target/debug)",
                path.display()
            ),
            Self::Content { path, what } => write!(f, "{}: {what}", path.display()),
            Self::OtherKeyring { path, component } => write!(
                f,
                "{} loads {component}, and a server takes one keyring; copy its keys first (strongroom keyring migrate), \
                 then add --replace-keyring",
                path.display()
            ),
            Self::ComponentFirst { path, component } => write!(
                f,
                "{} loads {component}, and a keyring component comes before any plugin; copy its keys (strongroom keyring \
                 migrate) and take it out of the manifest",
                path.display()
            ),
            Self::Configuration(words) => f.write_str(words),
            Self::Checks(1) => f.write_str("1 check failed; it says above what to do"),
            Self::Checks(failed) => write!(f, "{failed} checks failed; each says above what to do"),
            Self::NoKeyring => f.write_str(
                "the server has no keyring in operation; strongroom mysql check says why, ALTER INSTANCE RELOAD KEYRING \
                 tries again",
            ),
            Self::NotRotated(key) => write!(
                f,
                "the newest master key is still {key}; look at the server's error log, nothing is lost"
            ),
            Self::Unreadable(files) => write!(
                f,
                "which master keys are in use is not known, so that none is retired:\n  {}; run it as root or as the \
                 server's account, and name unpacked backups",
                files.join("\n  ")
            ),
            Self::NotThisVault(key) => write!(
                f,
                "the vault does not hold {key}, which the server uses, so that nothing is retired; name the server's own \
                 endpoint directory with --conf, and its group with --group"
            ),
            Self::NoVault => f.write_str(
                "the server's configuration names no endpoint directory; name it with --conf",
            ),
            Self::Lost(key) => write!(
                f,
                "{key} was deactivated and does not come back as it was; reactivating is not possible: stop rotating, and \
                 look at the vault's log"
            ),
        }
    }
}

//! The command's side of the control socket.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::protocol::{Refusal, Request, Response};
use super::socket::{LINE_LEN_MAX, with_short_path};
use crate::layout::Layout;

/// Checking a long journal takes a while; nothing takes longer.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A connection to a running vault.
pub struct Client {
    stream: BufReader<UnixStream>,
    socket: PathBuf,
}

/// Why a command did not reach the vault, or was not done.
#[derive(Debug)]
pub enum ControlError {
    /// There is no vault in the directory.
    NotAVault {
        /// The directory.
        dir: PathBuf,
    },
    /// The vault does not run.
    NotRunning {
        /// Its directory.
        dir: PathBuf,
    },
    /// The socket could not be used.
    Io {
        /// The socket.
        socket: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The answer cannot be understood: another release serves the vault.
    Protocol {
        /// What is wrong.
        detail: String,
    },
    /// The vault refused.
    Refused(Refusal),
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAVault { dir } => {
                write!(
                    f,
                    "there is no vault in {0}; make one with: strongroom vault init --dir {0}",
                    dir.display()
                )
            }
            Self::NotRunning { dir } => {
                write!(
                    f,
                    "the vault in {0} does not run; start it with: strongroom vault serve --dir {0}",
                    dir.display()
                )
            }
            Self::Io { socket, source } if source.kind() == io::ErrorKind::PermissionDenied => write!(
                f,
                "you may not use {}; run the command as the vault's user or as root",
                socket.display()
            ),
            Self::Io { socket, source } => {
                write!(f, "talking to the vault through {}: {source}", socket.display())
            }
            Self::Protocol { detail } => write!(
                f,
                "the vault's answer cannot be understood ({detail}); use the release that serves the vault"
            ),
            Self::Refused(refusal) => f.write_str(&refusal.message),
        }
    }
}

impl std::error::Error for ControlError {}

impl Client {
    /// Connects to the vault that runs in `dir`.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn connect(dir: &Path) -> Result<Self, ControlError> {
        let layout = Layout::new(dir);
        let socket = layout.control_socket();
        let stream =
            with_short_path(&socket, |path| UnixStream::connect(path)).map_err(|source| {
                match source.kind() {
                    io::ErrorKind::NotFound if !layout.metadata().exists() => {
                        ControlError::NotAVault { dir: dir.to_owned() }
                    }
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                        ControlError::NotRunning { dir: dir.to_owned() }
                    }
                    _ => ControlError::Io { socket: socket.clone(), source },
                }
            })?;
        stream
            .set_read_timeout(Some(TIMEOUT))
            .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)))
            .map_err(|source| ControlError::Io { socket: socket.clone(), source })?;
        Ok(Self { stream: BufReader::new(stream), socket })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`ControlError::Refused`] when the vault says no; otherwise the vault may have done it or not.
    pub fn call(&mut self, request: &Request) -> Result<Response, ControlError> {
        let failed = |source| ControlError::Io { socket: self.socket.clone(), source };
        let protocol = |error: serde_json::Error| ControlError::Protocol { detail: error.to_string() };
        let mut line = Zeroizing::new(Vec::with_capacity(LINE_LEN_MAX));
        serde_json::to_writer(&mut *line, request).map_err(protocol)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(failed)?;
        // The answer may hold a token.
        let mut answer = Zeroizing::new(Vec::with_capacity(LINE_LEN_MAX));
        self.stream.read_until(b'\n', &mut answer).map_err(failed)?;
        if answer.is_empty() {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        match serde_json::from_slice(&answer).map_err(protocol)? {
            Response::Refused(refusal) => Err(ControlError::Refused(refusal)),
            response => Ok(response),
        }
    }
}

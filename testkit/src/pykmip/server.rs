//! PyKMIP's server, on a loopback port of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Installation, installation, program};
use crate::Unavailable;
use crate::certificates::Certificates;
use crate::folder::Scratch;
use crate::port::Port;
use crate::process::{Launch, Process, wait_until};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running PyKMIP server with its database. Dropping it kills it and removes the files.
pub struct Server {
    process: Option<Process>,
    installation: Installation,
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    port: Port,
    scratch: Scratch,
}

impl Server {
    /// Starts a server with an empty database that trusts the authority of `certificates` and shows its server
    /// certificate. The owner of an object is the common name of the client that made it.
    ///
    /// # Errors
    /// Only when PyKMIP cannot be had.
    ///
    /// # Panics
    /// With its log, when it does not start.
    pub fn start(certificates: &Certificates) -> Result<Self, Unavailable> {
        let mut server = Self {
            process: None,
            installation: installation()?,
            ca: certificates.ca(),
            certificate: certificates.server(),
            key: certificates.server_key(),
            port: Port::reserve(),
            scratch: Scratch::new("pykmip"),
        };
        server.restart();
        Ok(server)
    }

    /// Kills it if it runs and starts it again on the same port and database.
    ///
    /// # Panics
    /// With its log, when it does not start.
    pub fn restart(&mut self) {
        self.kill9();
        let output = self.scratch.path().join("output");
        let before = std::fs::metadata(&output).map_or(0, |file| file.len() as usize);
        let started = Launch::new(&self.installation.python, &output)
            .args(["-W", "ignore"])
            .arg(program(&self.scratch, "pykmip_server.py", include_str!("../../python/pykmip_server.py")))
            .arg(self.scratch.path())
            .arg(&self.ca)
            .arg(&self.certificate)
            .arg(&self.key)
            .arg(self.port.number().to_string())
            .start();
        let mut process = match started {
            Ok(process) => process,
            Err(error) => panic!("PyKMIP's server cannot be run: {error}"),
        };
        let listening = wait_until(START_LIMIT, || {
            if process.log().get(before..).is_some_and(|new| new.contains("listening on")) {
                return Some(true);
            }
            process.ended().map(|_| false)
        });
        if listening != Some(true) {
            panic!("PyKMIP's server did not start:\n{}", process.log());
        }
        self.process = Some(process);
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// SIGKILL. The port stays reserved.
    pub fn kill9(&mut self) {
        self.process = None;
    }

    /// The process, for SIGSTOP and SIGCONT; none while it is down.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// PyKMIP's own log, at level INFO.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("pykmip.log")).unwrap_or_default()
    }

    /// What it runs from.
    #[must_use]
    pub fn installation(&self) -> &Installation {
        &self.installation
    }
}

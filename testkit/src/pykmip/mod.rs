//! PyKMIP: a KMIP server and a KMIP client that nobody here wrote.
//!
//! PyKMIP's server speaks TLS 1.2 only, drops a connection that is idle for ten seconds, answers several connections one
//! request at a time, and refuses a Time Stamp that is in the future.

mod client;
mod install;
mod ledger;
mod server;

pub use client::Client;
pub use install::{Installation, RELEASE, installation};
pub use ledger::{Ledger, Refused};
pub use server::Server;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Unavailable;
use crate::folder::Scratch;
use crate::process::Launch;

const SCRIPT_LIMIT: Duration = Duration::from_secs(120);

/// How a script ended.
#[derive(Debug)]
pub struct ScriptRun {
    /// True for exit status 0.
    pub success: bool,
    /// Output and errors, in the order in which they were written.
    pub output: String,
}

impl ScriptRun {
    /// How many checks were reported as passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.output.lines().filter(|line| line.starts_with("ok ")).count()
    }
}

/// Runs a Python program that may import `kmip`, for at most two minutes.
///
/// # Errors
/// Only when PyKMIP cannot be had.
///
/// # Panics
/// When the program does not end in time.
pub fn client_script<A: Into<OsString>>(
    program: &Path,
    args: impl IntoIterator<Item = A>,
) -> Result<ScriptRun, Unavailable> {
    let installation = installation()?;
    let scratch = Scratch::new("script");
    let launch = Launch::new(&installation.python, scratch.path().join("output"))
        // Libraries warn of their own future.
        .args(["-W", "ignore"])
        .arg(program)
        .args(args);
    let mut process = match launch.start() {
        Ok(process) => process,
        Err(error) => panic!("{} cannot be run: {error}", installation.python.display()),
    };
    match process.wait(SCRIPT_LIMIT) {
        Some(status) => Ok(ScriptRun { success: status.success(), output: process.log() }),
        None => panic!(
            "{} still runs after {} s; so far it said:\n{}",
            program.display(),
            SCRIPT_LIMIT.as_secs(),
            process.log()
        ),
    }
}

/// How many checks [`proxy_client`] makes: 24 in each version, without Discover Versions in 1.0.
pub const PROXY_CLIENT_CHECKS: usize = 5 * 24 - 1;

/// Runs every operation of PyKMIP's own client in every version from 1.0 to 1.4 against the server that `client` reaches:
/// `python/proxy_client.py`, one line of output for each check.
///
/// # Errors
/// Only when PyKMIP cannot be had.
pub fn proxy_client(client: &Client) -> Result<ScriptRun, Unavailable> {
    let scratch = Scratch::new("script");
    client_script(
        &program(&scratch, "proxy_client.py", include_str!("../../python/proxy_client.py")),
        client.args(),
    )
}

/// Writes one of our own programs where Python can run it. They travel inside the test, so that a target directory
/// shared between checkouts cannot run another checkout's.
fn program(scratch: &Scratch, name: &str, text: &str) -> PathBuf {
    let path = scratch.path().join(name);
    match fs::write(&path, text) {
        Ok(()) => path,
        Err(error) => panic!("{} cannot be written: {error}", path.display()),
    }
}

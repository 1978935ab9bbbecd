//! A program that ends when the process that wanted it ends, however that happens.
//!
//! The kernel's parent death signal has to be asked for by the child itself, between fork and exec. This command is that
//! moment: it asks, and then becomes the program. That way no unsafe code is needed.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

use crate::error::Error;

/// A command that runs `program` tethered to the calling thread: the program is killed when that thread ends.
///
/// # Errors
/// [`Error::Read`] when this executable cannot be found.
pub(crate) fn command(program: &Path) -> Result<Command, Error> {
    let executable =
        std::env::current_exe().map_err(|source| Error::Read { path: "/proc/self/exe".into(), source })?;
    let mut command = Command::new(executable);
    command.args(["internal-tethered", "--parent", &getpid().as_raw_pid().to_string(), "--"]).arg(program);
    Ok(command)
}

/// Becomes `program`. Returns only when that fails.
///
/// # Errors
/// [`Error::Start`] when it cannot be started; [`Error::Interrupted`] when the parent is gone already.
pub(crate) fn run(parent: i32, program: &[OsString]) -> Result<Infallible, Error> {
    let (name, arguments): (&OsStr, _) = match program.split_first() {
        Some((name, arguments)) => (name, arguments),
        None => return Err(Error::Interrupted),
    };
    let failed = |source| Error::Start { program: name.into(), source };
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|errno| failed(errno.into()))?;
    // The parent may have ended before the signal was asked for; then nobody would ever send it.
    if getppid().map(rustix::process::Pid::as_raw_pid) != Some(parent) {
        return Err(Error::Interrupted);
    }
    Err(failed(Command::new(name).args(arguments).exec()))
}

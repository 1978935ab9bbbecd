//! Failing system calls on chosen files, by `strace`.

use std::ffi::OsString;
use std::path::Path;

use crate::Unavailable;
use crate::process;

/// What happens to a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `fsync` and `fdatasync` report an input/output error, from the `from`-th of a thread on.
    SyncFails {
        /// Counted from 1.
        from: u32,
    },
    /// The thread's `at`-th write, sync, truncation or rename kills the process before it is made.
    Killed {
        /// Counted from 1.
        at: u32,
    },
}

/// The words to put before a server's command line so that `fault` happens on `files` only. `log` takes strace's own words.
///
/// # Errors
/// When strace is not installed, or this process is not root: whoever traces a server that has made itself undumpable
/// needs to be, in order to know which file a call is for.
pub fn inject(fault: Fault, files: &[&Path], log: &Path) -> Result<Vec<OsString>, Unavailable> {
    let unavailable = |why: String| Unavailable::new("fault injection", why);
    if !rustix::process::geteuid().is_root() {
        return Err(unavailable("it needs root".to_owned()));
    }
    process::run(std::process::Command::new("strace").arg("--version"))
        .map_err(|why| unavailable(format!("strace is needed ({why}): apt-get install strace")))?;
    let (calls, what) = match fault {
        Fault::SyncFails { from } => ("fsync,fdatasync", format!("error=EIO:when={from}+")),
        Fault::Killed { at } => (
            "write,pwrite64,writev,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink",
            format!("signal=KILL:error=EIO:when={at}"),
        ),
    };
    // -D: the server stays the test's child, and strace is its descendant.
    let mut words: Vec<OsString> = ["strace", "-D", "-f", "-qq", "-o"].map(OsString::from).to_vec();
    words.push(log.into());
    for file in files {
        words.extend([OsString::from("-P"), OsString::from(file)]);
    }
    words.extend(["-e".into(), format!("trace={calls}").into()]);
    words.extend(["-e".into(), format!("inject={calls}:{what}").into()]);
    Ok(words)
}

//! The process of a server: a child of the test, or one that went into the background by itself.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{Process, wait_until};

/// A running server's process.
pub(super) enum Running {
    Child(Process),
    Daemon(Daemon),
}

impl Running {
    /// Sends SIGTERM and waits for its end; false when it still runs after `limit`.
    pub(super) fn terminate(&mut self, limit: Duration) -> bool {
        match self {
            Self::Child(process) => process.terminate(limit).is_some(),
            Self::Daemon(daemon) => daemon.terminate(limit),
        }
    }

    pub(super) fn is_running(&mut self) -> bool {
        match self {
            Self::Child(process) => process.ended().is_none(),
            Self::Daemon(daemon) => daemon.is_running(),
        }
    }
}

/// A server that was started with `--daemonize`: the child of a child that has ended. Dropping it kills it.
pub(super) struct Daemon {
    pid: Pid,
    /// One of its arguments that no other process has.
    argument: String,
    watchdog: Child,
}

/// Waits for the end of its input, which the test's process holds open, and then kills the server if it is still there.
const WATCHDOG: &str = r#"read -r _; grep -qF -- "$2" "/proc/$1/cmdline" 2>/dev/null && kill -9 "$1"; :"#;

impl Daemon {
    /// The server whose number is in `pid_file` and whose command line holds `argument`.
    pub(super) fn find(pid_file: &Path, argument: String) -> io::Result<Self> {
        let text = fs::read_to_string(pid_file)?;
        let number = text.trim().parse().ok().and_then(Pid::from_raw);
        let pid =
            number.ok_or_else(|| io::Error::other(format!("{} names no process", pid_file.display())))?;
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "sh", text.trim(), &argument])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()?;
        Ok(Self { pid, argument, watchdog })
    }

    /// A process that has ended has no command line, also before somebody takes note of it.
    fn is_running(&self) -> bool {
        fs::read(format!("/proc/{}/cmdline", self.pid.as_raw_nonzero()))
            .is_ok_and(|text| text.split(|byte| *byte == 0).any(|word| word == self.argument.as_bytes()))
    }

    fn terminate(&self, limit: Duration) -> bool {
        self.signal(Signal::TERM);
        wait_until(limit, || (!self.is_running()).then_some(())).is_some()
    }

    fn signal(&self, signal: Signal) {
        // Only while it is ours: the id of an ended process may already be somebody else's.
        if self.is_running() {
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // Until somebody has taken note of its end, a server that starts on its socket takes it for alive.
        let entry = format!("/proc/{}", self.pid.as_raw_nonzero());
        let _ = wait_until(Duration::from_secs(60), || (!Path::new(&entry).exists()).then_some(()));
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

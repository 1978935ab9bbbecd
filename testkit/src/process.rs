//! Child processes that never outlive their test, and waiting with a limit.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

/// What to start: a program, its arguments and environment, and the file that takes its output and errors.
#[derive(Debug, Clone)]
pub struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    log: PathBuf,
}

impl Launch {
    /// `program`, writing both its streams to the end of the file `log`.
    pub fn new(program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new(), env: Vec::new(), log: log.into() }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts it in a process group of its own, with standard input from `/dev/null`.
    ///
    /// # Errors
    /// When the log cannot be opened. A program that cannot be run ends at once and says so in the log.
    pub fn start(self) -> io::Result<Process> {
        let log = self.log.clone();
        let child = spawner(self)?;
        Ok(Process { child, log, ended: None })
    }

    fn spawn(&self) -> io::Result<Child> {
        let output = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let errors: File = output.try_clone()?;
        // setpriv asks the kernel to kill the server with the thread that started it, so that a test process which is
        // itself killed (a runner's time limit, Ctrl-C) leaves nothing behind. The shell gives up when that thread has
        // ended before the kernel was asked. Both then become the server, with the same process id.
        let mut command = if Path::new(SETPRIV).exists() {
            let mut command = Command::new(SETPRIV);
            command
                .args(["--pdeathsig", "KILL", "--", "/bin/sh", "-c", UNLESS_ORPHANED, "sh"])
                .arg(std::process::id().to_string())
                .arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
    }
}

const SETPRIV: &str = "/usr/bin/setpriv";
const UNLESS_ORPHANED: &str = r#"[ "$PPID" = "$1" ] || exit 1; shift; exec "$@""#;

/// Starts children from one thread that lives as long as the test process: the parent-death signal follows the
/// thread that forked, and a test's own threads may end before its servers do.
fn spawner(launch: Launch) -> io::Result<Child> {
    type Request = (Launch, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let requests = SPAWNER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Request>();
        thread::spawn(move || {
            for (launch, reply) in receiver {
                // A caller that is gone drops the reply; `Child` itself does not kill, so do it here.
                if let Err(mpsc::SendError(Ok(mut orphan))) = reply.send(launch.spawn()) {
                    let _ = orphan.kill();
                    let _ = orphan.wait();
                }
            }
        });
        sender
    });
    let (reply, answer) = mpsc::channel();
    requests.send((launch, reply)).map_err(|_| io::Error::other("the spawning thread has ended"))?;
    answer.recv().map_err(|_| io::Error::other("the spawning thread has ended"))?
}

/// A running server. Dropping it kills its process group and waits until it is gone.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far, both streams together.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// How it ended, if it has. Whatever helpers it left are killed then.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none()
            && let Some(pid) = self.pid()
        {
            // Seen but not yet reaped, so that its id still names its group and nobody else's.
            let seen = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            if let Ok(Some(_)) = waitid(WaitId::Pid(pid), seen) {
                let _ = kill_process_group(pid, Signal::KILL);
                self.ended = self.child.wait().ok();
            }
        }
        self.ended
    }

    /// Sends SIGTERM and waits at most `limit`; `None` when it is still running then.
    pub fn terminate(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        self.wait(limit)
    }

    /// Waits at most `limit` for its end.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait_until(limit, || self.ended())
    }

    /// SIGKILL, at once: what a power cut looks like to the files, short of the disk's own cache.
    pub fn kill9(&mut self) {
        if self.ended().is_none() {
            // The group, because PyKMIP has helpers.
            if let Some(group) = self.pid() {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
    }

    /// SIGSTOP: the server keeps its connections and answers nothing. Returns once it has stopped; a signal sent
    /// before that could overtake this one.
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.id());
        let _ = wait_until(Duration::from_secs(5), || {
            // "pid (name) state …", where the name may itself hold parentheses.
            let text = fs::read_to_string(&stat).ok()?;
            text.rsplit(')').next()?.trim_start().starts_with(['T', 'Z']).then_some(())
        });
    }

    /// SIGCONT: it goes on.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    fn signal(&mut self, signal: Signal) {
        // Only while it is ours: the id of an ended process may already be somebody else's.
        if self.ended().is_none()
            && let Some(pid) = self.pid()
        {
            let _ = kill_process(pid, signal);
        }
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Asks `step` again and again until it answers, at most for `limit`.
pub fn wait_until<T>(limit: Duration, mut step: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = step() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a helper program to its end and returns its output, or one line on what went wrong.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{name} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<&str> = errors.lines().rev().take(3).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    Err(format!("{name} failed ({}): {}", output.status, tail.join(" / ")))
}

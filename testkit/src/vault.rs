//! A vault: the real `strongroom` program, initialised, serving on ports of its own, driven by its command line.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::built;
use crate::folder::{self, Scratch};
use crate::port::Port;
use crate::process::{Launch, Process, wait_until};

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Runs `strongroom` with `args` to its end, with nothing on standard input.
///
/// # Panics
/// When the program cannot be run.
#[must_use]
pub fn strongroom<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    run(args, &[])
}

fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, env: &[(OsString, OsString)]) -> Output {
    run_through(&[], args, env)
}

fn run_through<A: AsRef<OsStr>>(
    through: &[OsString],
    args: impl IntoIterator<Item = A>,
    env: &[(OsString, OsString)],
) -> Output {
    let program = built::strongroom();
    let env = env.iter().map(|(name, value)| (name, value));
    let mut command = match through.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(&program);
            command
        }
        None => Command::new(&program),
    };
    match command.args(args).envs(env).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => panic!("{} cannot be run: {error}", program.display()),
    }
}

/// Runs `strongroom` with `args`, which must succeed, and returns what it printed.
///
/// # Panics
/// With both its streams, when it fails.
pub fn strongroom_ok<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> String {
    let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    run_ok(&args, &[])
}

fn run_ok(args: &[OsString], env: &[(OsString, OsString)]) -> String {
    let output = run(args, env);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "strongroom {args:?} ended with {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// What a vault is made and served with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Further arguments of `vault init`. Without them it gets a file slot.
    pub init: Vec<OsString>,
    /// Further arguments of `vault serve`.
    pub serve: Vec<OsString>,
    /// Words before the command line of both: a program that runs them, such as `strace` or a shell, and its arguments.
    pub through: Vec<OsString>,
    /// Environment of both, such as `CREDENTIALS_DIRECTORY` for a passphrase.
    pub env: Vec<(OsString, OsString)>,
    /// The KMIP addresses of the other vaults of this cluster, for tokens and endpoint directories.
    pub standbys: Vec<SocketAddr>,
}

/// A vault and its files. Dropping it kills it and removes them.
pub struct Vault {
    process: Option<Process>,
    options: Options,
    kmip: Port,
    admin: Port,
    scratch: Scratch,
}

impl Vault {
    /// Makes a vault whose root key has a file slot, and serves it.
    ///
    /// # Panics
    /// When it does not build, cannot be made or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// Makes a vault with `options` and serves it.
    ///
    /// # Panics
    /// When it does not build, cannot be made or does not start.
    #[must_use]
    pub fn start_with(options: Options) -> Self {
        let mut vault = Self::init(options);
        vault.restart();
        vault
    }

    /// Makes a vault without serving it.
    ///
    /// # Panics
    /// When it does not build or cannot be made.
    #[must_use]
    pub fn init(options: Options) -> Self {
        let vault = Self {
            process: None,
            options,
            kmip: Port::reserve(),
            admin: Port::reserve(),
            scratch: Scratch::new("vault"),
        };
        let mut args: Vec<OsString> = vec!["vault".into(), "init".into(), "--dir".into(), vault.dir().into()];
        if vault.options.init.is_empty() {
            args.extend(["--file-slot".into(), vault.file_slot().into()]);
        }
        args.extend(vault.options.init.iter().cloned());
        let made = run_through(&vault.options.through, &args, &vault.options.env);
        assert!(made.status.success(), "the vault cannot be made: {}", String::from_utf8_lossy(&made.stderr));
        vault
    }

    /// A second vault on a copy of this one's files, on ports of its own: what a standby is until stores are shared. This
    /// one is stopped for the copy and served again.
    ///
    /// # Panics
    /// When either of them does not start.
    #[must_use]
    pub fn standby(&mut self) -> Self {
        self.stop();
        let mut standby = Self {
            process: None,
            options: self.options.clone(),
            kmip: Port::reserve(),
            admin: Port::reserve(),
            scratch: Scratch::new("standby"),
        };
        let copied = folder::copy_tree(&self.dir(), &standby.dir());
        if let Err(error) = copied {
            panic!("{} cannot be copied: {error}", self.dir().display());
        }
        if self.file_slot().exists() {
            fs::copy(self.file_slot(), standby.file_slot()).expect("the slot's key file can be copied");
            standby.options.serve.extend(["--file-slot".into(), standby.file_slot().into()]);
        }
        self.restart();
        standby.restart();
        standby
    }

    /// Stops it if it runs, serves it and waits until its KMIP port takes connections, so it must open itself.
    ///
    /// # Panics
    /// With its output, when it ends or does not listen within 30 seconds.
    pub fn restart(&mut self) {
        if let Err(said) = self.try_restart() {
            panic!("{said}");
        }
    }

    /// Like [`Vault::restart`] for a vault that may fail to.
    ///
    /// # Errors
    /// What it said, when it ends or does not listen within 30 seconds.
    pub fn try_restart(&mut self) -> Result<(), String> {
        self.serve(self.kmip.address())
    }

    /// Like [`Vault::restart`] for a vault that starts sealed: waits until it says that it is.
    ///
    /// # Panics
    /// With its output, when it ends or does not listen within 30 seconds, or is not sealed.
    pub fn restart_sealed(&mut self) {
        if let Err(said) = self.serve(self.admin.address()) {
            panic!("{said}");
        }
        // The port takes connections before the vault has tried to open itself; questions are answered only after that.
        let state = strongroom_ok(["vault", "status", "--dir", &self.dir().to_string_lossy()]);
        assert!(state.contains("sealed") && !state.contains("unsealed"), "{state}");
    }

    fn serve(&mut self, until: SocketAddr) -> Result<(), String> {
        self.stop();
        let mut words = self.options.through.iter().cloned().chain([built::strongroom().into()]);
        let program = words.next().unwrap_or_default();
        let mut launch = Launch::new(program, self.scratch.path().join("log"))
            .args(words)
            .args(["vault", "serve", "--dir"])
            .arg(self.dir())
            .arg("--kmip")
            .arg(self.kmip.address().to_string())
            .arg("--admin")
            .arg(self.admin.address().to_string());
        if !self.options.standbys.is_empty() {
            launch = launch.arg("--advertise").arg(self.kmip.address().to_string());
            for standby in &self.options.standbys {
                launch = launch.arg("--advertise").arg(standby.to_string());
            }
        }
        launch = launch.args(self.options.serve.iter().cloned());
        for (name, value) in &self.options.env {
            launch = launch.env(name, value);
        }
        let mut process = match launch.start() {
            Ok(process) => process,
            Err(error) => panic!("the vault cannot be run: {error}"),
        };
        let listens = wait_until(START_LIMIT, || {
            if process.ended().is_some() {
                return Some(false);
            }
            TcpStream::connect(until).is_ok().then_some(true)
        });
        if listens != Some(true) {
            return Err(format!("the vault does not listen on {until}; it said:\n{}", process.log()));
        }
        self.process = Some(process);
        Ok(())
    }

    /// Registers an endpoint and returns its one-time token.
    ///
    /// # Panics
    /// When the vault refuses.
    #[must_use]
    pub fn endpoint_add(&self, name: &str) -> String {
        let printed = strongroom_ok([
            OsStr::new("endpoint"),
            OsStr::new("add"),
            OsStr::new(name),
            OsStr::new("--dir"),
            self.dir().as_os_str(),
            OsStr::new("--quiet"),
        ]);
        let token = printed.trim();
        assert!(
            !token.is_empty() && !token.contains(char::is_whitespace),
            "not a token on a line of its own: {printed}"
        );
        token.to_owned()
    }

    /// Takes an endpoint's access away.
    ///
    /// # Panics
    /// When the vault refuses.
    pub fn endpoint_revoke(&self, name: &str) {
        strongroom_ok([
            OsStr::new("endpoint"),
            OsStr::new("revoke"),
            OsStr::new(name),
            OsStr::new("--dir"),
            self.dir().as_os_str(),
        ]);
    }

    /// Registers and enrols an endpoint; returns its directory, which lives as long as the vault's files.
    ///
    /// # Panics
    /// When either step fails.
    #[must_use]
    pub fn enrol(&self, name: &str) -> PathBuf {
        let directory = self.scratch.path().join("endpoints").join(name);
        if let Some(parent) = directory.parent() {
            fs::create_dir_all(parent).expect("a folder for endpoint directories can be made");
        }
        let token = self.endpoint_add(name);
        strongroom_ok([
            OsStr::new("enroll"),
            OsStr::new("--token"),
            OsStr::new(&token),
            OsStr::new("--out"),
            directory.as_os_str(),
        ]);
        directory
    }

    /// Stops it in order (SIGTERM).
    ///
    /// # Panics
    /// When it still runs after 30 seconds, or ends with a failure.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            match process.terminate(STOP_LIMIT) {
                Some(status) if status.success() => {}
                Some(status) => panic!("the vault ended with {status}; it said:\n{}", process.log()),
                None => panic!(
                    "the vault did not stop within {} s; it said:\n{}",
                    STOP_LIMIT.as_secs(),
                    process.log()
                ),
            }
        }
    }

    /// SIGKILL, at once.
    pub fn kill9(&mut self) {
        self.process = None;
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn pause(&mut self) {
        if let Some(process) = &mut self.process {
            process.pause();
        }
    }

    /// SIGCONT.
    pub fn resume(&mut self) {
        if let Some(process) = &mut self.process {
            process.resume();
        }
    }

    /// The process, while it runs.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// The options, for the next restart.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Where it speaks KMIP.
    #[must_use]
    pub fn kmip(&self) -> SocketAddr {
        self.kmip.address()
    }

    /// Where it enrols and tells its health.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin.address()
    }

    /// The vault's directory.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.scratch.path().join("vault")
    }

    /// The key file of the root key's file slot.
    #[must_use]
    pub fn file_slot(&self) -> PathBuf {
        self.scratch.path().join("slot.key")
    }

    /// What it has printed, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.scratch.path().join("log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// True when any file of the vault's directory holds these bytes.
    #[must_use]
    pub fn files_contain(&self, bytes: &[u8]) -> bool {
        folder::holds_bytes(&self.dir(), bytes)
    }
}

//! The command as its users meet it: real processes, real ports, real files.

mod enrolment;
mod faults;
mod journey;
mod keyfile;
mod keyfile_sealed;
mod keyfile_server;
mod keyring;
mod mariadb_rotate;
mod mysql_keyrings;
mod mysql_server;
mod quickstart;
mod revocation;
mod tablespace;
mod tablespace_files;
mod tablespace_mariadb;
mod tablespace_mysql;
mod usage;

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

/// The command under test, with nothing on standard input and nothing inherited that it would read.
fn strongroom<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    command.args(args).stdin(Stdio::null()).env_remove("STRONGROOM_CONF").env_remove("STRONGROOM_MARIADBD");
    command
}

/// What a run gave.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(command: &mut Command) -> Self {
        command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}")).into()
    }

    /// Standard output of a run that must have succeeded.
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The same with standard error in one line, because where its lines break depends on the length of paths.
    fn unwrapped(mut self) -> Self {
        self.stderr = self.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        self
    }

    /// A run that must have ended with `code`, whatever it printed before.
    #[track_caller]
    fn failed_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Standard error of a run that must have ended with `code`.
    #[track_caller]
    fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert!(self.stdout.is_empty(), "a failed run printed a result: {}", self.stdout);
        self.stderr
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs `strongroom` with these arguments to its end.
fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ran {
    Ran::of(&mut strongroom(args))
}

/// Arguments of different types in one list.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { [$(std::ffi::OsString::from($arg)),*] };
}
use args;

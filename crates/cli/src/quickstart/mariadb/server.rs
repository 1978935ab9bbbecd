//! A private mariadbd: its own data directory, a Unix socket only, gone when this value is dropped.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::find::Installation;
use crate::command::tethered;
use crate::error::Error;
use crate::quickstart::interrupt::Interrupt;

/// The name under which mariadbd loads the plugin: its file without `.so`.
const PLUGIN: &str = "strongroom_kmip_key_management";
/// Longest path of a Unix socket, in bytes: `sun_path` has 108 with the final zero (unix(7)).
const SOCKET_PATH_MAX: usize = 107;
/// How long the server may take to come up or to end.
const START_TIME_MAX: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A private server.
#[derive(Debug)]
pub(crate) struct PrivateServer {
    installation: Installation,
    conf_dir: PathBuf,
    child: Option<Child>,
    // Last, so that the files go after the process.
    scratch: TempDir,
}

impl PrivateServer {
    /// Makes the data directory, without starting the server. It will read its keys through the endpoint directory.
    ///
    /// # Errors
    /// [`Error::Write`] for files, [`Error::ProgramFailed`] when the server refuses its own scripts.
    pub(crate) fn make(
        installation: &Installation,
        plugin: &Path,
        conf_dir: &Path,
        interrupt: &Interrupt,
    ) -> Result<Self, Error> {
        let scratch = scratch()?;
        let server =
            Self { installation: installation.clone(), conf_dir: conf_dir.into(), child: None, scratch };
        for folder in [server.data(), server.plugins(), server.temporary()] {
            fs::create_dir(&folder).map_err(|source| Error::Write { path: folder, source })?;
        }
        let copy = server.plugins().join(format!("{PLUGIN}.so"));
        fs::copy(plugin, &copy).map_err(|source| Error::Write { path: copy, source })?;
        server.bootstrap(interrupt)?;
        Ok(server)
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// Starts the server with the plugin and waits until it answers.
    ///
    /// # Errors
    /// [`Error::ProgramFailed`] with what the server logged, [`Error::ProgramSlow`], [`Error::Interrupted`].
    pub(crate) fn start(&mut self, interrupt: &Interrupt) -> Result<Conn, Error> {
        let mut conf_dir = std::ffi::OsString::from("--kmip-key-management-conf-dir=");
        conf_dir.push(&self.conf_dir);
        let mut plugins = std::ffi::OsString::from("--plugin-dir=");
        plugins.push(self.plugins());
        let mut command = self.command()?;
        command
            .args([plugins, conf_dir])
            .arg(format!("--plugin-load-add={PLUGIN}"))
            // Without keys this server has no reason to run.
            .arg("--kmip-key-management=FORCE_PLUS_PERMANENT")
            .args(["--innodb-encrypt-tables=ON", "--innodb-encryption-threads=2", "--innodb-encrypt-log=ON"])
            .args(["--innodb-encrypt-temporary-tables=ON", "--aria-encrypt-tables=ON"])
            .args(["--encrypt-tmp-disk-tables=ON", "--encrypt-tmp-files=ON"])
            // Nobody but us can open the socket's folder, and there is no other way in.
            .args(["--skip-grant-tables", "--skip-networking"])
            .stdin(Stdio::null());
        self.child = Some(spawn(command, &self.installation.mariadbd)?);
        let deadline = Instant::now() + START_TIME_MAX;
        loop {
            if let Ok(connection) = self.connect() {
                return Ok(connection);
            }
            self.check_alive()?;
            if Instant::now() > deadline {
                return Err(Error::ProgramSlow {
                    program: self.installation.mariadbd.clone(),
                    waited: START_TIME_MAX,
                });
            }
            interrupt.sleep(POLL)?;
        }
    }

    /// Ends the server in good order and waits for it.
    ///
    /// # Errors
    /// [`Error::ProgramFailed`] when it ends with an error, [`Error::ProgramSlow`] when it does not end.
    pub(crate) fn stop(&mut self, interrupt: &Interrupt) -> Result<(), Error> {
        let Some(child) = self.child.as_mut() else { return Ok(()) };
        terminate(child);
        let deadline = Instant::now() + START_TIME_MAX;
        loop {
            let status = child.try_wait().map_err(|source| Error::Start {
                program: self.installation.mariadbd.clone().into_os_string(),
                source,
            })?;
            match status {
                Some(status) if status.success() => {
                    self.child = None;
                    return Ok(());
                }
                Some(status) => return Err(self.failed(status)),
                None if Instant::now() > deadline => {
                    return Err(Error::ProgramSlow {
                        program: self.installation.mariadbd.clone(),
                        waited: START_TIME_MAX,
                    });
                }
                None => interrupt.sleep(POLL)?,
            }
        }
    }

    /// A program with the options that the server and its bootstrap share.
    fn command(&self) -> Result<Command, Error> {
        let option = |name: &str, path: &Path| {
            let mut option = std::ffi::OsString::from(name);
            option.push(path);
            option
        };
        let mut command = tethered::command(&self.installation.mariadbd)?;
        // Must come first: the machine's own option files are none of our business.
        command.arg("--no-defaults").args([
            option("--datadir=", &self.data()),
            option("--tmpdir=", &self.temporary()),
            option("--socket=", &self.socket()),
            option("--pid-file=", &self.scratch.path().join("pid")),
            option("--lc-messages-dir=", &self.installation.share),
        ]);
        command.args(["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"]);
        command.args(["--max-connections=10", "--performance-schema=OFF"]);
        if geteuid().is_root() {
            // mariadbd does not run as root unless told to.
            command.arg("--user=root");
        }
        let log = self.log();
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|source| Error::Write { path: log.clone(), source })?;
        let again = file.try_clone().map_err(|source| Error::Write { path: log, source })?;
        command.stdout(file).stderr(again);
        Ok(command)
    }

    /// Fills the data directory from the scripts that come with the server, as `mariadb-install-db` does.
    fn bootstrap(&self, interrupt: &Interrupt) -> Result<(), Error> {
        // The server reads a statement up to a semicolon at a line's end, and reports the first that fails.
        let mut script = String::from("CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\n");
        for path in self.installation.bootstrap_scripts() {
            let text = fs::read(&path).map_err(|source| Error::Read { path, source })?;
            script.push_str(&String::from_utf8_lossy(&text));
            script.push('\n');
        }
        let mut command = self.command()?;
        command.arg("--bootstrap").stdin(Stdio::piped());
        let mut child = KillOnDrop(spawn(command, &self.installation.mariadbd)?);
        if let Some(mut stdin) = child.0.stdin.take() {
            // A server that ends early closes the pipe; its log says more than the broken pipe.
            let _ = stdin.write_all(script.as_bytes());
        }
        let deadline = Instant::now() + START_TIME_MAX;
        loop {
            let status = child.0.try_wait().map_err(|source| Error::Start {
                program: self.installation.mariadbd.clone().into_os_string(),
                source,
            })?;
            match status {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(status)),
                None if Instant::now() > deadline => {
                    return Err(Error::ProgramSlow {
                        program: self.installation.mariadbd.clone(),
                        waited: START_TIME_MAX,
                    });
                }
                None => interrupt.sleep(POLL)?,
            }
        }
    }

    fn connect(&self) -> Result<Conn, mysql::Error> {
        let options = OptsBuilder::new()
            .socket(Some(self.socket().to_string_lossy().into_owned()))
            .user(Some("root"))
            .read_timeout(Some(START_TIME_MAX))
            .write_timeout(Some(START_TIME_MAX));
        let mut connection = Conn::new(options)?;
        connection.query_drop("DO 1")?;
        Ok(connection)
    }

    fn check_alive(&mut self) -> Result<(), Error> {
        let Some(child) = self.child.as_mut() else { return Ok(()) };
        match child.try_wait() {
            Ok(Some(status)) => {
                self.child = None;
                Err(self.failed(status))
            }
            Ok(None) => Ok(()),
            Err(source) => {
                Err(Error::Start { program: self.installation.mariadbd.clone().into_os_string(), source })
            }
        }
    }

    fn failed(&self, status: std::process::ExitStatus) -> Error {
        Error::ProgramFailed {
            program: self.installation.mariadbd.clone(),
            status,
            complaints: fs::read(self.log())
                .map(|text| complaints(&String::from_utf8_lossy(&text)))
                .unwrap_or_default(),
        }
    }

    fn log(&self) -> PathBuf {
        self.scratch.path().join("error.log")
    }

    fn plugins(&self) -> PathBuf {
        self.scratch.path().join("plugin")
    }

    fn temporary(&self) -> PathBuf {
        self.scratch.path().join("tmp")
    }

    fn socket(&self) -> PathBuf {
        socket_in(self.scratch.path())
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            drop(KillOnDrop(child));
        }
    }
}

/// A process that ends with this value.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(mut command: Command, program: &Path) -> Result<Child, Error> {
    command.spawn().map_err(|source| Error::Start { program: program.into(), source })
}

fn terminate(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// A new folder (0700) whose path is short enough for a Unix socket in it.
fn scratch() -> Result<TempDir, Error> {
    let mut failure = None;
    for parent in [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()] {
        let private = fs::Permissions::from_mode(0o700);
        match tempfile::Builder::new().prefix("strongroom-").permissions(private).tempdir_in(&parent) {
            Ok(folder) if socket_in(folder.path()).as_os_str().len() <= SOCKET_PATH_MAX => return Ok(folder),
            Ok(_) => {}
            Err(source) => failure = Some(Error::Write { path: parent, source }),
        }
    }
    Err(failure.unwrap_or_else(|| Error::Write {
        path: std::env::temp_dir(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidFilename, "too long for a socket's path"),
    }))
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("s")
}

/// The server's own errors, newest last, without their time stamps.
fn complaints(log: &str) -> Vec<String> {
    let errors = log.lines().filter_map(|line| line.split_once("[ERROR] ").map(|(_, text)| text.to_owned()));
    let mut complaints: Vec<String> =
        errors.chain(log.lines().filter(|line| line.starts_with("ERROR: ")).map(str::to_owned)).collect();
    complaints.dedup();
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_errors_are_picked_out_of_its_log() {
        let log = "2026-11-21 23:52:24 0 [Note] InnoDB: fine\n\
                   2026-11-21 23:52:24 0 [ERROR] kmip_key_management: no conf dir\n\
                   2026-11-21 23:52:24 0 [ERROR] Aborting\n";
        assert_eq!(complaints(log), ["kmip_key_management: no conf dir", "Aborting"]);
    }

    #[test]
    fn the_scratch_folder_is_ours_alone_and_its_socket_path_fits() {
        let folder = scratch().unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(socket_in(folder.path()).as_os_str().len() <= SOCKET_PATH_MAX);
    }
}

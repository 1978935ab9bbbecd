//! Starting, asking, stopping and killing one server.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ::mysql::prelude::Queryable;
use ::mysql::{Conn, OptsBuilder};

use super::install::WHAT;
use super::running::{Daemon, Running};
use super::template::{base_args, template, user_arg};
use super::{Installation, Options, installation};
use crate::Unavailable;
use crate::folder::{self, Scratch};
use crate::port::Port;
use crate::process::{Launch, Process, wait_until};
use crate::sql::{self, Row, StartError};

const START_LIMIT: Duration = Duration::from_secs(90);
const STOP_LIMIT: Duration = Duration::from_secs(90);
// Linux keeps a Unix socket's path in 108 bytes with its final NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// A running (or stopped, or killed) server with its files. Dropping it kills it and removes the files.
///
/// ```text
/// <scratch>/bin/mysqld        a hard link of the program, so that its manifest is this server's alone
/// <scratch>/bin/mysqld.my     the global manifest
/// <scratch>/plugins/          links to the stock libraries, copies of those under test, component configurations
/// <scratch>/data/             the data directory
/// ```
pub struct Server {
    process: Option<Running>,
    installation: Installation,
    options: Options,
    socket: PathBuf,
    port: Option<Port>,
    connection: Option<Conn>,
    // Dropped last: the process must be gone before its files are.
    scratch: Scratch,
    _short: Option<tempfile::TempDir>,
}

impl Server {
    /// A new server on a fresh data directory.
    ///
    /// # Errors
    /// Only when there is no server for this machine.
    ///
    /// # Panics
    /// With the error log, when it does not start: use [`Server::prepare`] and [`Server::restart`] for a start that is
    /// expected to fail.
    pub fn start(options: Options) -> Result<Self, Unavailable> {
        let mut server = Self::prepare(options)?;
        if let Err(error) = server.restart() {
            panic!("mysqld did not start: {error}");
        }
        Ok(server)
    }

    /// A server on a fresh data directory, not started yet.
    ///
    /// # Errors
    /// Only when there is no server for this machine.
    pub fn prepare(options: Options) -> Result<Self, Unavailable> {
        let installation = installation()?;
        let template = template(&installation)?;
        let disk = |what: &str, error: io::Error| Unavailable::new(WHAT, format!("{what}: {error}"));
        let scratch = Scratch::new("mysql");
        folder::copy_tree(&template, &scratch.path().join("data"))
            .map_err(|error| disk("a data directory cannot be copied", error))?;
        own_program(&installation, &scratch.path().join("bin"))
            .map_err(|error| disk("the program cannot be linked", error))?;
        link_plugins(&installation.plugins, &scratch.path().join("plugins"))
            .map_err(|error| disk("the stock plugins cannot be linked", error))?;
        let mut socket = scratch.path().join("sock");
        let mut short = None;
        if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            let made = tempfile::Builder::new().prefix("strongroom-").tempdir();
            let made = made.map_err(|error| disk("no temporary folder", error))?;
            socket = made.path().join("sock");
            short = Some(made);
        }
        let port = options.tcp.then(Port::reserve);
        Ok(Self {
            process: None,
            installation,
            options,
            socket,
            port,
            connection: None,
            scratch,
            _short: short,
        })
    }

    /// The options, for the next [`Server::restart`]. A component's configuration can be changed under a running server
    /// with [`Server::configure`].
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Stops the server if it runs, writes its manifest, libraries and component configurations, starts it and waits until
    /// it answers SQL.
    ///
    /// # Errors
    /// When it ends instead or does not answer within 90 seconds; it is not running then.
    ///
    /// # Panics
    /// When the files cannot be written.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        self.write_files();
        let fail = |what: String, log: String| Err(StartError { what, log });
        let mut process = match self.launch().start() {
            Ok(process) => process,
            Err(error) => return fail(format!("mysqld cannot be run: {error}"), String::new()),
        };
        let daemonize = self.options.daemonize;
        let answer = wait_until(START_LIMIT, || match process.ended() {
            // The first process ends well when the one in the background is ready.
            Some(status) if !(daemonize && status.success()) => Some(Err(format!("mysqld ended ({status})"))),
            None if daemonize => None,
            _ => self.connect().ok().map(Ok),
        });
        match answer {
            Some(Ok(connection)) => {
                self.process = Some(if daemonize {
                    match Daemon::find(&self.pid_file(), format!("--datadir={}", self.data().display())) {
                        Ok(daemon) => Running::Daemon(daemon),
                        Err(error) => {
                            return fail(format!("mysqld is not in the background: {error}"), self.log());
                        }
                    }
                } else {
                    Running::Child(process)
                });
                self.connection = Some(connection);
                Ok(())
            }
            Some(Err(what)) => fail(what, self.log()),
            None => {
                drop(process);
                fail(format!("mysqld did not answer within {} s", START_LIMIT.as_secs()), self.log())
            }
        }
    }

    fn write_files(&self) {
        if let Some(user) = self.options.user
            && let Err(error) = give(self.scratch.path(), user)
        {
            panic!("{} cannot be given away: {error}", self.scratch.path().display());
        }
        // Without components, a manifest that a test or the program under test has put there stays.
        if !self.options.components.is_empty() {
            let list: Vec<String> =
                self.options.components.iter().map(|name| format!("file://{name}")).collect();
            write(&self.manifest(), &format!("{{\"components\": \"{}\"}}\n", list.join(",")));
        }
        for (name, text) in &self.options.configurations {
            self.configure(name, text);
        }
        for file in &self.options.libraries {
            let to = self.plugin_dir().join(file.file_name().unwrap_or_default());
            // A library that the server has mapped must not be written into.
            let _ = fs::remove_file(&to);
            if let Err(error) = fs::copy(file, &to) {
                panic!("{} cannot be copied to {}: {error}", file.display(), to.display());
            }
        }
    }

    /// Writes `<component>.cnf` into the plugin folder, also while the server runs.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, component: &str, text: &str) {
        write(&self.plugin_dir().join(format!("{component}.cnf")), text);
    }

    /// The program with this server's folders, for a run that ends by itself, such as a migration between keyrings. Stop the
    /// server first.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = self.installation.command(&self.program());
        command
            .arg("--no-defaults")
            .args(base_args(&self.installation, &self.data()))
            .args(user_arg(self.options.user))
            .arg(format!("--plugin-dir={}", self.plugin_dir().display()));
        command
    }

    fn launch(&self) -> Launch {
        let words = self.installation.words(&self.program());
        let mut launch = Launch::new(&words[0], self.log_path())
            .args(&words[1..])
            // First, or the machine's own configuration would be read.
            .arg("--no-defaults")
            .args(base_args(&self.installation, &self.data()))
            .args(user_arg(self.options.user))
            .arg(format!("--socket={}", self.socket.display()))
            .arg(format!("--pid-file={}", self.pid_file().display()))
            .arg(format!("--log-error={}", self.log_path().display()))
            .arg(format!("--tmpdir={}", self.scratch.path().display()))
            .arg(format!("--plugin-dir={}", self.plugin_dir().display()))
            .arg("--mysqlx=OFF")
            // Enough for tests, and small enough for several servers at once.
            .arg("--innodb-buffer-pool-size=32M")
            .arg("--innodb-redo-log-capacity=8M")
            .arg("--innodb-log-buffer-size=4M")
            .arg("--table-open-cache=256")
            .arg("--table-definition-cache=400")
            .arg("--max-connections=100")
            .arg("--skip-log-bin");
        launch = match &self.port {
            Some(port) => launch.arg(format!("--port={}", port.number())).arg("--bind-address=127.0.0.1"),
            None => launch.arg("--skip-networking"),
        };
        if self.options.daemonize {
            launch = launch.arg("--daemonize");
        }
        for (name, value) in &self.options.env {
            launch = launch.env(name, value);
        }
        launch.args(&self.options.args)
    }

    fn connect(&self) -> Result<Conn, ::mysql::Error> {
        self.connect_as("root")
    }

    fn connect_as(&self, user: &str) -> Result<Conn, ::mysql::Error> {
        let options = OptsBuilder::new()
            .socket(Some(self.socket.to_string_lossy()))
            .user(Some(user))
            .prefer_socket(true)
            .read_timeout(Some(Duration::from_secs(120)))
            .write_timeout(Some(Duration::from_secs(120)));
        Conn::new(options)
    }

    /// Another connection, for work in parallel or as another user (who must have no password).
    ///
    /// # Errors
    /// The driver's, when the server does not take it.
    pub fn connection(&self, user: &str) -> Result<Conn, ::mysql::Error> {
        self.connect_as(user)
    }

    /// Runs one statement and returns its rows.
    ///
    /// # Errors
    /// The server's answer (`mysql::Error::MySqlError` with its code), or the lost connection.
    pub fn try_sql(&mut self, statement: &str) -> Result<Vec<Row>, ::mysql::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let answer: Result<Vec<::mysql::Row>, _> = connection.query(statement);
        // Kept after the server's own errors, because a session has state; a lost connection is opened anew.
        if matches!(answer, Ok(_) | Err(::mysql::Error::MySqlError(_))) {
            self.connection = Some(connection);
        }
        Ok(sql::rows(answer?))
    }

    /// Runs one statement that must succeed.
    ///
    /// # Panics
    /// With the statement, the answer and the error log.
    pub fn sql(&mut self, statement: &str) -> Vec<Row> {
        match self.try_sql(statement) {
            Ok(rows) => rows,
            Err(error) => panic!("{statement}\nfailed: {error}\n{}", self.log()),
        }
    }

    /// Runs one statement that must fail, and returns the server's code and text.
    ///
    /// # Panics
    /// When it succeeds, or when the connection is lost.
    pub fn sql_error(&mut self, statement: &str) -> (u16, String) {
        match self.try_sql(statement) {
            Err(::mysql::Error::MySqlError(error)) => (error.code, error.message),
            other => panic!("{statement}\nshould have been refused, but: {other:?}\n{}", self.log()),
        }
    }

    /// The first column of the only row of a statement that must succeed; NULL is the empty text.
    ///
    /// # Panics
    /// When the statement fails or has no row.
    pub fn value(&mut self, statement: &str) -> String {
        self.value_or_null(statement).unwrap_or_default()
    }

    /// The first column of the only row of a statement that must succeed. A function of the keyring that was refused returns
    /// NULL, as it does since MySQL 9.
    ///
    /// # Panics
    /// When the statement fails or has no row.
    pub fn value_or_null(&mut self, statement: &str) -> Option<String> {
        let rows = match self.try_sql(statement) {
            Err(error) if is_refused_function(&error) => return None,
            Ok(rows) => rows,
            Err(error) => panic!("{statement}\nfailed: {error}\n{}", self.log()),
        };
        match rows.into_iter().next().and_then(|row| row.into_iter().next()) {
            Some(value) => value,
            None => panic!("{statement}\nhas no row"),
        }
    }

    /// The rows of a statement that must succeed, as text: a space between the values, nothing for NULL.
    ///
    /// # Panics
    /// When the statement fails.
    pub fn rows(&mut self, statement: &str) -> Vec<String> {
        let text = |row: Row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join(" ");
        self.sql(statement).into_iter().map(text).collect()
    }

    /// Its version: the first two numbers.
    ///
    /// # Panics
    /// When it does not answer, or not with a version.
    pub fn version(&mut self) -> (u32, u32) {
        let version = self.value("SELECT VERSION()");
        let mut numbers = version.split('.').map(|number| number.parse().expect("a number"));
        (numbers.next().expect("a version"), numbers.next().expect("two numbers"))
    }

    /// Its server uuid.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn uuid(&mut self) -> String {
        self.value("SELECT @@server_uuid")
    }

    /// Shuts it down in order (SIGTERM), writing everything to disk.
    ///
    /// # Panics
    /// When it is still running after 90 seconds.
    pub fn stop(&mut self) {
        self.connection = None;
        if let Some(mut process) = self.process.take()
            && !process.terminate(STOP_LIMIT)
        {
            panic!("mysqld did not stop within {} s\n{}", STOP_LIMIT.as_secs(), self.log());
        }
    }

    /// Kills it at once (SIGKILL), as a crash would.
    pub fn kill9(&mut self) {
        self.connection = None;
        self.process = None;
    }

    /// True while it runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Running::is_running)
    }

    /// The server's process, while it runs as a child of the test.
    pub fn process(&mut self) -> Option<&mut Process> {
        match &mut self.process {
            Some(Running::Child(process)) => Some(process),
            _ => None,
        }
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// Its own plugin folder.
    #[must_use]
    pub fn plugin_dir(&self) -> PathBuf {
        self.scratch.path().join("plugins")
    }

    /// Its own program, beside which the global manifest lies.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.scratch.path().join("bin/mysqld")
    }

    /// Its global manifest.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.scratch.path().join("bin/mysqld.my")
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where it listens, with [`Options::tcp`].
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.port.as_ref().map(Port::address)
    }

    /// What it runs from.
    #[must_use]
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    fn pid_file(&self) -> PathBuf {
        self.scratch.path().join("pid")
    }

    fn log_path(&self) -> PathBuf {
        // The server would add `.err` to a name without an extension.
        self.scratch.path().join("error.log")
    }

    /// The error log of all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits until the error log holds `text`; false after `limit`.
    #[must_use]
    pub fn log_says(&self, text: &str, limit: Duration) -> bool {
        wait_until(limit, || self.log().contains(text).then_some(())).is_some()
    }

    /// True when any file of the data directory holds these bytes. Stop the server first, or it may still
    /// hold the pages in memory.
    #[must_use]
    pub fn files_contain(&self, bytes: &[u8]) -> bool {
        folder::holds_bytes(&self.data(), bytes)
    }
}

/// A program of this server's own, because mysqld looks for its manifest beside itself, through symbolic links.
fn own_program(installation: &Installation, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let to = folder.join("mysqld");
    fs::hard_link(&installation.program, &to).or_else(|_| fs::copy(&installation.program, &to).map(|_| ()))
}

fn link_plugins(stock: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(stock)? {
        let entry = entry?;
        symlink(entry.path(), folder.join(entry.file_name()))?;
    }
    Ok(())
}

/// Gives the server's own folder and its data to `user`. Its program, plugins and their configuration stay root's.
fn give(scratch: &Path, user: u32) -> io::Result<()> {
    fn tree(path: &Path, user: u32) -> io::Result<()> {
        chown(path, Some(user), Some(user))?;
        if fs::symlink_metadata(path)?.is_dir() {
            for entry in fs::read_dir(path)? {
                tree(&entry?.path(), user)?;
            }
        }
        Ok(())
    }
    chown(scratch, Some(user), Some(user))?;
    let log = scratch.join("error.log");
    fs::OpenOptions::new().create(true).append(true).open(&log)?;
    chown(&log, Some(user), Some(user))?;
    tree(&scratch.join("data"), user)
}

fn write(path: &Path, text: &str) {
    if let Err(error) = fs::write(path, text) {
        panic!("{} cannot be written: {error}", path.display());
    }
}

/// Whether the keyring refused what a function such as `keyring_key_store` asked of it, in the way of MySQL 8.
#[must_use]
pub fn is_refused_function(error: &::mysql::Error) -> bool {
    const ER_KEYRING_UDF_KEYRING_SERVICE_ERROR: u16 = 3188;
    matches!(error, ::mysql::Error::MySqlError(error) if error.code == ER_KEYRING_UDF_KEYRING_SERVICE_ERROR)
}

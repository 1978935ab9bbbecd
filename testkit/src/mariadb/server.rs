//! Starting, asking, stopping and killing one server.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder};

use super::{Installation, Series, WHAT, installation};
use crate::Unavailable;
use crate::folder::{self, Scratch};
use crate::process::{Launch, Process, wait_until};
use crate::sql::{self, Row, StartError};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
// Linux keeps a Unix socket's path in 108 bytes with its final NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// What a server is started with beyond its data directory and socket.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The series to run; the one of [`installation`] unless given.
    pub series: Option<Series>,
    /// `--innodb-page-size` in bytes, for which a data directory is made; 16384 unless given.
    pub page_bytes: Option<u32>,
    /// `--plugin-dir`: a folder with plugins; the stock one unless given.
    pub plugin_dir: Option<PathBuf>,
    /// `--plugin-load-add`, one for each, without `.so`.
    pub plugin_load_add: Vec<String>,
    /// Further arguments, for example `--innodb-encrypt-tables=ON`.
    pub args: Vec<String>,
    /// Environment of the server.
    pub env: Vec<(String, String)>,
    /// A program that becomes the server, with its arguments, such as `unshare`; the server's own follow.
    pub through: Vec<String>,
}

impl Options {
    /// A server of this series.
    #[must_use]
    pub fn on(mut self, series: Series) -> Self {
        self.series = Some(series);
        self
    }

    /// Adds `--plugin-load-add=name`.
    #[must_use]
    pub fn load(mut self, name: &str) -> Self {
        self.plugin_load_add.push(name.to_owned());
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }
}

/// A running (or stopped, or killed) server with its files. Dropping it kills it and removes the files.
pub struct Server {
    process: Option<Process>,
    installation: Installation,
    options: Options,
    socket: PathBuf,
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
            panic!("mariadbd did not start: {error}");
        }
        Ok(server)
    }

    /// A server on a fresh data directory, not started yet.
    ///
    /// # Errors
    /// Only when there is no server for this machine.
    pub fn prepare(options: Options) -> Result<Self, Unavailable> {
        let installation = options.series.map_or_else(installation, Series::installation)?;
        let template = template(&installation, options.page_bytes)?;
        let scratch = Scratch::new("mariadb");
        folder::copy_tree(&template.join("data"), &scratch.path().join("data"))
            .map_err(|error| Unavailable::new(WHAT, format!("a data directory cannot be copied: {error}")))?;
        let mut socket = scratch.path().join("sock");
        let mut short = None;
        if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            let folder = tempfile::Builder::new().prefix("strongroom-").tempdir();
            let folder =
                folder.map_err(|error| Unavailable::new(WHAT, format!("no temporary folder: {error}")))?;
            socket = folder.path().join("sock");
            short = Some(folder);
        }
        Ok(Self { process: None, installation, options, socket, connection: None, scratch, _short: short })
    }

    /// The options, for the next [`Server::restart`].
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Stops the server if it runs, starts it and waits until it answers SQL.
    ///
    /// # Errors
    /// When it ends instead or does not answer within 60 seconds; it is not running then.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        let fail = |what: String, log: String| Err(StartError { what, log });
        let mut process = match self.launch().start() {
            Ok(process) => process,
            Err(error) => return fail(format!("mariadbd cannot be run: {error}"), String::new()),
        };
        let answer = wait_until(START_LIMIT, || {
            if let Some(status) = process.ended() {
                return Some(Err(format!("mariadbd ended ({status})")));
            }
            self.connect().ok().map(Ok)
        });
        match answer {
            Some(Ok(connection)) => {
                self.connection = Some(connection);
                self.process = Some(process);
                Ok(())
            }
            Some(Err(what)) => fail(what, self.log()),
            None => {
                drop(process);
                fail(format!("mariadbd did not answer within {} s", START_LIMIT.as_secs()), self.log())
            }
        }
    }

    fn launch(&self) -> Launch {
        let plugin_dir = self.options.plugin_dir.as_ref().unwrap_or(&self.installation.plugins);
        let program = self.installation.program.clone().into_os_string();
        let mut words = self.options.through.iter().map(OsString::from).chain([program]);
        let mut launch = Launch::new(words.next().unwrap_or_default(), self.log_path())
            .args(words)
            // First, or the machine's own configuration would be read.
            .arg("--no-defaults")
            .args(base_args(&self.installation, &self.data()))
            .arg(format!("--socket={}", self.socket.display()))
            .arg(format!("--pid-file={}", self.scratch.path().join("pid").display()))
            .arg(format!("--tmpdir={}", self.scratch.path().display()))
            .arg(format!("--plugin-dir={}", plugin_dir.display()))
            .arg("--skip-networking")
            // Enough for tests, and small enough for several servers at once.
            .arg("--innodb-buffer-pool-size=32M")
            .arg("--innodb-log-file-size=8M")
            .arg("--key-buffer-size=1M")
            .arg("--aria-pagecache-buffer-size=8M")
            .arg("--performance-schema=OFF")
            .args(page_size(self.options.page_bytes));
        for name in &self.options.plugin_load_add {
            launch = launch.arg(format!("--plugin-load-add={name}"));
        }
        if let Some(path) = self.installation.library_path() {
            launch = launch.env("LD_LIBRARY_PATH", path);
        }
        for (name, value) in &self.options.env {
            launch = launch.env(name, value);
        }
        launch.args(&self.options.args)
    }

    fn connect(&self) -> Result<Conn, mysql::Error> {
        let options = OptsBuilder::new()
            .socket(Some(self.socket.to_string_lossy()))
            .user(Some("root"))
            .prefer_socket(true)
            .read_timeout(Some(Duration::from_secs(120)))
            .write_timeout(Some(Duration::from_secs(120)));
        Conn::new(options)
    }

    /// Another connection, for work in parallel.
    ///
    /// # Errors
    /// The driver's, when the server does not take it.
    pub fn connection(&self) -> Result<Conn, mysql::Error> {
        self.connect()
    }

    /// Runs one statement and returns its rows.
    ///
    /// # Errors
    /// The server's answer (`mysql::Error::MySqlError` with its code), or the lost connection.
    pub fn try_sql(&mut self, statement: &str) -> Result<Vec<Row>, mysql::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let rows: Vec<mysql::Row> = connection.query(statement)?;
        // Kept only after an answer without an error, so that a lost one is opened anew.
        self.connection = Some(connection);
        Ok(sql::rows(rows))
    }

    /// Runs one statement that must succeed.
    ///
    /// # Panics
    /// With the statement, the answer and the end of the error log.
    pub fn sql(&mut self, statement: &str) -> Vec<Row> {
        match self.try_sql(statement) {
            Ok(rows) => rows,
            Err(error) => panic!("{statement}\nfailed: {error}\n{}", self.log()),
        }
    }

    /// The first column of the only row of a statement that must succeed; NULL is the empty text.
    ///
    /// # Panics
    /// When the statement fails or has no row.
    pub fn value(&mut self, statement: &str) -> String {
        let rows = self.sql(statement);
        match rows.first().and_then(|row| row.first()) {
            Some(value) => value.clone().unwrap_or_default(),
            None => panic!("{statement}\nhas no row"),
        }
    }

    /// Shuts it down in order (SIGTERM), writing everything to disk.
    ///
    /// # Panics
    /// When it is still running after 60 seconds.
    pub fn stop(&mut self) {
        self.connection = None;
        if let Some(mut process) = self.process.take()
            && process.terminate(STOP_LIMIT).is_none()
        {
            panic!("mariadbd did not stop within {} s\n{}", STOP_LIMIT.as_secs(), self.log());
        }
    }

    /// Kills it at once (SIGKILL), as a crash would.
    pub fn kill9(&mut self) {
        self.connection = None;
        self.process = None;
    }

    /// True while it runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_none())
    }

    /// The server's process, while it runs.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What it runs from.
    #[must_use]
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    fn log_path(&self) -> PathBuf {
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

    /// Waits until the server's threads have encrypted what it had before it had keys, where it has threads that do. Rows written
    /// before that can leave plaintext in freed pages, which the threads pass over.
    ///
    /// # Panics
    /// When that takes longer than a minute.
    pub fn await_encrypted(&mut self) {
        const PLAIN: &str =
            "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE MIN_KEY_VERSION = 0";
        let done = wait_until(Duration::from_secs(60), || (self.value(PLAIN) == "0").then_some(()));
        assert!(done.is_some(), "tablespaces stay unencrypted\n{}", self.log());
    }

    /// True when any file of the data directory holds these bytes. Stop the server first, or it may still
    /// hold the pages in memory.
    #[must_use]
    pub fn files_contain(&self, bytes: &[u8]) -> bool {
        folder::holds_bytes(&self.data(), bytes)
    }
}

/// Arguments that the bootstrap and every start share.
fn base_args(installation: &Installation, data: &Path) -> Vec<String> {
    let mut args = vec![
        format!("--basedir={}", installation.base.display()),
        format!("--lc-messages-dir={}", installation.share.display()),
        format!("--datadir={}", data.display()),
    ];
    if rustix::process::geteuid().is_root() {
        args.push("--user=root".to_owned());
    }
    args
}

fn page_size(bytes: Option<u32>) -> Option<String> {
    bytes.map(|bytes| format!("--innodb-page-size={bytes}"))
}

/// A data directory with the system tables only, made once for each server version and page size and copied for each test. The
/// user `root` needs no password, because nobody else can reach the socket.
fn template(installation: &Installation, page_bytes: Option<u32>) -> Result<PathBuf, Unavailable> {
    let mut name: String = installation
        .version
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    if let Some(bytes) = page_bytes {
        name.push_str(&format!("-{bytes}"));
    }
    folder::once("mariadb-data", &name, |home| {
        let fail = |why: String| Unavailable::new(WHAT, format!("its system tables cannot be made: {why}"));
        let data = home.join("data");
        fs::create_dir_all(&data).map_err(|error| fail(error.to_string()))?;
        let mut sql = String::from("create database mysql;\nuse mysql;\n");
        for script in installation.bootstrap_scripts() {
            let text = fs::read_to_string(&script);
            sql.push_str(&text.map_err(|error| fail(format!("{}: {error}", script.display())))?);
        }
        bootstrap(installation, &data, page_bytes, &home.join("bootstrap.log"), &sql)
            .map_err(|error| fail(error.to_string()))
    })
}

fn bootstrap(
    installation: &Installation,
    data: &Path,
    page_bytes: Option<u32>,
    log: &Path,
    sql: &str,
) -> io::Result<()> {
    let output = fs::File::create(log)?;
    let mut child = installation
        .command()
        .arg("--no-defaults")
        .arg("--bootstrap")
        .args(base_args(installation, data))
        .args(["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M", "--skip-networking"])
        .args(page_size(page_bytes))
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()?;
    let written = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(sql.as_bytes()));
    let status = child.wait()?;
    written?;
    if status.success() {
        return Ok(());
    }
    let text = fs::read_to_string(log).unwrap_or_default();
    let tail: Vec<&str> = text.lines().filter(|line| line.contains("ERROR")).take(3).collect();
    Err(io::Error::other(format!("mariadbd --bootstrap ended with {status}: {}", tail.join(" / "))))
}

//! A connection to a running MySQL.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql::prelude::{FromRow, Queryable};
use mysql::{Conn, OptsBuilder};
use zeroize::Zeroizing;

use super::Fault;
use crate::args::MysqlAccountArgs;
use crate::error::Error;
use crate::terminal;

/// How long the server may take for one answer. A rotation over many tablespaces takes its time.
const PATIENCE: Duration = Duration::from_secs(600);
/// The longest password or option file, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// The account where none is named.
const USER: &str = "root";

/// A connection to a running server.
pub(super) struct Account {
    connection: Conn,
    /// The server's process, by its socket.
    pub(super) process: Option<i32>,
}

impl Account {
    /// Connects.
    ///
    /// # Errors
    /// [`Fault::Connect`], [`Fault::NotMysql`], and what reading the password ends with.
    pub(super) fn connect(args: &MysqlAccountArgs) -> Result<Self, Error> {
        let (mut user, mut password) = (args.user.clone(), None);
        if let Some(fd) = args.password_fd {
            password = Some(terminal::secret_from_fd(fd)?);
        } else if let Some(path) = &args.password_file {
            password = Some(first_line(&read(path)?));
        } else if let Some(path) = &args.defaults_file {
            let text = read(path)?;
            let client = client_group(&text);
            if client.user.is_none() && client.password.is_none() {
                return Err(Fault::OptionFile(path.clone()).into());
            }
            user = user.or(client.user);
            password = client.password;
        }
        let options = OptsBuilder::new()
            .socket(Some(args.socket.to_string_lossy()))
            .user(Some(user.as_deref().unwrap_or(USER)))
            .pass(password.as_ref().map(|password| password.as_str()))
            .read_timeout(Some(PATIENCE))
            .write_timeout(Some(PATIENCE));
        let connection = Conn::new(options)
            .map_err(|source| Fault::Connect { socket: args.socket.clone(), source: Box::new(source) })?;
        let mut account = Self { connection, process: process(&args.socket) };
        let version: String = account.value("SELECT VERSION()")?;
        if version.contains("MariaDB") {
            return Err(Fault::NotMysql(version).into());
        }
        Ok(account)
    }

    /// All rows of a statement.
    ///
    /// # Errors
    /// [`Fault::Sql`].
    pub(super) fn rows<T: FromRow>(&mut self, statement: &str) -> Result<Vec<T>, Error> {
        let refused = |source| Fault::Sql {
            statement: statement.to_owned(),
            source: Box::new(source),
            log: Vec::new(),
        };
        Ok(self.connection.query(statement).map_err(refused)?)
    }

    /// The one value of a statement that always has one.
    ///
    /// # Errors
    /// [`Fault::Sql`].
    pub(super) fn value<T: mysql::prelude::FromValue + Default>(
        &mut self,
        statement: &str,
    ) -> Result<T, Error> {
        Ok(self.rows::<(T,)>(statement)?.into_iter().next().map(|(value,)| value).unwrap_or_default())
    }

    /// A system variable; `None` where this server has no such variable.
    ///
    /// # Errors
    /// [`Fault::Sql`].
    pub(super) fn variable(&mut self, name: &str) -> Result<Option<String>, Error> {
        let statement = format!(
            "SELECT VARIABLE_VALUE FROM performance_schema.global_variables WHERE VARIABLE_NAME = '{name}'"
        );
        Ok(self.rows::<(String,)>(&statement)?.pop().map(|(value,)| value))
    }

    /// A statement without rows; its error comes with what the error log says since.
    ///
    /// # Errors
    /// [`Fault::Sql`].
    pub(super) fn run(&mut self, statement: &str) -> Result<(), Error> {
        let before: Option<String> = self
            .rows::<(String,)>("SELECT CAST(MAX(LOGGED) AS CHAR) FROM performance_schema.error_log")
            .ok()
            .and_then(|mut rows| rows.pop())
            .map(|(time,)| time);
        let Err(source) = self.connection.query_drop(statement) else { return Ok(()) };
        let log = match before {
            Some(before) => self
                .rows::<(String,)>(&format!(
                    "SELECT DATA FROM performance_schema.error_log WHERE LOGGED > '{before}' AND PRIO IN ('Error', \
                     'Warning') ORDER BY LOGGED LIMIT 5"
                ))
                .unwrap_or_default()
                .into_iter()
                .map(|(line,)| line)
                .collect(),
            None => Vec::new(),
        };
        Err(Fault::Sql { statement: statement.to_owned(), source: Box::new(source), log }.into())
    }
}

/// The process that listens on the socket.
fn process(socket: &Path) -> Option<i32> {
    let stream = UnixStream::connect(socket).ok()?;
    let peer = rustix::net::sockopt::socket_peercred(&stream).ok()?;
    Some(peer.pid.as_raw_nonzero().get())
}

fn read(path: &Path) -> Result<Zeroizing<String>, Error> {
    let failed = |source| Error::Read { path: path.into(), source };
    let mut file = fs::File::open(path).map_err(failed)?;
    // A buffer that grows would leave copies of the password behind.
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
    (&mut file).take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

fn first_line(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
}

/// What an option file says about who connects.
#[derive(Default)]
struct Client {
    user: Option<String>,
    password: Option<Zeroizing<String>>,
}

/// Reads the `[client]` group of an option file, as MySQL's programs do.
fn client_group(text: &str) -> Client {
    let mut client = Client::default();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        if let Some(group) = line.strip_prefix('[') {
            inside = group.trim_end_matches(']').trim() == "client";
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| inside) else { continue };
        let value = unquoted(value.trim());
        match name.trim() {
            "user" => client.user = Some(value.to_owned()),
            "password" => client.password = Some(Zeroizing::new(value.to_owned())),
            _ => {}
        }
    }
    client
}

/// A value may stand in quotes, so that blanks and `#` belong to it.
fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

/// The folder that a process takes for `/`, where that is another one than ours.
pub(super) fn other_root(process: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/root")).ok().filter(|root| root != Path::new("/"))
}

/// Where a running server finds its program: by its command line, because it may have been started by a loader.
///
/// The manifest lies beside the program, and the server follows symbolic links to it.
pub(super) fn program(process: i32) -> Option<PathBuf> {
    let folder = PathBuf::from(format!("/proc/{process}"));
    let is_server =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("mysqld"));
    let exe = fs::read_link(folder.join("exe")).ok().map(|exe| {
        // A program that was upgraded under its running server.
        let text = exe.to_string_lossy();
        text.strip_suffix(" (deleted)").map_or_else(|| exe.clone(), PathBuf::from)
    });
    if let Some(exe) = exe.filter(|exe| is_server(exe)) {
        return Some(exe);
    }
    let words = fs::read(folder.join("cmdline")).ok()?;
    let words =
        words.split(|&byte| byte == 0).map(|word| PathBuf::from(String::from_utf8_lossy(word).as_ref()));
    words.filter(|word| word.is_absolute() && is_server(word)).find_map(|word| fs::canonicalize(word).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_group_of_an_option_file_is_read() {
        let text = "[mysqld]\nuser=mysql\n# comment\n[client]\nuser = backup \npassword=\"a b#c\"\nsocket=/x\n[mysql]\npassword=no\n";
        let client = client_group(text);
        assert_eq!(client.user.as_deref(), Some("backup"));
        assert_eq!(client.password.as_deref().map(String::as_str), Some("a b#c"));
        assert!(client_group("[mysqld]\nuser=mysql\n").user.is_none());
    }

    #[test]
    fn the_program_of_a_process_that_is_no_server_is_not_named() {
        assert_eq!(program(i32::try_from(std::process::id()).unwrap()), None);
    }
}

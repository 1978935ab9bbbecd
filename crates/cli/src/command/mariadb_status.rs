//! `strongroom mariadb status`: which versions of its keys a running server still needs, as far as it can tell.

use std::time::Duration;

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, params};
use serde::Serialize;

use crate::args::MariadbStatusArgs;
use crate::error::Error;
use crate::output::{Output, Table, WIDTH, wrap};
use crate::terminal;

/// How long the server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What MariaDB shows as the latest version of a key that its plugin does not have.
const NO_VERSION: u32 = u32::MAX;
/// Width of the progress bar, in characters.
const BAR: u32 = 20;

/// In the order of the key, as those who rotate one look for it.
const TABLESPACES: &str = "SELECT NAME, CURRENT_KEY_ID, ENCRYPTION_SCHEME, MIN_KEY_VERSION, CURRENT_KEY_VERSION, \
     ROTATING_OR_FLUSHING, KEY_ROTATION_PAGE_NUMBER, KEY_ROTATION_MAX_PAGE_NUMBER \
     FROM information_schema.INNODB_TABLESPACES_ENCRYPTION ORDER BY CURRENT_KEY_ID, NAME";
const ARIA_TABLES: &str = "SELECT COUNT(*) FROM information_schema.TABLES WHERE ENGINE = 'Aria' \
     AND TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')";
const VARIABLE: &str =
    "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = :name";

/// One InnoDB tablespace.
#[derive(Debug, Serialize)]
pub(crate) struct Tablespace {
    pub(crate) name: String,
    pub(crate) key_id: u32,
    pub(crate) encrypted: bool,
    /// The oldest version that any of its pages may have.
    pub(crate) oldest_version: u32,
    /// The latest version of its key; none where the plugin does not have the key.
    pub(crate) latest_version: Option<u32>,
    state: State,
    /// How much of the present pass is done, in percent.
    percent: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// Nothing of it is encrypted.
    Plain,
    /// All of it has the latest version.
    Latest,
    /// The server's threads are at it, or wait for pages to reach the disk.
    Rotating,
    /// Far enough behind, and nobody is at it.
    Waiting,
    /// Too little behind for the server to do anything about it.
    TooClose,
    /// The plugin does not have the key.
    KeyMissing,
}

/// What else keeps old versions, of which a server does not know the versions.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Holders {
    rotate_key_age: u32,
    encryption_threads: u32,
    encrypt_tables: String,
    redo_log_encrypted: bool,
    /// None where the server does not say.
    binary_logs: Option<usize>,
    /// None where Aria does not encrypt.
    aria_tables: Option<u64>,
}

pub(crate) fn run(args: &MariadbStatusArgs, output: Output) -> Result<(), Error> {
    let (tablespaces, holders) = ask(&mut connect(args)?)?;
    if output.is_json() {
        return output.json(&serde_json::json!({ "tablespaces": tablespaces, "other": holders }));
    }
    if tablespaces.is_empty() {
        output.result("no tablespaces found")?;
        output.note("None is encrypted, or the account lacks the PROCESS privilege.");
        return Ok(());
    }
    let mut table = Table::new(&["Tablespace", "Key ID", "Oldest", "Latest", "State"]);
    for space in &tablespaces {
        let version = |version: u32| if version == 0 { "-".to_owned() } else { version.to_string() };
        table.row([
            space.name.clone(),
            space.key_id.to_string(),
            version(space.oldest_version),
            version(space.latest_version.unwrap_or_default()),
            words(space),
        ]);
    }
    output.result(table)?;
    for remark in remarks(&tablespaces, &holders) {
        output.result(wrap(&remark, WIDTH, "  "))?;
    }
    Ok(())
}

/// Asks a running server for its tablespaces, and for what else keeps old versions.
pub(super) fn ask(connection: &mut Conn) -> Result<(Vec<Tablespace>, Holders), Error> {
    let holders = holders(connection)?;
    let tablespaces = tablespaces(connection, holders.rotate_key_age)?;
    Ok((tablespaces, holders))
}

pub(super) fn connect(args: &MariadbStatusArgs) -> Result<Conn, Error> {
    let password = args.password_fd.map(terminal::secret_from_fd).transpose()?;
    let options = OptsBuilder::new()
        .socket(Some(args.socket.to_string_lossy()))
        .user(Some(&args.user))
        .pass(password.as_ref().map(|password| password.as_str()))
        .read_timeout(Some(PATIENCE))
        .write_timeout(Some(PATIENCE));
    Conn::new(options)
        .map_err(|source| Error::Mariadb { socket: args.socket.clone(), source: Box::new(source) })
}

type Row = (String, u32, u32, u32, u32, u32, Option<u64>, Option<u64>);

fn tablespaces(connection: &mut Conn, age: u32) -> Result<Vec<Tablespace>, Error> {
    let rows: Vec<Row> = connection.query(TABLESPACES).map_err(refused(TABLESPACES))?;
    Ok(rows
        .into_iter()
        .map(|(name, key_id, scheme, oldest_version, latest, is_rotating, page, last_page)| {
            let encrypted = scheme != 0;
            let latest_version = (latest != NO_VERSION).then_some(latest);
            let state = state(encrypted, oldest_version, latest_version, is_rotating != 0, age);
            let percent = page
                .zip(last_page)
                .filter(|_| state == State::Rotating)
                .and_then(|(page, last)| u32::try_from((page.min(last) * 100).checked_div(last)?).ok());
            Tablespace { name, key_id, encrypted, oldest_version, latest_version, state, percent }
        })
        .collect())
}

/// InnoDB begins with a tablespace once its oldest version plus the age is *below* the latest one.
fn state(encrypted: bool, oldest: u32, latest: Option<u32>, is_rotating: bool, age: u32) -> State {
    match latest {
        _ if is_rotating => State::Rotating,
        _ if !encrypted => State::Plain,
        None => State::KeyMissing,
        Some(latest) if oldest >= latest => State::Latest,
        Some(latest) if age == 0 || oldest.saturating_add(age) >= latest => State::TooClose,
        Some(_) => State::Waiting,
    }
}

fn words(space: &Tablespace) -> String {
    match space.state {
        State::Plain => "not encrypted".to_owned(),
        State::Latest => "done".to_owned(),
        State::Waiting => "waits to be re-encrypted".to_owned(),
        State::TooClose => "stays as it is until the version rises further".to_owned(),
        State::KeyMissing => "the key is missing".to_owned(),
        State::Rotating => match space.percent {
            Some(percent) => bar(percent),
            None => "being re-encrypted".to_owned(),
        },
    }
}

/// `██████████░░░░░░░░░░  50 %`.
fn bar(percent: u32) -> String {
    let filled = percent.min(100) * BAR / 100;
    let cells: String = (0..BAR).map(|cell| if cell < filled { '█' } else { '░' }).collect();
    format!("{cells} {percent:>3} %")
}

fn holders(connection: &mut Conn) -> Result<Holders, Error> {
    let mut variable = |name: &str| -> Result<String, Error> {
        let value: Option<String> =
            connection.exec_first(VARIABLE, params! { "name" => name }).map_err(refused(VARIABLE))?;
        Ok(value.unwrap_or_default())
    };
    let rotate_key_age = variable("innodb_encryption_rotate_key_age")?.parse().unwrap_or_default();
    let encryption_threads = variable("innodb_encryption_threads")?.parse().unwrap_or_default();
    let encrypt_tables = variable("innodb_encrypt_tables")?;
    let redo_log_encrypted = variable("innodb_encrypt_log")? == "ON";
    let writes_binary_logs = variable("log_bin")? == "ON";
    let aria_encrypts = variable("aria_encrypt_tables")? == "ON";
    let binary_logs = if writes_binary_logs {
        // Needs a privilege of its own, and is not worth an error.
        connection.query::<mysql::Row, _>("SHOW BINARY LOGS").ok().map(|logs| logs.len())
    } else {
        Some(0)
    };
    let aria_tables =
        if aria_encrypts { connection.query_first(ARIA_TABLES).map_err(refused(ARIA_TABLES))? } else { None };
    Ok(Holders {
        rotate_key_age,
        encryption_threads,
        encrypt_tables,
        redo_log_encrypted,
        binary_logs,
        aria_tables,
    })
}

impl Holders {
    /// What may need old versions, and is in no table of the server.
    pub(crate) fn others(&self) -> String {
        let mut others = Vec::new();
        if self.redo_log_encrypted {
            others.push("the redo log (the version it was created with)".to_owned());
        }
        match self.binary_logs {
            Some(0) => {}
            Some(count) => {
                others.push(format!("{count} binary logs, if encrypted (the version each was begun with)"));
            }
            None => {
                others.push("binary logs, which this account cannot see".to_owned());
            }
        }
        if let Some(count) = self.aria_tables.filter(|&count| count > 0) {
            others.push(format!("{count} Aria tables (re-encrypted by ALTER TABLE … FORCE)"));
        }
        others.push("backups".to_owned());
        format!(
            "Older versions may also be needed by what the server cannot tell the versions of: {}.",
            others.join("; ")
        )
    }
}

/// What a person must know before an old version is taken away, and what keeps a rotation from going on.
fn remarks(tablespaces: &[Tablespace], holders: &Holders) -> Vec<String> {
    let mut remarks = Vec::new();
    let any = |state| tablespaces.iter().any(|space| space.state == state);
    if any(State::Waiting) {
        if holders.encryption_threads == 0 || holders.encrypt_tables == "OFF" {
            remarks.push(
                "Re-encryption needs innodb_encryption_threads above 0 and innodb_encrypt_tables set to ON or FORCE."
                    .to_owned(),
            );
        } else {
            remarks.push(
                "An idle server begins with: SET GLOBAL innodb_encryption_rotate_key_age = \
                 @@GLOBAL.innodb_encryption_rotate_key_age"
                    .to_owned(),
            );
        }
    }
    if any(State::TooClose) {
        remarks.push(match holders.rotate_key_age {
            0 => "innodb_encryption_rotate_key_age is 0, so nothing is re-encrypted in the background."
                .to_owned(),
            age => format!(
                "innodb_encryption_rotate_key_age is {age}: raise versions by {} or more.",
                age.saturating_add(1)
            ),
        });
    }
    remarks.push(holders.others());
    remarks
}

pub(super) fn refused(statement: &str) -> impl Fn(mysql::Error) -> Error + use<'_> {
    move |source| Error::Sql { statement: statement.to_owned(), source: Box::new(source) }
}

#[cfg(test)]
impl Tablespace {
    /// One that is encrypted, or not where its oldest version is 0.
    pub(crate) fn for_tests(
        name: &str,
        key_id: u32,
        oldest_version: u32,
        latest_version: Option<u32>,
    ) -> Self {
        let (encrypted, state) = (oldest_version > 0, State::Latest);
        Self {
            name: name.to_owned(),
            key_id,
            encrypted,
            oldest_version,
            latest_version,
            state,
            percent: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tablespace_moves_once_it_is_further_behind_than_the_age() {
        let at = |oldest, latest, age| state(true, oldest, Some(latest), false, age);
        assert_eq!(at(1, 1, 1), State::Latest);
        assert_eq!(at(1, 2, 1), State::TooClose);
        assert_eq!(at(1, 3, 1), State::Waiting);
        assert_eq!(at(1, 3, 0), State::TooClose);
        assert_eq!(at(u32::MAX - 1, u32::MAX - 1, u32::MAX), State::Latest);
        assert_eq!(state(true, 1, Some(3), true, 1), State::Rotating);
        assert_eq!(state(false, 0, Some(3), false, 1), State::Plain);
        assert_eq!(state(true, 1, None, false, 1), State::KeyMissing);
    }

    #[test]
    fn the_bar_fills() {
        assert_eq!(bar(0), format!("{}   0 %", "░".repeat(20)));
        assert_eq!(bar(50), format!("{}{}  50 %", "█".repeat(10), "░".repeat(10)));
        assert_eq!(bar(100), format!("{} 100 %", "█".repeat(20)));
    }
}

//! The second half of quickstart: a real mariadbd whose tables are encrypted with keys from the vault.

mod disk;
mod find;
mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use mysql::Conn;
use mysql::prelude::Queryable;

pub(crate) use find::{Installation, plugin};
use server::PrivateServer;

use super::interrupt::Interrupt;
use super::keys::MariadbKeys;
use crate::error::Error;
use crate::output::Steps;

/// Rows in each table.
const ROWS: u64 = 1_000;
/// How long re-encryption of a few small tablespaces may take.
const ROTATION_TIME_MAX: Duration = Duration::from_secs(60);
/// In every row of the encrypted tables. Must not be on disk.
const SECRET: &str = "the-treasure-of-the-sierra-madre";
/// In every row of a table that is left unencrypted. Must be on disk, or the search proves nothing.
const CONTROL: &str = "a-postcard-that-anyone-may-read";

/// Runs every step against a private server that is gone afterwards.
///
/// # Errors
/// The first step that does not hold.
pub(crate) fn run(
    steps: &mut Steps,
    interrupt: &Interrupt,
    installation: &Installation,
    conf_dir: &Path,
    keys: &MariadbKeys,
) -> Result<(), Error> {
    let (mut server, mut connection) = steps.run("Started MariaDB with keys from the vault", || {
        let plugin = plugin()?;
        let mut server = PrivateServer::make(installation, &plugin, conf_dir, interrupt)?;
        let mut connection = server.start(interrupt)?;
        let version: String = one(&mut connection, "SELECT VERSION()")?;
        let active: String = one(
            &mut connection,
            "SELECT PLUGIN_STATUS FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'kmip_key_management'",
        )?;
        held(active == "ACTIVE", || format!("the plugin is {active} instead of ACTIVE"))?;
        Ok(((server, connection), format!("mariadbd {version}, plugin kmip_key_management is active")))
    })?;

    steps.run("Created encrypted tables", || {
        wait_for_encryption(&mut connection, interrupt)?;
        create(&mut connection)?;
        let spaces = encrypted_spaces(&mut connection)?;
        held(spaces.iter().any(|(name, _)| name == "quickstart/vault"), || {
            "MariaDB does not list the new table as encrypted".to_owned()
        })?;
        Ok((
            (),
            format!(
                "InnoDB and Aria, {ROWS} rows each; MariaDB lists {} encrypted tablespaces",
                spaces.len()
            ),
        ))
    })?;

    steps.run("Looked for the rows in the files on disk", || {
        let proof = look(&mut connection, &server.data())?;
        Ok(((), proof))
    })?;

    let version = steps.run("Rotated the key while MariaDB runs", || {
        let version = keys.rotate()?;
        execute(&mut connection, "FLUSH LOCAL KMIP_KEY_MANAGEMENT_KEYS")?;
        let spaces = wait_for_version(&mut connection, version, interrupt)?;
        Ok((version, format!("{spaces} tablespaces re-encrypted with version {version}")))
    })?;

    steps.run("Restarted MariaDB and read the rows back", || {
        drop(connection);
        server.stop(interrupt)?;
        let mut connection = server.start(interrupt)?;
        for table in ["vault", "vault_aria"] {
            let query =
                format!("SELECT COUNT(*) FROM quickstart.{table} WHERE id > 0 AND row_text LIKE '{SECRET}%'");
            let rows: u64 = one(&mut connection, &query)?;
            held(rows == ROWS, || format!("{table} has {rows} rows instead of {ROWS}"))?;
        }
        drop(connection);
        server.stop(interrupt)?;
        let leaked = disk::search(&server.data(), SECRET.as_bytes())?;
        held(leaked.hits.is_empty(), || format!("rows are in the clear in {}", names(&leaked.hits)))?;
        Ok((
            (),
            format!("all {ROWS} rows of both tables, under versions up to {version}; still none on disk"),
        ))
    })
}

fn create(connection: &mut Conn) -> Result<(), Error> {
    execute(connection, "CREATE DATABASE quickstart")?;
    for (table, options, text) in [
        ("vault", "ENGINE=InnoDB ENCRYPTED=YES ENCRYPTION_KEY_ID=1", SECRET),
        ("vault_aria", "ENGINE=Aria TRANSACTIONAL=1", SECRET),
        ("control", "ENGINE=InnoDB ENCRYPTED=NO", CONTROL),
    ] {
        execute(
            connection,
            &format!("CREATE TABLE quickstart.{table} (id INT PRIMARY KEY, row_text VARCHAR(80)) {options}"),
        )?;
        let rows: Vec<String> = (1..=ROWS).map(|id| format!("({id}, '{text}-{id}')")).collect();
        execute(connection, &format!("INSERT INTO quickstart.{table} VALUES {}", rows.join(", ")))?;
    }
    Ok(())
}

/// Makes the server write what it holds in memory, then reads its files.
fn look(connection: &mut Conn, data: &Path) -> Result<String, Error> {
    execute(
        connection,
        "FLUSH TABLES quickstart.vault, quickstart.vault_aria, quickstart.control FOR EXPORT",
    )?;
    let control = disk::search(data, CONTROL.as_bytes());
    let secret = disk::search(data, SECRET.as_bytes());
    execute(connection, "UNLOCK TABLES")?;
    let (control, secret) = (control?, secret?);
    held(!control.hits.is_empty(), || {
        "the rows of the unencrypted table were not found either, so the search proves nothing".to_owned()
    })?;
    held(secret.hits.is_empty(), || format!("rows are in the clear in {}", names(&secret.hits)))?;
    Ok(format!(
        "{} files, {} MB: no encrypted row; those of a plain table are in {}",
        secret.files,
        secret.bytes / 1_000_000,
        names(&control.hits)
    ))
}

/// Names and lowest key versions of the tablespaces that are encrypted.
fn encrypted_spaces(connection: &mut Conn) -> Result<Vec<(String, u32)>, Error> {
    let query = "SELECT COALESCE(NAME, 'system'), MIN_KEY_VERSION FROM \
                 information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE ENCRYPTION_SCHEME = 1 AND MIN_KEY_VERSION > 0";
    connection.query(query).map_err(|source| refused(query, source))
}

/// Waits until the server's threads have encrypted what it made before it had keys: what is written into those tablespaces sooner
/// can leave plaintext in freed pages, which the threads pass over.
fn wait_for_encryption(connection: &mut Conn, interrupt: &Interrupt) -> Result<(), Error> {
    let query =
        "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE MIN_KEY_VERSION = 0";
    let deadline = Instant::now() + ROTATION_TIME_MAX;
    loop {
        let plain: u64 = one(connection, query)?;
        if plain == 0 {
            return Ok(());
        }
        held(Instant::now() < deadline, || {
            format!("after {} s {plain} tablespaces are not encrypted yet", ROTATION_TIME_MAX.as_secs())
        })?;
        interrupt.sleep(Duration::from_millis(100))?;
    }
}

/// Waits until no encrypted tablespace has a page under an older version. Returns how many there are.
fn wait_for_version(connection: &mut Conn, version: u32, interrupt: &Interrupt) -> Result<usize, Error> {
    // The background threads sleep until something wakes them; setting the age does, even to the same value.
    execute(connection, "SET GLOBAL innodb_encryption_rotate_key_age = 1")?;
    let deadline = Instant::now() + ROTATION_TIME_MAX;
    loop {
        let spaces = encrypted_spaces(connection)?;
        let behind: Vec<&str> =
            spaces.iter().filter(|(_, lowest)| *lowest < version).map(|(name, _)| name.as_str()).collect();
        if behind.is_empty() && !spaces.is_empty() {
            return Ok(spaces.len());
        }
        held(Instant::now() < deadline, || {
            format!(
                "after {} s these tablespaces still have older pages: {}",
                ROTATION_TIME_MAX.as_secs(),
                behind.join(", ")
            )
        })?;
        interrupt.sleep(Duration::from_millis(100))?;
    }
}

fn execute(connection: &mut Conn, statement: &str) -> Result<(), Error> {
    connection.query_drop(statement).map_err(|source| refused(statement, source))
}

fn refused(statement: &str, source: mysql::Error) -> Error {
    // An INSERT of a thousand rows is known by its start.
    Error::Sql { statement: statement.chars().take(60).collect(), source: Box::new(source) }
}

fn one<T: mysql::prelude::FromValue>(connection: &mut Conn, query: &str) -> Result<T, Error> {
    match connection.query_first::<T, _>(query) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Error::NotHeld { what: format!("MariaDB has no answer to {query}") }),
        Err(source) => Err(refused(query, source)),
    }
}

fn held(held: bool, what: impl FnOnce() -> String) -> Result<(), Error> {
    if held { Ok(()) } else { Err(Error::NotHeld { what: what() }) }
}

fn names(paths: &[std::path::PathBuf]) -> String {
    let names: Vec<String> = paths
        .iter()
        .map(|path| path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()))
        .collect();
    names.join(", ")
}

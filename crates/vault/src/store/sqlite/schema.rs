//! The tables, and the settings of a connection.

use rusqlite::{Connection, OptionalExtension as _};

use super::fault::failed;
use crate::barrier::Sealed;
use crate::store::{ChangeNumber, Head, StoreCause, StoreError, StoreOptions};

/// "SRvt" in the file's header, for `file(1)` and to refuse other databases.
const APPLICATION_ID: i64 = 0x5352_7674;
/// The format of the tables.
const FORMAT: u32 = 2;

const TABLES: &str = "
    -- `sequence` orders the records by creation; AUTOINCREMENT never gives a number twice.
    CREATE TABLE records (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        kind     INTEGER NOT NULL,
        id       BLOB    NOT NULL,
        wallet   BLOB    NOT NULL,
        version  INTEGER NOT NULL,
        sealed   BLOB    NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX records_by_id ON records (kind, id);
    CREATE INDEX records_by_wallet ON records (kind, wallet, sequence);

    CREATE TABLE terms (
        kind     INTEGER NOT NULL,
        wallet   BLOB    NOT NULL,
        term     BLOB    NOT NULL,
        sequence INTEGER NOT NULL,
        alone    INTEGER NOT NULL,
        PRIMARY KEY (kind, wallet, term, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX terms_by_record ON terms (sequence);
    CREATE UNIQUE INDEX terms_alone ON terms (kind, wallet, term) WHERE alone = 1;

    -- Journal entries of changes that the audit journal may not hold yet.
    CREATE TABLE outbox (change INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;
    -- One row: the last change, and the seal over the set of records.
    CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), change INTEGER NOT NULL, sealed BLOB) STRICT;
    INSERT INTO head VALUES (1, 0, NULL);
    CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

/// What every connection needs.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Sealed bytes or not: what is deleted is overwritten.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Makes the tables, or checks that they are ours and of a format that we know.
pub(super) fn prepare(connection: &Connection, options: StoreOptions) -> Result<(), StoreError> {
    let doing = "opening its file";
    if options == StoreOptions::Create {
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .and_then(|()| connection.pragma_update(None, "application_id", APPLICATION_ID))
            .and_then(|()| {
                connection
                    .execute_batch(&format!("BEGIN IMMEDIATE;{TABLES}PRAGMA user_version = {FORMAT};COMMIT;"))
            })
            .map_err(failed("making its tables"))?;
        return Ok(());
    }
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed(doing))?;
    if application != APPLICATION_ID {
        let detail = "it is a database of something else".to_owned();
        return Err(StoreError { doing, cause: StoreCause::Corrupt { detail } });
    }
    let found: u32 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed(doing))?;
    if found < FORMAT {
        return Err(StoreError { doing, cause: StoreCause::OlderFormat { found, known: FORMAT } });
    }
    if found > FORMAT {
        return Err(StoreError { doing, cause: StoreCause::NewerFormat { found, known: FORMAT } });
    }
    Ok(())
}

/// The number of the last change, and the sealed head.
pub(super) fn read_head(connection: &Connection) -> rusqlite::Result<Head> {
    let head = connection
        .prepare_cached("SELECT change, sealed FROM head")?
        .query_row([], |row| {
            let sealed: Option<Vec<u8>> = row.get(1)?;
            Ok(Head { change: row.get(0)?, sealed: sealed.map(Sealed::from_store) })
        })
        .optional()?;
    Ok(head.unwrap_or(Head { change: ChangeNumber(0), sealed: None }))
}

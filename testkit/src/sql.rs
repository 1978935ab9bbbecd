//! What a test gets from a database server of either make: rows as text, and why it did not start.

use std::fmt;

use mysql::Value;

/// One row, every value as text (`None` is NULL).
pub type Row = Vec<Option<String>>;

/// The server ended, or did not answer in time. The log says why.
#[derive(Debug)]
pub struct StartError {
    /// What was seen from outside.
    pub what: String,
    /// The whole error log of this server so far.
    pub log: String,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; its error log:\n{}", self.what, self.log)
    }
}

impl std::error::Error for StartError {}

/// The rows that the driver returned, as text.
pub(crate) fn rows(rows: Vec<mysql::Row>) -> Vec<Row> {
    rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect()
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        // The text protocol sends everything else as bytes too.
        other => Some(other.as_sql(true)),
    }
}

//! Our numbers in SQLite's signed columns.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};

use crate::store::{ChangeNumber, RecordVersion, Sequence};

/// Counters start at 0 and grow by one: neither side of the conversion fails for a number that the vault made, and
/// one that something else wrote is refused.
macro_rules! counter_column {
    ($($type:ident),*) => {$(
        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let number = value.as_i64()?;
                u64::try_from(number).map($type).map_err(|_| FromSqlError::OutOfRange(number))
            }
        }

        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let number = i64::try_from(self.0).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                Ok(ToSqlOutput::Owned(Value::Integer(number)))
            }
        }
    )*};
}

counter_column!(ChangeNumber, RecordVersion, Sequence);

//! SQLite's errors as ours.

use rusqlite::ErrorCode;

use crate::store::{StoreCause, StoreError};

/// For `map_err`: the error, and what was being done.
pub(super) fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| StoreError { doing, cause: cause(&error) }
}

fn cause(error: &rusqlite::Error) -> StoreCause {
    let detail = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreCause::DiskFull,
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied,
        ) => StoreCause::Io { detail },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreCause::Corrupt { detail },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreCause::Busy,
        _ => StoreCause::Engine { detail },
    }
}

/// Whether a statement was refused because a row with the same key exists.
pub(super) fn is_duplicate(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

//! Where the server keeps what we need of a table, by series.
//!
//! These are offsets into private C++ structures. They were measured on the releases named here, hold for the series,
//! and are confirmed before every use (see [`field`](super::field)).

use crate::server::{ServerVersion, server_version};

/// Byte offsets into the server's structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offsets {
    /// The `TABLE *` in a `TABLE_LIST`.
    pub(super) table: usize,
    /// The `Field **` in a `TABLE`.
    pub(super) fields: usize,
}

/// The series in which the offsets were measured: 10.11.19 and 11.8.6.
const KNOWN: [((u32, u32), Offsets); 2] =
    [((10, 11), Offsets { table: 264, fields: 168 }), ((11, 8), Offsets { table: 264, fields: 168 })];

/// The offsets of the server we are in; `None` where nobody measured them.
pub(super) fn known() -> Option<Offsets> {
    server_version().and_then(of)
}

fn of(version: ServerVersion) -> Option<Offsets> {
    KNOWN.iter().find(|(series, _)| *series == version.series()).map(|&(_, offsets)| offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_measured_series_have_offsets() {
        let of = |text| of(ServerVersion::parse(text).expect("a version"));
        assert!(of("10.11.19-MariaDB").is_some());
        assert!(of("11.8.6").is_some());
        for text in ["10.6.20", "11.4.5", "12.0.1", "10.12.0"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}

//! What was measured of the server's private structures, and on which servers.
//!
//! A series that is not in the table gets neither `FLUSH` nor the table of keys: its plugins have variables for both. Rows
//! need more private knowledge than the description does, so they are stored only on servers that were tested by their exact
//! number, and there too the offsets are confirmed before every use (see [`field`](super::field)).
//!
//! A new series is a new line here, after the tests of this crate have passed on it with [`TESTED`] naming it.

use crate::server::{ServerVersion, server_version};

/// The shape of a table's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// It begins with a pointer to the name.
    Pointer,
    /// It begins with a pointer to the name and the name's length.
    PointerAndLength,
}

/// The series whose descriptions are known. Nobody ran 12.x so far: it is taken to be as 11.8 is, and the description says
/// whether that is so before it is written to.
const SHAPES: [((u32, u32), Shape); 8] = [
    ((10, 6), Shape::Pointer),
    ((10, 11), Shape::Pointer),
    ((11, 4), Shape::Pointer),
    ((11, 8), Shape::PointerAndLength),
    ((12, 0), Shape::PointerAndLength),
    ((12, 1), Shape::PointerAndLength),
    ((12, 2), Shape::PointerAndLength),
    ((12, 3), Shape::PointerAndLength),
];

/// Byte offsets into the server's structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offsets {
    /// The `TABLE *` in a `TABLE_LIST`.
    pub(super) table: usize,
    /// The `Field **` in a `TABLE`.
    pub(super) fields: usize,
}

/// The layouts that were met. Builds of near versions differ in them, so each is tried, and the one that is confirmed is used.
const LAYOUTS: [Offsets; 2] = [
    // Debian's 10.11.19, 11.8.6 and 11.8.9.
    Offsets { table: 264, fields: 168 },
    // Ubuntu's 10.6.23, 10.11.14, 11.4.5 and 11.8.3.
    Offsets { table: 256, fields: 176 },
];

/// The servers that were tested.
const TESTED: [(u32, u32, u32); 7] =
    [(10, 6, 23), (10, 11, 14), (10, 11, 19), (11, 4, 5), (11, 8, 3), (11, 8, 6), (11, 8, 9)];

/// The shape of descriptions in the server we are in; `None` where nobody looked.
pub(super) fn shape() -> Option<Shape> {
    server_version().and_then(shape_of)
}

fn shape_of(version: ServerVersion) -> Option<Shape> {
    SHAPES.iter().find(|(series, _)| *series == version.series()).map(|&(_, shape)| shape)
}

/// The offsets that the server we are in may have; none where nobody tested it.
pub(super) fn offsets() -> &'static [Offsets] {
    if server_version().is_some_and(is_tested) { &LAYOUTS } else { &[] }
}

fn is_tested(version: ServerVersion) -> bool {
    TESTED.contains(&(version.major, version.minor, version.patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> ServerVersion {
        ServerVersion::parse(text).expect("a version")
    }

    #[test]
    fn servers_are_tested_by_their_exact_number() {
        for text in ["10.6.23-MariaDB", "10.11.19-MariaDB", "11.4.5", "11.8.6"] {
            assert!(is_tested(version(text)), "{text}");
        }
        for text in ["10.6.24", "10.11.20", "11.8.7", "12.0.1"] {
            assert!(!is_tested(version(text)), "{text}");
        }
    }

    #[test]
    fn the_shape_changed_between_11_4_and_11_8() {
        for text in ["10.6.23", "10.11.19", "11.4.5"] {
            assert_eq!(shape_of(version(text)), Some(Shape::Pointer), "{text}");
        }
        for text in ["11.8.6", "12.0.1", "12.1.2", "12.2.1", "12.3.1"] {
            assert_eq!(shape_of(version(text)), Some(Shape::PointerAndLength), "{text}");
        }
    }

    #[test]
    fn a_tested_server_is_of_a_known_series() {
        for (major, minor, patch) in TESTED {
            assert!(shape_of(ServerVersion { major, minor, patch }).is_some(), "{major}.{minor}.{patch}");
        }
        for text in ["10.5.29", "10.12.0", "11.5.2", "13.0.0"] {
            assert_eq!(shape_of(version(text)), None, "{text}");
        }
    }
}

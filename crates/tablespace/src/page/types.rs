//! Page types (InnoDB `FIL_PAGE_TYPE`).

use std::fmt;

/// What a page is for. Any number may stand in a file; those without a name here are kept as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageType(pub u16);

impl PageType {
    /// Allocated, not yet used.
    pub const ALLOCATED: Self = Self(0);
    /// Page 0 of a tablespace.
    pub const SPACE_HEADER: Self = Self(8);
    /// A page of extent descriptors, as page 0 is one.
    pub const EXTENT_DESCRIPTORS: Self = Self(9);
    /// Page-compressed, by MySQL's transparent page compression.
    pub const COMPRESSED: Self = Self(14);
    /// Encrypted, by MySQL.
    pub const ENCRYPTED: Self = Self(15);
    /// Page-compressed, then encrypted, by MySQL.
    pub const COMPRESSED_AND_ENCRYPTED: Self = Self(16);
    /// A page of a spatial index, encrypted by MySQL.
    pub const ENCRYPTED_SPATIAL_INDEX: Self = Self(17);
    /// A node of a spatial index.
    pub const SPATIAL_INDEX: Self = Self(17854);
    /// A node of a B-tree.
    pub const INDEX: Self = Self(17855);
    /// Page-compressed, by MariaDB.
    pub const MARIADB_COMPRESSED: Self = Self(34354);
    /// Page-compressed, then encrypted, by MariaDB.
    pub const MARIADB_COMPRESSED_AND_ENCRYPTED: Self = Self(37401);

    /// Whether MySQL encrypted the page.
    #[must_use]
    pub fn is_mysql_encrypted(self) -> bool {
        matches!(self, Self::ENCRYPTED | Self::COMPRESSED_AND_ENCRYPTED | Self::ENCRYPTED_SPATIAL_INDEX)
    }

    /// A name, for the types that MySQL 5.7 to 9.x and MariaDB write.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "allocated",
            1 => "unused",
            2 => "undo log",
            3 => "inode",
            4 => "insert buffer free list",
            5 => "insert buffer bitmap",
            6 => "system",
            7 => "transaction system",
            8 => "space header",
            9 => "extent descriptors",
            10 => "BLOB",
            11 => "compressed BLOB",
            12 => "compressed BLOB, further pages",
            13 => "unknown",
            14 => "page-compressed",
            15 => "encrypted",
            16 => "page-compressed and encrypted",
            17 => "encrypted spatial index",
            18 => "SDI BLOB",
            19 => "compressed SDI BLOB",
            20 => "doublewrite buffer, old",
            21 => "rollback segment array",
            22 => "large object index",
            23 => "large object data",
            24 => "large object, first page",
            25 => "compressed large object, first page",
            26 => "compressed large object, data",
            27 => "compressed large object, index",
            28 => "compressed large object, fragment",
            29 => "compressed large object, fragment entries",
            17853 => "SDI index",
            17854 => "spatial index",
            17855 => "index",
            34354 => "page-compressed, by MariaDB",
            37401 => "page-compressed and encrypted, by MariaDB",
            _ => return None,
        })
    }
}

impl fmt::Display for PageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

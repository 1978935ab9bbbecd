//! Flags of a tablespace (InnoDB `FSP_SPACE_FLAGS`, `fsp0types.h`), as MariaDB has them. There are two layouts, and bit 4
//! tells them apart: in the older one it belongs to the size of compressed pages, which is never that large.
//!
//! `full_crc32` (MariaDB 10.5; the default since, but not for `ROW_FORMAT=COMPRESSED`):
//!
//! | bits | meaning |
//! |---|---|
//! | 0-3 | page size: 512 shifted left by this many, 3 to 7 |
//! | 4 | 1 |
//! | 5-7 | algorithm of page compression, 0 for none |
//!
//! The older layout:
//!
//! | bits | meaning |
//! |---|---|
//! | 0 | the row format is newer than `REDUNDANT` and `COMPACT` |
//! | 1-4 | physical page size of `ROW_FORMAT=COMPRESSED`: 512 shifted left by this many; 0 for other formats |
//! | 5 | columns can be stored wholly off the page |
//! | 6-9 | logical page size: 512 shifted left by this many; 0 for 16 KiB |
//! | 10-15 | of MySQL 5.7 and MariaDB 10.0; bit 14 also says that the file is outside the data directory |
//! | 16 | page-compressed; each page names its algorithm |

use super::compression::Algorithm;
use crate::page::Geometry;

/// Bit 4: the layout is `full_crc32`.
const FULL_CRC32: u32 = 1 << 4;
/// Bit 16 of the older layout: page-compressed.
const PAGE_COMPRESSED: u32 = 1 << 16;
/// All bits of the older layout that have a meaning.
const KNOWN: u32 = (1 << 17) - 1;
/// All bits of `full_crc32`.
const KNOWN_FULL_CRC32: u32 = (1 << 8) - 1;

const PAGE_BYTES_DEFAULT: u32 = 16384;

/// How pages are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One checksum over the page as it is on disk. Page-compressed with this algorithm, where there is one.
    FullCrc32(Option<Algorithm>),
    /// Checksums that leave parts of the page out, computed before encryption.
    Older,
}

/// Page sizes and layout of a tablespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    /// Page sizes.
    pub geometry: Geometry,
    /// How pages are laid out.
    pub layout: Layout,
}

impl Format {
    /// What `flags` tell, if they are flags that MariaDB can have written.
    #[must_use]
    pub fn parse(flags: u32) -> Option<Self> {
        if is_full_crc32(flags) {
            if flags & !KNOWN_FULL_CRC32 != 0 {
                return None;
            }
            let geometry = Geometry::uncompressed(512 << (flags & 0xF))?;
            let algorithm = match flags >> 5 {
                0 => None,
                number => Some(Algorithm::from_number(number)?),
            };
            return Some(Self { geometry, layout: Layout::FullCrc32(algorithm) });
        }
        if flags & !KNOWN != 0 {
            return None;
        }
        let size = |shift: u32| (shift > 0).then(|| 512_u32 << shift);
        let logical = size(flags >> 6 & 0xF).unwrap_or(PAGE_BYTES_DEFAULT);
        let geometry = match size(flags >> 1 & 0xF) {
            None => Geometry::uncompressed(logical),
            Some(physical) => Geometry::compressed(logical, physical),
        };
        Some(Self { geometry: geometry?, layout: Layout::Older })
    }

    /// Whether the layout is `full_crc32`.
    #[must_use]
    pub fn is_full_crc32(self) -> bool {
        matches!(self.layout, Layout::FullCrc32(_))
    }
}

/// Whether flags are of the layout `full_crc32`.
#[must_use]
pub fn is_full_crc32(flags: u32) -> bool {
    flags & FULL_CRC32 != 0
}

/// Whether only MariaDB can have written these flags.
#[must_use]
pub fn are_mariadb_s(flags: u32) -> bool {
    is_full_crc32(flags) || flags & PAGE_COMPRESSED != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_real_files_give_their_sizes_and_layout() {
        let parse = |flags| Format::parse(flags).map(|it| (it.geometry.physical(), it.layout));
        assert_eq!(parse(0x15), Some((16384, Layout::FullCrc32(None))));
        assert_eq!(parse(0x35), Some((16384, Layout::FullCrc32(Some(Algorithm::Zlib)))));
        assert_eq!(parse(0xD3), Some((4096, Layout::FullCrc32(Some(Algorithm::Snappy)))));
        assert_eq!(parse(0x17), Some((65536, Layout::FullCrc32(None))));
        assert_eq!(parse(0x21), Some((16384, Layout::Older)));
        assert_eq!(parse(0x29), Some((8192, Layout::Older)));
        assert_eq!(parse(0x10021), Some((16384, Layout::Older)));
    }

    #[test]
    fn flags_of_no_mariadb_are_refused() {
        // Page sizes of 2 and 128 KiB, an algorithm that is none, bits beyond, a page larger than it is in memory.
        for flags in [0x12, 0x18, 0xF5, 0x115, 0x2_0021, 0x0D1 | 0x1000_0000, 0x61 | 5 << 1] {
            assert_eq!(Format::parse(flags), None, "{flags:#x}");
        }
    }
}

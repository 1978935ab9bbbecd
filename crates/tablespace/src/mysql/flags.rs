//! Flags of a tablespace (InnoDB `FSP_SPACE_FLAGS`, `fsp0types.h`), as MySQL has them since 5.7.
//!
//! | bits | meaning |
//! |---|---|
//! | 0 | the row format is newer than `REDUNDANT` and `COMPACT` |
//! | 1-4 | physical page size of `ROW_FORMAT=COMPRESSED`: 512 shifted left by this many; 0 for other formats |
//! | 5 | columns can be stored wholly off the page |
//! | 6-9 | logical page size: 512 shifted left by this many; 0 for 16 KiB |
//! | 10 | the file is outside the data directory |
//! | 11 | a general tablespace: several tables may be in it |
//! | 12 | temporary |
//! | 13 | encrypted |
//! | 14 | holds serialised dictionary information (MySQL 8.0) |

use crate::page::Geometry;

/// Encrypted.
pub const ENCRYPTED: u32 = 1 << 13;
/// Holds serialised dictionary information, which only MySQL 8.0 and later writes.
pub const DICTIONARY_INFORMATION: u32 = 1 << 14;
/// A general tablespace.
pub const GENERAL: u32 = 1 << 11;
/// Temporary.
pub const TEMPORARY: u32 = 1 << 12;
/// All bits that have a meaning.
const KNOWN: u32 = (1 << 15) - 1;

const PAGE_BYTES_DEFAULT: u32 = 16384;

/// The page sizes that `flags` tell, if they are flags that MySQL can have written.
#[must_use]
pub fn geometry(flags: u32) -> Option<Geometry> {
    if flags & !KNOWN != 0 {
        return None;
    }
    let size = |shift: u32| (shift > 0).then(|| 512_u32 << shift);
    let logical = size(flags >> 6 & 0xF).unwrap_or(PAGE_BYTES_DEFAULT);
    match size(flags >> 1 & 0xF) {
        None => Geometry::uncompressed(logical),
        Some(physical) => Geometry::compressed(logical, physical),
    }
}

/// The flags of a plain tablespace with these page sizes, in a row format that MySQL 5.7 and later makes.
#[must_use]
pub fn of(geometry: Geometry) -> u32 {
    let shift = |bytes: usize| (bytes as u32 / 512).ilog2();
    let logical = match geometry.logical() as u32 {
        PAGE_BYTES_DEFAULT => 0,
        _ => shift(geometry.logical()),
    };
    let physical = if geometry.is_compressed() { shift(geometry.physical()) } else { 0 };
    1 | physical << 1 | 1 << 5 | logical << 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_real_files_give_their_page_sizes() {
        let sizes = |flags| geometry(flags).map(|it| (it.logical(), it.physical(), it.is_compressed()));
        assert_eq!(sizes(0), Some((16384, 16384, false)));
        assert_eq!(sizes(0x6021), Some((16384, 16384, false)));
        assert_eq!(sizes(0x6029), Some((16384, 8192, true)));
        assert_eq!(sizes(0x6800), Some((16384, 16384, false)));
        assert_eq!(sizes(0x60E1), Some((4096, 4096, false)));
        assert_eq!(sizes(0x6121), Some((8192, 8192, false)));
        assert_eq!(sizes(0x61A1), Some((32768, 32768, false)));
        assert_eq!(sizes(0x61E1), Some((65536, 65536, false)));
    }

    #[test]
    fn flags_are_made_for_every_page_size() {
        for logical in [4096, 8192, 16384, 32768, 65536] {
            let plain = Geometry::uncompressed(logical).into_iter();
            let compressed = [1024, 2048, 4096, 8192, 16384].into_iter();
            for made in plain.chain(compressed.filter_map(|it| Geometry::compressed(logical, it))) {
                assert_eq!(geometry(of(made)), Some(made));
            }
        }
    }

    #[test]
    fn flags_of_no_mysql_are_refused() {
        // MariaDB's full_crc32 and its page compression, a page size of 1 KiB and one of 128 KiB.
        for flags in [0x15, 0x10021, 0x41, 0x201] {
            assert_eq!(geometry(flags), None, "{flags:#x}");
        }
    }
}

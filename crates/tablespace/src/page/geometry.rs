//! Page sizes of a tablespace (InnoDB `page_size_t`).

/// Smallest and largest page a server can be configured for (`innodb_page_size`), in bytes.
pub const LOGICAL_BYTES: std::ops::RangeInclusive<u32> = 4096..=65536;
/// Smallest page on disk, with `KEY_BLOCK_SIZE=1`, in bytes.
pub const PHYSICAL_BYTES_MIN: u32 = 1024;
/// Largest page that can be compressed with `KEY_BLOCK_SIZE`, in bytes.
const COMPRESSED_LOGICAL_BYTES_MAX: u32 = 16384;
/// File extents span at least this much, in bytes (`FSP_EXTENT_SIZE`)…
const EXTENT_BYTES: u32 = 1 << 20;
/// …and at least this many pages.
const EXTENT_PAGES_MIN: u32 = 64;
/// Where the array of extent descriptors begins on page 0: after the page header of 38 bytes and the space header of 112
/// (`XDES_ARR_OFFSET`).
const DESCRIPTORS_OFFSET: u32 = 150;
/// An extent descriptor without its bitmap, in bytes.
const DESCRIPTOR_BYTES: u32 = 24;

/// How large pages are: in memory, and in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    logical: u32,
    physical: u32,
    compressed: bool,
}

impl Geometry {
    /// Pages of `logical` bytes (a power of two from 4096 to 65536), as large in the file as in memory.
    #[must_use]
    pub fn uncompressed(logical: u32) -> Option<Self> {
        (LOGICAL_BYTES.contains(&logical) && logical.is_power_of_two()).then_some(Self {
            logical,
            physical: logical,
            compressed: false,
        })
    }

    /// Pages of `logical` bytes that `ROW_FORMAT=COMPRESSED` keeps in `physical` bytes (`KEY_BLOCK_SIZE`, a power of two
    /// from 1024 to `logical`, which is at most 16384).
    #[must_use]
    pub fn compressed(logical: u32, physical: u32) -> Option<Self> {
        let fits = (PHYSICAL_BYTES_MIN..=logical).contains(&physical) && physical.is_power_of_two();
        Self::uncompressed(logical)?;
        (fits && logical <= COMPRESSED_LOGICAL_BYTES_MAX).then_some(Self {
            logical,
            physical,
            compressed: true,
        })
    }

    /// Bytes of a page in memory.
    #[must_use]
    pub fn logical(self) -> usize {
        self.logical as usize
    }

    /// Bytes of a page in the file.
    #[must_use]
    pub fn physical(self) -> usize {
        self.physical as usize
    }

    /// Whether the table has `ROW_FORMAT=COMPRESSED`. Its pages have another checksum and no trailer.
    #[must_use]
    pub fn is_compressed(self) -> bool {
        self.compressed
    }

    /// Pages of a file extent.
    #[must_use]
    pub fn extent_pages(self) -> u32 {
        (EXTENT_BYTES / self.logical).max(EXTENT_PAGES_MIN)
    }

    /// Where the encryption information begins on page 0, in bytes: behind the extent descriptors
    /// (`fsp_header_get_encryption_offset`). MariaDB's stands a page header further.
    #[must_use]
    pub fn encryption_offset(self) -> usize {
        let extent = self.extent_pages();
        let descriptor = DESCRIPTOR_BYTES + extent / 4;
        (DESCRIPTORS_OFFSET + descriptor * (self.physical / extent)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All but the last three were read in files that a server made.
    #[test]
    fn the_encryption_information_lies_behind_the_extent_descriptors() {
        for (logical, key_block, offset) in [
            (4096, None, 1558),
            (8192, None, 3734),
            (16384, None, 10390),
            (32768, None, 20630),
            (65536, None, 41110),
            (16384, Some(8192), 5270),
            (16384, Some(4096), 2710),
            (16384, Some(2048), 1430),
            (16384, Some(1024), 790),
        ] {
            let geometry = match key_block {
                None => Geometry::uncompressed(logical),
                Some(physical) => Geometry::compressed(logical, physical),
            };
            assert_eq!(geometry.map(Geometry::encryption_offset), Some(offset), "{logical} {key_block:?}");
        }
    }

    #[test]
    fn sizes_that_no_server_has_are_refused() {
        assert_eq!(Geometry::uncompressed(2048), None);
        assert_eq!(Geometry::uncompressed(12288), None);
        assert_eq!(Geometry::uncompressed(131_072), None);
        assert_eq!(Geometry::compressed(16384, 512), None);
        assert_eq!(Geometry::compressed(8192, 16384), None);
        assert_eq!(Geometry::compressed(32768, 16384), None);
        assert!(Geometry::compressed(16384, 16384).is_some_and(Geometry::is_compressed));
    }
}

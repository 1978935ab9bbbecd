//! Which stretches of a file are stored. The rest are holes: they read as zeros and take no room, as page compression and
//! `FALLOCATE` leave them.

use std::io;
use std::ops::Range;

use crate::disk::DiskFile;

/// Bytes in which files are stored or not. File systems have larger blocks and never smaller ones.
pub const BLOCK_BYTES: usize = 4096;

/// The stored stretches of a file, in order and apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extents(Vec<Range<u64>>);

impl Extents {
    /// Asks the file system.
    ///
    /// # Errors
    /// The system's.
    pub fn of(file: &dyn DiskFile) -> io::Result<Self> {
        let mut extents: Vec<Range<u64>> = Vec::new();
        let mut at = 0;
        while let Some(extent) = file.stored(at)? {
            // A file system that stands still would hold this up for ever.
            if extent.end <= at {
                break;
            }
            at = extent.end;
            match extents.last_mut() {
                Some(last) if last.end >= extent.start => last.end = extent.end,
                _ => extents.push(extent),
            }
        }
        Ok(Self(extents))
    }

    /// Whether anything of a stretch is stored.
    #[must_use]
    pub fn touches(&self, stretch: &Range<u64>) -> bool {
        self.first_behind(stretch.start).is_some_and(|extent| extent.start < stretch.end)
    }

    /// Whether all of a stretch is stored.
    #[must_use]
    pub fn covers(&self, stretch: &Range<u64>) -> bool {
        self.first_behind(stretch.start)
            .is_some_and(|extent| extent.start <= stretch.start && stretch.end <= extent.end)
    }

    /// The first extent that ends behind a place.
    fn first_behind(&self, at: u64) -> Option<&Range<u64>> {
        self.0.get(self.0.partition_point(|extent| extent.end <= at))
    }

    /// The bytes that are stored.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|extent| extent.end - extent.start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_told_apart() {
        let extents = Extents(vec![0..10, 20..30]);
        assert!(extents.covers(&(0..10)) && extents.covers(&(22..25)));
        assert!(!extents.covers(&(5..11)) && !extents.covers(&(12..15)));
        assert!(extents.touches(&(5..15)) && extents.touches(&(15..21)));
        assert!(!extents.touches(&(10..20)) && !extents.touches(&(30..40)));
        assert_eq!(extents.bytes(), 20);
    }
}

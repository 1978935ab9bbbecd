//! What every InnoDB page has, whichever server wrote it: its size, its header, its type and its checksums.

pub mod checksum;
pub mod fault;
pub mod geometry;
pub mod header;
pub mod types;

pub use checksum::{Algorithm, Policy};
pub use fault::{Fault, PageFault};
pub use geometry::Geometry;
pub use types::PageType;

/// Whether a page holds nothing but zeros: one that was allocated in the file and never written.
#[must_use]
pub fn is_zero(page: &[u8]) -> bool {
    let (words, rest) = page.as_chunks::<8>();
    words.iter().all(|word| *word == [0; 8]) && rest.iter().all(|byte| *byte == 0)
}

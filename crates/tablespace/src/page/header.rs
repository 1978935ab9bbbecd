//! The header and trailer of a page (InnoDB `fil0types.h`), and reading and writing them. All numbers are big-endian.
//!
//! The functions take a page of at least [`HEADER_BYTES`]; offsets are the caller's to keep within it.

/// Checksum, 4 bytes.
pub const CHECKSUM: usize = 0;
/// Number of the page within its tablespace, 4 bytes.
pub const NUMBER: usize = 4;
/// Page before this one in its list, 4 bytes. On page 0, the version of the MySQL server that made the space.
pub const PREVIOUS: usize = 8;
/// Page after this one in its list, 4 bytes. On page 0, a version of the space, which MySQL 8.0 began.
pub const NEXT: usize = 12;
/// Log sequence number of the last change, 8 bytes.
pub const LSN: usize = 16;
/// Page type, 2 bytes.
pub const TYPE: usize = 24;
/// 8 bytes: on page 0 of the system tablespace the log sequence number of the last clean shutdown, on pages of a spatial
/// index their split sequence number, on encrypted and page-compressed pages what is needed to undo that. Zero elsewhere.
pub const FLUSH_LSN: usize = 26;
/// Number of the tablespace, 4 bytes.
pub const SPACE_ID: usize = 34;
/// Bytes of the header. What follows is encrypted.
pub const HEADER_BYTES: usize = 38;
/// Bytes of the trailer: a second checksum, and the low half of the log sequence number.
pub const TRAILER_BYTES: usize = 8;

/// On page 0: number of the tablespace again, 4 bytes (`FSP_SPACE_ID`).
pub const FSP_SPACE_ID: usize = 38;
/// On page 0: pages of the tablespace, 4 bytes (`FSP_SIZE`).
pub const FSP_SIZE: usize = 46;
/// On page 0: flags of the tablespace, 4 bytes (`FSP_SPACE_FLAGS`).
pub const FSP_FLAGS: usize = 54;

/// The two bytes at `at`; zero beyond the end.
#[must_use]
pub fn u16_at(page: &[u8], at: usize) -> u16 {
    page.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

/// The four bytes at `at`; zero beyond the end.
#[must_use]
pub fn u32_at(page: &[u8], at: usize) -> u32 {
    page.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// The eight bytes at `at`; zero beyond the end.
#[must_use]
pub fn u64_at(page: &[u8], at: usize) -> u64 {
    page.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Writes `bytes` at `at`.
///
/// # Panics
/// When they do not fit: the caller chose the offset.
pub fn put(page: &mut [u8], at: usize, bytes: &[u8]) {
    page[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Page type.
#[must_use]
pub fn page_type(page: &[u8]) -> super::PageType {
    super::PageType(u16_at(page, TYPE))
}

//! Pages of the older layout (`innodb_checksum_algorithm` of `crc32`, `innodb` or `none`, and every
//! `ROW_FORMAT=COMPRESSED`).
//!
//! An encrypted page:
//!
//! | at | bytes | meaning |
//! |---|---|---|
//! | 0 | 4 | checksum of the page before it was encrypted |
//! | 24 | 2 | page type; 37401 of a page-compressed page |
//! | 26 | 4 | key version; not zero |
//! | 30 | 4 | CRC-32C checksum of the page as it is on disk, computed as for the field at 0 |
//! | 34 | 4 | number of the tablespace |
//! | 38 | n - 46 | encrypted |
//! | n - 8 | 8 | trailer, as it was |
//!
//! A page-compressed one has at 38 the length of the compressed bytes, at 40 the algorithm, each in two bytes, and at 42 the
//! compressed bytes, encrypted; zeros behind them. One that is not encrypted has type 34354, zeros at 26, the algorithm at
//! 32, the length at 38 and the compressed bytes at 40. In both the checksum at 0 is `0xDEADBEEF`.
//!
//! A spatial index keeps its split sequence number where the key version would be, and is not encrypted. Pages that have
//! something else there, from servers that did not clear it, are told by the checksum at 30.

use std::ops::Range;

use super::compression::Algorithm;
use crate::page::fault::CompressionFault;
use crate::page::header::{self, CHECKSUM, FLUSH_LSN, HEADER_BYTES, NUMBER, SPACE_ID, TRAILER_BYTES, TYPE};
use crate::page::{self, Fault, Geometry, PageType, Policy, checksum, is_zero};

const KEY_VERSION: usize = 26;
/// Checksum of an encrypted page.
const ENCRYPTED_CHECKSUM: usize = 30;
/// The algorithm of a page-compressed page that is not encrypted.
const ALGORITHM: usize = 32;
/// The length of the compressed bytes.
const COMPRESSED_BYTES: usize = 38;
const COMPRESSED_BODY: usize = 40;
/// The algorithm of a page-compressed page that is encrypted.
const ENCRYPTED_ALGORITHM: usize = 40;
const ENCRYPTED_COMPRESSED_BODY: usize = 42;
/// What page-compressed pages have for a checksum.
const NO_CHECKSUM: u32 = 0xDEAD_BEEF;

/// The key version of a page: not zero if it is encrypted.
pub(super) fn key_version(geometry: Geometry, page: &[u8]) -> u32 {
    let found = header::page_type(page);
    let version = header::u32_at(page, KEY_VERSION);
    if found == PageType::SPATIAL_INDEX || version == 0 || !encrypted_checksum_fits(geometry, page) {
        return 0;
    }
    version
}

/// Whether a page is page-compressed.
pub(super) fn is_compressed(page: &[u8]) -> bool {
    matches!(
        header::page_type(page),
        PageType::MARIADB_COMPRESSED | PageType::MARIADB_COMPRESSED_AND_ENCRYPTED
    )
}

fn encrypted_checksum_fits(geometry: Geometry, page: &[u8]) -> bool {
    // Of a page that the end of the file cuts off nothing can be computed.
    if page.len() != geometry.physical() {
        return false;
    }
    let stored = header::u32_at(page, ENCRYPTED_CHECKSUM);
    [page::Algorithm::Crc32, page::Algorithm::InnoDb, page::Algorithm::None]
        .into_iter()
        .any(|algorithm| checksum::first(geometry, page, algorithm) == stored)
}

/// What is wrong with a page that says it is encrypted, and whose checksum denies it.
pub(super) fn encrypted_fault(geometry: Geometry, page: &[u8]) -> Option<Fault> {
    if header::u32_at(page, KEY_VERSION) == 0 {
        return None;
    }
    let algorithm = page::Algorithm::Crc32;
    let computed = checksum::first(geometry, page, algorithm);
    Some(Fault::Checksum { stored: header::u32_at(page, ENCRYPTED_CHECKSUM), computed, algorithm })
}

/// What of an encrypted page is encrypted.
pub(super) fn body(page: &[u8]) -> Result<Range<usize>, Fault> {
    match header::page_type(page) {
        PageType::MARIADB_COMPRESSED_AND_ENCRYPTED => compressed(page, ENCRYPTED_COMPRESSED_BODY),
        _ => Ok(HEADER_BYTES..page.len() - TRAILER_BYTES),
    }
}

/// Where the compressed bytes are that begin at `body`.
fn compressed(page: &[u8], body: usize) -> Result<Range<usize>, Fault> {
    let bytes = usize::from(header::u16_at(page, COMPRESSED_BYTES));
    match bytes > 0 && body + bytes <= page.len() {
        true => Ok(body..body + bytes),
        false => Err(Fault::Compression(CompressionFault::CompressedBytes(bytes))),
    }
}

/// Marks a page, whose body has just been decrypted, as not encrypted.
pub(super) fn finish_decryption(page: &mut [u8]) {
    let was_compressed = header::page_type(page) == PageType::MARIADB_COMPRESSED_AND_ENCRYPTED;
    page[FLUSH_LSN..SPACE_ID].fill(0);
    if was_compressed && let Ok(body) = compressed(page, ENCRYPTED_COMPRESSED_BODY) {
        page.copy_within(ENCRYPTED_ALGORITHM..ENCRYPTED_ALGORITHM + 2, ALGORITHM);
        let end = body.end;
        page.copy_within(body, COMPRESSED_BODY);
        page[end - 2..end].fill(0);
        header::put(page, TYPE, &PageType::MARIADB_COMPRESSED.0.to_be_bytes());
    }
}

/// Marks a page, whose body is about to be encrypted, with a key version.
pub(super) fn begin_encryption(page: &mut [u8], version: u32) -> Result<Range<usize>, Fault> {
    if header::page_type(page) == PageType::MARIADB_COMPRESSED {
        let body = compressed(page, COMPRESSED_BODY)?;
        let bytes = body.len();
        if ENCRYPTED_COMPRESSED_BODY + bytes > page.len() {
            return Err(Fault::Compression(CompressionFault::CompressedBytes(bytes)));
        }
        page.copy_within(body, ENCRYPTED_COMPRESSED_BODY);
        page.copy_within(ALGORITHM..ALGORITHM + 2, ENCRYPTED_ALGORITHM);
        // What stands behind may be what was there before, and would stay readable.
        page[ENCRYPTED_COMPRESSED_BODY + bytes..].fill(0);
        header::put(page, TYPE, &PageType::MARIADB_COMPRESSED_AND_ENCRYPTED.0.to_be_bytes());
    }
    page[FLUSH_LSN..SPACE_ID].fill(0);
    header::put(page, KEY_VERSION, &version.to_be_bytes());
    body(page)
}

/// Completes a page whose body has just been encrypted.
pub(super) fn finish_encryption(geometry: Geometry, page: &mut [u8]) {
    let checksum = checksum::first(geometry, page, page::Algorithm::Crc32);
    header::put(page, ENCRYPTED_CHECKSUM, &checksum.to_be_bytes());
}

/// Checks a page that is not encrypted; a page-compressed one is expanded first.
///
/// # Errors
/// What is wrong first.
pub(super) fn check(
    geometry: Geometry,
    number: u32,
    space_id: u32,
    page: &[u8],
    policy: Policy,
) -> Result<(), Fault> {
    let expanded;
    let page = match number > 0 && is_compressed(page) {
        false => page,
        true => {
            check_header(number, space_id, page)?;
            expanded = unpack(page)?;
            &expanded
        }
    };
    // `strict_full_crc32` asks of this layout what `strict_crc32` asks.
    let policy = match policy {
        Policy::Strict(page::Algorithm::FullCrc32) => Policy::Strict(page::Algorithm::Crc32),
        other => other,
    };
    checksum::verify(geometry, page, policy)?;
    check_header(number, space_id, page)
}

fn check_header(number: u32, space_id: u32, page: &[u8]) -> Result<(), Fault> {
    let found = header::u32_at(page, NUMBER);
    if found != number {
        return Err(Fault::Number { found });
    }
    let found = header::u32_at(page, SPACE_ID);
    match found == space_id {
        true => Ok(()),
        false => Err(Fault::SpaceId { found, expected: space_id }),
    }
}

/// Expands a page-compressed page that is not encrypted. Others stay as they are.
///
/// # Errors
/// [`Fault::Compression`]; the page is as it was then.
pub(super) fn expand(page: &mut [u8]) -> Result<(), Fault> {
    if is_compressed(page) {
        let expanded = unpack(page)?;
        page.copy_from_slice(&expanded);
    }
    Ok(())
}

fn unpack(page: &[u8]) -> Result<Vec<u8>, Fault> {
    let found = header::page_type(page);
    if found != PageType::MARIADB_COMPRESSED {
        return Err(Fault::Type { found });
    }
    let stored = header::u32_at(page, CHECKSUM);
    if stored != NO_CHECKSUM {
        let algorithm = page::Algorithm::None;
        return Err(Fault::Checksum { stored, computed: NO_CHECKSUM, algorithm });
    }
    if !is_zero(&page[FLUSH_LSN..ALGORITHM]) {
        return Err(Fault::HeaderNotZero);
    }
    let number = header::u16_at(page, ALGORITHM);
    let algorithm = Algorithm::from_number(number.into()).ok_or_else(|| {
        Fault::Compression(CompressionFault::Algorithm(u8::try_from(number).unwrap_or(u8::MAX)))
    })?;
    let body = compressed(page, COMPRESSED_BODY)?;
    algorithm.expand(&page[body], page.len()).map_err(Fault::Compression)
}

//! Pages of the layout `full_crc32` (`innodb_checksum_algorithm=full_crc32`, MariaDB 10.5).
//!
//! | at | bytes | meaning |
//! |---|---|---|
//! | 0 | 4 | key version; 0 for a page that is not encrypted |
//! | 4 | 4 | number of the page |
//! | 16 | 8 | log sequence number |
//! | 24 | 2 | page type; or bit 15 and the number of 256-byte units that a page-compressed page takes: its *size* |
//! | 26 | size - 30 | the rest of the page, or the compressed page; encrypted, where the page is |
//! | size - 5 | 1 | of pages compressed with lz4, lzo or snappy: the low byte of 5 plus where the compressed bytes end |
//! | size - 4 | 4 | CRC-32C of everything before it, as it is on disk |
//!
//! An uncompressed page has at size - 8, before its checksum, the low half of the log sequence number, which is encrypted
//! too. The number of the tablespace, at 34, is encrypted as well. Behind a page-compressed page the file has a hole.

use std::ops::Range;

use crc32c::crc32c;

use super::compression::Algorithm;
use crate::page::fault::CompressionFault;
use crate::page::header::{self, LSN, NUMBER, SPACE_ID, TYPE};
use crate::page::{self, Fault, PageType};

/// Where the key version is.
const KEY_VERSION: usize = 0;
const KEY_VERSION_BYTES: usize = 4;
/// What is encrypted, or compressed, begins here.
const BODY: usize = 26;
const CHECKSUM_BYTES: usize = 4;
/// The low half of the log sequence number, from the end.
const END_LSN: usize = 8;
/// Set in the type of a page-compressed page.
const COMPRESSED: u16 = 1 << 15;
/// Unit of a page-compressed page's size, in bytes.
const SIZE_UNIT: usize = 256;
/// Bytes behind the compressed ones where their length is kept: that, and the checksum.
const LENGTH_AND_CHECKSUM: usize = 1 + CHECKSUM_BYTES;

/// The key version of a page.
pub(super) fn key_version(page: &[u8]) -> u32 {
    header::u32_at(page, KEY_VERSION)
}

/// Whether a page is page-compressed.
pub(super) fn is_compressed(page: &[u8]) -> bool {
    header::u16_at(page, TYPE) & COMPRESSED != 0
}

/// Bytes that a page takes.
fn size(page: &[u8]) -> Result<usize, Fault> {
    let found = header::u16_at(page, TYPE);
    if found & COMPRESSED == 0 {
        return Ok(page.len());
    }
    let size = usize::from(found & !COMPRESSED) * SIZE_UNIT;
    match size > 0 && size < page.len() {
        true => Ok(size),
        false => Err(Fault::Compression(CompressionFault::CompressedBytes(size))),
    }
}

/// Checks the checksum of a page, encrypted or not.
///
/// # Errors
/// [`Fault::Checksum`]; [`Fault::Compression`] for a size that cannot be.
pub(super) fn verify(page: &[u8]) -> Result<(), Fault> {
    let end = size(page)? - CHECKSUM_BYTES;
    let (stored, computed) = (header::u32_at(page, end), crc32c(&page[..end]));
    if stored == computed {
        return Ok(());
    }
    Err(Fault::Checksum { stored, computed, algorithm: page::Algorithm::FullCrc32 })
}

/// Writes the checksum of a page anew. A page-compressed page must have a size that fits.
pub(super) fn write_checksum(page: &mut [u8]) {
    let end = size(page).unwrap_or(page.len()) - CHECKSUM_BYTES;
    let checksum = crc32c(&page[..end]);
    header::put(page, end, &checksum.to_be_bytes());
}

/// What of a page is encrypted or is to be, which [`verify`] has found good.
pub(super) fn body(page: &[u8]) -> Result<Range<usize>, Fault> {
    Ok(BODY..size(page)? - CHECKSUM_BYTES)
}

/// Marks a page, whose body has just been decrypted, as not encrypted.
pub(super) fn finish_decryption(page: &mut [u8]) {
    page[KEY_VERSION..KEY_VERSION + KEY_VERSION_BYTES].fill(0);
    write_checksum(page);
}

/// Marks a page, whose body is about to be encrypted, with a key version.
pub(super) fn begin_encryption(page: &mut [u8], version: u32) -> Result<Range<usize>, Fault> {
    header::put(page, KEY_VERSION, &version.to_be_bytes());
    // What stands behind a compressed page may be what was there before it, and would stay readable.
    let size = size(page)?;
    page[size..].fill(0);
    body(page)
}

/// What a page says of itself beyond its checksum. It is not encrypted; a page-compressed one is expanded first.
///
/// # Errors
/// [`Fault::Torn`], [`Fault::Number`], [`Fault::SpaceId`], [`Fault::Compression`].
pub(super) fn check_contents(
    number: u32,
    space_id: u32,
    page: &[u8],
    algorithm: Option<Algorithm>,
) -> Result<(), Fault> {
    let found = header::u32_at(page, NUMBER);
    if found != number {
        return Err(Fault::Number { found });
    }
    let expanded;
    let page = match is_compressed(page) {
        false => {
            let (at_start, at_end) =
                (header::u32_at(page, LSN + 4), header::u32_at(page, page.len() - END_LSN));
            if at_start != at_end {
                return Err(Fault::Torn { header: at_start, trailer: at_end });
            }
            page
        }
        true => {
            expanded = unpack(page, algorithm)?;
            let found = header::u32_at(&expanded, NUMBER);
            if found != number {
                return Err(Fault::Number { found });
            }
            &expanded
        }
    };
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
pub(super) fn expand(page: &mut [u8], algorithm: Option<Algorithm>) -> Result<(), Fault> {
    if is_compressed(page) {
        let expanded = unpack(page, algorithm)?;
        page.copy_from_slice(&expanded);
        finish_decryption(page);
    }
    Ok(())
}

fn unpack(page: &[u8], algorithm: Option<Algorithm>) -> Result<Vec<u8>, Fault> {
    let size = size(page)?;
    let Some(algorithm) = algorithm else {
        return Err(Fault::Type { found: PageType(header::u16_at(page, TYPE)) });
    };
    let end = match algorithm.needs_length() {
        false => size - CHECKSUM_BYTES,
        // The byte tells the length within the last unit.
        true => match page[size - LENGTH_AND_CHECKSUM] {
            0 => size - LENGTH_AND_CHECKSUM,
            low => (size - SIZE_UNIT + usize::from(low)).saturating_sub(LENGTH_AND_CHECKSUM),
        },
    };
    let packed = page.get(BODY..end).filter(|packed| !packed.is_empty());
    let packed = packed.ok_or(Fault::Compression(CompressionFault::CompressedBytes(end)))?;
    algorithm.expand(packed, page.len()).map_err(Fault::Compression)
}

/// The type of a page that is not encrypted and not compressed, or is compressed: where it is told.
pub(super) fn page_type(page: &[u8]) -> Option<PageType> {
    let found = header::u16_at(page, TYPE);
    (found & COMPRESSED == 0).then_some(PageType(found))
}

#[cfg(test)]
mod tests {
    use super::super::compression::tests::{ALGORITHMS, pack, page};
    use super::*;

    const PAGE_BYTES: usize = 16384;
    const PAGE: u32 = 7;
    const SPACE: u32 = 9;

    /// A sound page that takes about this much room when compressed.
    fn sound(noise: usize) -> Vec<u8> {
        let mut page = page(PAGE_BYTES, noise);
        page[..BODY].fill(0);
        header::put(&mut page, NUMBER, &PAGE.to_be_bytes());
        header::put(&mut page, TYPE, &PageType::INDEX.0.to_be_bytes());
        header::put(&mut page, SPACE_ID, &SPACE.to_be_bytes());
        page[PAGE_BYTES - END_LSN..].fill(0);
        write_checksum(&mut page);
        page
    }

    /// The page as it stands in a file whose tablespace is page-compressed.
    fn stored(page: &[u8], algorithm: Algorithm) -> Vec<u8> {
        let packed = pack(algorithm, page);
        let length = usize::from(algorithm.needs_length());
        let end = BODY + packed.len();
        let size = (end + length + CHECKSUM_BYTES).next_multiple_of(SIZE_UNIT);
        let mut stored = vec![0; PAGE_BYTES];
        stored[..BODY].copy_from_slice(&page[..BODY]);
        header::put(&mut stored, TYPE, &(COMPRESSED | (size / SIZE_UNIT) as u16).to_be_bytes());
        header::put(&mut stored, BODY, &packed);
        if length > 0 {
            stored[size - LENGTH_AND_CHECKSUM] = (end + LENGTH_AND_CHECKSUM) as u8;
        }
        write_checksum(&mut stored);
        stored
    }

    #[test]
    fn a_compressed_page_is_expanded_wherever_its_bytes_end() {
        // Every remainder of the length within the unit of the size comes by.
        for algorithm in ALGORITHMS {
            let step = if algorithm == Algorithm::Lzma { 40 } else { 1 };
            for noise in (3000..3300).step_by(step) {
                let page = sound(noise);
                let mut stored = stored(&page, algorithm);
                assert_eq!(verify(&stored), Ok(()));
                assert_eq!(
                    check_contents(PAGE, SPACE, &stored, Some(algorithm)),
                    Ok(()),
                    "{algorithm} {noise}"
                );
                expand(&mut stored, Some(algorithm)).expect("expanded");
                assert!(stored == page, "{algorithm} {noise}");
            }
        }
    }

    #[test]
    fn a_size_that_cannot_be_is_named() {
        let good = stored(&sound(3000), Algorithm::Snappy);
        for units in [0_u16, 64, 65, 0x7FFF] {
            let mut page = good.clone();
            header::put(&mut page, TYPE, &(COMPRESSED | units).to_be_bytes());
            assert!(matches!(verify(&page), Err(Fault::Compression(CompressionFault::CompressedBytes(_)))));
        }
        // The smallest size has no room for anything.
        let mut page = vec![0; PAGE_BYTES];
        header::put(&mut page, NUMBER, &PAGE.to_be_bytes());
        header::put(&mut page, TYPE, &(COMPRESSED | 1).to_be_bytes());
        for low in [0, 1, 4, 5, 30, 255] {
            page[SIZE_UNIT - LENGTH_AND_CHECKSUM] = low;
            assert!(check_contents(PAGE, SPACE, &page, Some(Algorithm::Lz4)).is_err());
        }
        assert!(check_contents(PAGE, SPACE, &good, None).is_err());
    }

    #[test]
    fn what_stood_behind_a_compressed_page_does_not_stay_readable() {
        let mut page = stored(&sound(3000), Algorithm::Zlib);
        page[PAGE_BYTES - 100..].fill(b'x');
        begin_encryption(&mut page, 3).expect("a size");
        assert_eq!(key_version(&page), 3);
        assert!(page[PAGE_BYTES - 100..].iter().all(|byte| *byte == 0));
    }
}

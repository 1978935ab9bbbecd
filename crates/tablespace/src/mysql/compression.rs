//! Transparent page compression (InnoDB `Compression`, `os0file`). The first 38 bytes stay in place; the rest is compressed, and
//! the part of the file that becomes free is a hole.
//!
//! | at | bytes | meaning |
//! |---|---|---|
//! | 24 | 2 | page type 14 |
//! | 26 | 1 | version: 1 (MySQL 5.7) or 2 |
//! | 27 | 1 | algorithm: 1 zlib, 2 LZ4 (one block, no frame) |
//! | 28 | 2 | type of the page |
//! | 30 | 2 | bytes of the page without its header |
//! | 32 | 2 | bytes when compressed |
//! | 38 | | the compressed bytes; zeros behind them |
//!
//! The versions differ in how much of the page is encrypted: see [`encrypted_len`].

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::page::fault::CompressionFault;
use crate::page::header::{self, FLUSH_LSN, HEADER_BYTES, SPACE_ID, TYPE};
use crate::page::{PageType, is_zero};

const VERSION: usize = 26;
const ALGORITHM: usize = 27;
/// Where the type of a page is kept while it is compressed, or encrypted.
pub(crate) const ORIGINAL_TYPE: usize = 28;
const EXPANDED_BYTES: usize = 30;
const COMPRESSED_BYTES: usize = 32;
/// Fewest bytes of a compressed page that are encrypted, with its header: two blocks, which the rule for the last bytes
/// needs.
const ENCRYPTED_BYTES_MIN: usize = HEADER_BYTES + 32;
/// The block size that file systems have, mostly, in bytes.
const FILE_BLOCK_BYTES: usize = 4096;
const FILE_BLOCK_BYTES_MIN: usize = 512;

/// How a page is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 1950.
    Zlib,
    /// One LZ4 block.
    Lz4,
}

/// What the header of a compressed page says.
struct Header {
    version: u8,
    algorithm: Algorithm,
    expanded: usize,
    compressed: usize,
}

impl Header {
    fn parse(page: &[u8]) -> Result<Self, CompressionFault> {
        let version = page[VERSION];
        if !matches!(version, 1 | 2) {
            return Err(CompressionFault::Version(version));
        }
        let algorithm = match page[ALGORITHM] {
            1 => Algorithm::Zlib,
            2 => Algorithm::Lz4,
            other => return Err(CompressionFault::Algorithm(other)),
        };
        let expanded = usize::from(header::u16_at(page, EXPANDED_BYTES));
        if expanded != page.len() - HEADER_BYTES {
            return Err(CompressionFault::ExpandedBytes(expanded));
        }
        let compressed = usize::from(header::u16_at(page, COMPRESSED_BYTES));
        if compressed == 0 || compressed > expanded {
            return Err(CompressionFault::CompressedBytes(compressed));
        }
        Ok(Self { version, algorithm, expanded, compressed })
    }
}

/// Whether a page that is not compressed has the header of one that was: a server that expands a page leaves all of it but
/// the type.
pub(crate) fn is_left_behind(page: &[u8]) -> bool {
    Header::parse(page).is_ok()
}

/// The algorithm of a compressed page, and the bytes it takes with its header.
///
/// # Errors
/// [`CompressionFault`] for a header that no server can have written.
pub fn describe(page: &[u8]) -> Result<(Algorithm, usize), CompressionFault> {
    let header = Header::parse(page)?;
    Ok((header.algorithm, HEADER_BYTES + header.compressed))
}

/// How many bytes of a compressed page, with its header, are encrypted or are to be.
///
/// Version 2 encrypts the compressed bytes and no more, at least 32 of them. Version 1 encrypts up to the end of a block
/// of the file system it was on, which nothing tells: in an encrypted page zeros follow from there on.
///
/// # Errors
/// [`CompressionFault`] for a header that no server can have written.
pub fn encrypted_len(page: &[u8]) -> Result<usize, CompressionFault> {
    let header = Header::parse(page)?;
    let used = HEADER_BYTES + header.compressed;
    if header.version == 2 {
        return Ok(used.max(ENCRYPTED_BYTES_MIN));
    }
    let encrypted = header::page_type(page) == PageType::COMPRESSED_AND_ENCRYPTED;
    let written = page.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let ends = std::iter::successors(Some(FILE_BLOCK_BYTES_MIN), |size| Some(size * 2))
        .take_while(|size| *size <= page.len())
        .map(|size| used.next_multiple_of(size));
    let seen = ends.filter(|end| encrypted && *end == written.next_multiple_of(FILE_BLOCK_BYTES_MIN)).min();
    Ok(seen.unwrap_or_else(|| used.next_multiple_of(FILE_BLOCK_BYTES).min(page.len())))
}

/// Expands a compressed page in place.
///
/// # Errors
/// [`CompressionFault`]; the page is as it was then.
pub fn expand(page: &mut [u8]) -> Result<(), CompressionFault> {
    let header = Header::parse(page)?;
    let (packed, padding) = page[HEADER_BYTES..].split_at(header.compressed);
    if !is_zero(padding) {
        return Err(CompressionFault::PaddingNotZero);
    }
    let expanded = match header.algorithm {
        Algorithm::Zlib => inflate(packed, header.expanded),
        Algorithm::Lz4 => {
            let mut out = vec![0; header.expanded];
            let bytes = lz4_flex::block::decompress_into(packed, &mut out);
            bytes.is_ok_and(|bytes| bytes == header.expanded).then_some(out)
        }
    };
    let expanded = expanded.ok_or(CompressionFault::Damaged)?;
    page.copy_within(ORIGINAL_TYPE..ORIGINAL_TYPE + 2, TYPE);
    page[FLUSH_LSN..SPACE_ID].fill(0);
    header::put(page, HEADER_BYTES, &expanded);
    Ok(())
}

/// Compresses a page in place, in version 2. Whether it became smaller; if not, the page is as it was.
pub fn compress(page: &mut [u8], algorithm: Algorithm) -> bool {
    let body = &page[HEADER_BYTES..];
    let packed = match algorithm {
        Algorithm::Zlib => deflate(body),
        Algorithm::Lz4 => Some(lz4_flex::block::compress(body)),
    };
    let Some(packed) = packed.filter(|packed| packed.len() < body.len()) else { return false };
    let (Ok(expanded), Ok(compressed)) = (u16::try_from(body.len()), u16::try_from(packed.len())) else {
        return false;
    };
    page.copy_within(TYPE..TYPE + 2, ORIGINAL_TYPE);
    header::put(page, TYPE, &PageType::COMPRESSED.0.to_be_bytes());
    page[VERSION] = 2;
    page[ALGORITHM] = match algorithm {
        Algorithm::Zlib => 1,
        Algorithm::Lz4 => 2,
    };
    header::put(page, EXPANDED_BYTES, &expanded.to_be_bytes());
    header::put(page, COMPRESSED_BYTES, &compressed.to_be_bytes());
    header::put(page, HEADER_BYTES, &packed);
    page[HEADER_BYTES + packed.len()..].fill(0);
    true
}

/// Exactly `bytes` expanded bytes of all of `packed`, or nothing.
fn inflate(packed: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let mut decoder = ZlibDecoder::new(packed);
    let mut out = vec![0; bytes];
    decoder.read_exact(&mut out).ok()?;
    // Reading on makes the decoder check the stream's own checksum.
    let ended = matches!(decoder.read(&mut [0]), Ok(0)) && decoder.total_in() == packed.len() as u64;
    ended.then_some(out)
}

fn deflate(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(body.len()), Compression::default());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(bytes: usize, filled: usize) -> Vec<u8> {
        let mut page = vec![0; bytes];
        for (at, byte) in page[HEADER_BYTES..HEADER_BYTES + filled].iter_mut().enumerate() {
            *byte = (at * at / 7) as u8;
        }
        header::put(&mut page, TYPE, &PageType::INDEX.0.to_be_bytes());
        page
    }

    #[test]
    fn what_is_compressed_is_expanded_to_the_same_page() {
        for algorithm in [Algorithm::Zlib, Algorithm::Lz4] {
            for bytes in [8192, 16384, 32768, 65536] {
                for filled in [0, 1, 40, 3000, 8000] {
                    let plain = page(bytes, filled);
                    let mut packed = plain.clone();
                    assert!(compress(&mut packed, algorithm));
                    let (found, used) = describe(&packed).expect("a header");
                    assert_eq!(found, algorithm);
                    assert!(is_zero(&packed[used..]));
                    assert_eq!(encrypted_len(&packed), Ok(used.max(70)));
                    expand(&mut packed).expect("it was compressed");
                    assert!(packed == plain, "{algorithm:?} {bytes} {filled}");
                }
            }
        }
    }

    #[test]
    fn a_page_that_does_not_shrink_stays_as_it_is() {
        let mut state = 1_u64;
        let mut random = page(16384, 0);
        random[HEADER_BYTES..].fill_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        });
        for algorithm in [Algorithm::Zlib, Algorithm::Lz4] {
            let mut page = random.clone();
            assert!(!compress(&mut page, algorithm));
            assert!(page == random);
        }
    }

    /// Version 1 was encrypted up to a block of a file system that may have had blocks of any size.
    #[test]
    fn the_end_of_an_encrypted_page_of_version_1_is_seen_in_the_file() {
        for block in [512, 1024, 2048, 4096, 8192, 16384] {
            let mut packed = page(16384, 900);
            assert!(compress(&mut packed, Algorithm::Zlib));
            packed[VERSION] = 1;
            let (_, used) = describe(&packed).expect("a header");
            let end = used.next_multiple_of(block);
            header::put(&mut packed, TYPE, &PageType::COMPRESSED_AND_ENCRYPTED.0.to_be_bytes());
            packed[HEADER_BYTES..end].fill(0xE7);
            assert_eq!(encrypted_len(&packed), Ok(end), "{block}");
        }
        let mut packed = page(16384, 900);
        assert!(compress(&mut packed, Algorithm::Zlib));
        packed[VERSION] = 1;
        let (_, used) = describe(&packed).expect("a header");
        assert_eq!(encrypted_len(&packed), Ok(used.next_multiple_of(4096)));
    }

    #[test]
    fn headers_that_no_server_writes_are_named() {
        let mut good = page(16384, 900);
        assert!(compress(&mut good, Algorithm::Lz4));
        let changed = |at: usize, bytes: &[u8]| {
            let mut page = good.clone();
            header::put(&mut page, at, bytes);
            expand(&mut page).expect_err("it was changed")
        };
        assert_eq!(changed(VERSION, &[3]), CompressionFault::Version(3));
        assert_eq!(changed(ALGORITHM, &[9]), CompressionFault::Algorithm(9));
        assert_eq!(changed(EXPANDED_BYTES, &[0, 9]), CompressionFault::ExpandedBytes(9));
        assert_eq!(changed(COMPRESSED_BYTES, &[0, 0]), CompressionFault::CompressedBytes(0));
        assert_eq!(changed(COMPRESSED_BYTES, &[0xFF, 0xFF]), CompressionFault::CompressedBytes(0xFFFF));
        assert_eq!(changed(COMPRESSED_BYTES, &[0, 9]), CompressionFault::PaddingNotZero);
        assert_eq!(changed(COMPRESSED_BYTES, &[0x3F, 0]), CompressionFault::Damaged);
        assert_eq!(changed(16383, &[1]), CompressionFault::PaddingNotZero);
    }
}

//! The checksums of pages without MariaDB's `full_crc32` (InnoDB `buf0checksum`, `page_zip_calc_checksum`).
//!
//! A checksum is computed before a page is encrypted and stays readable afterwards, so it proves a decryption.
//!
//! | algorithm | uncompressed page, at 0 | at the last 8 bytes | `ROW_FORMAT=COMPRESSED`, at 0 |
//! |---|---|---|---|
//! | `crc32` | CRC-32C of 4..26 xor CRC-32C of 38..n-8 | the same | CRC-32C of 4..16, of 24..26 and of 34..n, combined by xor |
//! | `innodb` | fold of 4..26 plus fold of 38..n-8 | fold of 0..26 | Adler-32 of the three, begun with 0 |
//! | `none` | `0xDEADBEEF` | the same | the same |
//!
//! Behind the checksum at the end stands the low half of the log sequence number, which is how a page of which only a
//! part was written is told from one that is damaged. Bytes 26..34 (and 34..38 of an uncompressed page) are in no checksum.

use std::fmt;

use crc32c::{crc32c, crc32c_append};

use super::header::{self, CHECKSUM, FLUSH_LSN, HEADER_BYTES, LSN, NUMBER, SPACE_ID, TRAILER_BYTES, TYPE};
use super::{Fault, Geometry};

/// What `innodb_checksum_algorithm=none` writes (`BUF_NO_CHECKSUM_MAGIC`).
const NO_CHECKSUM: u32 = 0xDEAD_BEEF;

/// How a server computes page checksums (`innodb_checksum_algorithm`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// CRC-32C: what every server has used unless told otherwise since MySQL 5.7.7 and MariaDB 10.2.2.
    Crc32,
    /// InnoDB's own, older than CRC-32C.
    InnoDb,
    /// A constant: damage is not noticed.
    None,
    /// MariaDB's: one CRC-32C over the whole page as it is on disk. Not computed here.
    FullCrc32,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crc32 => "crc32",
            Self::InnoDb => "innodb",
            Self::None => "none",
            Self::FullCrc32 => "full_crc32",
        })
    }
}

/// Which checksums pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Those of any algorithm, page by page, as a server accepts them: the setting may have changed since a page was written.
    #[default]
    Any,
    /// Those of one algorithm only (`strict_crc32`, `strict_innodb`, `strict_none`).
    Strict(Algorithm),
}

impl Policy {
    fn allows(self, algorithm: Algorithm) -> bool {
        match self {
            Self::Any => true,
            Self::Strict(only) => only == algorithm,
        }
    }
}

/// Checks a page's checksums and trailer; says which algorithm they are from. `page` is one whole page, neither encrypted
/// nor page-compressed, and not all zero.
///
/// # Errors
/// [`Fault::Torn`], [`Fault::Checksum`], [`Fault::TrailerChecksum`]; [`Fault::Partial`] where `page` has another length.
pub fn verify(geometry: Geometry, page: &[u8], policy: Policy) -> Result<Algorithm, Fault> {
    if page.len() != geometry.physical() {
        return Err(Fault::Partial { bytes: page.len() });
    }
    if !geometry.is_compressed() {
        let (at_start, at_end) =
            (header::u32_at(page, LSN + 4), header::u32_at(page, page.len() - TRAILER_BYTES + 4));
        if at_start != at_end {
            return Err(Fault::Torn { header: at_start, trailer: at_end });
        }
    }
    let stored = header::u32_at(page, CHECKSUM);
    for algorithm in [Algorithm::Crc32, Algorithm::InnoDb, Algorithm::None] {
        if !policy.allows(algorithm) {
            continue;
        }
        let (first, last) = compute(geometry, page, algorithm);
        if first == stored {
            return match geometry.is_compressed() {
                true => Ok(algorithm),
                false => verify_trailer(page, last).map(|()| algorithm),
            };
        }
    }
    let algorithm = match policy {
        Policy::Any => Algorithm::Crc32,
        Policy::Strict(only) => only,
    };
    let (computed, _) = compute(geometry, page, algorithm);
    Err(Fault::Checksum { stored, computed, algorithm })
}

fn verify_trailer(page: &[u8], computed: u32) -> Result<(), Fault> {
    let stored = header::u32_at(page, page.len() - TRAILER_BYTES);
    if stored == computed { Ok(()) } else { Err(Fault::TrailerChecksum { stored, computed }) }
}

/// What an algorithm gives for the checksum in the header of a page.
pub(crate) fn first(geometry: Geometry, page: &[u8], algorithm: Algorithm) -> u32 {
    compute(geometry, page, algorithm).0
}

/// Writes a page's checksums anew. The log sequence number in the trailer is left as it is.
pub fn write(geometry: Geometry, page: &mut [u8], algorithm: Algorithm) {
    let (first, _) = compute(geometry, page, algorithm);
    header::put(page, CHECKSUM, &first.to_be_bytes());
    if !geometry.is_compressed() {
        // The older half of `innodb` covers the checksum just written.
        let (_, last) = compute(geometry, page, algorithm);
        let at = page.len() - TRAILER_BYTES;
        header::put(page, at, &last.to_be_bytes());
    }
}

/// The checksums in header and trailer. Those of a compressed page are equal, and it has no trailer.
fn compute(geometry: Geometry, page: &[u8], algorithm: Algorithm) -> (u32, u32) {
    let twice = |sum: u32| (sum, sum);
    match algorithm {
        Algorithm::None | Algorithm::FullCrc32 => twice(NO_CHECKSUM),
        Algorithm::Crc32 if geometry.is_compressed() => {
            let [a, b, c] = compressed_parts(page).map(crc32c);
            twice(a ^ b ^ c)
        }
        Algorithm::InnoDb if geometry.is_compressed() => {
            twice(compressed_parts(page).into_iter().fold(0, adler32))
        }
        Algorithm::Crc32 => {
            let [head, body] = parts(page);
            twice(crc32c(head) ^ crc32c(body))
        }
        Algorithm::InnoDb => {
            let [head, body] = parts(page);
            (fold(head).wrapping_add(fold(body)), fold(&page[..FLUSH_LSN]))
        }
    }
}

fn parts(page: &[u8]) -> [&[u8]; 2] {
    [&page[NUMBER..FLUSH_LSN], &page[HEADER_BYTES..page.len() - TRAILER_BYTES]]
}

fn compressed_parts(page: &[u8]) -> [&[u8]; 3] {
    [&page[NUMBER..LSN], &page[TYPE..FLUSH_LSN], &page[SPACE_ID..]]
}

/// CRC-32C of pieces that lie apart, as if they were one.
#[must_use]
pub fn crc32c_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    pieces.into_iter().fold(0, crc32c_append)
}

/// InnoDB's fold of bytes (`ut_fold_binary`), the low half of it.
fn fold(bytes: &[u8]) -> u32 {
    const MASK: u32 = 1_463_735_687;
    const MASK_2: u32 = 1_653_893_711;
    bytes.iter().fold(0_u32, |fold, byte| {
        let byte = u32::from(*byte);
        (((fold ^ byte ^ MASK_2) << 8).wrapping_add(fold) ^ MASK).wrapping_add(byte)
    })
}

/// Adler-32 (RFC 1950 §8.2) continued from `sum`. InnoDB begins with 0, where the RFC begins with 1.
fn adler32(sum: u32, bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    /// As many bytes as can be added before 32 bits overflow.
    const RUN_BYTES: usize = 5552;
    let (mut low, mut high) = (sum & 0xFFFF, sum >> 16);
    for run in bytes.chunks(RUN_BYTES) {
        for byte in run {
            low += u32::from(*byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [(u32, Option<u32>); 9] = [
        (4096, None),
        (8192, None),
        (16384, None),
        (32768, None),
        (65536, None),
        (4096, Some(1024)),
        (8192, Some(4096)),
        (16384, Some(8192)),
        (16384, Some(16384)),
    ];

    fn geometries() -> impl Iterator<Item = Geometry> {
        SIZES.into_iter().filter_map(|(logical, physical)| match physical {
            None => Geometry::uncompressed(logical),
            Some(physical) => Geometry::compressed(logical, physical),
        })
    }

    fn page(geometry: Geometry) -> Vec<u8> {
        let mut page: Vec<u8> = (0..geometry.physical()).map(|at| (at * 7 + at / 251) as u8).collect();
        let end = page.len();
        page.copy_within(LSN + 4..LSN + 8, end - 4);
        page
    }

    #[test]
    fn what_is_written_is_accepted_by_its_own_algorithm_alone() {
        for geometry in geometries() {
            for algorithm in [Algorithm::Crc32, Algorithm::InnoDb, Algorithm::None] {
                let mut page = page(geometry);
                write(geometry, &mut page, algorithm);
                for policy in [Policy::Any, Policy::Strict(algorithm)] {
                    assert_eq!(verify(geometry, &page, policy), Ok(algorithm));
                }
                for other in [Algorithm::Crc32, Algorithm::InnoDb, Algorithm::None] {
                    let verdict = verify(geometry, &page, Policy::Strict(other));
                    assert_eq!(verdict.is_ok(), other == algorithm, "{geometry:?} {algorithm} {other}");
                }
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_wherever_the_checksum_reaches() {
        for geometry in geometries() {
            for algorithm in [Algorithm::Crc32, Algorithm::InnoDb] {
                let mut page = page(geometry);
                write(geometry, &mut page, algorithm);
                // A compressed page leaves its log sequence number out too, and takes its tablespace in.
                let uncovered = match geometry.is_compressed() {
                    true => [LSN..TYPE, FLUSH_LSN..SPACE_ID],
                    false => [FLUSH_LSN..SPACE_ID, SPACE_ID..HEADER_BYTES],
                };
                for at in (0..page.len()).step_by(61).chain([0, 4, 23, 24, 25, 33, 38, page.len() - 1]) {
                    page[at] ^= 0x10;
                    let noticed = verify(geometry, &page, Policy::Strict(algorithm)).is_err();
                    assert_eq!(noticed, !uncovered.iter().any(|range| range.contains(&at)), "{at}");
                    page[at] ^= 0x10;
                }
            }
        }
    }

    #[test]
    fn a_page_of_which_a_part_was_written_is_called_torn() {
        let geometry = Geometry::uncompressed(16384).expect("a page size");
        let mut page = page(geometry);
        write(geometry, &mut page, Algorithm::Crc32);
        page[16383] ^= 1;
        assert!(matches!(verify(geometry, &page, Policy::Any), Err(Fault::Torn { .. })));
    }

    #[test]
    fn adler_agrees_with_the_rfc_but_for_its_start() {
        // RFC 1950 begins with 1, and "Wikipedia" then gives this well-known value.
        assert_eq!(adler32(1, b"Wikipedia"), 0x11E6_0398);
        assert_eq!(adler32(adler32(1, b"Wiki"), b"pedia"), 0x11E6_0398);
    }

    #[test]
    fn crc_is_castagnoli_s() {
        assert_eq!(crc32c_of([&b"1234"[..], b"56789"]), 0xE306_9283);
    }
}

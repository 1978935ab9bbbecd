//! Page compression (`PAGE_COMPRESSED=1`): what was compressed is the whole page, its header included. Where the compressed
//! bytes stand is a matter of the layout.

use std::fmt;
use std::io::Read;

use bzip2::read::BzDecoder;
use flate2::read::ZlibDecoder;
use lzma_rust2::XzReader;

use crate::page::fault::CompressionFault;

/// What decompressing LZMA may take, in KiB: its highest level has a dictionary of 64 MiB.
const LZMA_KIB_MAX: u32 = 66 * 1024;

/// How pages are compressed (`innodb_compression_algorithm`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RFC 1950.
    Zlib,
    /// One LZ4 block.
    Lz4,
    /// LZO1X. Not expanded here.
    Lzo,
    /// An `.xz` stream without a check.
    Lzma,
    /// bzip2.
    Bzip2,
    /// Snappy without a frame.
    Snappy,
}

impl Algorithm {
    /// The algorithm that flags or a page name by this number; 0 is none.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Zlib,
            2 => Self::Lz4,
            3 => Self::Lzo,
            4 => Self::Lzma,
            5 => Self::Bzip2,
            6 => Self::Snappy,
            _ => return None,
        })
    }

    /// Whether the compressed bytes do not tell where they end, so that a page of `full_crc32` keeps their length.
    #[must_use]
    pub fn needs_length(self) -> bool {
        matches!(self, Self::Lz4 | Self::Lzo | Self::Snappy)
    }

    /// Expands to exactly `bytes` bytes. Those algorithms that know their end ignore what stands behind it.
    ///
    /// # Errors
    /// [`CompressionFault::Unsupported`], [`CompressionFault::Damaged`].
    pub(super) fn expand(self, packed: &[u8], bytes: usize) -> Result<Vec<u8>, CompressionFault> {
        let mut page = vec![0; bytes];
        let whole = match self {
            Self::Zlib => fill(ZlibDecoder::new(packed), &mut page),
            Self::Bzip2 => fill(BzDecoder::new(packed), &mut page),
            Self::Lzma => fill(XzReader::new_mem_limit(packed, false, LZMA_KIB_MAX), &mut page),
            Self::Lz4 => {
                lz4_flex::block::decompress_into(packed, &mut page).is_ok_and(|filled| filled == bytes)
            }
            Self::Snappy => {
                let mut decoder = snap::raw::Decoder::new();
                decoder.decompress(packed, &mut page).is_ok_and(|filled| filled == bytes)
            }
            Self::Lzo => return Err(CompressionFault::Unsupported("LZO")),
        };
        if whole { Ok(page) } else { Err(CompressionFault::Damaged) }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zlib => "zlib",
            Self::Lz4 => "lz4",
            Self::Lzo => "lzo",
            Self::Lzma => "lzma",
            Self::Bzip2 => "bzip2",
            Self::Snappy => "snappy",
        })
    }
}

/// Whether a stream has exactly as many bytes as `page`; reading on makes decoders check the stream's own checksum.
fn fill(mut stream: impl Read, page: &mut [u8]) -> bool {
    stream.read_exact(page).is_ok() && matches!(stream.read(&mut [0]), Ok(0))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use lzma_rust2::{CheckType, XzOptions, XzWriter};

    use super::*;

    /// All that can be expanded.
    pub(in super::super) const ALGORITHMS: [Algorithm; 5] =
        [Algorithm::Zlib, Algorithm::Lz4, Algorithm::Lzma, Algorithm::Bzip2, Algorithm::Snappy];

    /// A page as a server compresses it.
    pub(in super::super) fn pack(algorithm: Algorithm, page: &[u8]) -> Vec<u8> {
        match algorithm {
            Algorithm::Zlib => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(page).expect("memory");
                encoder.finish().expect("memory")
            }
            Algorithm::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(page).expect("memory");
                encoder.finish().expect("memory")
            }
            Algorithm::Lzma => {
                let mut options = XzOptions::with_preset(1);
                options.set_check_sum_type(CheckType::None);
                let mut encoder = XzWriter::new(Vec::new(), options).expect("options");
                encoder.write_all(page).expect("memory");
                encoder.finish().expect("memory")
            }
            Algorithm::Lz4 => lz4_flex::block::compress(page),
            Algorithm::Snappy => snap::raw::Encoder::new().compress_vec(page).expect("memory"),
            Algorithm::Lzo => unreachable!("nothing here packs it"),
        }
    }

    /// Bytes of which the last `noise` cannot be compressed.
    pub(in super::super) fn page(bytes: usize, noise: usize) -> Vec<u8> {
        let mut state = 0x9E37_79B9_u32;
        (0..bytes)
            .map(|at| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if at + noise >= bytes { (state >> 24) as u8 } else { (at / 1024) as u8 }
            })
            .collect()
    }

    #[test]
    fn every_algorithm_expands_what_was_compressed_and_nothing_else() {
        for algorithm in ALGORITHMS {
            for (bytes, noise) in [(4096, 100), (16384, 5000), (65536, 0)] {
                let page = page(bytes, noise);
                let packed = pack(algorithm, &page);
                assert_eq!(algorithm.expand(&packed, bytes).as_ref(), Ok(&page), "{algorithm}");
                let damaged = Err(CompressionFault::Damaged);
                assert_eq!(algorithm.expand(&packed, bytes * 2), damaged, "{algorithm}");
                assert_eq!(algorithm.expand(&packed, bytes / 2), damaged, "{algorithm}");
                assert_eq!(algorithm.expand(&packed[..packed.len() / 2], bytes), damaged, "{algorithm}");
            }
        }
        assert_eq!(Algorithm::Lzo.expand(&[1; 9], 4096), Err(CompressionFault::Unsupported("LZO")));
    }
}

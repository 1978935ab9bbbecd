//! Redo log files: `ib_logfile0` and its like up to MySQL 8.0.29, `#innodb_redo/#ib_redo<n>` since. All numbers are
//! big-endian, and everything comes in blocks of 512 bytes.
//!
//! | block | what it holds |
//! |---|---|
//! | 0 | header: format 4, uuid of the log 4 (zero before format 6), first log sequence number 8, creator 32, flags 4 |
//! | 1 | checkpoint: log sequence number 8 at byte 8 |
//! | 2 | encryption information at byte 48; not in 5.7 |
//! | 3 | checkpoint, as block 1 |
//! | 4 on | log blocks |
//!
//! Blocks 0, 1, 3 and log blocks end in a CRC-32C of their first 508 bytes.
//!
//! A log block has a header of 12 bytes: its number, the bytes used (bit 15: encrypted), where the first record group in
//! it begins, and its epoch (before format 6: the checkpoint's number). When it is encrypted, everything behind that header
//! is, the checksum too: AES-256-CBC by InnoDB's rule for pages, with the key and the initialisation vector of the log, the
//! same for all blocks. The checksum is of the block before encryption.
//!
//! Since 8.0.30 a log has many files and one key. The encryption information is in the file that holds the latest checkpoint;
//! other files may have none, or that of an earlier master key. Encrypted and plain blocks may alternate.

use std::error::Error;
use std::fmt;

use strongroom_cipher::pages::{self, Page, PageKey, Rule};
use strongroom_cipher::{Buffer, Iv};

use super::fault::InformationFault;
use super::information::Information;
use super::key::TablespaceKey;
use crate::codec::CodecError;
use crate::page::header;
use crate::page::is_zero;

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 512;
/// Bytes in front of the first log block.
pub const HEADER_BYTES: usize = 4 * BLOCK_BYTES;

/// Where the encryption information is in the file.
pub const INFORMATION_OFFSET: usize = 2 * BLOCK_BYTES + 48;
const CHECKPOINTS: [usize; 2] = [BLOCK_BYTES, 3 * BLOCK_BYTES];
const CHECKPOINT_LSN: usize = 8;
const START_LSN: usize = 8;
const CREATOR: std::ops::Range<usize> = 16..48;
const FLAGS: usize = 48;

const BLOCK_HEADER_BYTES: usize = 12;
const BLOCK_CHECKSUM: usize = BLOCK_BYTES - 4;
const USED: usize = 4;
const FIRST_GROUP: usize = 6;
const EPOCH: usize = 8;
/// Bit of the bytes used that says the block is encrypted, in its first byte.
const ENCRYPTED: u8 = 0x80;
/// Bit of the block number that says a write began here, in formats before 6.
const WRITE_BEGAN: u32 = 1 << 31;
/// What stands for a checksum where they are switched off.
const NO_CHECKSUM: u32 = 0xDEAD_BEEF;

/// Formats that MySQL has written: 1 is 5.7.9's, 6 is 8.0.30's.
const FORMATS: std::ops::RangeInclusive<u32> = 1..=6;
/// The oldest format that can be encrypted: 8.0.1's.
const FORMAT_ENCRYPTED: u32 = 2;

/// The header of a redo log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedoHeader {
    /// Format: 1 for MySQL 5.7, 2 to 5 for 8.0 up to 8.0.29, 6 since 8.0.30.
    pub format: u32,
    /// Names the log that the file belongs to; 0 before format 6.
    pub log_uuid: u32,
    /// Log sequence number of the first log block.
    pub start_lsn: u64,
    /// Who made it, such as `MySQL 8.4.3`.
    pub creator: String,
    /// Flags: 1 logging is switched off, 2 cannot be recovered, 4 not initialised, 8 full.
    pub flags: u32,
    /// Log sequence numbers of the two checkpoints, where their blocks are right and not empty.
    pub checkpoints: [Option<u64>; 2],
    /// The wrapped key of the log, where this file has it.
    pub information: Result<Option<Information>, InformationFault>,
}

/// What is wrong with a redo log file or a block of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedoFault {
    /// The file ends within its header, or the run within a block.
    Short {
        /// Bytes that are there.
        bytes: usize,
    },
    /// The format is not MySQL's.
    Format {
        /// What stands in its place.
        found: u32,
    },
    /// The checksum does not fit.
    Checksum {
        /// Number of the block within the file or the run, from 0.
        block: u64,
        /// What the block says.
        stored: u32,
        /// What its contents give.
        computed: u32,
    },
    /// A header field of a block has a value that it cannot have.
    BlockHeader {
        /// Number of the block within the run, from 0.
        block: u64,
    },
    /// The block is encrypted, and there is no key.
    EncryptedWithoutKey {
        /// Number of the block within the run, from 0.
        block: u64,
    },
}

impl RedoHeader {
    /// Reads the header from the first [`HEADER_BYTES`] of a file.
    ///
    /// # Errors
    /// [`RedoFault`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RedoFault> {
        let bytes = bytes.get(..HEADER_BYTES).ok_or(RedoFault::Short { bytes: bytes.len() })?;
        let format = header::u32_at(bytes, 0);
        if !FORMATS.contains(&format) {
            return Err(RedoFault::Format { found: format });
        }
        check_checksum(0, &bytes[..BLOCK_BYTES])?;
        let checkpoint = |at: usize| {
            let block = &bytes[at..at + BLOCK_BYTES];
            let lsn = header::u64_at(block, CHECKPOINT_LSN);
            (lsn > 0 && check_checksum(0, block).is_ok()).then_some(lsn)
        };
        let creator = &bytes[CREATOR];
        let creator = creator.split(|byte| *byte == 0).next().unwrap_or_default();
        let information = match format {
            FORMAT_ENCRYPTED.. => Information::parse(&bytes[INFORMATION_OFFSET..3 * BLOCK_BYTES]),
            _ => Ok(None),
        };
        Ok(Self {
            format,
            log_uuid: header::u32_at(bytes, 4),
            start_lsn: header::u64_at(bytes, START_LSN),
            creator: creator.iter().map(|byte| char::from(*byte)).filter(|c| !c.is_control()).collect(),
            flags: if format >= 4 { header::u32_at(bytes, FLAGS) } else { 0 },
            checkpoints: CHECKPOINTS.map(checkpoint),
            information,
        })
    }

    /// The later checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Option<u64> {
        self.checkpoints.into_iter().flatten().max()
    }
}

/// Replaces the encryption information in a file's header. Its block has no checksum.
///
/// # Errors
/// [`RedoFault::Short`] when `head` has fewer than [`HEADER_BYTES`].
pub fn set_information(head: &mut [u8], information: &Information) -> Result<(), RedoFault> {
    let short = RedoFault::Short { bytes: head.len() };
    let block = head.get_mut(2 * BLOCK_BYTES..3 * BLOCK_BYTES).ok_or(short)?;
    block.fill(0);
    header::put(block, INFORMATION_OFFSET - 2 * BLOCK_BYTES, &information.to_bytes());
    Ok(())
}

/// Erases the encryption information from a file's header, for a file whose blocks were all decrypted.
///
/// # Errors
/// [`RedoFault::Short`] when `head` has fewer than [`HEADER_BYTES`].
pub fn set_plain(head: &mut [u8]) -> Result<(), RedoFault> {
    let short = RedoFault::Short { bytes: head.len() };
    head.get_mut(2 * BLOCK_BYTES..3 * BLOCK_BYTES).ok_or(short)?.fill(0);
    Ok(())
}

/// The header of a log block that is not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBlock {
    /// Its number, from 1, counted from the start of its epoch. With the epoch it gives the block's place in the log.
    pub number: u32,
    /// Bytes used, with the header; a full block says 512.
    pub used: u16,
    /// Where the first group of records that begins in it does so; 0 where none does.
    pub first_group: u16,
    /// Epoch since format 6; number of a checkpoint before.
    pub epoch: u32,
}

impl LogBlock {
    /// Reads a block's header and checks its checksum; `None` for a block of zeros, which was never written.
    ///
    /// # Errors
    /// [`RedoFault`], with block number 0.
    pub fn parse(block: &[u8]) -> Result<Option<Self>, RedoFault> {
        if block.len() != BLOCK_BYTES {
            return Err(RedoFault::Short { bytes: block.len() });
        }
        if is_zero(block) {
            return Ok(None);
        }
        if is_encrypted(block) {
            return Err(RedoFault::EncryptedWithoutKey { block: 0 });
        }
        check_checksum(0, block)?;
        let used = header::u16_at(block, USED);
        let first_group = header::u16_at(block, FIRST_GROUP);
        if usize::from(used) > BLOCK_BYTES || usize::from(first_group) > BLOCK_BYTES {
            return Err(RedoFault::BlockHeader { block: 0 });
        }
        let number = header::u32_at(block, 0) & !WRITE_BEGAN;
        Ok(Some(Self { number, used, first_group, epoch: header::u32_at(block, EPOCH) }))
    }
}

/// Whether a log block is encrypted.
#[must_use]
pub fn is_encrypted(block: &[u8]) -> bool {
    block.get(USED).is_some_and(|byte| byte & ENCRYPTED != 0)
}

/// The log blocks of one redo log.
pub struct RedoCodec {
    key: Option<(PageKey, Iv)>,
}

impl RedoCodec {
    /// Blocks of a log that has `key`, if any of them is encrypted.
    #[must_use]
    pub fn new(key: Option<&TablespaceKey>) -> Self {
        Self { key: key.map(TablespaceKey::expand) }
    }

    /// Decrypts the encrypted blocks of a run and checks all of them. What follows the last block written in a file is of
    /// earlier times; it is decrypted and checked like the rest. Blocks that are named in what is returned hold nothing of
    /// use.
    ///
    /// # Errors
    /// [`CodecError`]: the run is then in an unknown state.
    pub fn decrypt(&self, run: &mut [u8]) -> Result<Vec<RedoFault>, CodecError> {
        let mut faults = Vec::new();
        let mut batch = Vec::new();
        let (blocks, rest) = run.as_chunks_mut::<BLOCK_BYTES>();
        for (number, block) in (0..).zip(&mut *blocks) {
            if !is_encrypted(block) {
                continue;
            }
            match &self.key {
                Some((key, iv)) => {
                    block[USED] &= !ENCRYPTED;
                    let data = Buffer::InPlace(&mut block[BLOCK_HEADER_BYTES..]);
                    batch.push(Page { key, iv: *iv, data });
                }
                None => faults.push(RedoFault::EncryptedWithoutKey { block: number }),
            }
        }
        pages::decrypt(Rule::InnoDb, &mut batch)?;
        drop(batch);
        for (number, block) in (0..).zip(&*blocks) {
            if !is_encrypted(block) && !is_zero(block) {
                faults.extend(check_checksum(number, block).err());
            }
        }
        if !rest.is_empty() {
            faults.push(RedoFault::Short { bytes: rest.len() });
        }
        Ok(faults)
    }

    /// Encrypts the blocks of a run, but for those of zeros. Each must have its checksum.
    ///
    /// # Errors
    /// [`CodecError`]: the run is then in an unknown state.
    pub fn encrypt(&self, run: &mut [u8]) -> Result<Vec<RedoFault>, CodecError> {
        let (key, iv) = self.key.as_ref().ok_or(CodecError::NoKey)?;
        let mut faults = Vec::new();
        let mut batch = Vec::new();
        let (blocks, rest) = run.as_chunks_mut::<BLOCK_BYTES>();
        for (number, block) in (0..).zip(blocks) {
            if is_zero(&block[..]) || is_encrypted(&block[..]) {
                continue;
            }
            if let Err(fault) = check_checksum(number, block) {
                faults.push(fault);
                continue;
            }
            block[USED] |= ENCRYPTED;
            batch.push(Page { key, iv: *iv, data: Buffer::InPlace(&mut block[BLOCK_HEADER_BYTES..]) });
        }
        pages::encrypt(Rule::InnoDb, &mut batch)?;
        if !rest.is_empty() {
            faults.push(RedoFault::Short { bytes: rest.len() });
        }
        Ok(faults)
    }
}

fn check_checksum(number: u64, block: &[u8]) -> Result<(), RedoFault> {
    let stored = header::u32_at(block, BLOCK_CHECKSUM);
    let computed = crc32c::crc32c(&block[..BLOCK_CHECKSUM]);
    if stored == computed || stored == NO_CHECKSUM || stored == old_checksum(block) {
        return Ok(());
    }
    Err(RedoFault::Checksum { block: number, stored, computed })
}

/// The checksum of MySQL 5.7 with `innodb_log_checksums` of its older kind (`log_block_calc_checksum_innodb`).
fn old_checksum(block: &[u8]) -> u32 {
    let mut shift = 0;
    block[..BLOCK_CHECKSUM].iter().fold(1_u32, |sum, byte| {
        let byte = u32::from(*byte);
        let sum = (sum & 0x7FFF_FFFF).wrapping_add(byte).wrapping_add(byte << shift);
        shift = if shift == 24 { 0 } else { shift + 1 };
        sum
    })
}

impl fmt::Display for RedoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { bytes } => write!(f, "the redo log ends within a block, after {bytes} bytes of it"),
            Self::Format { found } => {
                write!(f, "not a redo log of MySQL: its format is {found:#x}")
            }
            Self::Checksum { block, stored, computed } => write!(
                f,
                "block {block}: the checksum is {stored:#010x}, and the contents give {computed:#010x}"
            ),
            Self::BlockHeader { block } => write!(f, "block {block}: its header cannot be right"),
            Self::EncryptedWithoutKey { block } => {
                write!(f, "block {block} is encrypted, and the log's key is not known")
            }
        }
    }
}

impl Error for RedoFault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u32) -> [u8; BLOCK_BYTES] {
        let mut block: [u8; BLOCK_BYTES] = std::array::from_fn(|at| (at * 3) as u8);
        header::put(&mut block, 0, &(number | WRITE_BEGAN).to_be_bytes());
        header::put(&mut block, USED, &100_u16.to_be_bytes());
        header::put(&mut block, FIRST_GROUP, &12_u16.to_be_bytes());
        header::put(&mut block, EPOCH, &5_u32.to_be_bytes());
        block
    }

    /// MySQL 5.7 can use three checksums; each is accepted, and none of a changed block but for that which says there is none.
    #[test]
    fn a_block_may_have_any_checksum_that_5_7_makes() {
        let parsed = LogBlock { number: 7, used: 100, first_group: 12, epoch: 5 };
        for (sum, guards) in [
            (crc32c::crc32c as fn(&[u8]) -> u32, true),
            (|_| NO_CHECKSUM, false),
            // The older kind, added up in 64 bits.
            (
                |bytes| {
                    let shifts = (0..25_u64).cycle();
                    let add = |sum: u64, (byte, shift): (&u8, u64)| {
                        (sum & 0x7FFF_FFFF) + u64::from(*byte) + (u64::from(*byte) << shift)
                    };
                    bytes.iter().zip(shifts).fold(1, add) as u32
                },
                true,
            ),
        ] {
            let mut block = block(7);
            let sum = sum(&block[..BLOCK_CHECKSUM]);
            header::put(&mut block, BLOCK_CHECKSUM, &sum.to_be_bytes());
            assert_eq!(LogBlock::parse(&block), Ok(Some(parsed)));
            block[300] ^= 1;
            assert_eq!(LogBlock::parse(&block).is_err(), guards);
        }
    }

    #[test]
    fn a_log_of_another_server_is_told_by_its_format() {
        for format in [0, 7, 103, 0x5068_7973, 0x8000_0001] {
            let mut head = [0; HEADER_BYTES];
            header::put(&mut head, 0, &u32::to_be_bytes(format));
            assert_eq!(RedoHeader::parse(&head), Err(RedoFault::Format { found: format }));
        }
        assert_eq!(RedoHeader::parse(&[0; 100]), Err(RedoFault::Short { bytes: 100 }));
    }

    /// MySQL 5.7 has no encryption information; what stands there is not read.
    #[test]
    fn a_header_of_5_7_is_read() {
        let mut head = [0; HEADER_BYTES];
        header::put(&mut head, 0, &1_u32.to_be_bytes());
        header::put(&mut head, START_LSN, &8192_u64.to_be_bytes());
        header::put(&mut head, 16, b"MySQL 5.7.44");
        header::put(&mut head, INFORMATION_OFFSET, b"anything");
        let sum = crc32c::crc32c(&head[..BLOCK_CHECKSUM]);
        header::put(&mut head, BLOCK_CHECKSUM, &sum.to_be_bytes());
        let header = RedoHeader::parse(&head).expect("a header");
        assert_eq!((header.format, header.start_lsn, header.flags), (1, 8192, 0));
        assert_eq!((header.creator.as_str(), header.checkpoint()), ("MySQL 5.7.44", None));
        assert_eq!(header.information, Ok(None));
        head[20] ^= 1;
        assert!(matches!(RedoHeader::parse(&head), Err(RedoFault::Checksum { block: 0, .. })));
    }
}

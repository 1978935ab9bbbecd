//! Page 0 of a MySQL tablespace: what it says about encryption, and changing that.
//!
//! | at | bytes | meaning |
//! |---|---|---|
//! | 54 | 4 | flags: bit 13 says encrypted |
//! | e | up to 115 | encryption information; zero in a plain tablespace |
//! | e + 115 | 4 | version of the serialised dictionary information |
//! | e + 119 | 4 | its root page |
//! | e + 123 | 1 | operation that was interrupted: 1 encrypting, 2 decrypting, 0 none |
//! | e + 124 | 4 | last page that it has done |
//!
//! where e is [`Geometry::encryption_offset`]. What stands behind the information was added by MySQL 8.0.

use std::ops::Range;

use super::fault::InformationFault;
use super::flags;
use super::information::{Encryption, INFORMATION_BYTES_MAX, Information, Progress};
use crate::page::header::{self, FSP_FLAGS};
use crate::page::{Algorithm, Geometry, checksum};

/// Where the progress of an interrupted operation is, behind the start of the encryption information.
const PROGRESS: usize = 123;
const PROGRESS_BYTES: usize = 5;
const ENCRYPTING: u8 = 1;
const DECRYPTING: u8 = 2;

/// Where page 5 of the system tablespace says where the doublewrite buffer is, from its end (`TRX_SYS_DOUBLEWRITE`).
const DOUBLEWRITE_FROM_END: usize = 200;
const DOUBLEWRITE_MAGIC: u32 = 536_853_855;
/// Offsets from there: the magic, and the first pages of the two blocks.
const DOUBLEWRITE_MAGIC_AT: usize = 10;
const DOUBLEWRITE_BLOCKS_AT: [usize; 2] = [14, 18];

/// What page 0 says about encryption; `None` for a plain tablespace.
pub(crate) fn encryption(geometry: Geometry, head: &[u8]) -> Option<Encryption> {
    let flag = header::u32_at(head, FSP_FLAGS) & flags::ENCRYPTED != 0;
    let at = geometry.encryption_offset();
    let information = match Information::parse(head.get(at..geometry.physical()).unwrap_or_default()) {
        Ok(Some(information)) => Ok(information),
        Ok(None) if flag => Err(InformationFault::Missing),
        // Unknown bytes mean nothing to a tablespace that is not marked as encrypted.
        Ok(None) | Err(InformationFault::Magic(_)) if !flag => return None,
        Ok(None) => return None,
        Err(fault) => Err(fault),
    };
    let page = header::u32_at(head, at + PROGRESS + 1);
    let progress = match head.get(at + PROGRESS) {
        Some(&ENCRYPTING) => Some(Progress::Encrypting { page }),
        Some(&DECRYPTING) => Some(Progress::Decrypting { page }),
        _ => None,
    };
    Some(Encryption { information, flag, progress })
}

/// Marks the tablespace as encrypted with what `information` holds, or replaces the information of one that is. The progress
/// of an interrupted operation is cleared only by [`set_plain`]: see [`clear_progress`].
///
/// # Panics
/// When `head` is not a page of this geometry.
pub fn set_information(geometry: Geometry, head: &mut [u8], information: &Information, algorithm: Algorithm) {
    let flags = header::u32_at(head, FSP_FLAGS) | flags::ENCRYPTED;
    header::put(head, FSP_FLAGS, &flags.to_be_bytes());
    let at = geometry.encryption_offset();
    header::put(head, at, &information.to_bytes());
    checksum::write(geometry, head, algorithm);
}

/// Marks the tablespace as not encrypted and erases its information, and the progress of an interrupted operation.
///
/// # Panics
/// When `head` is not a page of this geometry.
pub fn set_plain(geometry: Geometry, head: &mut [u8], algorithm: Algorithm) {
    let flags = header::u32_at(head, FSP_FLAGS) & !flags::ENCRYPTED;
    header::put(head, FSP_FLAGS, &flags.to_be_bytes());
    let at = geometry.encryption_offset();
    head[at..at + INFORMATION_BYTES_MAX].fill(0);
    clear_progress(geometry, head, algorithm);
}

/// Erases the progress of an operation that was interrupted: it is finished now.
///
/// # Panics
/// When `head` is not a page of this geometry.
pub fn clear_progress(geometry: Geometry, head: &mut [u8], algorithm: Algorithm) {
    let at = geometry.encryption_offset() + PROGRESS;
    head[at..at + PROGRESS_BYTES].fill(0);
    checksum::write(geometry, head, algorithm);
}

/// The pages of the system tablespace that hold the doublewrite buffer, from its page 5. Servers before MySQL 8.0.20 and
/// MariaDB have it there.
#[must_use]
pub fn doublewrite_pages(geometry: Geometry, page: &[u8]) -> Vec<Range<u32>> {
    let Some(at) = page.len().checked_sub(DOUBLEWRITE_FROM_END) else { return Vec::new() };
    if header::u32_at(page, at + DOUBLEWRITE_MAGIC_AT) != DOUBLEWRITE_MAGIC {
        return Vec::new();
    }
    DOUBLEWRITE_BLOCKS_AT
        .into_iter()
        .filter_map(|block| {
            let first = header::u32_at(page, at + block);
            Some(first..first.checked_add(geometry.extent_pages())?)
        })
        .collect()
}

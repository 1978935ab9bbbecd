//! The doublewrite buffer: copies of pages that were about to be written, of any tablespace.
//!
//! Since MySQL 8.0.20 it is in files of its own, `#ib_<page size>_<n>.dblwr`: slots of one page each, as large as the
//! server's pages; a smaller page of `ROW_FORMAT=COMPRESSED` is at the start of its slot. Before, and in MariaDB, it is two
//! extents of the system tablespace ([`doublewrite_pages`](super::head::doublewrite_pages)). Either way a page of an encrypted
//! tablespace is encrypted with that tablespace's key, and there is no key of the buffer's own.
//!
//! Files that end in `.bdblwr` (8.0.30 on, `innodb_doublewrite=DETECT_ONLY`) hold no pages, only their numbers, and nothing to
//! encrypt.

use crate::page::header::{self, NUMBER, SPACE_ID};
use crate::page::{PageType, is_zero};

/// A page in the doublewrite buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCopy {
    /// Where its slot begins, in bytes.
    pub offset: usize,
    /// The tablespace it is of.
    pub space_id: u32,
    /// Its number there.
    pub number: u32,
    /// Its type; one of the encrypted ones where it is encrypted.
    pub page_type: PageType,
}

/// The page size in the name of a doublewrite file, in bytes.
#[must_use]
pub fn page_bytes(file_name: &str) -> Option<usize> {
    let (size, number) = file_name.strip_prefix("#ib_")?.strip_suffix(".dblwr")?.split_once('_')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    let size: usize = size.parse().ok()?;
    ((4096..=65536).contains(&size) && size.is_power_of_two()).then_some(size)
}

/// The pages in a doublewrite file whose slots have `page_bytes`. Slots that were never written are left out.
///
/// # Panics
/// When `page_bytes` is 0.
pub fn copies(bytes: &[u8], page_bytes: usize) -> impl Iterator<Item = PageCopy> {
    bytes.chunks_exact(page_bytes).enumerate().filter(|(_, slot)| !is_zero(slot)).map(move |(index, slot)| {
        PageCopy {
            offset: index * page_bytes,
            space_id: header::u32_at(slot, SPACE_ID),
            number: header::u32_at(slot, NUMBER),
            page_type: header::page_type(slot),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_doublewrite_files_tell_the_page_size() {
        assert_eq!(page_bytes("#ib_16384_0.dblwr"), Some(16384));
        assert_eq!(page_bytes("#ib_4096_13.dblwr"), Some(4096));
        for name in ["#ib_16384_0.bdblwr", "#ib_1000_0.dblwr", "#ib_16384_x.dblwr", "ibdata1", "#ib_redo1"] {
            assert_eq!(page_bytes(name), None, "{name}");
        }
    }

    #[test]
    fn written_slots_are_found_and_empty_ones_left_out() {
        let mut file = vec![0; 4 * 4096];
        header::put(&mut file, 8192 + NUMBER, &7_u32.to_be_bytes());
        header::put(&mut file, 8192 + SPACE_ID, &9_u32.to_be_bytes());
        header::put(&mut file, 8192 + header::TYPE, &15_u16.to_be_bytes());
        let found: Vec<PageCopy> = copies(&file, 4096).collect();
        assert_eq!(
            found,
            [PageCopy { offset: 8192, space_id: 9, number: 7, page_type: PageType::ENCRYPTED }]
        );
    }
}

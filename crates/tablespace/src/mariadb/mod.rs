//! What MariaDB writes.

use crate::page::header::{self, FSP_FLAGS};

/// Flag of tablespaces with the `full_crc32` layout (`FSP_FLAGS_FCRC32_MASK_MARKER`), which MySQL cannot have set.
const FULL_CRC32: u32 = 1 << 4;

/// Whether MySQL cannot have written this page 0, because its flags are those of MariaDB's `full_crc32`.
pub(crate) fn is_full_crc32(head: &[u8]) -> bool {
    header::u32_at(head, FSP_FLAGS) & FULL_CRC32 != 0
}

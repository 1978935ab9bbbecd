//! Changing page 0 without changing its checksum.
//!
//! The encryption information lies within one sector (but for `KEY_BLOCK_SIZE=2`), and the checksum in others. A power cut
//! between them would leave a page that a server refuses. InnoDB reserves 115 bytes for the information
//! (`Encryption::INFO_MAX_SIZE`), of which versions 1 to 3 use 111. CRC-32C is linear, so for any change before them there are four bytes with
//! which it stays as it was. With these behind the information, one sector changes, and no state in between exists.
//!
//! Those bytes are the register of the checksum of what has changed, begun at zero: they bring it back to zero, and zero it stays
//! over everything behind that did not change. So neither needs to be read.

/// Bytes that keep the checksum.
pub(super) const SPARE_BYTES: usize = 4;

/// What the four bytes behind a stretch must change by, where the stretch changes by `difference`.
pub(super) fn cancel(difference: &[u8]) -> [u8; SPARE_BYTES] {
    // The crate inverts the register before and after.
    (!crc32c::crc32c_append(!0, difference)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_before_them_is_cancelled_whatever_follows() {
        for behind in [0, 1, 3, 5879, 24000] {
            let old: Vec<u8> = (0..200 + behind).map(|at| (at * 7 % 251) as u8).collect();
            for seed in 0..50_u8 {
                let mut new = old.clone();
                new[..196].iter_mut().enumerate().for_each(|(at, byte)| *byte ^= seed.wrapping_mul(at as u8));
                let difference: Vec<u8> = old[..196].iter().zip(&new).map(|(old, new)| old ^ new).collect();
                new[196..200].iter_mut().zip(cancel(&difference)).for_each(|(byte, by)| *byte ^= by);
                assert_eq!(crc32c::crc32c(&old), crc32c::crc32c(&new), "{behind} {seed}");
            }
        }
    }
}

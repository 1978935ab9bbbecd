//! Changing page 0 without changing its checksum.
//!
//! The encryption information lies within one sector (but for `KEY_BLOCK_SIZE=2`), and the checksum in others. A power cut
//! between them would leave a page that a server refuses. InnoDB reserves 115 bytes for the information
//! (`Encryption::INFO_MAX_SIZE`), of which versions 1 to 3 use 111. CRC-32C is linear, so for any change before them there are four bytes with
//! which it stays as it was. With these behind the information, one sector changes, and no state in between exists.

/// Four bytes that cancel a change of a CRC-32C, at a certain distance from the end of what it covers.
pub(super) struct Steady {
    /// What each bit of the checksum takes: the four bytes, as a big-endian number.
    by_bit: [u32; 32],
}

impl Steady {
    /// For four bytes that `behind` more bytes of the same checksum follow.
    pub(super) fn new(behind: usize) -> Self {
        let mut message = vec![0; 4 + behind];
        let zero = crc32c::crc32c(&message);
        // Rows of (effect on the checksum, bytes that have it), brought into a form in which each effect is a single bit.
        let mut rows = [(0_u32, 0_u32); 32];
        for (bit, row) in rows.iter_mut().enumerate() {
            let bytes = 1_u32 << bit;
            message[..4].copy_from_slice(&bytes.to_be_bytes());
            *row = (crc32c::crc32c(&message) ^ zero, bytes);
        }
        let mut by_bit = [0; 32];
        for bit in 0..32 {
            // There is such a row, because four bytes can give a CRC of 32 bits any value.
            let found = (bit..32).find(|&row| rows[row].0 >> bit & 1 == 1).unwrap_or(bit);
            rows.swap(bit, found);
            let pivot = rows[bit];
            for (at, row) in rows.iter_mut().enumerate() {
                if at != bit && row.0 >> bit & 1 == 1 {
                    row.0 ^= pivot.0;
                    row.1 ^= pivot.1;
                }
            }
        }
        for (bit, row) in rows.iter().enumerate() {
            by_bit[bit] = row.1;
        }
        Self { by_bit }
    }

    /// The bytes, in place of zeros, that change the checksum by `difference`.
    pub(super) fn bytes(&self, difference: u32) -> [u8; 4] {
        let bits = (0..32).filter(|bit| difference >> bit & 1 == 1);
        bits.fold(0, |bytes, bit| bytes ^ self.by_bit[bit]).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_before_them_is_cancelled() {
        for behind in [0, 1, 3, 5879, 24000] {
            let steady = Steady::new(behind);
            let old: Vec<u8> = (0..200 + behind).map(|at| (at * 7 % 251) as u8).collect();
            for seed in 0..50_u8 {
                let mut new = old.clone();
                new[..196].iter_mut().enumerate().for_each(|(at, byte)| *byte ^= seed.wrapping_mul(at as u8));
                new[196..200].fill(0);
                let difference = crc32c::crc32c(&old) ^ crc32c::crc32c(&new);
                new[196..200].copy_from_slice(&steady.bytes(difference));
                assert_eq!(crc32c::crc32c(&old), crc32c::crc32c(&new), "{behind} {seed}");
            }
        }
    }
}

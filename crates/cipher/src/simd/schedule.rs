//! Key schedules (FIPS 197 §5.2), made with the processor's own S-box so that no table is looked up by key bytes.

use core::arch::x86_64::*;

use zeroize::{Zeroize, Zeroizing};

use super::InstructionSet;

/// Round keys of the longest key: 14 rounds and the one before them.
pub(super) const ROUND_KEYS_MAX: usize = 15;

/// Expanded round keys of one direction, each as the block of bytes it is. Cleared on drop.
#[repr(align(64))]
pub(crate) struct Schedule {
    /// The first `rounds + 1` are used.
    pub(super) keys: [u128; ROUND_KEYS_MAX],
    /// 10, 12 or 14.
    pub(super) rounds: usize,
    /// What its users may run with; the processor has it.
    pub(super) set: InstructionSet,
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

impl Schedule {
    /// The encrypting direction's round keys, or nothing for a key that is not 16, 24 or 32 bytes long.
    ///
    /// # Safety
    /// The processor has `set`.
    #[inline]
    #[target_feature(enable = "aes,sse2")]
    pub(super) unsafe fn encrypting(set: InstructionSet, key: &[u8]) -> Option<Self> {
        let mut schedule = Self { keys: [0; ROUND_KEYS_MAX], rounds: key.len() / 4 + 6, set };
        match key.len() {
            16 => expand_128(key, &mut schedule),
            24 => expand::<6, 12>(key, &mut schedule),
            32 => expand::<8, 14>(key, &mut schedule),
            _ => return None,
        }
        Some(schedule)
    }

    /// The round keys of the equivalent inverse cipher (FIPS 197 §5.3.5), from the encrypting ones.
    #[inline]
    #[target_feature(enable = "aes,sse2")]
    pub(super) fn inverted(&self) -> Self {
        let mut inverse = Self { keys: [0; ROUND_KEYS_MAX], rounds: self.rounds, set: self.set };
        for round in 0..=self.rounds {
            let key = self.keys[self.rounds - round];
            inverse.keys[round] = if round == 0 || round == self.rounds {
                key
            } else {
                from_vector(_mm_aesimc_si128(to_vector(key)))
            };
        }
        inverse
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn to_vector(block: u128) -> __m128i {
    _mm_set_epi64x((block >> 64) as i64, block as i64)
}

#[inline]
#[target_feature(enable = "sse2")]
fn from_vector(vector: __m128i) -> u128 {
    let (low, high) = (_mm_cvtsi128_si64(vector), _mm_cvtsi128_si64(_mm_unpackhi_epi64(vector, vector)));
    u128::from(low as u64) | u128::from(high as u64) << 64
}

/// The key of every database page and log record, in a third of the time that [`expand`] takes: a round's four words are one
/// vector, and the S-box, the rotation and the constant work on four copies of the word they are for.
#[inline]
#[target_feature(enable = "aes,sse2")]
fn expand_128(key: &[u8], schedule: &mut Schedule) {
    let Ok(key) = <[u8; 16]>::try_from(key).map(Zeroizing::new) else { return };
    let mut words = to_vector(u128::from_le_bytes(*key));
    schedule.keys[0] = from_vector(words);
    let mut constant = 1_i32;
    for at in 1..=10 {
        // Equal columns, so that the last round's row shift moves equal bytes only. The rotation comes after the S-box, so
        // the constant, which the last round adds as its key, goes to the byte that will be rotated to its place.
        let last = _mm_shuffle_epi32::<0xFF>(words);
        let mixed = _mm_aesenclast_si128(last, _mm_set1_epi32(constant << 8));
        let rotated = _mm_or_si128(_mm_srli_epi32::<8>(mixed), _mm_slli_epi32::<24>(mixed));
        // Each word is the exclusive-or of all before it in the round.
        words = _mm_xor_si128(words, _mm_slli_si128::<4>(words));
        words = _mm_xor_si128(words, _mm_slli_si128::<8>(words));
        words = _mm_xor_si128(words, rotated);
        schedule.keys[at] = from_vector(words);
        constant = if constant == 0x80 { 0x1B } else { constant << 1 };
    }
}

/// The S-box on each byte of a word. With four equal columns the last round's row shift moves equal bytes only.
#[inline]
#[target_feature(enable = "aes,sse2")]
fn substituted(word: u32) -> u32 {
    let columns = _mm_set1_epi32(word as i32);
    _mm_cvtsi128_si32(_mm_aesenclast_si128(columns, _mm_setzero_si128())) as u32
}

/// Words are little-endian here, so the standard's left rotation by a byte is one to the right.
#[inline]
#[target_feature(enable = "aes,sse2")]
fn expand<const KEY_WORDS: usize, const ROUNDS: usize>(key: &[u8], schedule: &mut Schedule) {
    // SAFETY: the same bytes, of a type without invalid values and with a weaker alignment. Working in place leaves no
    // copy of the key to clear.
    let words = unsafe { &mut *(&raw mut schedule.keys).cast::<[u32; 4 * ROUND_KEYS_MAX]>() };
    for (word, bytes) in words.iter_mut().zip(key.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let mut constant = 1_u32;
    for at in KEY_WORDS..4 * (ROUNDS + 1) {
        let mut word = words[at - 1];
        if at % KEY_WORDS == 0 {
            word = substituted(word).rotate_right(8) ^ constant;
            // Doubling in the field of FIPS 197 §4.2; constants are public.
            constant = if constant == 0x80 { 0x1B } else { constant << 1 };
        } else if KEY_WORDS == 8 && at % KEY_WORDS == 4 {
            word = substituted(word);
        }
        words[at] = words[at - KEY_WORDS] ^ word;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiped::dropped;

    #[test]
    fn round_keys_are_cleared() {
        let schedule = Schedule { keys: [7; ROUND_KEYS_MAX], rounds: 14, set: InstructionSet::AesNi };
        assert_eq!(dropped(schedule).keys, [0; ROUND_KEYS_MAX]);
    }
}

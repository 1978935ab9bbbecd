//! Counter mode (SP 800-38A §6.5): the initialisation vector is the whole first counter block, counted up as one
//! 128-bit big-endian number that wraps. Both directions are the same, and the output is as long as the input.

use zeroize::Zeroize;

use crate::held::cut;
use crate::{AesEncrypt, BLOCK_BYTES, Buffer, CipherError, Iv};

/// One encryption or decryption.
pub struct Ctr {
    aes: AesEncrypt,
    counter: u128,
    /// The encrypted counter of a block that was begun. What it masked is no secret to whoever has the output and
    /// guesses the input, so it is cleared on drop.
    mask: Iv,
    /// Bytes of `mask` used up; all of them where no block is begun.
    used: usize,
}

impl Ctr {
    /// Starts an encryption or a decryption.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`].
    #[inline]
    pub fn new(key: &[u8], iv: &Iv) -> Result<Self, CipherError> {
        Ok(Self::with_key(AesEncrypt::new(key)?, iv))
    }

    /// Starts with a key that has been expanded.
    #[must_use]
    #[inline]
    pub fn with_key(aes: AesEncrypt, iv: &Iv) -> Self {
        Self { aes, counter: u128::from_be_bytes(*iv), mask: [0; BLOCK_BYTES], used: BLOCK_BYTES }
    }

    /// Transforms `src` into the first `src.len()` bytes of `dst`. There is nothing to finish.
    ///
    /// # Errors
    /// [`CipherError::OutputTooSmall`], with nothing processed.
    #[inline]
    pub fn update(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, CipherError> {
        let dst = cut(dst, src.len())?;
        self.process(Buffer::across(src, dst))?;
        Ok(src.len())
    }

    /// Transforms `data` where it is.
    ///
    /// # Errors
    /// None today; the type leaves room for a back end that can fail.
    pub fn update_in_place(&mut self, data: &mut [u8]) -> Result<(), CipherError> {
        self.process(Buffer::InPlace(data))
    }

    #[inline]
    fn process(&mut self, data: Buffer<'_>) -> Result<(), CipherError> {
        let begun = data.len().min(BLOCK_BYTES - self.used);
        let (front, data) = data.split_at(begun);
        self.mask(front)?;
        let whole = data.len() / BLOCK_BYTES * BLOCK_BYTES;
        let (blocks, rest) = data.split_at(whole);
        self.aes.ctr(&mut self.counter, blocks)?;
        if !rest.is_empty() {
            self.mask = self.aes.block(self.counter.to_be_bytes())?;
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
            self.mask(rest)?;
        }
        Ok(())
    }

    /// Uses up as much of the mask as there is data.
    fn mask(&mut self, data: Buffer<'_>) -> Result<(), CipherError> {
        for byte in data.into_output()? {
            *byte ^= self.mask[self.used];
            self.used += 1;
        }
        Ok(())
    }
}

impl Drop for Ctr {
    fn drop(&mut self) {
        self.mask.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiped::dropped;

    #[test]
    fn a_begun_block_of_the_keystream_is_cleared() {
        let mut ctr = Ctr::new(&[1; 16], &[2; 16]).expect("a key");
        ctr.update(&[0], &mut [0]).expect("fits");
        assert_ne!(ctr.mask, [0; BLOCK_BYTES]);
        assert_eq!(dropped(ctr).mask, [0; BLOCK_BYTES]);
    }
}

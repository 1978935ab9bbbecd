//! Cipher block chaining (SP 800-38A §6.2), ended in one of two ways.
//!
//! A stream is padded as in RFC 5652 §6.3 (PKCS#7). A page must keep its length, so its last 1 to 15 bytes, which fill
//! no block, are combined by exclusive-or with the encrypted *initialisation vector* (not with the last block). That
//! rule is its own inverse, and with less than a block of input it is all there is.

use subtle::{ConditionallySelectable, ConstantTimeEq, ConstantTimeLess};
use zeroize::{Zeroize, Zeroizing};

use crate::held::{Held, cut};
use crate::{AesDecrypt, AesEncrypt, BLOCK_BYTES, Buffer, CipherError, Iv};

/// How the end of the data is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// PKCS#7: the output is 1 to 16 bytes longer than the input, a multiple of 16.
    Padded,
    /// The tail rule: the output is exactly as long as the input.
    Tail,
}

/// The encrypted initialisation vector, where the tail rule needs it. It is worth a block of plaintext, so it is
/// cleared on drop.
struct TailMask(Option<Iv>);

impl TailMask {
    #[inline]
    fn new(aes: &AesEncrypt, iv: &Iv, ending: Ending) -> Result<Self, CipherError> {
        match ending {
            Ending::Padded => Ok(Self(None)),
            Ending::Tail => aes.block(*iv).map(|mask| Self(Some(mask))),
        }
    }

    /// Writes the tail, and says how long it was.
    fn apply(mask: &Iv, tail: &[u8], dst: &mut [u8]) -> Result<usize, CipherError> {
        let dst = cut(dst, tail.len())?;
        for ((out, byte), mask) in dst.iter_mut().zip(tail).zip(mask) {
            *out = byte ^ mask;
        }
        Ok(tail.len())
    }
}

impl Drop for TailMask {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// One encryption.
pub struct CbcEncrypt {
    aes: AesEncrypt,
    /// The encrypted block before, at first the initialisation vector.
    before: Iv,
    held: Held,
    tail: TailMask,
}

impl CbcEncrypt {
    /// Starts an encryption.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`].
    #[inline]
    pub fn new(key: &[u8], iv: &Iv, ending: Ending) -> Result<Self, CipherError> {
        let aes = AesEncrypt::new(key)?;
        let tail = TailMask::new(&aes, iv, ending)?;
        Ok(Self { aes, before: *iv, held: Held::default(), tail })
    }

    /// Bytes that an [`update`](Self::update) with `src_len` bytes will write: every block that is then complete.
    #[must_use]
    pub fn update_len(&self, src_len: usize) -> usize {
        (self.held.len() + src_len) / BLOCK_BYTES * BLOCK_BYTES
    }

    /// Bytes that [`finish`](Self::finish) will write now.
    #[must_use]
    pub fn finish_len(&self) -> usize {
        if self.tail.0.is_some() { self.held.len() } else { BLOCK_BYTES }
    }

    /// Encrypts `src` and returns how many bytes of `dst` were written.
    ///
    /// # Errors
    /// [`CipherError::OutputTooSmall`], with nothing processed.
    pub fn update(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, CipherError> {
        let written = self.update_len(src.len());
        let Self { aes, before, held, .. } = self;
        held.pump(src, cut(dst, written)?, |blocks| aes.cbc(before, blocks))?;
        Ok(written)
    }

    /// Writes the end of the data. To be called once.
    ///
    /// # Errors
    /// [`CipherError::OutputTooSmall`].
    pub fn finish(&mut self, dst: &mut [u8]) -> Result<usize, CipherError> {
        if let Some(mask) = &self.tail.0 {
            return TailMask::apply(mask, self.held.as_slice(), dst);
        }
        let dst = cut(dst, BLOCK_BYTES)?;
        // The held bytes are fewer than a block, so the padding has 1 to 16 bytes and each holds their number.
        let padding = (BLOCK_BYTES - self.held.len()) as u8;
        let mut last = Zeroizing::new([padding; BLOCK_BYTES]);
        last[..self.held.len()].copy_from_slice(self.held.as_slice());
        self.aes.cbc(&mut self.before, Buffer::across(&*last, dst))?;
        Ok(BLOCK_BYTES)
    }
}

/// One decryption.
pub struct CbcDecrypt {
    aes: AesDecrypt,
    /// The encrypted block before, at first the initialisation vector.
    before: Iv,
    held: Held,
    tail: TailMask,
}

impl CbcDecrypt {
    /// Starts a decryption.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`].
    #[inline]
    pub fn new(key: &[u8], iv: &Iv, ending: Ending) -> Result<Self, CipherError> {
        // The tail is undone by the *encrypting* direction.
        let encrypting = AesEncrypt::new(key)?;
        let tail = TailMask::new(&encrypting, iv, ending)?;
        Ok(Self { aes: encrypting.inverse(), before: *iv, held: Held::default(), tail })
    }

    /// Bytes that an [`update`](Self::update) with `src_len` bytes will write. With the tail rule these are all
    /// complete blocks; with padding the last block is held back, because it may be the one that ends in padding.
    #[must_use]
    pub fn update_len(&self, src_len: usize) -> usize {
        let total = self.held.len() + src_len;
        let releasable = if self.tail.0.is_some() { total } else { total.saturating_sub(1) };
        releasable / BLOCK_BYTES * BLOCK_BYTES
    }

    /// The most bytes that [`finish`](Self::finish) can write now.
    #[must_use]
    pub fn finish_len(&self) -> usize {
        if self.tail.0.is_some() { self.held.len() } else { BLOCK_BYTES - 1 }
    }

    /// Decrypts `src` and returns how many bytes of `dst` were written.
    ///
    /// # Errors
    /// [`CipherError::OutputTooSmall`], with nothing processed.
    pub fn update(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, CipherError> {
        let written = self.update_len(src.len());
        let Self { aes, before, held, .. } = self;
        held.pump(src, cut(dst, written)?, |blocks| aes.cbc(before, blocks))?;
        Ok(written)
    }

    /// Writes the end of the data and returns how many bytes it had. To be called once.
    ///
    /// # Errors
    /// With padding: [`CipherError::InputLength`] when the data was not a positive number of blocks,
    /// [`CipherError::Padding`]. [`CipherError::OutputTooSmall`].
    pub fn finish(&mut self, dst: &mut [u8]) -> Result<usize, CipherError> {
        if let Some(mask) = &self.tail.0 {
            return TailMask::apply(mask, self.held.as_slice(), dst);
        }
        if self.held.len() < BLOCK_BYTES {
            return Err(CipherError::InputLength);
        }
        let mut plain = Zeroizing::new([0; BLOCK_BYTES]);
        self.aes.cbc(&mut self.before, Buffer::across(self.held.as_slice(), &mut *plain))?;
        let len = BLOCK_BYTES - padding_len(&plain)?;
        cut(dst, len)?.copy_from_slice(&plain[..len]);
        Ok(len)
    }
}

/// Length of the padding at the end of `block`, found without a branch on any of its bytes but the verdict.
fn padding_len(block: &[u8; BLOCK_BYTES]) -> Result<usize, CipherError> {
    let padding = block[BLOCK_BYTES - 1];
    let mut wrong = padding.ct_eq(&0) | !padding.ct_lt(&(BLOCK_BYTES as u8 + 1));
    for (distance, byte) in (0_u8..).zip(block.iter().rev()) {
        wrong |= distance.ct_lt(&padding) & !byte.ct_eq(&padding);
    }
    if u8::conditional_select(&0, &1, wrong) == 1 {
        return Err(CipherError::Padding);
    }
    Ok(usize::from(padding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiped::dropped;

    #[test]
    fn the_mask_of_the_tail_is_cleared() {
        let aes = AesEncrypt::new(&[1; 16]).expect("a key");
        let mask = TailMask::new(&aes, &[2; 16], Ending::Tail).expect("a block");
        assert!(mask.0.is_some());
        assert!(dropped(mask).0.is_none());
    }
}

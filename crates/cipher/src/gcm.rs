//! Galois/counter mode (SP 800-38D §7) with the 16-byte initialisation vector that MariaDB passes: its first 12 bytes
//! are the nonce, its last 4 the additional authenticated data. The 16-byte tag follows the encrypted data.
//!
//! The nonce rule (SP 800-38D §8) is the caller's duty: never twice the same first 12 bytes under one key.
//!
//! AWS-LC, which the rest of the project uses for GCM, cannot stand behind these contexts: its Rust interface takes a
//! message as a whole, and its contexts for messages in pieces own memory, which a context in a database's stack must
//! not. The price is speed: on pages of 16 KiB AWS-LC is about four times as fast where it has 512-bit registers. The
//! hash takes nearly all of the time here. `cargo bench` has both.

use aes::Block;
use aes::cipher::Array;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::ctr::Ctr;
use crate::held::{Held, cut};
use crate::{AesEncrypt, BLOCK_BYTES, CipherError, Iv};

/// Bytes of the authentication tag.
pub const TAG_BYTES: usize = 16;

/// Bytes of the initialisation vector that are the nonce; the rest is additional authenticated data.
const NONCE_BYTES: usize = 12;

/// The most input one nonce may cover: 2^39 - 256 bits (SP 800-38D §5.2.1.1).
const INPUT_BYTES_MAX: u64 = (1 << 36) - 32;

/// What both directions share: the keystream, and the hash over the additional data and the encrypted bytes.
struct Gcm {
    /// The standard's counter has 32 bits. This one has 128, and never gets that far: the input limit ends it before.
    keystream: Ctr,
    hash: GHash,
    /// Encrypted bytes that fill no block of the hash yet.
    unhashed: Held,
    /// Encrypted bytes so far.
    sealed_bytes: u64,
    /// The encrypted first counter block, which masks the tag.
    tag_mask: Iv,
}

impl Gcm {
    #[inline]
    fn new(key: &[u8], iv: &Iv) -> Result<Self, CipherError> {
        let aes = AesEncrypt::new(key)?;
        let mut hash_key = Block::from(aes.block([0; BLOCK_BYTES])?);
        let mut hash = GHash::new(&hash_key);
        hash_key.zeroize();
        hash.update_padded(&iv[NONCE_BYTES..]);

        let mut counter = [0; BLOCK_BYTES];
        counter[..NONCE_BYTES].copy_from_slice(&iv[..NONCE_BYTES]);
        counter[BLOCK_BYTES - 1] = 1;
        let tag_mask = aes.block(counter)?;
        // The first counter block is spent on the tag, so the data starts with the second.
        counter[BLOCK_BYTES - 1] = 2;
        let keystream = Ctr::with_key(aes, &counter);
        Ok(Self { keystream, hash, unhashed: Held::default(), sealed_bytes: 0, tag_mask })
    }

    /// Accounts for `count` more bytes of data, before they are processed.
    fn admit(&mut self, count: usize) -> Result<(), CipherError> {
        let total = self.sealed_bytes.saturating_add(count as u64);
        if total > INPUT_BYTES_MAX {
            return Err(CipherError::TooMuchInput);
        }
        self.sealed_bytes = total;
        Ok(())
    }

    fn hash(&mut self, mut sealed: &[u8]) {
        if self.unhashed.len() > 0 {
            sealed = self.unhashed.fill(sealed);
            if self.unhashed.len() < BLOCK_BYTES {
                return;
            }
            self.hash.update_padded(self.unhashed.as_slice());
            self.unhashed.discard(BLOCK_BYTES);
        }
        let (blocks, rest) = Array::slice_as_chunks(sealed);
        self.hash.update(blocks);
        self.unhashed.fill(rest);
    }

    fn apply_keystream(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), CipherError> {
        self.keystream.update(src, dst).map(|_| ())
    }

    fn tag(&mut self) -> Block {
        let mut hash = self.hash.clone();
        hash.update_padded(self.unhashed.as_slice());
        let mut lengths = Block::default();
        let additional_bits = ((BLOCK_BYTES - NONCE_BYTES) * 8) as u64;
        lengths[..8].copy_from_slice(&additional_bits.to_be_bytes());
        lengths[8..].copy_from_slice(&(self.sealed_bytes * 8).to_be_bytes());
        hash.update(&[lengths]);
        let mut tag = hash.finalize();
        for (byte, mask) in tag.iter_mut().zip(&self.tag_mask) {
            *byte ^= mask;
        }
        tag
    }
}

impl Drop for Gcm {
    fn drop(&mut self) {
        self.tag_mask.zeroize();
    }
}

/// One encryption.
pub struct GcmEncrypt(Gcm);

impl GcmEncrypt {
    /// Starts an encryption.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`].
    #[inline]
    pub fn new(key: &[u8], iv: &Iv) -> Result<Self, CipherError> {
        Gcm::new(key, iv).map(Self)
    }

    /// Encrypts `src` into the first `src.len()` bytes of `dst`.
    ///
    /// # Errors
    /// [`CipherError::OutputTooSmall`] and [`CipherError::TooMuchInput`], with nothing processed.
    pub fn update(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, CipherError> {
        let dst = cut(dst, src.len())?;
        self.0.admit(src.len())?;
        self.0.apply_keystream(src, dst)?;
        self.0.hash(dst);
        Ok(src.len())
    }

    /// Writes the tag, [`TAG_BYTES`] long. To be called once.
    ///
    /// # Errors
    /// [`CipherError::OutputTooSmall`].
    pub fn finish(&mut self, dst: &mut [u8]) -> Result<usize, CipherError> {
        cut(dst, TAG_BYTES)?.copy_from_slice(&self.0.tag());
        Ok(TAG_BYTES)
    }
}

/// One decryption. What `update` has written must not be trusted before `finish` has agreed.
pub struct GcmDecrypt {
    gcm: Gcm,
    /// The last bytes seen, which are the tag if no more input comes.
    tag: Held,
}

impl GcmDecrypt {
    /// Starts a decryption.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`].
    #[inline]
    pub fn new(key: &[u8], iv: &Iv) -> Result<Self, CipherError> {
        Ok(Self { gcm: Gcm::new(key, iv)?, tag: Held::default() })
    }

    /// Bytes that an [`update`](Self::update) with `src_len` bytes will write: all but the last 16 seen so far.
    #[must_use]
    pub fn update_len(&self, src_len: usize) -> usize {
        (self.tag.len() + src_len).saturating_sub(TAG_BYTES)
    }

    /// Decrypts `src` and returns how many bytes of `dst` were written.
    ///
    /// # Errors
    /// [`CipherError::OutputTooSmall`] and [`CipherError::TooMuchInput`], with nothing processed.
    pub fn update(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, CipherError> {
        let written = self.update_len(src.len());
        let dst = cut(dst, written)?;
        self.gcm.admit(written)?;
        // Bytes taken for a tag turn out to be data when more follows them.
        let released = written.min(self.tag.len());
        let (from_held, from_src) = dst.split_at_mut(released);
        let (data, rest) = src.split_at(from_src.len());
        self.gcm.hash(&self.tag.as_slice()[..released]);
        self.gcm.hash(data);
        self.gcm.apply_keystream(&self.tag.as_slice()[..released], from_held)?;
        self.gcm.apply_keystream(data, from_src)?;
        self.tag.discard(released);
        self.tag.fill(rest);
        Ok(written)
    }

    /// Checks the tag; writes nothing. To be called once.
    ///
    /// # Errors
    /// [`CipherError::InputLength`] when there were fewer than 16 bytes, [`CipherError::Tag`].
    pub fn finish(&mut self) -> Result<(), CipherError> {
        if self.tag.len() < TAG_BYTES {
            return Err(CipherError::InputLength);
        }
        if bool::from(self.gcm.tag().as_slice().ct_eq(self.tag.as_slice())) {
            Ok(())
        } else {
            Err(CipherError::Tag)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiped::dropped;

    #[test]
    fn the_mask_of_the_tag_is_cleared() {
        let gcm = Gcm::new(&[1; 16], &[2; 16]).expect("a key");
        assert_ne!(gcm.tag_mask, [0; BLOCK_BYTES]);
        assert_eq!(dropped(gcm).tag_mask, [0; BLOCK_BYTES]);
    }
}

//! AES by the `aes` crate, for processors without the instructions that `simd` is written for.
//!
//! It clears its key schedules on drop, and is constant-time.

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128Dec, Aes128Enc, Aes192Dec, Aes192Enc, Aes256Dec, Aes256Enc, Block};
use zeroize::Zeroizing;

use crate::{BLOCK_BYTES, Iv};

/// Blocks worked on together, as many as the crate's widest code takes.
const BATCH: usize = 16;

/// The encrypting direction.
pub(crate) enum Encrypt {
    Aes128(Aes128Enc),
    Aes192(Aes192Enc),
    Aes256(Aes256Enc),
}

/// The decrypting direction.
pub(crate) enum Decrypt {
    Aes128(Aes128Dec),
    Aes192(Aes192Dec),
    Aes256(Aes256Dec),
}

impl Encrypt {
    /// Nothing for a key that is not 16, 24 or 32 bytes long.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128Enc::new_from_slice(key).ok().map(Self::Aes128),
            24 => Aes192Enc::new_from_slice(key).ok().map(Self::Aes192),
            _ => Aes256Enc::new_from_slice(key).ok().map(Self::Aes256),
        }
    }

    /// The decrypting direction of the same key.
    pub(crate) fn inverse(&self) -> Decrypt {
        match self {
            Self::Aes128(aes) => Decrypt::Aes128(aes.clone().into()),
            Self::Aes192(aes) => Decrypt::Aes192(aes.clone().into()),
            Self::Aes256(aes) => Decrypt::Aes256(aes.clone().into()),
        }
    }

    fn blocks(&self, blocks: &mut [Block]) {
        match self {
            Self::Aes128(aes) => aes.encrypt_blocks(blocks),
            Self::Aes192(aes) => aes.encrypt_blocks(blocks),
            Self::Aes256(aes) => aes.encrypt_blocks(blocks),
        }
    }

    /// Encrypts whole blocks, each by itself.
    pub(crate) fn ecb(&self, data: &mut [u8]) {
        self.blocks(Array::slice_as_chunks_mut(data).0);
    }

    /// Encrypts whole blocks as one chain. `before` is the initialisation vector at first, then the last block.
    pub(crate) fn cbc(&self, before: &mut Iv, data: &mut [u8]) {
        for block in Array::slice_as_chunks_mut(data).0 {
            xor(block, before);
            self.blocks(core::slice::from_mut(block));
            *before = (*block).into();
        }
    }

    /// Exclusive-ors whole blocks with the encrypted counter, which counts on.
    pub(crate) fn ctr(&self, counter: &mut u128, data: &mut [u8]) {
        let mut masks = Zeroizing::new([0; BATCH * BLOCK_BYTES]);
        for batch in data.chunks_mut(BATCH * BLOCK_BYTES) {
            let masks = &mut masks[..batch.len()];
            for mask in masks.as_chunks_mut::<BLOCK_BYTES>().0 {
                *mask = counter.to_be_bytes();
                *counter = counter.wrapping_add(1);
            }
            self.ecb(masks);
            xor(batch, masks);
        }
    }
}

impl Decrypt {
    fn blocks(&self, blocks: &mut [Block]) {
        match self {
            Self::Aes128(aes) => aes.decrypt_blocks(blocks),
            Self::Aes192(aes) => aes.decrypt_blocks(blocks),
            Self::Aes256(aes) => aes.decrypt_blocks(blocks),
        }
    }

    /// Decrypts whole blocks, each by itself.
    pub(crate) fn ecb(&self, data: &mut [u8]) {
        self.blocks(Array::slice_as_chunks_mut(data).0);
    }

    /// Decrypts the whole blocks of a chain.
    pub(crate) fn cbc(&self, before: &mut Iv, data: &mut [u8]) {
        for batch in data.chunks_mut(BATCH * BLOCK_BYTES) {
            // The encrypted blocks, one place up.
            let mut masks = [0; BATCH * BLOCK_BYTES];
            let (first, others) = masks.split_at_mut(BLOCK_BYTES);
            first.copy_from_slice(before);
            let (chained, last) = batch.split_at(batch.len() - BLOCK_BYTES);
            others[..chained.len()].copy_from_slice(chained);
            before.copy_from_slice(last);
            self.blocks(Array::slice_as_chunks_mut(batch).0);
            xor(batch, &masks);
        }
    }
}

fn xor(data: &mut [u8], mask: &[u8]) {
    for (byte, mask) in data.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

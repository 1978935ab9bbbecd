//! Independent blocks: how databases wrap keys, which are random and a whole number of blocks long.
//!
//! Equal blocks encrypt equally, so this is for keys only, never for data.

use crate::{AesDecrypt, AesEncrypt, BLOCK_BYTES, Buffer, CipherError};

/// Encrypts every block of `blocks` in place.
///
/// # Errors
/// [`CipherError::InputLength`] when the length is not a multiple of 16; nothing has been changed then.
pub fn encrypt_blocks(aes: &AesEncrypt, blocks: &mut [u8]) -> Result<(), CipherError> {
    if !blocks.len().is_multiple_of(BLOCK_BYTES) {
        return Err(CipherError::InputLength);
    }
    aes.ecb(Buffer::InPlace(blocks))
}

/// Decrypts every block of `blocks` in place.
///
/// # Errors
/// [`CipherError::InputLength`] when the length is not a multiple of 16; nothing has been changed then.
pub fn decrypt_blocks(aes: &AesDecrypt, blocks: &mut [u8]) -> Result<(), CipherError> {
    if !blocks.len().is_multiple_of(BLOCK_BYTES) {
        return Err(CipherError::InputLength);
    }
    aes.ecb(Buffer::InPlace(blocks))
}

//! Independent blocks: how databases wrap keys, which are random and a whole number of blocks long.
//!
//! Equal blocks encrypt equally, so this is for keys only, never for data.

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt};

use crate::{AesDecrypt, AesEncrypt, CipherError};

/// Encrypts every block of `blocks` in place.
///
/// # Errors
/// [`CipherError::InputLength`] when the length is not a multiple of 16; nothing has been changed then.
pub fn encrypt_blocks(aes: &AesEncrypt, blocks: &mut [u8]) -> Result<(), CipherError> {
    let (blocks, rest) = Array::slice_as_chunks_mut(blocks);
    if !rest.is_empty() {
        return Err(CipherError::InputLength);
    }
    aes.encrypt_blocks(blocks);
    Ok(())
}

/// Decrypts every block of `blocks` in place.
///
/// # Errors
/// [`CipherError::InputLength`] when the length is not a multiple of 16; nothing has been changed then.
pub fn decrypt_blocks(aes: &AesDecrypt, blocks: &mut [u8]) -> Result<(), CipherError> {
    let (blocks, rest) = Array::slice_as_chunks_mut(blocks);
    if !rest.is_empty() {
        return Err(CipherError::InputLength);
    }
    aes.decrypt_blocks(blocks);
    Ok(())
}

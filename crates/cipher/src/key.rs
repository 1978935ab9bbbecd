//! AES with a key length known only at run time (FIPS 197).
//!
//! The two directions are different types, because their key schedules are: most modes need only the encrypting one.

use aes::cipher::{
    BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser,
    KeyInit, consts::U16,
};
use aes::{Aes128Dec, Aes128Enc, Aes192Dec, Aes192Enc, Aes256Dec, Aes256Enc};

use crate::CipherError;

/// The encrypting direction. Its key schedule is inside, and is cleared on drop.
pub enum AesEncrypt {
    /// 16-byte key, 10 rounds.
    Aes128(Aes128Enc),
    /// 24-byte key, 12 rounds.
    Aes192(Aes192Enc),
    /// 32-byte key, 14 rounds.
    Aes256(Aes256Enc),
}

/// The decrypting direction. Its key schedule is inside, and is cleared on drop.
pub enum AesDecrypt {
    /// 16-byte key, 10 rounds.
    Aes128(Aes128Dec),
    /// 24-byte key, 12 rounds.
    Aes192(Aes192Dec),
    /// 32-byte key, 14 rounds.
    Aes256(Aes256Dec),
}

impl AesEncrypt {
    /// Expands a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`] for any other length.
    #[inline]
    pub fn new(key: &[u8]) -> Result<Self, CipherError> {
        match key.len() {
            16 => Aes128Enc::new_from_slice(key).map(Self::Aes128),
            24 => Aes192Enc::new_from_slice(key).map(Self::Aes192),
            32 => Aes256Enc::new_from_slice(key).map(Self::Aes256),
            bytes => return Err(CipherError::KeyLength { bytes }),
        }
        .map_err(|_| CipherError::KeyLength { bytes: key.len() })
    }
}

impl AesDecrypt {
    /// Expands a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`] for any other length.
    #[inline]
    pub fn new(key: &[u8]) -> Result<Self, CipherError> {
        match key.len() {
            16 => Aes128Dec::new_from_slice(key).map(Self::Aes128),
            24 => Aes192Dec::new_from_slice(key).map(Self::Aes192),
            32 => Aes256Dec::new_from_slice(key).map(Self::Aes256),
            bytes => return Err(CipherError::KeyLength { bytes }),
        }
        .map_err(|_| CipherError::KeyLength { bytes: key.len() })
    }
}

impl BlockSizeUser for AesEncrypt {
    type BlockSize = U16;
}

impl BlockSizeUser for AesDecrypt {
    type BlockSize = U16;
}

impl BlockCipherEncrypt for AesEncrypt {
    #[inline]
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        match self {
            Self::Aes128(aes) => aes.encrypt_with_backend(f),
            Self::Aes192(aes) => aes.encrypt_with_backend(f),
            Self::Aes256(aes) => aes.encrypt_with_backend(f),
        }
    }
}

impl BlockCipherDecrypt for AesDecrypt {
    #[inline]
    fn decrypt_with_backend(&self, f: impl BlockCipherDecClosure<BlockSize = U16>) {
        match self {
            Self::Aes128(aes) => aes.decrypt_with_backend(f),
            Self::Aes192(aes) => aes.decrypt_with_backend(f),
            Self::Aes256(aes) => aes.decrypt_with_backend(f),
        }
    }
}

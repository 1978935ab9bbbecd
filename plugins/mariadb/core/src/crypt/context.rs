//! One encryption or decryption.

use strongroom_cipher::cbc::{CbcDecrypt, CbcEncrypt, Ending};
use strongroom_cipher::ctr::Ctr;
use strongroom_cipher::gcm::{GcmDecrypt, GcmEncrypt, TAG_BYTES};
use strongroom_cipher::{BLOCK_BYTES, CipherError, Iv};

use crate::layout::{ENCRYPT, NOPAD};

/// The algorithm variable of the key management plugins; the numbers are its words' positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Algorithm {
    /// CBC for everything.
    AesCbc = 0,
    /// CTR where the length must be kept, GCM elsewhere.
    AesCtr = 1,
}

impl Algorithm {
    /// The algorithm of a number; CBC for every number but CTR's.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        if number == Self::AesCtr as u64 { Self::AesCtr } else { Self::AesCbc }
    }

    /// Length of `plain_len` bytes once encrypted with padding. Lengths past 32 bits are cut to the highest one.
    #[must_use]
    pub const fn encrypted_length(self, plain_len: u32) -> u32 {
        match self {
            Self::AesCbc => {
                let block = BLOCK_BYTES as u32;
                (plain_len / block * block).saturating_add(block)
            }
            Self::AesCtr => plain_len.saturating_add(TAG_BYTES as u32),
        }
    }
}

/// The most that [`Context::finish`] writes.
pub(crate) const FINISH_BYTES_MAX: usize = BLOCK_BYTES;

/// The state of one encryption or decryption.
pub enum Context {
    /// Encrypting with `aes_cbc`.
    CbcEncrypt(CbcEncrypt),
    /// Decrypting with `aes_cbc`.
    CbcDecrypt(CbcDecrypt),
    /// Either, with `aes_ctr` and the length kept.
    Ctr(Ctr),
    /// Encrypting with `aes_ctr` and a tag.
    GcmEncrypt(GcmEncrypt),
    /// Decrypting with `aes_ctr` and a tag.
    GcmDecrypt(GcmDecrypt),
}

impl Context {
    /// Starts what `flags` ask for.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`].
    #[inline]
    pub fn new(algorithm: Algorithm, flags: i32, key: &[u8], iv: &Iv) -> Result<Self, CipherError> {
        let (encrypt, keep_length) = (flags & ENCRYPT != 0, flags & NOPAD != 0);
        match algorithm {
            Algorithm::AesCbc => {
                let ending = if keep_length { Ending::Tail } else { Ending::Padded };
                if encrypt {
                    CbcEncrypt::new(key, iv, ending).map(Self::CbcEncrypt)
                } else {
                    CbcDecrypt::new(key, iv, ending).map(Self::CbcDecrypt)
                }
            }
            Algorithm::AesCtr if keep_length => Ctr::new(key, iv).map(Self::Ctr),
            Algorithm::AesCtr if encrypt => GcmEncrypt::new(key, iv).map(Self::GcmEncrypt),
            Algorithm::AesCtr => GcmDecrypt::new(key, iv).map(Self::GcmDecrypt),
        }
    }

    /// Bytes that [`update`](Self::update) will write for `src_len` more bytes.
    #[must_use]
    pub fn update_len(&self, src_len: usize) -> usize {
        match self {
            Self::CbcEncrypt(cbc) => cbc.update_len(src_len),
            Self::CbcDecrypt(cbc) => cbc.update_len(src_len),
            Self::Ctr(_) | Self::GcmEncrypt(_) => src_len,
            Self::GcmDecrypt(gcm) => gcm.update_len(src_len),
        }
    }

    /// Processes `src` and returns how many bytes of `dst` were written.
    ///
    /// # Errors
    /// [`CipherError::OutputTooSmall`], [`CipherError::TooMuchInput`].
    pub fn update(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, CipherError> {
        match self {
            Self::CbcEncrypt(cbc) => cbc.update(src, dst),
            Self::CbcDecrypt(cbc) => cbc.update(src, dst),
            Self::Ctr(ctr) => ctr.update(src, dst),
            Self::GcmEncrypt(gcm) => gcm.update(src, dst),
            Self::GcmDecrypt(gcm) => gcm.update(src, dst),
        }
    }

    /// Writes the end of the data, at most 16 bytes, and returns how many there were.
    ///
    /// # Errors
    /// What the mode finds wrong with the data as a whole.
    pub fn finish(&mut self, dst: &mut [u8]) -> Result<usize, CipherError> {
        match self {
            Self::CbcEncrypt(cbc) => cbc.finish(dst),
            Self::CbcDecrypt(cbc) => cbc.finish(dst),
            Self::Ctr(_) => Ok(0),
            Self::GcmEncrypt(gcm) => gcm.finish(dst),
            Self::GcmDecrypt(gcm) => gcm.finish().map(|()| 0),
        }
    }
}

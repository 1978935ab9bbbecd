//! Counter mode (SP 800-38A §6.5): the initialisation vector is the whole first counter block, counted up as one
//! 128-bit big-endian number that wraps. Both directions are the same, and the output is as long as the input.

use aes::cipher::{Array, InnerIvInit, StreamCipher, StreamCipherCoreWrapper};

use crate::held::cut;
use crate::{AesEncrypt, CipherError, Iv};

/// One encryption or decryption.
pub struct Ctr {
    keystream: StreamCipherCoreWrapper<ctr::CtrCore<AesEncrypt, ctr::flavors::Ctr128BE>>,
}

impl Ctr {
    /// Starts an encryption or a decryption.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`].
    #[inline]
    pub fn new(key: &[u8], iv: &Iv) -> Result<Self, CipherError> {
        let core = ctr::CtrCore::inner_iv_init(AesEncrypt::new(key)?, &Array::from(*iv));
        Ok(Self { keystream: StreamCipherCoreWrapper::from_core(core) })
    }

    /// Transforms `src` into the first `src.len()` bytes of `dst`. There is nothing to finish.
    ///
    /// # Errors
    /// [`CipherError::OutputTooSmall`], with nothing processed.
    #[inline]
    pub fn update(&mut self, src: &[u8], dst: &mut [u8]) -> Result<usize, CipherError> {
        let dst = cut(dst, src.len())?;
        self.keystream.try_apply_keystream_b2b(src, dst).map_err(|_| CipherError::TooMuchInput)?;
        Ok(src.len())
    }
}

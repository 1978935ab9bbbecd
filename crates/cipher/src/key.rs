//! AES with a key length known only at run time (FIPS 197).
//!
//! The two directions are different types, because their key schedules are: most modes need only the encrypting one.

use crate::backend::Backend;
use crate::buffer::Buffer;
use crate::portable;
#[cfg(target_arch = "x86_64")]
use crate::simd::Schedule;
use crate::{CipherError, Iv};

/// The encrypting direction. Its key schedule is inside, and is cleared on drop.
pub struct AesEncrypt(Encrypt);

/// The decrypting direction. Its key schedule is inside, and is cleared on drop.
pub struct AesDecrypt(Decrypt);

enum Encrypt {
    #[cfg(target_arch = "x86_64")]
    Processor(Schedule),
    Portable(portable::Encrypt),
}

enum Decrypt {
    #[cfg(target_arch = "x86_64")]
    Processor(Schedule),
    Portable(portable::Decrypt),
}

impl AesEncrypt {
    /// Expands a key of 16, 24 or 32 bytes for the fastest code this processor has.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`] for any other length.
    #[inline]
    pub fn new(key: &[u8]) -> Result<Self, CipherError> {
        Self::with_backend(key, Backend::best())
    }

    /// Expands a key of 16, 24 or 32 bytes for a named back end.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`] for any other length, [`CipherError::Backend`] where the processor cannot run it.
    #[inline]
    pub fn with_backend(key: &[u8], backend: Backend) -> Result<Self, CipherError> {
        if !matches!(key.len(), 16 | 24 | 32) {
            return Err(CipherError::KeyLength { bytes: key.len() });
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(set) = backend.instruction_set() {
            return match Schedule::new(set, key) {
                Some(schedule) => Ok(Self(Encrypt::Processor(schedule))),
                None => Err(CipherError::Backend { backend }),
            };
        }
        if backend != Backend::Portable {
            return Err(CipherError::Backend { backend });
        }
        portable::Encrypt::new(key)
            .map(|aes| Self(Encrypt::Portable(aes)))
            .ok_or(CipherError::KeyLength { bytes: key.len() })
    }

    /// The decrypting direction of the same key.
    #[must_use]
    #[inline]
    pub fn inverse(&self) -> AesDecrypt {
        AesDecrypt(match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Encrypt::Processor(schedule) => Decrypt::Processor(schedule.inverse()),
            Encrypt::Portable(aes) => Decrypt::Portable(aes.inverse()),
        })
    }

    /// What this key runs on.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Encrypt::Processor(schedule) => schedule.instruction_set().into(),
            Encrypt::Portable(_) => Backend::Portable,
        }
    }

    /// The schedule, where this key runs on one.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn schedule(&self) -> Option<&Schedule> {
        match &self.0 {
            Encrypt::Processor(schedule) => Some(schedule),
            Encrypt::Portable(_) => None,
        }
    }

    /// Encrypts whole blocks, each by itself. The data has been checked.
    #[inline]
    pub(crate) fn ecb(&self, data: Buffer<'_>) -> Result<(), CipherError> {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Encrypt::Processor(schedule) => schedule.ecb_encrypt(data),
            Encrypt::Portable(aes) => aes.ecb(data.into_output()?),
        }
        Ok(())
    }

    /// Encrypts one block.
    #[inline]
    pub(crate) fn block(&self, mut block: Iv) -> Result<Iv, CipherError> {
        self.ecb(Buffer::InPlace(&mut block))?;
        Ok(block)
    }

    /// Encrypts whole blocks as one chain. `before` is the initialisation vector at first, then the last block.
    #[inline]
    pub(crate) fn cbc(&self, before: &mut Iv, data: Buffer<'_>) -> Result<(), CipherError> {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Encrypt::Processor(schedule) => schedule.cbc_encrypt(before, data),
            Encrypt::Portable(aes) => aes.cbc(before, data.into_output()?),
        }
        Ok(())
    }

    /// Exclusive-ors whole blocks with the encrypted counter, which counts on.
    #[inline]
    pub(crate) fn ctr(&self, counter: &mut u128, data: Buffer<'_>) -> Result<(), CipherError> {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Encrypt::Processor(schedule) => schedule.ctr(counter, data),
            Encrypt::Portable(aes) => aes.ctr(counter, data.into_output()?),
        }
        Ok(())
    }
}

impl AesDecrypt {
    /// Expands a key of 16, 24 or 32 bytes for the fastest code this processor has.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`] for any other length.
    #[inline]
    pub fn new(key: &[u8]) -> Result<Self, CipherError> {
        AesEncrypt::new(key).map(|aes| aes.inverse())
    }

    /// Decrypts whole blocks, each by itself.
    #[inline]
    pub(crate) fn ecb(&self, data: Buffer<'_>) -> Result<(), CipherError> {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Decrypt::Processor(schedule) => schedule.ecb_decrypt(data),
            Decrypt::Portable(aes) => aes.ecb(data.into_output()?),
        }
        Ok(())
    }

    /// Decrypts the whole blocks of a chain. `before` is the initialisation vector at first, then the last block.
    #[inline]
    pub(crate) fn cbc(&self, before: &mut Iv, data: Buffer<'_>) -> Result<(), CipherError> {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Decrypt::Processor(schedule) => schedule.cbc_decrypt(before, data),
            Decrypt::Portable(aes) => aes.cbc(before, data.into_output()?),
        }
        Ok(())
    }
}

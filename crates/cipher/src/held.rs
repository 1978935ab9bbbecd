//! Input that waits for the rest of its block.

use zeroize::Zeroize;

use crate::{BLOCK_BYTES, Buffer, CipherError};

/// Up to one block of input, kept until more arrives or the context is finished. Cleared on drop, because it may be
/// plaintext.
#[derive(Default)]
pub(crate) struct Held {
    bytes: [u8; BLOCK_BYTES],
    len: usize,
}

impl Held {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Takes as much of `src` as fits in the block and returns the rest.
    pub(crate) fn fill<'a>(&mut self, src: &'a [u8]) -> &'a [u8] {
        let (taken, rest) = src.split_at(src.len().min(BLOCK_BYTES - self.len));
        self.bytes[self.len..self.len + taken.len()].copy_from_slice(taken);
        self.len += taken.len();
        rest
    }

    /// Gives up the first `count` bytes; the others move to the front.
    pub(crate) fn discard(&mut self, count: usize) {
        self.bytes.copy_within(count..self.len, 0);
        self.len -= count;
    }

    /// Passes held and new input on in whole blocks until `dst` is full, and keeps what is left over.
    ///
    /// `dst` has been cut to what this call writes: a multiple of the block, with at most one block of input left over.
    #[inline]
    pub(crate) fn pump(
        &mut self,
        mut src: &[u8],
        mut dst: &mut [u8],
        mut process: impl FnMut(Buffer<'_>) -> Result<(), CipherError>,
    ) -> Result<(), CipherError> {
        if !dst.is_empty() && self.len > 0 {
            src = self.fill(src);
            let (first, others) = dst.split_at_mut(BLOCK_BYTES);
            process(Buffer::across(&self.bytes, first))?;
            self.len = 0;
            dst = others;
        }
        let (direct, rest) = src.split_at(dst.len());
        process(Buffer::across(direct, dst))?;
        let overflow = self.fill(rest);
        debug_assert!(overflow.is_empty(), "update_len promised to leave at most one block");
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// The first `needed` bytes of an output buffer.
pub(crate) fn cut(dst: &mut [u8], needed: usize) -> Result<&mut [u8], CipherError> {
    let room = dst.len();
    dst.get_mut(..needed).ok_or(CipherError::OutputTooSmall { needed, room })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiped::dropped;

    #[test]
    fn held_input_is_cleared() {
        let mut held = Held::default();
        held.fill(&[7; 15]);
        assert_eq!(held.as_slice(), [7; 15]);
        assert_eq!(dropped(held).bytes, [0; BLOCK_BYTES]);
    }
}

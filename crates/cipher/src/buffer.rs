//! Where data is read and written.

use crate::CipherError;
use crate::held::cut;

/// Data to process: in its place, or from one place to another.
#[derive(Debug)]
pub enum Buffer<'a> {
    /// The output replaces the input.
    InPlace(&'a mut [u8]),
    /// The input stays as it is. Output past the input's length is left alone.
    Across {
        /// Input.
        src: &'a [u8],
        /// Output, at least as long.
        dst: &'a mut [u8],
    },
}

impl<'a> Buffer<'a> {
    /// From `src` to the first bytes of `dst`.
    pub(crate) fn across(src: &'a [u8], dst: &'a mut [u8]) -> Self {
        Self::Across { src, dst }
    }

    /// Bytes of input.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::InPlace(data) => data.len(),
            Self::Across { src, .. } => src.len(),
        }
    }

    /// Whether there is no input.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses an output that is too short.
    pub(crate) fn check(&self) -> Result<(), CipherError> {
        match self {
            Self::Across { src, dst } if dst.len() < src.len() => {
                Err(CipherError::OutputTooSmall { needed: src.len(), room: dst.len() })
            }
            _ => Ok(()),
        }
    }

    /// The same data for a shorter time.
    pub(crate) fn reborrow(&mut self) -> Buffer<'_> {
        match self {
            Self::InPlace(data) => Buffer::InPlace(data),
            Self::Across { src, dst } => Buffer::Across { src, dst },
        }
    }

    /// Splits the data in two, the output too.
    pub(crate) fn split_at(self, at: usize) -> (Buffer<'a>, Buffer<'a>) {
        match self {
            Self::InPlace(data) => {
                let (front, back) = data.split_at_mut(at);
                (Buffer::InPlace(front), Buffer::InPlace(back))
            }
            Self::Across { src, dst } => {
                let (front, back) = src.split_at(at);
                let (front_dst, back_dst) = dst.split_at_mut(at);
                (Buffer::across(front, front_dst), Buffer::across(back, back_dst))
            }
        }
    }

    /// The output, holding the input.
    pub(crate) fn into_output(self) -> Result<&'a mut [u8], CipherError> {
        match self {
            Self::InPlace(data) => Ok(data),
            Self::Across { src, dst } => {
                let dst = cut(dst, src.len())?;
                dst.copy_from_slice(src);
                Ok(dst)
            }
        }
    }
}

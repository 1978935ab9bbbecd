//! What can be wrong with a key, an input or an output buffer.

use core::fmt;

use crate::Backend;

/// Why a context could not be made, or could not process what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CipherError {
    /// The key is not 16, 24 or 32 bytes long.
    KeyLength {
        /// Bytes the caller passed.
        bytes: usize,
    },
    /// The output buffer cannot hold what this call has to write. Nothing was processed.
    OutputTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes the caller gave.
        room: usize,
    },
    /// The input as a whole has a length that this mode cannot have produced.
    InputLength,
    /// A page of a batch has a length that its rule cannot apply to. No page was touched.
    PageLength {
        /// Its place in the batch, from 0.
        page: usize,
        /// Its length.
        bytes: usize,
    },
    /// The processor lacks the instructions of a back end asked for by name.
    Backend {
        /// What was asked for.
        backend: Backend,
    },
    /// More input than one initialisation vector may cover (SP 800-38D §5.2.1.1).
    TooMuchInput,
    /// The padding is wrong: another key, or damaged data.
    Padding,
    /// The authentication tag does not match: another key, or data that somebody changed.
    Tag,
}

impl fmt::Display for CipherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::KeyLength { bytes } => write!(f, "an AES key has 16, 24 or 32 bytes, not {bytes}"),
            Self::OutputTooSmall { needed, room } => {
                write!(f, "the output needs {needed} bytes and the buffer has {room}")
            }
            Self::PageLength { page, bytes } => {
                write!(
                    f,
                    "page {page} of the batch has {bytes} bytes, which its encryption rule cannot have produced"
                )
            }
            Self::Backend { backend } => {
                write!(
                    f,
                    "this processor has no instructions for the {backend:?} back end: use Backend::best()"
                )
            }
            Self::InputLength => f.write_str("the encrypted data is cut short or was made in another mode"),
            Self::TooMuchInput => f.write_str("more data than one initialisation vector may cover"),
            Self::Padding => f.write_str("wrong padding: another key, or damaged data"),
            Self::Tag => f.write_str("the authentication tag does not match: another key, or changed data"),
        }
    }
}

impl core::error::Error for CipherError {}

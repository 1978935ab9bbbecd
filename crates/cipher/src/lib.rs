//! AES the way databases use it: CBC with padding and with the tail rule of data pages, CTR, GCM with a 16-byte
//! initialisation vector, and bare blocks for wrapping keys.
//!
//! Every mode but [`pages`] is a *context*: a plain value that holds the expanded key, needs no heap and can live in memory that
//! somebody else allocated (a database hands its plugins a stretch of its own stack). A context is fed with `update`
//! in pieces of any size, is ended once with `finish`, and clears its key and whatever input it still holds when it is
//! dropped.
//!
//! `update_len` says exactly how many bytes the next `update` will write, so that a caller who has only a pointer can
//! make the right slice.
//!
//! This crate does no input or output, draws no random numbers and chooses no initialisation vectors. It does not know
//! what a page or a log record is: page formats belong to `strongroom-tablespace` and to the database itself.
//!
//! | module | what it holds | source |
//! |---|---|---|
//! | [`key`] | AES with a key length known at run time | FIPS 197 |
//! | [`cbc`] | CBC, padded or with the tail rule | SP 800-38A §6.2, RFC 5652 §6.3 |
//! | [`ctr`] | CTR with a 128-bit big-endian counter | SP 800-38A §6.5 |
//! | [`gcm`] | GCM, tag appended | SP 800-38D §7 |
//! | [`ecb`] | independent blocks | SP 800-38A §6.1 |
//! | [`pages`] | many pages at once, each with its key and initialisation vector | InnoDB, MariaDB |
//!
//! Which instructions run is chosen once, by what the processor has ([`Backend`]). All `unsafe` code but a test's is in the private
//! module `simd`, whose documentation states its contract.

pub mod cbc;
pub mod ctr;
pub mod ecb;
pub mod gcm;
pub mod key;
pub mod pages;

mod backend;
mod buffer;
mod error;
mod held;
mod portable;
#[cfg(target_arch = "x86_64")]
mod simd;
#[cfg(test)]
mod wiped;

pub use backend::Backend;
pub use buffer::Buffer;
pub use error::CipherError;
pub use key::{AesDecrypt, AesEncrypt};

/// Bytes in an AES block, and in every initialisation vector this crate takes.
pub const BLOCK_BYTES: usize = 16;

/// An initialisation vector, as databases pass them: always one block, whatever the mode makes of it.
pub type Iv = [u8; BLOCK_BYTES];

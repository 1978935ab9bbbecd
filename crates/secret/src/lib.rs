//! Key bytes in memory.
//!
//! [`KeyMaterial`] is the only type in Strongroom that holds the bytes of a key. It keeps four promises:
//!
//! - **Wiped.** The bytes are overwritten before their memory is given back.
//! - **Locked.** They live in pages of their own, which are locked into memory where the system allows it, so that they do
//!   not reach swap. Where `RLIMIT_MEMLOCK` is used up the pages stay unlocked; [`pages`] tells.
//! - **Absent from core dumps.** The pages are marked `MADV_DONTDUMP`. Only our own pages are: inside a database process the
//!   server's settings are not ours to change. The pages survive `fork`, because mysqld forks after it has loaded a keyring
//!   (the lock does not: `mlock` is not inherited).
//! - **Redacted.** `Debug` prints the length, comparison takes constant time, and there is no `Clone`, `Display` or `serde`.
//!
//! This crate must not know what a key is for.

mod arena;
mod material;

pub use arena::{Pages, pages};
pub use material::KeyMaterial;

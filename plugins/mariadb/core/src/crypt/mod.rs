//! The five functions that encrypt and decrypt.
//!
//! What MariaDB asks for by flags, and gets:
//!
//! | algorithm | padding allowed | length kept (`NOPAD`) |
//! |---|---|---|
//! | `aes_cbc` | CBC with PKCS#7 padding | CBC with the tail rule |
//! | `aes_ctr` | GCM, tag appended | CTR |
//!
//! The context is one plain value in memory that the server lends: no heap, a copy of the expanded key rather than a
//! pointer to the server's, and cleared in `context_finish`. A failed `context_init` leaves nothing behind, because
//! the server will not call `context_finish` after it.

mod context;
mod exports;

pub use context::{Algorithm, Context};
pub use exports::{choose, context_finish, context_init, context_size, context_update, encrypted_length};

#[cfg(test)]
mod tests;

//! What MariaDB writes since 10.1: tablespaces, with encryption and page compression of its own.
//!
//! | module | what it holds |
//! |---|---|
//! | [`flags`] | what the flags of a tablespace say about sizes and layout |
//! | [`crypt_data`] | what page 0 says about encryption |
//! | [`head`] | page 0, and changing that |
//! | [`codec`] | pages, encrypted and decrypted |
//! | [`compression`] | page compression |
//! | `full_crc32` | the layout of pages since 10.5 |
//! | `older` | the layout before, and that of `ROW_FORMAT=COMPRESSED` |
//! | `key` | the key of a tablespace for each key version |

pub mod codec;
pub mod compression;
pub mod crypt_data;
pub mod flags;
mod full_crc32;
pub mod head;
mod key;
mod older;

pub use codec::{Codec, Mode};
pub use crypt_data::{CryptData, CryptDataFault, TableOption};
pub use flags::{Format, Layout};

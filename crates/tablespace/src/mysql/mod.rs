//! What MySQL 5.7 to 9.x (and Percona Server) write: tablespaces, and the other encrypted files of a data directory.
//!
//! | module | what it holds |
//! |---|---|
//! | [`flags`] | what page 0 says about sizes and encryption |
//! | [`information`] | the wrapped tablespace key |
//! | [`codec`] | pages, encrypted and decrypted |
//! | [`compression`] | transparent page compression |

pub mod codec;
pub mod compression;
pub mod flags;
pub mod head;
pub mod information;
pub mod key;

pub use codec::Codec;
pub use information::{
    Encryption, Information, InformationFault, MasterKeyId, Progress, ServerUuid, UnlockError, Version,
};
pub use key::TablespaceKey;

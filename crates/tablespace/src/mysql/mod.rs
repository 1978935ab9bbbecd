//! What MySQL 5.7 to 9.x (and Percona Server) write: tablespaces, and the other encrypted files of a data directory.
//!
//! | module | what it holds |
//! |---|---|
//! | [`flags`] | what the flags of a tablespace say about sizes and encryption |
//! | [`head`] | page 0, and changing what it says about encryption |
//! | [`information`] | the wrapped tablespace key |
//! | [`master_key`] | names of master keys |
//! | [`key`] | the key itself |
//! | [`fault`] | what can be wrong with a wrapped key |
//! | [`codec`] | pages, encrypted and decrypted |
//! | [`compression`] | transparent page compression |
//! | [`transfer`] | `.cfp` files, with which a tablespace moves to another server |
//! | [`redo`] | redo log files |
//! | [`binlog`] | binary and relay logs |
//! | [`doublewrite`] | the doublewrite buffer |

pub mod binlog;
pub mod codec;
pub mod compression;
pub mod doublewrite;
pub mod fault;
pub mod flags;
pub mod head;
pub mod information;
pub mod key;
pub mod master_key;
pub mod redo;
pub mod transfer;

pub use codec::Codec;
pub use fault::{InformationFault, UnlockError};
pub use information::{Encryption, Information, Progress, Version};
pub use key::TablespaceKey;
pub use master_key::{MasterKeyId, ServerUuid};

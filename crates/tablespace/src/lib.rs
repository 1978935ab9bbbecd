//! InnoDB's files as MySQL and MariaDB write them: what they are, whether they are sound, and their pages encrypted and
//! decrypted. Keys come from whoever implements [`MasterKeySource`]; this crate makes no connection.
//!
//! A file is told from its first page, opened with the master key that it names, and processed in runs of pages:
//!
//! ```
//! use std::sync::Arc;
//! use strongroom_tablespace::{KeysInMemory, MasterKeySource, Options, Tablespace};
//!
//! # fn verify(path: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! let keys: Arc<dyn MasterKeySource> = Arc::new(KeysInMemory::new());
//! let mut file = std::fs::read(path)?;
//! let tablespace = Tablespace::detect(&file)?;
//! let pages = tablespace.open(&keys, Options::default())?;
//! for fault in pages.decrypt(0, &mut file)? {
//!     println!("{fault}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`PagedFile`] is for applications: a file of pages of their own, encrypted in the same way.
//!
//! | module | what it holds |
//! |---|---|
//! | [`keys`] | where master keys come from |
//! | [`page`] | what all pages have: sizes, header, types, checksums, faults |
//! | [`tablespace`] | what a file is, told from page 0 |
//! | [`codec`] | one way to the pages of both families |
//! | [`mysql`], [`mariadb`] | the formats |
//! | [`paged_file`] | an application's own encrypted file |
//! | [`disk`], [`run`] | files and the ways a write can fail; runs of pages read, worked on and written at the same time |
//! | [`file`](mod@file) | whole files verified, decrypted, encrypted, carried to another keyring |
//! | [`journal`], [`rotate`], [`rekey`] | changes to many files, or to all pages of one, that survive any interruption |

pub mod codec;
pub mod disk;
pub mod file;
pub mod journal;
pub mod keys;
pub mod mariadb;
pub mod mysql;
pub mod page;
pub mod paged_file;
pub mod rekey;
pub mod rotate;
pub mod run;
pub mod tablespace;

pub use codec::{CodecError, Options, PageClass, PageCodec, PageState};
pub use keys::{KeySourceError, KeysInMemory, MasterKeySource};
pub use paged_file::{PagedFile, PagedFileError};
pub use tablespace::{DetectError, Encryption, Evidence, Family, HEAD_BYTES, OpenError, Tablespace};

//! MariaDB's key file: `id;hex` lines as its own plugin reads them, and `id;version;hex` lines beside them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`text`] | the lines, parsed as MariaDB's plugin parses them, with versions |
//! | [`sealed`] | the encrypted form, as `openssl enc -aes-256-cbc` writes it |
//! | [`file_key`] | the secret that opens it |
//! | [`location`] | where the file is: a path, a named pipe, a Unix socket, a systemd credential |
//! | [`append`] | a version more, atomically |
//!
//! [`KeyFile`] puts them together, and is a source of versioned keys. The format is described in
//! `docs/formats/key-file.md`.

pub mod append;
mod error;
pub mod file_key;
pub mod location;
mod read;
pub mod sealed;
mod source;
pub mod text;

pub use append::AppendError;
pub use error::KeyFileError;
pub use file_key::FileKey;
pub use location::Location;
pub use sealed::{Derivation, Digest};
pub use source::{Contents, KeyFile};

/// The largest file that is read, in bytes: MariaDB's limit.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

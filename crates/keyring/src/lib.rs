//! A database's keys, wherever they are kept. This crate knows no database's binary interface and no disk format.
//!
//! - [`service`]: the keyring service as MySQL has it: keys by id and owner;
//! - [`read_through`]: the service with the keys that were used kept in memory;
//! - [`versions`]: keys as MariaDB has them, by id and version, on a KMIP server;
//! - [`key_file`]: those keys in MariaDB's key file;
//! - [`cache`]: those keys in a sealed file, for a start without their key server;
//! - [`backend`]: where the service's keys are kept;
//! - [`name`]: what keys are called there.
//!
//! Two rules hold throughout. That a key is absent is an answer, while an [`Error`] means that nobody knows; nothing makes a key because
//! of either. And a change whose answer was lost is looked for before anybody is told that it failed.

pub mod backend;
pub mod error;
pub mod key;
pub mod name;
pub mod read_through;
pub mod service;
pub mod versions;

pub use error::Error;
pub use key::{Description, Key, KeyKind};
pub use name::KeyName;
pub use read_through::CachedKeyring;
pub use service::Keyring;
pub use strongroom_key_versions::{cache, key_file};

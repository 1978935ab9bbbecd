//! A database's keys by id and version, as MariaDB has them. This crate knows no database's binary interface and no network: a plugin
//! that takes its keys from a file carries neither TLS nor KMIP into the database.
//!
//! - [`versions`]: what keys and versions are, where they come from, and the set that is served;
//! - [`key_file`]: those keys in MariaDB's key file;
//! - [`cache`]: those keys in a sealed file, for a start without their key server.

pub mod cache;
pub mod key_file;
pub mod versions;

//! A database's keys, wherever they are kept.
//!
//! - [`versions`]: keys by id and version, as MariaDB sees them.

pub mod versions;

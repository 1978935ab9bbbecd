//! MySQL's keyring component and plugin interfaces, shared by the two libraries that mysqld loads.
//!
//! | module | what it holds |
//! |---|---|
//! | [`layout`] | the C structures, checked by the compiler against measured offsets |
//! | [`log`] | the server's error log |
//! | [`config`] | the component's configuration file, in both vendors' dialects |
//! | [`service`] | the one keyring of this process: loading, answering, its status |
//! | [`handle`] | Rust values behind the pointers that the server carries around |
//! | [`component`] | the keyring services of `component_keyring_kmip` |
//! | [`plugin`] | the keyring plugin `keyring_okv` |
//! | [`version`] | which server this is |
//!
//! Invariants:
//! - No panic crosses the C boundary, and no state of a key server ends the database.
//! - A key that is in memory is given without a lock that anybody holds during a call.
//! - That a key is absent is an answer, "nobody knows" is an error, and nothing makes a key because of either.
//! - No thread is started, nothing is written to disk, and a session belongs to the process that made it.

pub mod component;
pub mod config;
pub mod handle;
pub mod layout;
pub mod log;
pub mod plugin;
pub mod service;
pub mod version;

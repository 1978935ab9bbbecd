//! MariaDB's plugin and encryption interfaces, shared by the key management plugins.
//!
//! A plugin made with this crate is a thin library: it declares its name and variables, builds a source of keys
//! ([`VersionedKeys`](strongroom_key_versions::versions::VersionedKeys)) and hands it to [`served::begin`]. Everything that
//! MariaDB calls afterwards is here.
//!
//! | module | what it holds |
//! |---|---|
//! | [`layout`] | the C structures, checked by the compiler against measured offsets |
//! | [`server`] | what we use of the server: its version, its error log, its error messages |
//! | [`crypt`] | the five functions that encrypt and decrypt |
//! | `current` | values that page writes read, and that are seldom replaced |
//! | [`functions`] | what functions in SQL have in common |
//! | [`keys`] | the keys being served, and how they stay current |
//! | [`served`] | the one key service of this process and the two functions that serve from it |
//! | [`status`] | status variables |
//! | [`table`] | `FLUSH`, `SHOW` and the `INFORMATION_SCHEMA` tables |
//!
//! Invariants:
//! - No page write ever waits for the network or for a lock that is held during network calls: what has been served
//!   once is served from memory.
//! - The page path takes no lock, and nothing from the heap (`tests/page_path.rs`).
//! - A key or version that has been served never disappears, and a latest version never falls: InnoDB does not survive
//!   either.
//! - Nothing here knows where keys come from.

pub mod crypt;
mod current;
pub mod functions;
pub mod keys;
pub mod layout;
pub mod served;
pub mod server;
pub mod status;
pub mod table;

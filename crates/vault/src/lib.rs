//! The Strongroom vault: a KMIP server that keeps the keys of databases.
//!
//! In reading order:
//!
//! - [`layout`], [`config`]: the vault's directory and its configuration file.
//! - [`store`]: records on disk. It sees sealed bytes only and knows nothing of KMIP.
//! - [`barrier`]: seals and opens records, and is the only way to the store ([`barrier::Records`]).
//! - [`root_key`]: the independent ways ("slots") to recover the root key that wraps the barrier's keys.
//! - [`audit`]: the hash-chained journal of every operation.
//! - [`ca`], [`endpoint`], [`enrolment`]: who may connect, and how a database server becomes one of them.
//! - [`vault`]: all of the above behind [`vault::SealedVault`] and [`vault::Vault`].
//! - [`listener`], then `session`, `operations`, `policy`, `objects`: a KMIP request on its way from bytes to a record.
//! - [`control`], [`admin`], [`server`]: the Unix socket, the enrolment port and the process.
//!
//! Invariants: nothing unsealed reaches [`store`]; a change is durable and journaled before it is answered;
//! the release of a key is journaled before the reply leaves.

pub mod admin;
pub mod audit;
pub mod barrier;
pub mod ca;
pub mod clock;
pub mod config;
pub mod control;
pub mod endpoint;
pub mod enrolment;
pub mod error;
pub mod layout;
pub mod listener;
mod objects;
mod operations;
mod policy;
pub mod root_key;
mod secret_text;
pub mod server;
mod session;
pub mod store;
pub mod vault;

pub use error::Error;
pub use secret_text::SecretText;
pub use vault::Vault;

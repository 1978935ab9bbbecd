//! The keys being served, and how they stay current.
//!
//! - [`service`]: an immutable snapshot that page writes read without a lock, and the few ways in which a newer one
//!   takes its place.
//! - [`absent`]: what was looked for and not found a moment ago.
//! - [`cache`]: the sealed cache beside them, for a start without a key server.
//! - `flights`: the questions under way, so that nobody holds a lock while a source is asked.
//! - [`health`]: when the key server was last reached, and what it said.
//! - `offer`: what is made of an answer about all keys.
//! - [`refresh`]: the thread that asks from time to time.

pub mod absent;
pub mod cache;
mod flights;
pub mod health;
mod offer;
pub mod refresh;
pub mod service;

pub use cache::KeyCache;
pub use health::Health;
pub use refresh::Refresher;
pub use service::KeyService;

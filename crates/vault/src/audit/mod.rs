//! The audit journal: one line of JSON for every operation and administrative act, chained by hashes.
//!
//! - An event that belongs to a change is stored with the change (the store's outbox) and appended here when the change
//!   is durable; after a crash the outbox supplies what the file lacks. Each such line has its change's number.
//! - An event that releases a key is written before the reply leaves, and made durable within 100 ms.
//! - Each line holds the hash of the line before it, and its own. The vault keeps, sealed in its store, a recent
//!   position of the journal (the anchor), so that a journal which was cut or rewritten is noticed.
//! - When the journal cannot be written, no key leaves and nothing is changed.
//! - What strangers cause is bounded ([`FloodGate`]), so that they cannot fill the disk with it.
//!
//! The format is in `docs/formats/audit-journal.md`.

mod error;
mod event;
mod flood;
mod journal;
mod line;
mod verify;

pub use error::{AuditError, BrokenChain, Fault};
pub use event::{Actor, Event, Outcome};
pub use flood::FloodGate;
pub use journal::{Journal, OnDurable};
pub use line::Position;
pub use verify::{Verified, verify};

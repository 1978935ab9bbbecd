//! The barrier: what passes between the vault and its store is sealed here, and nowhere else.
//!
//! Every record is AES-256-GCM under a data key (SP 800-38D), with the vault's id and the record's kind, id and version
//! as associated data: a record cannot take another's place, nor an older version a newer one's. A keyed sum over
//! the whole set of records travels with every change, so that records which were rolled back or dropped behind
//! the vault's back are noticed when it opens. The data keys, the search key and the set key form the
//! [`Keyring`], which the root key wraps: a new root key re-wraps the keyring and nothing else.
//!
//! [`Opened`] and [`Sealed`] are different types, and [`crate::store::Store`] takes the sealed one only.

mod keyring;
mod records;
mod seal;
mod set_hash;

pub use keyring::{Keyring, KeyringError, WrappedKeyring};
pub use records::{
    Change, CommitError, Found, IntegrityReport, Pending, Record, Records, Scope, Term, Write,
};
pub(crate) use seal::SEALS_PER_KEY_AIM;
pub use seal::{Barrier, Opened, RecordAddress, SealError, Sealed, VaultId, random};
pub use set_hash::SetDelta;

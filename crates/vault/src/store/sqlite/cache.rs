//! Sealed records that were read lately, so that a key that is asked for again and again costs no transaction.
//!
//! SQLite takes and gives back file locks for every read, which is more work than all the rest of a Get. This cache holds
//! what was read, as sealed as it is on disk, and is dropped with the store. A search never uses it.
//!
//! Invariant: **once a change has been answered, nobody reads what was there before it.** It holds because
//!
//! 1. the committer, between the durable commit and the first answer, first counts the commit and then removes
//!    the records it wrote, each under the lock of its shard;
//! 2. a reader notes the count before it begins to read from SQLite, and keeps what it read only if, under the lock of
//!    the shard, the count is still the same.
//!
//! So if a reader read an old record, its note was taken before that commit was counted. Then either it kept the record
//! before the committer came to the shard, and the committer removes it; or it comes after the committer, sees another
//! count, and keeps nothing. Only this process writes to the store (it holds the vault's lock), so there is no
//! change that the committer does not know of.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::{RecordId, RecordKind, SealedRecord};

/// Locks, so that readers of different records do not meet.
const SHARDS: usize = 16;
/// Bytes of one generation of one shard, so 4 MiB in all: the keys of some thousands of tablespaces.
const GENERATION_BYTES: usize = 4 * 1024 * 1024 / SHARDS / 2;
/// What an entry costs beside its sealed bytes, roughly: the key, the record, a place in the table, an allocation.
const ENTRY_OVERHEAD_BYTES: usize = 160;

/// The address of a record.
pub(super) type Address = (RecordKind, RecordId);

/// How many commits had been counted when a reader began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u64);

/// Sealed records that were read lately.
#[derive(Debug)]
pub(super) struct RecordCache {
    commits: AtomicU64,
    shards: [Mutex<Shard>; SHARDS],
}

/// Two generations approximate "least recently used" without a list: what is used moves to the young one, and when
/// that is full it becomes the old one and the old one goes.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<Address, SealedRecord>,
    young_bytes: usize,
    old: HashMap<Address, SealedRecord>,
}

impl RecordCache {
    pub(super) fn new() -> Self {
        Self { commits: AtomicU64::new(0), shards: Default::default() }
    }

    /// The record, if it is here.
    pub(super) fn get(&self, kind: RecordKind, id: RecordId) -> Option<SealedRecord> {
        let address = (kind, id);
        let mut shard = self.shard(&address);
        if let Some(record) = shard.young.get(&address) {
            return Some(record.clone());
        }
        let record = shard.old.remove(&address)?;
        shard.insert(record.clone());
        Some(record)
    }

    /// To be called before a record is read from SQLite, for [`RecordCache::keep`].
    pub(super) fn mark(&self) -> Mark {
        Mark(self.commits.load(Ordering::Acquire))
    }

    /// Keeps a record that was read after `mark`, unless something was committed since.
    pub(super) fn keep(&self, record: &SealedRecord, mark: Mark) {
        if cost(record) > GENERATION_BYTES {
            return;
        }
        let mut shard = self.shard(&(record.kind, record.id));
        if self.mark() == mark {
            shard.insert(record.clone());
        }
    }

    /// To be called with the records of a commit when it is durable, before anybody is told.
    pub(super) fn committed(&self, written: &[Address]) {
        self.commits.fetch_add(1, Ordering::AcqRel);
        for address in written {
            self.shard(address).remove(address);
        }
    }

    /// Forgets everything: what a failed commit left behind, only SQLite can say.
    pub(super) fn clear(&self) {
        self.commits.fetch_add(1, Ordering::AcqRel);
        for shard in &self.shards {
            *lock(shard) = Shard::default();
        }
    }

    fn shard(&self, (_, id): &Address) -> MutexGuard<'_, Shard> {
        // Identifiers are random.
        lock(&self.shards[usize::from(id.0[15]) % SHARDS])
    }
}

/// A panic elsewhere leaves a shard whole: it changes by single inserts and removes.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cost(record: &SealedRecord) -> usize {
    record.sealed.as_bytes().len() + ENTRY_OVERHEAD_BYTES
}

impl Shard {
    fn insert(&mut self, record: SealedRecord) {
        let cost = cost(&record);
        if self.young_bytes + cost > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        let address = (record.kind, record.id);
        self.old.remove(&address);
        self.young_bytes += cost;
        if let Some(previous) = self.young.insert(address, record) {
            self.young_bytes -= self::cost(&previous);
        }
    }

    fn remove(&mut self, address: &Address) {
        self.old.remove(address);
        if let Some(record) = self.young.remove(address) {
            self.young_bytes -= cost(&record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::Sealed;
    use crate::store::{RecordVersion, Sequence, WalletId};

    const KIND: RecordKind = RecordKind::OBJECT;

    fn record(number: u64, bytes: usize) -> SealedRecord {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        SealedRecord {
            kind: KIND,
            id: RecordId(id),
            wallet: WalletId(RecordId([7; 16])),
            version: RecordVersion::FIRST,
            sequence: Sequence(number),
            sealed: Sealed::from_store(vec![1; bytes]),
        }
    }

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let cache = RecordCache::new();
        let (one, other) = (record(1, 10), record(2, 10));
        let mark = cache.mark();
        cache.committed(&[(KIND, one.id)]);
        cache.keep(&one, mark);
        assert_eq!(cache.get(KIND, one.id), None);
        cache.keep(&other, cache.mark());
        assert_eq!(cache.get(KIND, other.id), Some(other));
    }

    #[test]
    fn a_commit_removes_what_it_wrote_from_either_generation() {
        let cache = RecordCache::new();
        let (one, other) = (record(1, 10), record(2, 10));
        for turned_old in [false, true] {
            for record in [&one, &other] {
                cache.keep(record, cache.mark());
            }
            if turned_old {
                let mut shard = cache.shard(&(KIND, one.id));
                shard.old = std::mem::take(&mut shard.young);
                shard.young_bytes = 0;
            }
            cache.committed(&[(KIND, one.id)]);
            assert_eq!(cache.get(KIND, one.id), None);
            assert_eq!(cache.get(KIND, other.id).as_ref(), Some(&other));
        }
    }

    #[test]
    fn nothing_is_left_when_a_commit_failed() {
        let cache = RecordCache::new();
        let one = record(1, 10);
        let mark = cache.mark();
        cache.keep(&one, mark);
        cache.clear();
        cache.keep(&one, mark);
        assert_eq!(cache.get(KIND, one.id), None);
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let cache = RecordCache::new();
        let hot = record(0, 1000);
        cache.keep(&hot, cache.mark());
        // All of these share one shard.
        for number in 1..2000 {
            cache.keep(&record(number, 1000), cache.mark());
            assert!(cache.get(KIND, hot.id).is_some(), "after {number} others");
        }
        let shard = cache.shard(&(KIND, hot.id));
        let bytes: usize = shard.young.values().chain(shard.old.values()).map(cost).sum();
        assert!(bytes <= 2 * GENERATION_BYTES, "{bytes}");
        assert_eq!(shard.young_bytes, shard.young.values().map(cost).sum::<usize>());
        drop(shard);
        cache.keep(&record(3000, GENERATION_BYTES), cache.mark());
        assert!(cache.get(KIND, record(3000, 0).id).is_none(), "one record does not push out all others");
    }
}

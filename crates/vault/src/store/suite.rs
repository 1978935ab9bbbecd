//! What every store must do, as one function per promise. Each back end's tests run them all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::barrier::{SealError, SetDelta};

/// Runs every promise, each against a fresh store.
pub(crate) fn run(fresh: &mut dyn FnMut() -> Arc<dyn Store>) {
    a_record_is_read_back_as_it_was_written(&*fresh());
    a_change_needs_the_version_that_is_there(&*fresh());
    a_change_is_all_or_nothing(&*fresh());
    a_unique_term_exists_once_per_wallet(&*fresh());
    a_term_that_was_given_up_is_free_again(&*fresh());
    a_search_is_the_intersection_of_its_terms_newest_first(&*fresh());
    pages_cover_everything_once(&*fresh());
    changes_are_numbered_without_gaps_and_the_head_sums_them(&*fresh());
    entries_wait_in_the_outbox_until_they_are_journaled(&*fresh());
    what_follows_a_commit_happens_in_order_before_the_answer(&*fresh());
    concurrent_changes_of_one_record_are_made_one_after_the_other(&fresh());
    who_was_told_of_a_change_never_reads_what_was_there_before(&fresh());
    a_setting_is_what_was_last_put(&*fresh());
}

const KIND: RecordKind = RecordKind::OBJECT;
const WALLET: WalletId = WalletId(RecordId([7; 16]));
const OTHER_WALLET: WalletId = WalletId(RecordId([8; 16]));

fn id(number: u8) -> RecordId {
    RecordId([number; 16])
}

fn term(number: u8) -> StoredTerm {
    StoredTerm([number; 16])
}

fn write(number: u8, expected: Expected, content: &[u8]) -> SealedWrite {
    SealedWrite {
        kind: KIND,
        id: id(number),
        wallet: WALLET,
        expected,
        sealed: Sealed::from_store(content.to_vec()),
        terms: Vec::new(),
        unique: Vec::new(),
    }
}

/// A change whose head is the number of the change and the last byte of the sum so far.
fn change(writes: Vec<SealedWrite>) -> SealedChange {
    let advance: AdvanceHead =
        Arc::new(|head: &Head, number, delta: &SetDelta| -> Result<Sealed, SealError> {
            let last = head.sealed.as_ref().map_or(0, |sealed| sealed.as_bytes()[8]);
            let mut bytes = number.0.to_be_bytes().to_vec();
            bytes.push(last.wrapping_add(delta.0[31]));
            Ok(Sealed::from_store(bytes))
        });
    let mut delta = SetDelta::default();
    delta.0[31] = 1;
    SealedChange { writes, delta, entry: None, advance, after: None }
}

fn make(store: &dyn Store, writes: Vec<SealedWrite>) -> Result<ChangeNumber, CommitFailure> {
    store.commit(change(writes)).wait()
}

fn found(store: &dyn Store, terms: &[StoredTerm], page: Page) -> Vec<RecordId> {
    let query = StoreQuery { kind: KIND, wallet: WALLET, terms, page };
    store.find(&query).unwrap().into_iter().map(|record| record.id).collect()
}

fn a_record_is_read_back_as_it_was_written(store: &dyn Store) {
    assert_eq!(store.read(KIND, id(1)).unwrap(), None);
    make(store, vec![write(1, Expected::Absent, b"one")]).unwrap();
    let record = store.read(KIND, id(1)).unwrap().unwrap();
    assert_eq!((record.id, record.wallet, record.version), (id(1), WALLET, RecordVersion::FIRST));
    assert_eq!(record.sealed.as_bytes(), b"one");
    assert_eq!(store.read(RecordKind::ENDPOINT, id(1)).unwrap(), None, "kinds are apart");
}

fn a_change_needs_the_version_that_is_there(store: &dyn Store) {
    make(store, vec![write(1, Expected::Absent, b"one")]).unwrap();
    let conflict = Err(CommitFailure::Conflict(Conflict::Record { kind: KIND, id: id(1) }));
    assert_eq!(make(store, vec![write(1, Expected::Absent, b"x")]), conflict);
    assert_eq!(make(store, vec![write(1, Expected::Version(RecordVersion(2)), b"x")]), conflict);
    let mut moved = write(1, Expected::Version(RecordVersion::FIRST), b"x");
    moved.wallet = OTHER_WALLET;
    assert_eq!(make(store, vec![moved]), conflict, "a write cannot move a record to another wallet");
    make(store, vec![write(1, Expected::Version(RecordVersion::FIRST), b"two")]).unwrap();
    let record = store.read(KIND, id(1)).unwrap().unwrap();
    assert_eq!((record.version, record.sealed.as_bytes()), (RecordVersion(2), &b"two"[..]));
}

fn a_change_is_all_or_nothing(store: &dyn Store) {
    make(store, vec![write(1, Expected::Absent, b"one")]).unwrap();
    let before = store.head().unwrap();
    let writes = vec![write(2, Expected::Absent, b"two"), write(1, Expected::Absent, b"x")];
    assert!(make(store, writes).is_err());
    assert_eq!(store.read(KIND, id(2)).unwrap(), None);
    assert_eq!(store.head().unwrap(), before);
}

fn a_unique_term_exists_once_per_wallet(store: &dyn Store) {
    let with_name = |number, wallet| SealedWrite {
        unique: vec![term(1), term(2)],
        wallet,
        ..write(number, Expected::Absent, b"")
    };
    make(store, vec![with_name(1, WALLET)]).unwrap();
    let taken = SealedWrite { unique: vec![term(9), term(2)], ..write(2, Expected::Absent, b"") };
    assert_eq!(
        make(store, vec![write(3, Expected::Absent, b""), taken]),
        Err(CommitFailure::Conflict(Conflict::NotUnique { write: 1, term: 1 }))
    );
    assert_eq!(found(store, &[term(9)], Page::ALL), []);
    make(store, vec![with_name(4, OTHER_WALLET)]).unwrap();
    assert_eq!(found(store, &[term(1)], Page::ALL), [id(1)]);
}

fn a_term_that_was_given_up_is_free_again(store: &dyn Store) {
    let named = |number, expected| SealedWrite { unique: vec![term(1)], ..write(number, expected, b"") };
    make(store, vec![named(1, Expected::Absent)]).unwrap();
    make(store, vec![write(1, Expected::Version(RecordVersion::FIRST), b"")]).unwrap();
    assert_eq!(found(store, &[term(1)], Page::ALL), []);
    make(store, vec![named(2, Expected::Absent)]).unwrap();
    assert_eq!(found(store, &[term(1)], Page::ALL), [id(2)]);
}

fn a_search_is_the_intersection_of_its_terms_newest_first(store: &dyn Store) {
    for (number, terms) in [(1, vec![1]), (2, vec![1, 2]), (3, vec![2]), (4, vec![1, 2, 3])] {
        let terms = terms.into_iter().map(term).collect();
        make(store, vec![SealedWrite { terms, ..write(number, Expected::Absent, b"") }]).unwrap();
    }
    assert_eq!(found(store, &[], Page::ALL), [id(4), id(3), id(2), id(1)]);
    assert_eq!(found(store, &[term(1)], Page::ALL), [id(4), id(2), id(1)]);
    assert_eq!(found(store, &[term(2), term(1)], Page::ALL), [id(4), id(2)]);
    assert_eq!(found(store, &[term(2), term(1), term(3)], Page::ALL), [id(4)]);
    assert_eq!(found(store, &[term(1), term(9)], Page::ALL), []);
    let query = StoreQuery { kind: KIND, wallet: WALLET, terms: &[term(1)], page: Page::first(1) };
    assert_eq!(store.count(&query).unwrap(), 3, "the total does not depend on the page");
    // An update keeps a record's place in the order.
    let terms = vec![term(1)];
    make(store, vec![SealedWrite { terms, ..write(1, Expected::Version(RecordVersion::FIRST), b"") }])
        .unwrap();
    assert_eq!(found(store, &[term(1)], Page::ALL), [id(4), id(2), id(1)]);
}

fn pages_cover_everything_once(store: &dyn Store) {
    for number in 1..=10 {
        make(store, vec![SealedWrite { terms: vec![term(1)], ..write(number, Expected::Absent, b"") }])
            .unwrap();
    }
    let all: Vec<_> = (1..=10).rev().map(id).collect();
    let mut by_offset = Vec::new();
    for offset in [0, 4, 8, 12] {
        by_offset.extend(found(store, &[term(1)], Page { offset, limit: 4, before: None }));
    }
    assert_eq!(by_offset, all);
    let mut by_cursor = Vec::new();
    let mut before = None;
    loop {
        let query =
            StoreQuery { kind: KIND, wallet: WALLET, terms: &[], page: Page { before, ..Page::first(3) } };
        let page = store.find(&query).unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.sequence);
        by_cursor.extend(page.iter().map(|record| record.id));
    }
    assert_eq!(by_cursor, all);
}

fn changes_are_numbered_without_gaps_and_the_head_sums_them(store: &dyn Store) {
    assert_eq!(store.head().unwrap(), Head { change: ChangeNumber(0), sealed: None });
    for number in 1..=3 {
        let made = make(store, vec![write(number, Expected::Absent, b"")]).unwrap();
        assert_eq!(made, ChangeNumber(number.into()));
        assert!(make(store, vec![write(number, Expected::Absent, b"")]).is_err());
    }
    let head = store.head().unwrap();
    assert_eq!(head.change, ChangeNumber(3));
    assert_eq!(head.sealed.unwrap().as_bytes()[8], 3);
    let mut seen = Vec::new();
    store.walk(&mut |record, _| seen.push((record.kind, record.id, record.version))).unwrap();
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3].map(|number| (KIND, id(number), RecordVersion::FIRST)));
}

fn entries_wait_in_the_outbox_until_they_are_journaled(store: &dyn Store) {
    for number in 1..=3 {
        let entry = Some(Sealed::from_store(vec![number]));
        let change = SealedChange { entry, ..change(vec![write(number, Expected::Absent, b"")]) };
        store.commit(change).wait().unwrap();
    }
    let waiting: Vec<_> = store.outbox().unwrap().into_iter().map(|(change, _)| change.0).collect();
    assert_eq!(waiting, [1, 2, 3]);
    store.journaled(ChangeNumber(2));
    make(store, vec![write(4, Expected::Absent, b"")]).unwrap();
    let waiting = store.outbox().unwrap();
    assert_eq!(waiting, [(ChangeNumber(3), Sealed::from_store(vec![3]))]);
}

fn what_follows_a_commit_happens_in_order_before_the_answer(store: &dyn Store) {
    let last = Arc::new(AtomicU64::new(0));
    let pending: Vec<_> = (1..=50)
        .map(|number| {
            let last = Arc::clone(&last);
            let after: AfterCommit = Box::new(move |change| {
                assert_eq!(last.swap(change.0, Ordering::SeqCst) + 1, change.0);
            });
            store.commit(SealedChange {
                after: Some(after),
                ..change(vec![write(number, Expected::Absent, b"")])
            })
        })
        .collect();
    for answer in pending {
        let change = answer.wait().unwrap();
        assert!(last.load(Ordering::SeqCst) >= change.0);
    }
}

fn concurrent_changes_of_one_record_are_made_one_after_the_other(store: &Arc<dyn Store>) {
    const THREADS: u64 = 8;
    const CHANGES: u64 = 10;
    make(&**store, vec![write(1, Expected::Absent, b"")]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..CHANGES {
                    loop {
                        let version = store.read(KIND, id(1)).unwrap().unwrap().version;
                        match make(&**store, vec![write(1, Expected::Version(version), b"")]) {
                            Ok(_) => break,
                            Err(CommitFailure::Conflict(Conflict::Record { .. })) => {}
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                }
            });
        }
    });
    let version = store.read(KIND, id(1)).unwrap().unwrap().version;
    assert_eq!(version, RecordVersion(1 + THREADS * CHANGES));
}

/// Each reader asks for the record right when a change of it is being answered, over and over.
fn who_was_told_of_a_change_never_reads_what_was_there_before(store: &Arc<dyn Store>) {
    const READERS: usize = 4;
    const CHANGES: u64 = 300;
    make(&**store, vec![write(1, Expected::Absent, b"")]).unwrap();
    let told = AtomicU64::new(1);
    std::thread::scope(|scope| {
        let writer = Arc::new(scope.spawn(|| {
            for version in 1..=CHANGES {
                make(&**store, vec![write(1, Expected::Version(RecordVersion(version)), b"")]).unwrap();
                told.store(version + 1, Ordering::SeqCst);
            }
        }));
        for _ in 0..READERS {
            let (writer, told) = (Arc::clone(&writer), &told);
            scope.spawn(move || {
                while !writer.is_finished() {
                    let least = told.load(Ordering::SeqCst);
                    let version = store.read(KIND, id(1)).unwrap().unwrap().version.0;
                    assert!(version >= least, "version {version} was read after {least} was answered");
                }
            });
        }
    });
    assert_eq!(store.read(KIND, id(1)).unwrap().unwrap().version.0, CHANGES + 1);
}

fn a_setting_is_what_was_last_put(store: &dyn Store) {
    assert_eq!(store.setting("a").unwrap(), None);
    store.put_setting("a", b"1".to_vec()).wait().unwrap();
    store.put_setting("a", b"2".to_vec()).wait().unwrap();
    assert_eq!(store.setting("a").unwrap().as_deref(), Some(&b"2"[..]));
}

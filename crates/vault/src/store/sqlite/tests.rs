//! The shared suite, and what is SQLite's alone.

use super::*;
use crate::store::{Expected, Page, SealedWrite, StoredTerm, suite};

fn fresh(dir: &tempfile::TempDir) -> SqliteStore {
    SqliteStore::open(&dir.path().join("store.sqlite"), StoreOptions::Create).unwrap()
}

#[test]
fn keeps_every_promise_of_a_store() {
    let mut dirs = Vec::new();
    suite::run(&mut || {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(fresh(&dir));
        dirs.push(dir);
        store
    });
}

fn advance_nothing() -> crate::store::AdvanceHead {
    Arc::new(|_: &Head, _, _: &crate::barrier::SetDelta| Ok(Sealed::from_store(vec![1])))
}

fn insert(number: u32, content: Vec<u8>) -> SealedChange {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let write = SealedWrite {
        kind: RecordKind::OBJECT,
        id: RecordId(id),
        wallet: WalletId(RecordId([1; 16])),
        expected: Expected::Absent,
        sealed: Sealed::from_store(content),
        terms: vec![StoredTerm([9; 16])],
        unique: Vec::new(),
    };
    SealedChange {
        writes: vec![write],
        delta: Default::default(),
        entry: None,
        advance: advance_nothing(),
        after: None,
    }
}

#[test]
fn what_was_acknowledged_is_there_after_the_store_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = fresh(&dir);
    store.commit(insert(1, vec![5; 100])).wait().unwrap();
    drop(store);
    let store = SqliteStore::open(&dir.path().join("store.sqlite"), StoreOptions::Open).unwrap();
    assert_eq!(store.head().unwrap().change, ChangeNumber(1));
    let mut records = 0;
    store.walk(&mut |_, _| records += 1).unwrap();
    assert_eq!(records, 1);
}

#[test]
fn many_waiting_changes_share_their_commits() {
    const CHANGES: u64 = 500;
    let dir = tempfile::tempdir().unwrap();
    let store = fresh(&dir);
    // The head is made once for each commit.
    let commits = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&commits);
    let advance: crate::store::AdvanceHead = Arc::new(move |_: &Head, _, _: &crate::barrier::SetDelta| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(Sealed::from_store(vec![1]))
    });
    let pending: Vec<_> = (0..CHANGES as u32)
        .map(|number| {
            store.commit(SealedChange { advance: Arc::clone(&advance), ..insert(number, vec![0; 64]) })
        })
        .collect();
    for answer in pending {
        answer.wait().unwrap();
    }
    assert_eq!(store.head().unwrap().change, ChangeNumber(CHANGES));
    let commits = commits.load(Ordering::SeqCst);
    assert!(commits <= CHANGES / 4, "{commits} commits for {CHANGES} changes");
}

#[test]
fn a_file_of_something_else_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let cause = |path: &Path| SqliteStore::open(path, StoreOptions::Open).err().unwrap().cause;
    assert!(matches!(cause(&path), StoreCause::Io { .. }), "no file");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(matches!(cause(&path), StoreCause::Corrupt { .. }), "another database");
    fs::write(&path, vec![b'x'; 8192]).unwrap();
    assert!(matches!(cause(&path), StoreCause::Corrupt { .. }), "not a database");
}

#[test]
fn a_store_of_a_newer_release_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    drop(fresh(&dir));
    let path = dir.path().join("store.sqlite");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = SqliteStore::open(&path, StoreOptions::Open).err().unwrap();
    assert_eq!(refused.cause, StoreCause::NewerFormat { found: 99, known: 2 });
}

#[test]
fn a_store_from_before_the_first_release_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    drop(fresh(&dir));
    let path = dir.path().join("store.sqlite");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();
    let refused = SqliteStore::open(&path, StoreOptions::Open).err().unwrap();
    assert_eq!(refused.cause, StoreCause::OlderFormat { found: 1, known: 2 });
}

#[test]
fn a_full_disk_refuses_the_change_and_leaves_the_rest_usable() {
    let dir = tempfile::tempdir().unwrap();
    drop(fresh(&dir));
    let path = dir.path().join("store.sqlite");
    let connection = connect(&path, StoreOptions::Open).unwrap();
    // SQLite answers a full database as it answers a full disk.
    connection.pragma_update(None, "max_page_count", 24).unwrap();
    let (queue, jobs) = mpsc::channel();
    let committer = Committer::new(connection, jobs, Arc::default(), Arc::new(RecordCache::new()));
    let committer = std::thread::spawn(move || committer.run());
    let commit = |change| {
        let (answer, pending) = PendingCommit::new();
        queue.send(Job::Change { change, answer }).unwrap();
        pending.wait()
    };
    commit(insert(1, vec![1; 100])).unwrap();
    let full = StoreError { doing: "committing", cause: StoreCause::DiskFull };
    assert_eq!(commit(insert(2, vec![2; 500_000])), Err(CommitFailure::Store(full)));
    // A smaller change still fits, and nothing of the one refused was kept.
    assert_eq!(commit(insert(3, vec![3; 100])), Ok(ChangeNumber(2)));
    drop(queue);
    committer.join().unwrap();
    let store = SqliteStore::open(&path, StoreOptions::Open).unwrap();
    let mut records = 0;
    store.walk(&mut |_, _| records += 1).unwrap();
    assert_eq!(records, 2);
}

#[test]
fn a_search_reads_its_index_and_not_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let store = fresh(&dir);
    store.commit(insert(1, vec![1])).wait().unwrap();
    for terms in 0..=3 {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT r.sealed {} ORDER BY {} DESC",
            matching(terms),
            sequence_column(terms)
        );
        let query = StoreQuery {
            kind: RecordKind::OBJECT,
            wallet: WalletId(RecordId([1; 16])),
            terms: &vec![StoredTerm([9; 16]); terms],
            page: Page::ALL,
        };
        let plan = store
            .reading("explaining", |connection| {
                connection
                    .prepare(&sql)?
                    .query_map(params_from_iter(match_values(&query)), |row| row.get::<_, String>(3))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .unwrap()
            .join("; ");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{terms} terms: {plan}");
    }
}

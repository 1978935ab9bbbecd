//! Files changed behind the vault's back.

use rusqlite::{Connection, params};

use super::*;
use crate::audit::{AuditError, Fault};
use crate::barrier::SealError;

const ONE: RecordId = RecordId([1; 16]);
const TWO: RecordId = RecordId([2; 16]);

/// A vault with two records, closed.
fn rig() -> Rig {
    let rig = Rig::new();
    let vault = rig.unseal();
    put(&vault, ONE, Expected::Absent, b"one");
    put(&vault, TWO, Expected::Absent, b"two");
    vault.close().unwrap();
    rig
}

/// Changes the first record, and closes the vault again.
fn change_one(rig: &Rig) {
    let vault = rig.unseal();
    put(&vault, ONE, Expected::Version(RecordVersion(1)), b"newer");
    vault.close().unwrap();
}

fn refusal(rig: &Rig) -> Error {
    let error = rig.try_unseal().err().expect("the vault refuses");
    assert!(error.is_integrity(), "{error}");
    error
}

fn sql(rig: &Rig) -> Connection {
    Connection::open(rig.layout().store()).unwrap()
}

fn sealed(rig: &Rig, id: RecordId) -> Vec<u8> {
    sql(rig).query_row("SELECT sealed FROM records WHERE id = ?1", [id.0], |row| row.get(0)).unwrap()
}

#[test]
fn yesterdays_store_is_noticed() {
    let rig = rig();
    let yesterday = std::fs::read(rig.layout().store()).unwrap();
    change_one(&rig);
    std::fs::write(rig.layout().store(), yesterday).unwrap();
    let error = refusal(&rig);
    assert!(matches!(error, Error::Audit(AuditError::StoreRolledBack { .. })), "{error}");
}

#[test]
fn a_single_record_that_was_rolled_back_is_named() {
    let rig = rig();
    let old = sealed(&rig, ONE);
    change_one(&rig);
    let back = "UPDATE records SET sealed = ?1, version = 1 WHERE id = ?2";
    sql(&rig).execute(back, params![old, ONE.0]).unwrap();
    let error = refusal(&rig);
    assert!(matches!(error, Error::RecordSet { suspect: Some(ONE) }), "{error}");
}

#[test]
fn a_dropped_record_is_noticed() {
    let rig = rig();
    sql(&rig).execute("DELETE FROM records WHERE id = ?1", [TWO.0]).unwrap();
    assert!(matches!(refusal(&rig), Error::RecordSet { suspect: None }));
}

#[test]
fn a_record_hidden_from_searches_is_noticed() {
    let rig = rig();
    let hidden = sql(&rig).execute("DELETE FROM terms", []).unwrap();
    assert!(hidden > 0);
    assert!(matches!(refusal(&rig), Error::RecordTerms { .. }));
}

#[test]
fn a_record_that_took_anothers_terms_is_noticed() {
    let rig = rig();
    let swap = "UPDATE terms SET sequence = 2 * (SELECT max(sequence) FROM terms) - 1 - sequence \
                WHERE sequence >= (SELECT max(sequence) FROM terms) - 1";
    assert!(sql(&rig).execute(swap, []).unwrap() >= 2);
    assert!(matches!(refusal(&rig), Error::RecordTerms { id: ONE }));
}

#[test]
fn records_that_changed_places_do_not_open() {
    let rig = rig();
    let (one, two) = (sealed(&rig, ONE), sealed(&rig, TWO));
    for (id, content) in [(ONE, two), (TWO, one)] {
        sql(&rig).execute("UPDATE records SET sealed = ?1 WHERE id = ?2", params![content, id.0]).unwrap();
    }
    let vault = rig.unseal();
    let error = vault.records().read(RecordKind::OBJECT, ONE).unwrap_err();
    assert!(matches!(error, Error::Record { id: ONE, fault: SealError::NotAuthentic, .. }), "{error}");
}

#[test]
fn a_record_moved_to_another_wallet_does_not_open() {
    let rig = rig();
    sql(&rig).execute("UPDATE records SET wallet = ?1 WHERE id = ?2", params![[9_u8; 16], ONE.0]).unwrap();
    assert!(rig.unseal().records().read(RecordKind::OBJECT, ONE).is_err());
}

#[test]
fn a_store_of_another_vault_is_noticed() {
    let (mine, other) = (rig(), rig());
    std::fs::copy(other.layout().store(), mine.layout().store()).unwrap();
    assert!(matches!(refusal(&mine), Error::Mismatch { .. }));
}

#[test]
fn an_edited_journal_is_noticed_and_the_line_named() {
    let rig = rig();
    let vault = rig.unseal();
    let text = journal_text(&rig);
    let line = 1 + text.lines().position(|line| line.contains("Register")).unwrap() as u64;
    std::fs::write(rig.layout().journal(), text.replacen("Register", "Registry", 1)).unwrap();
    let Err(Error::Audit(AuditError::Broken(broken))) = vault.verify_journal() else { panic!("not noticed") };
    assert_eq!((broken.line, broken.fault), (line, Fault::Edited));
}

#[test]
fn deleted_and_reordered_lines_are_noticed() {
    let rig = rig();
    let vault = rig.unseal();
    let lines: Vec<String> = journal_text(&rig).lines().map(str::to_owned).collect();
    // Written in place, as an editor that keeps the file does.
    let rewrite = |lines: &[String]| std::fs::write(rig.layout().journal(), lines.join("\n") + "\n").unwrap();
    let fault = || match vault.verify_journal() {
        Err(Error::Audit(AuditError::Broken(broken))) => broken.fault,
        other => panic!("{other:?}"),
    };
    let mut deleted = lines.clone();
    deleted.remove(1);
    rewrite(&deleted);
    assert_eq!(fault(), Fault::OutOfChain);
    let mut reordered = lines.clone();
    reordered.swap(1, 2);
    rewrite(&reordered);
    assert_eq!(fault(), Fault::OutOfChain);
    rewrite(&lines[..lines.len() - 1]);
    assert_eq!(fault(), Fault::Cut);
    rewrite(&lines);
    assert_eq!(vault.verify_journal().unwrap().position.seq, lines.len() as u64);
}

#[test]
fn a_journal_whose_end_was_cut_off_is_noticed_at_start() {
    let rig = rig();
    let text = journal_text(&rig);
    let kept: Vec<&str> = text.lines().take(2).collect();
    let cut = |error: Error| match error {
        Error::Audit(AuditError::Broken(broken)) => assert_eq!(broken.fault, Fault::Cut),
        other => panic!("{other}"),
    };
    std::fs::write(rig.layout().journal(), kept.join("\n") + "\n").unwrap();
    cut(refusal(&rig));
    std::fs::remove_file(rig.layout().journal()).unwrap();
    cut(refusal(&rig));
}

#[test]
fn an_entry_that_a_crash_lost_comes_back_from_the_outbox() {
    let rig = Rig::new();
    let vault = rig.unseal();
    put(&vault, ONE, Expected::Absent, b"one");
    drop(vault);
    // The last line is the change's: the power went before it reached the disk, or half-way.
    let text = journal_text(&rig);
    let whole = text.trim_end().rfind('\n').unwrap() + 1;
    for end in [whole, whole + 10] {
        std::fs::write(rig.layout().journal(), &text[..end]).unwrap();
        let vault = rig.unseal();
        assert!(get(&vault, ONE).is_some());
        let now = journal_text(&rig);
        assert_eq!(now.lines().filter(|line| line.contains("\"Register\"")).count(), 1, "{now}");
        assert_eq!(now.contains("audit repair"), end != whole);
        vault.verify_journal().unwrap();
    }
}

#[test]
fn a_journal_that_is_removed_while_in_use_stops_keys_from_leaving() {
    let rig = rig();
    let vault = rig.unseal();
    std::fs::remove_file(rig.layout().journal()).unwrap();
    let event = Event::new(vault.clock().now(), Actor::Unknown, "Get");
    // Until the next sync the removal is not seen; after it, nothing is taken any more.
    let _ = vault.journal().record(&event);
    assert!(vault.journal().sync().is_err());
    assert!(matches!(vault.journal().record(&event), Err(AuditError::Replaced { .. })));
    let change = Change { writes: Vec::new(), events: vec![event], after: None };
    assert!(matches!(
        vault.records().commit(change).wait(),
        Err(CommitError::Failed(Error::Audit(AuditError::Replaced { .. })))
    ));
}

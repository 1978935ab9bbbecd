//! Making, opening, unsealing, closing.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::Ordering;

use super::*;
use crate::root_key::SlotError;

const ONE: RecordId = RecordId([1; 16]);

fn passphrase(text: &str) -> SlotSecret {
    SlotSecret::passphrase(Zeroizing::new(text.as_bytes().to_vec()))
}

#[test]
fn what_was_written_is_there_after_the_vault_is_opened_anew() {
    let rig = Rig::new();
    let vault = rig.unseal();
    put(&vault, ONE, Expected::Absent, b"one");
    vault.close().unwrap();
    drop(vault);
    assert_eq!(get(&rig.unseal(), ONE).as_deref(), Some(&b"one"[..]));
}

#[test]
fn a_vault_that_ended_without_closing_opens_again() {
    let rig = Rig::new();
    let vault = rig.unseal();
    put(&vault, ONE, Expected::Absent, b"one");
    drop(vault);
    assert_eq!(get(&rig.unseal(), ONE).as_deref(), Some(&b"one"[..]));
}

#[test]
fn a_wrong_passphrase_leaves_the_vault_sealed_and_ready_for_the_right_one() {
    let rig = Rig::new();
    let dir = rig.dir.with_file_name("second");
    Vault::create(&dir, rig.options(vec![NewSlot::Existing(passphrase("correct horse"))])).unwrap();
    let sealed = Vault::open(&dir, rig.clock()).unwrap();
    let Err(failure) = sealed.unseal(&passphrase("wrong horse")) else { panic!("it opened") };
    assert!(matches!(failure.error, Error::Slot(SlotError::WrongPassphrase)), "{}", failure.error);
    assert!(failure.sealed.unseal(&passphrase("correct horse")).is_ok());
}

#[test]
fn a_vault_is_used_by_one_process_at_a_time() {
    let rig = Rig::new();
    let first = Vault::open(&rig.dir, rig.clock()).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(Vault::open(&rig.dir, rig.clock()), Err(Error::InUse { .. })));
    drop(first);
    assert!(Vault::open(&rig.dir, rig.clock()).is_ok());
}

#[test]
fn nothing_is_made_where_something_is() {
    let rig = Rig::new();
    let slots = vec![NewSlot::Existing(SlotSecret::File(rig.key.clone()))];
    assert!(matches!(Vault::create(&rig.dir, rig.options(slots)), Err(Error::Exists { .. })));
    assert!(rig.try_unseal().is_ok(), "the vault that was there is whole");
}

#[test]
fn a_vault_that_cannot_be_made_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("vault");
    let options = CreateOptions { names: vec!["kein n\u{e4}me".to_owned()], ..CreateOptions::default() };
    let refused = Vault::create(&dir, options).unwrap_err();
    assert!(matches!(refused, Error::Ca(CaError::ServerName { .. })), "{refused}");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn a_key_file_inside_the_directory_is_made_with_it() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("vault");
    let key = dir.join("root.key");
    let slots = vec![NewSlot::CreateFile(key.clone())];
    Vault::create(&dir, CreateOptions { slots, ..CreateOptions::default() }).unwrap();
    let sealed = Vault::open(&dir, Clock::System).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(sealed.slot_files().collect::<Vec<_>>(), [key.as_path()]);
    assert!(sealed.unseal(&SlotSecret::File(key)).is_ok());
}

#[test]
fn only_the_owner_can_enter_the_directory_or_read_what_is_private() {
    let rig = Rig::new();
    drop(rig.unseal());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let layout = rig.layout();
    assert_eq!(mode(layout.dir()), 0o700);
    for private in [layout.server_key(), layout.metadata(), layout.journal(), layout.lock()] {
        assert_eq!(mode(&private), 0o600, "{}", private.display());
    }
}

#[test]
fn secrets_are_in_no_file_of_the_vault() {
    const CANARY: &[u8; 32] = b"canary-key-bytes-0123456789abcde";
    let rig = Rig::new();
    let root = std::fs::read(&rig.key).unwrap();
    let search = |when| {
        for file in files_under(&rig.dir) {
            let content = std::fs::read(&file).unwrap();
            for secret in [&CANARY[..], &root] {
                let found = content.windows(secret.len()).any(|window| window == secret);
                assert!(!found, "{} {when}", file.display());
            }
        }
    };
    let vault = rig.unseal();
    for number in 0..20 {
        put(&vault, RecordId([number; 16]), Expected::Absent, CANARY);
    }
    search("while the log lies beside the store");
    vault.close().unwrap();
    drop(vault);
    search("after the log was folded in");
}

#[test]
fn a_directory_without_a_vault_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    assert!(matches!(Vault::open(scratch.path(), Clock::System), Err(Error::NotAVault { .. })));
}

#[test]
fn the_server_certificate_is_renewed_before_it_ends() {
    let rig = Rig::new();
    let certificate = || std::fs::read(rig.layout().server_certificate()).unwrap();
    let first = certificate();
    drop(rig.unseal());
    assert_eq!(certificate(), first, "a fresh one stays");
    rig.seconds.fetch_add(300 * 24 * 60 * 60, Ordering::SeqCst);
    drop(rig.unseal());
    assert_ne!(certificate(), first);
}

#[test]
fn a_renewal_of_the_certificate_that_was_cut_off_is_whole_either_way() {
    let rig = Rig::new();
    let layout = rig.layout();
    let vault = rig.unseal();
    let next = ServerCertificate::issue(vault.authority(), &["localhost".to_owned()], vault.clock().now());
    let next = next.unwrap();
    vault.close().unwrap();
    drop(vault);
    let old_key = std::fs::read(layout.server_key()).unwrap();

    // Cut off before the certificate was replaced: the old pair counts.
    let key = crate::ca::pem("PRIVATE KEY", next.key.secret_der());
    write_file(&layout.next_server_key(), 0o600, key.as_bytes()).unwrap();
    drop(rig.unseal());
    assert_eq!(std::fs::read(layout.server_key()).unwrap(), old_key);

    // Cut off after it: the new pair counts.
    let chain: String = next.chain.iter().map(|der| crate::ca::pem("CERTIFICATE", der)).collect();
    replace_file(&layout.server_certificate(), 0o600, chain.as_bytes()).unwrap();
    drop(rig.unseal());
    assert_eq!(std::fs::read(layout.server_key()).unwrap(), key.as_bytes());
    assert!(!layout.next_server_key().exists());
}

/// A clock that had been years ahead leaves a certificate that nobody accepts for years.
#[test]
fn a_server_certificate_from_the_future_is_replaced() {
    let rig = Rig::new();
    let years = 3 * 365 * 24 * 60 * 60;
    rig.seconds.fetch_add(years, Ordering::SeqCst);
    drop(rig.unseal());
    rig.seconds.fetch_sub(years, Ordering::SeqCst);
    let now = rig.clock().now();
    let vault = rig.unseal();
    let shown = ServerCertificate::read(&rig.layout()).unwrap();
    assert_eq!(shown.names_to_renew(now).unwrap(), None);
    drop(vault);
}

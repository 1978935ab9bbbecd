//! The example of an application's own file, with a real vault: applications unaware, files unreadable without the key, keys never
//! in the clear on disk.

#[path = "../../examples/vault.rs"]
mod example;

use std::fs;

use strongroom_tablespace::Tablespace;
use strongroom_testkit::vault::Vault;

const PAGE: usize = 16384;

#[test]
fn an_applications_file_is_under_a_key_of_a_vault_and_rotated_there() {
    let mut vault = Vault::start();
    let endpoint = vault.enrol("application");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts");
    let first = example::run(&endpoint, &path).unwrap();
    assert!(first.master_key.ends_with("-2"), "{first:?}");
    let before = fs::read(&path).unwrap();
    assert_eq!(before.len(), 1001 * PAGE);
    assert!(!before.windows(8).any(|bytes| bytes == b"balance!"));
    assert!(Tablespace::detect(&before).unwrap().head.is_ok());

    // The next run reads what the last one wrote, and puts it under the next key.
    let backup = folder.path().join("backup");
    fs::copy(&path, &backup).unwrap();
    let second = example::run(&endpoint, &path).unwrap();
    assert!(second.master_key.ends_with("-3") && !second.rotated_in.is_zero(), "{second:?}");
    let after = fs::read(&path).unwrap();
    assert!(after[..PAGE] != before[..PAGE]);
    // The same contents under the same key of the file are the same bytes: only page 0 has changed.
    assert!(after[PAGE..] == before[PAGE..]);

    // Without the vault there is no key anywhere.
    vault.stop();
    let refused = example::run(&endpoint, &backup).unwrap_err().to_string();
    assert!(refused.contains("could not be asked"), "{refused}");
    assert!(fs::read(&backup).unwrap() == before);
}

//! What lies in the vault's directory.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use strongroom_testkit::vault::{Options, Vault, strongroom_ok};

/// Every file and folder under `dir`, itself included, with its mode.
fn modes(dir: &Path) -> Vec<(PathBuf, bool, u32)> {
    let of = |path: &Path| {
        let found = fs::symlink_metadata(path).expect("a file that was just listed");
        (path.to_owned(), found.is_dir(), found.permissions().mode() & 0o7777)
    };
    let mut all = vec![of(dir)];
    for entry in fs::read_dir(dir).expect("the directory can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(modes(&path));
        } else {
            all.push(of(&path));
        }
    }
    all
}

#[test]
fn only_the_owner_may_read_anything_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let through = ["sh", "-c", &format!("umask {umask}; exec \"$@\""), "sh"].map(OsString::from).to_vec();
        let mut vault = Vault::start_with(Options { through, ..Options::default() });
        let endpoint = vault.enrol("db1");
        strongroom_ok(["key", "generate", "k1", "--conf", &endpoint.to_string_lossy()]);
        let running = modes(&vault.dir());
        vault.stop();
        let stopped = modes(&vault.dir());
        for name in
            ["store.sqlite-wal", "store.sqlite-shm", "control.sock", "audit/journal.jsonl", "tls/server.key"]
        {
            let path = vault.dir().join(name);
            assert!(running.iter().any(|(found, ..)| *found == path), "{name} was not there to be judged");
        }
        for (path, is_dir, mode) in running.into_iter().chain(stopped) {
            let expected = if is_dir { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "umask {umask}: {} is {mode:04o}", path.display());
        }
    }
}

#[test]
fn files_that_were_opened_to_others_are_closed_again_at_the_next_start() {
    let mut vault = Vault::start();
    vault.stop();
    let store = vault.dir().join("store.sqlite");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o644)).expect("the owner may");
    vault.restart();
    let (_, _, mode) = modes(&vault.dir()).into_iter().find(|(path, ..)| *path == store).expect("the store");
    assert_eq!(mode, 0o600);
}

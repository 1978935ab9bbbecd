//! MariaDB's key file in the clear: made, changed, checked.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Ran, args, run, strongroom};

/// A line that no command may lose, with a comment above and text behind the key.
fn old_text() -> String {
    format!("# keys of db1\r\n\n  1;{}  # the system key", new_key(32))
}

/// The digits of a key that no other run has.
fn new_key(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    random.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.txt");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    (folder, path)
}

fn keyfile(verb: &str, path: &Path, rest: &[&str]) -> Ran {
    Ran::of(strongroom(args!["keyfile", verb, path]).args(rest)).unwrapped()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// Key id, version and bits of each row.
fn rows(path: &Path) -> Vec<(u64, u64, u64)> {
    let list: serde_json::Value = serde_json::from_str(&keyfile("list", path, &["--json"]).ok()).unwrap();
    let number = |row: &serde_json::Value, member: &str| row[member].as_u64().unwrap();
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| (number(row, "key_id"), number(row, "version"), number(row, "bits"))).collect()
}

/// The digits of all keys in the file.
fn digits(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let words = text.split(|c: char| !c.is_ascii_hexdigit());
    words.filter(|word| word.len() >= 32).map(str::to_lowercase).collect()
}

#[test]
fn a_new_file_is_its_owners_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.txt");
    // Whatever the umask lets through.
    let made = Ran::of(
        Command::new("sh")
            .args(["-c", "umask 0; exec \"$0\" keyfile create \"$1\" --temporary"])
            .arg(env!("CARGO_BIN_EXE_strongroom"))
            .arg(&path),
    );
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(rows(&path), [(1, 1, 256), (2, 1, 256)]);
    let keys = digits(&path);
    assert_ne!(keys[0], keys[1]);
    assert!(keys.iter().all(|key| !made.stdout.contains(key) && !made.stderr.contains(key)), "{made:?}");
    assert!(made.stderr.contains("file_key_management_filename"), "{made:?}");
    // MariaDB's own plugin reads it: no line names a version.
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().all(|line| line.matches(';').count() == 1), "a version is named");

    let kept = keyfile("create", &path, &[]).failed(1);
    assert!(kept.contains("exists and is not overwritten"), "{kept}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    let link = folder.path().join("link");
    symlink(folder.path().join("nowhere"), &link).unwrap();
    keyfile("create", &link, &[]).failed(1);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

    let small = folder.path().join("small.txt");
    let made: serde_json::Value =
        serde_json::from_str(&keyfile("create", &small, &["--bits", "128", "--json"]).ok()).unwrap();
    assert_eq!((&made["key_ids"], &made["encrypted"]), (&serde_json::json!([1]), &false.into()));
    assert_eq!(rows(&small), [(1, 1, 128)]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "something was left behind");
}

#[test]
fn keys_and_versions_are_added_below_what_is_there() {
    let before = old_text();
    let (folder, path) = file(&before);
    let added = keyfile("add", &path, &["--key-id", "7", "--bits", "192"]);
    assert!(!added.stderr.contains("warning"), "{added:?}");
    assert!(added.stderr.contains("FLUSH LOCAL FILE_KEY_MANAGEMENT_KEYS"), "{added:?}");
    assert_eq!(added.ok(), "1\n");
    let first = keyfile("rotate", &path, &["--key-id", "7"]);
    assert!(first.stderr.contains("MariaDB's own plugin refuses"), "{first:?}");
    assert!(first.stderr.contains("2 or more behind"), "{first:?}");
    assert_eq!(first.ok(), "3\n");
    let second = keyfile("rotate", &path, &["--key-id", "1", "--step", "1"]);
    assert!(!second.stderr.contains("MariaDB's own plugin"), "this is told once: {second:?}");
    assert!(second.stderr.contains("a step of 1"), "{second:?}");
    assert_eq!(second.ok(), "2\n");
    let third = keyfile("rotate", &path, &["--key-id", "1", "--step", "10", "--json"]).ok();
    let third: serde_json::Value = serde_json::from_str(&third).unwrap();
    assert_eq!((third["version"].as_u64(), third["bits"].as_u64()), (Some(12), Some(256)));
    assert_eq!(rows(&path), [(1, 1, 256), (1, 2, 256), (1, 12, 256), (7, 1, 192), (7, 3, 192)]);

    let text = fs::read_to_string(&path).unwrap();
    let new = text.strip_prefix(&before).unwrap().strip_prefix('\n').unwrap();
    let begins: Vec<&str> = new.lines().map(|line| line.rsplit_once(';').unwrap().0).collect();
    assert_eq!(begins, ["7", "7;3", "1;2", "1;12"]);

    let keys = digits(&path);
    let shown = format!("{:?}{:?}", keyfile("list", &path, &[]), keyfile("check", &path, &[]));
    assert!(keys.iter().all(|key| !shown.to_lowercase().contains(key)), "a key was shown");
    assert!(shown.contains("good: 2 keys, 5 versions"), "{shown}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was left behind");
}

#[test]
fn a_change_that_cannot_be_made_changes_nothing() {
    let before = format!("1;{}\n1;4294967294;{0}\n", new_key(16));
    let (_folder, path) = file(&before);
    let missing = keyfile("rotate", &path, &["--key-id", "7"]).failed(3);
    assert!(missing.contains("there is no key 7") && missing.contains("keyfile add"), "{missing}");
    let present = keyfile("add", &path, &["--key-id", "1"]).failed(1);
    assert!(present.contains("has key 1 already") && present.contains("keyfile rotate"), "{present}");
    let used_up = keyfile("rotate", &path, &["--key-id", "1"]).failed(1);
    assert!(used_up.contains("no version numbers left"), "{used_up}");
    for wrong in [&["--key-id", "0"][..], &["--key-id", "4294967296"], &["--key-id", "2", "--bits", "512"]] {
        keyfile("add", &path, wrong).failed(2);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), before);

    let behind_zero = format!("{before}\0");
    fs::write(&path, &behind_zero).unwrap();
    assert!(keyfile("add", &path, &["--key-id", "2"]).failed(1).contains("zero byte"));
    assert_eq!(fs::read_to_string(&path).unwrap(), behind_zero);
}

#[test]
fn a_file_without_the_system_key_gets_it() {
    let (_folder, path) = file(&format!("2;{}\n", new_key(16)));
    let missing = keyfile("check", &path, &[]).failed(5);
    assert!(missing.contains("System key id 1 is missing") && missing.contains("--key-id 1"), "{missing}");
    keyfile("add", &path, &["--key-id", "3"]).failed(5);
    assert_eq!(keyfile("add", &path, &["--key-id", "1"]).ok(), "1\n");
    assert_eq!(rows(&path), [(1, 1, 256), (2, 1, 128)]);
}

#[test]
fn a_check_says_what_the_plugin_says_with_line_and_column() {
    let key = new_key(16);
    let table = [
        (format!("1;{key}\nnonsense\n"), "Syntax error at F line 2, column 1"),
        (format!("1;{key}\n\n2 ;{key}\n"), "Syntax error at F line 3, column 2"),
        (format!("0;{key}\n"), "Invalid key id at F line 1, column 2"),
        (format!("1;0;{key}\n"), "Invalid key version at F line 1, column 4"),
        (format!("1;{key}0\n"), "Invalid key at F line 1, column 35"),
        (String::new(), "System key id 1 is missing at F line 0, column 1"),
    ];
    for (text, expected) in table {
        let (_folder, path) = file(&text);
        let said = keyfile("check", &path, &["--json"]).failed(5);
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let message = said["error"]["message"].as_str().unwrap().replace(path.to_str().unwrap(), "F");
        assert_eq!(message, expected);
        assert!(!said.to_string().contains(&key), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let absent = run(["keyfile", "check", "nowhere"]).failed(1);
    assert!(absent.contains("File 'nowhere' not found (Errcode: 2"), "{absent}");
}

#[test]
fn a_check_warns_of_what_a_server_takes_in_silence() {
    let key = new_key(16);
    let (_folder, path) = file(&format!("1;{key}\n2;{key}\n2;{key}\n\0 3;{key}\n"));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let checked: serde_json::Value =
        serde_json::from_str(&keyfile("check", &path, &["--json"]).ok()).unwrap();
    let warnings = checked["warnings"].to_string();
    for part in ["line 2 does not count: line 3", "zero byte", "0644"] {
        assert!(warnings.contains(part), "{warnings}");
    }
    assert_eq!((checked["keys"].as_u64(), checked["versions"].as_u64()), (Some(2), Some(2)));
    let (_folder, good) = file(&format!("1;{key}\n"));
    let quiet = keyfile("check", &good, &[]);
    assert!(!quiet.stderr.contains("warning"), "{quiet:?}");
}

#[test]
fn a_pipe_is_checked_as_the_plugin_reads_it_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let writer = {
        let (path, text) = (path.clone(), format!("1;{}\n", new_key(16)));
        std::thread::spawn(move || fs::write(path, text).unwrap())
    };
    assert!(keyfile("check", &path, &[]).ok().contains("1 key, 1 version"));
    writer.join().unwrap();
    let refused = keyfile("rotate", &path, &["--key-id", "1"]).failed(1);
    assert!(refused.contains("not a regular file"), "{refused}");
}

#[test]
fn mode_owner_and_links_stay() {
    let (folder, path) = file(&old_text());
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("link");
    symlink("keys.txt", &link).unwrap();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let owner = |path: &Path| (fs::metadata(path).unwrap().uid(), fs::metadata(path).unwrap().gid());
    let before = if is_root {
        chown(&path, Some(1234), Some(4321)).unwrap();
        (1234, 4321)
    } else {
        owner(&path)
    };
    for link_or_file in [&link, &path] {
        keyfile("rotate", link_or_file, &["--key-id", "1"]).ok();
        assert_eq!((mode(&path), owner(&path)), (0o640, before));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
    assert_eq!(rows(&path), [(1, 1, 256), (1, 3, 256), (1, 5, 256)]);
}

#[test]
fn whoever_reads_meanwhile_sees_the_old_file_or_the_new_one() {
    let before = format!("{}\n", old_text());
    let (_folder, path) = file(&before);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut readings, mut last) = (0_u32, before.clone());
            while !done.load(Ordering::Relaxed) {
                // At every moment there is a file, and it holds all of what an earlier one held, in whole lines.
                let now = fs::read_to_string(&path).unwrap();
                assert!(now.starts_with(&last) && now.ends_with('\n'), "half a file was seen");
                let added = now.len() - last.len();
                assert!(
                    added == 0 || now[last.len()..].lines().all(|line| line.len() >= 4 + 64),
                    "half a line"
                );
                last = now;
                readings += 1;
            }
            readings
        });
        for _ in 0..15 {
            keyfile("rotate", &path, &["--key-id", "1"]).ok();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 100, "the reader saw too little");
    });
    assert_eq!(rows(&path).len(), 16);
}

#[test]
fn two_writers_do_not_lose_each_others_keys() {
    let (_folder, path) = file(&old_text());
    let held = File::open(&path).unwrap();
    held.try_lock().unwrap();
    let busy = keyfile("add", &path, &["--key-id", "2"]).failed(1);
    assert!(busy.contains("being changed by somebody else"), "{busy}");
    assert_eq!(keyfile("list", &path, &[]).ok().lines().count(), 2, "readers need no lock");
    drop(held);

    let ids: Vec<u32> = (10..18).collect();
    let added: Vec<u32> = std::thread::scope(|scope| {
        let writers: Vec<_> = ids
            .iter()
            .map(|id| {
                let path = &path;
                scope.spawn(move || (*id, keyfile("add", path, &["--key-id", &id.to_string()]).code))
            })
            .collect();
        let ended = writers.into_iter().map(|writer| writer.join().unwrap());
        ended.filter(|&(_, code)| code == 0).map(|(id, _)| id).collect()
    });
    assert!(!added.is_empty());
    let there: Vec<u32> = rows(&path).iter().map(|row| u32::try_from(row.0).unwrap()).collect();
    assert_eq!(there, [&[1], &added[..]].concat());
}

#[test]
fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
    let before = old_text();
    let (folder, path) = file(&before);
    let limited = |verb: &str, rest: &[&str]| {
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_strongroom"))
            .args(["keyfile", verb])
            .arg(if verb == "create" { folder.path().join("new.txt") } else { path.clone() })
            .args(rest);
        Ran::of(&mut command).code
    };
    // Standard error is a pipe, which the limit on files does not touch.
    assert_eq!(limited("rotate", &["--key-id", "1"]), 1);
    assert_eq!(limited("create", &[]), 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was left behind");
}

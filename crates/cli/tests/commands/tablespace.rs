//! `strongroom tablespace` on files that a real MySQL made, with no server.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use strongroom_tablespace::disk::SystemDisk;
use strongroom_tablespace::journal::{Change, Entry, Journal};
use strongroom_tablespace::page::{Algorithm, Geometry, checksum};
use strongroom_testkit::vault::Vault;

use crate::{Ran, args, run, strongroom};

pub(crate) const UUID: &str = "ff545884-e5f5-11f1-98d1-02fc00000001";

/// A copy of the sample files, and their keyring.
pub(crate) struct Samples(pub(crate) tempfile::TempDir);

impl Samples {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tablespace/tests/samples/mysql-9.7/16k");
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn keys(&self) -> String {
        format!("json:{}", self.path("component_keyring_file.json").display())
    }

    pub(crate) fn run(&self, verb: &str, rest: &[&str]) -> Ran {
        self.run_with(&self.keys(), verb, rest)
    }

    /// Paths that begin with `@` are those of samples.
    pub(crate) fn run_with(&self, keys: &str, verb: &str, rest: &[&str]) -> Ran {
        let mut command = strongroom(args!["tablespace", verb, "--keys", keys]);
        for argument in rest {
            match argument.strip_prefix('@') {
                Some(name) => command.arg(self.path(name)),
                None => command.arg(argument),
            };
        }
        Ran::of(&mut command).unwrapped()
    }

    pub(crate) fn spoil(&self, name: &str, offset: u64) {
        let file = File::options().read(true).write(true).open(self.path(name)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).unwrap();
        file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
    }
}

pub(crate) fn json(ran: Ran) -> serde_json::Value {
    serde_json::from_str(&ran.ok()).unwrap()
}

#[test]
fn each_bad_page_is_named_and_the_exit_code_is_that_of_damage() {
    let samples = Samples::new();
    samples.run("verify", &["@"]).ok();
    samples.spoil("t_enc.ibd", 4 * 16384 + 500);
    samples.spoil("t_enc.ibd", 7 * 16384 + 500);
    let ran = samples.run("verify", &["@"]).failed_with(5);
    assert!(ran.stdout.contains("page 4: the checksum"), "{}", ran.stdout);
    assert!(ran.stdout.contains("page 7: the checksum"), "{}", ran.stdout);
    assert!(ran.stderr.contains("1 of 8 files"), "{}", ran.stderr);
    // Nothing is made of a file with a bad page.
    let stderr = samples.run("decrypt", &["@t_enc.ibd", "-o", "@out.ibd"]).failed(5);
    assert!(stderr.contains("page 4") && stderr.contains("nothing was written"), "{stderr}");
    samples.run("rekey", &["@t_enc.ibd", "-o", "@out.ibd"]).failed(5);
    assert!(!samples.path("out.ibd").exists());
    let names = fs::read_dir(samples.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.map(|name| name.to_string_lossy().into_owned()).all(|name| !name.contains("draft")));
}

#[test]
fn a_wrong_key_an_absent_key_and_no_keyring_are_told_apart() {
    let samples = Samples::new();
    let keyring = fs::read_to_string(samples.path("component_keyring_file.json")).unwrap();
    let other = samples.path("other.json");
    fs::write(&other, keyring.replace(&format!("{UUID}-1"), &format!("{UUID}-2"))).unwrap();
    let stderr = samples
        .run_with(&format!("json:{}", other.display()), "decrypt", &["@t_enc.ibd", "-o", "@o"])
        .failed(3);
    assert!(stderr.contains("does not have the master key"), "{stderr}");
    let key = keyring.split("\"data\":").nth(1).unwrap().split('"').nth(1).unwrap();
    let swapped: String = key.chars().rev().collect();
    fs::write(&other, keyring.replace(key, &swapped)).unwrap();
    let stderr = samples
        .run_with(&format!("json:{}", other.display()), "decrypt", &["@t_enc.ibd", "-o", "@o"])
        .failed(5);
    assert!(stderr.contains("is not the master key"), "{stderr}");
    samples.run_with("json:/nowhere/keyring.json", "verify", &["@t_enc.ibd"]).failed(1);
    samples.run_with("keyring.json", "verify", &["@t_enc.ibd"]).failed(2);
    samples.run("verify", &["@nowhere.ibd"]).failed(1);
    fs::create_dir(samples.path("empty")).unwrap();
    samples.run("verify", &["@empty"]).failed(3);
}

#[test]
fn keys_come_from_an_open_descriptor_as_well() {
    let samples = Samples::new();
    let verify = |text: &str| {
        let keys = samples.path("keys");
        fs::write(&keys, text).unwrap();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "exec \"$0\" tablespace verify --keys fd:7 \"$1\" 7<\"$2\"",
            env!("CARGO_BIN_EXE_strongroom"),
        ]);
        command.arg(samples.path("t_enc.ibd")).arg(&keys).stdin(Stdio::null());
        Ran::of(&mut command)
    };
    let keyring = fs::read_to_string(samples.path("component_keyring_file.json")).unwrap();
    verify(&keyring).ok();
    let key = keyring.split("\"data\":").nth(1).unwrap().split('"').nth(1).unwrap();
    verify(&format!("{key}\n")).ok();
    let reversed: String = key.chars().rev().collect();
    assert_eq!(verify(&reversed).code, 5);
    assert_eq!(verify("\n").code, 1);
    assert_eq!(verify(&format!("1;{key}")).code, 3, "a key file holds no key of MySQL's names");
}

#[test]
fn a_vaults_keys_open_files_and_take_the_new_master_key_of_a_rotation() {
    let samples = Samples::new();
    let mut vault = Vault::start();
    let conf = vault.enrol("db1");
    let okv = format!("okv:{}", conf.display());
    run(args!["keyring", "migrate", "--from", samples.keys(), "--to", &okv]).ok();
    samples.run_with(&okv, "verify", &["@"]).ok();
    let rotated = json(samples.run_with(&okv, "rotate", &["@", "--json"]));
    assert_eq!(rotated["master_key"], format!("INNODBKey-{UUID}-2"));
    assert_eq!((rotated["changed"].as_u64(), rotated["unchanged"].as_u64()), (Some(7), Some(0)));
    samples.run_with(&okv, "verify", &["@"]).ok();
    // The old keyring does not have the new key.
    samples.run("verify", &["@t_enc.ibd"]).failed_with(3);
    let listed = run(args!["keyring", "list", &okv]).ok();
    assert!(listed.contains(&format!("{UUID}-1")) && listed.contains(&format!("{UUID}-2")), "{listed}");
    // A vault that is away is not a key that is absent.
    vault.stop();
    samples.run_with(&okv, "decrypt", &["@t_enc.ibd", "-o", "@out.ibd"]).failed(4);
}

#[test]
fn mode_times_and_holes_are_kept() {
    let samples = Samples::new();
    let path = samples.path("t_enc_zlib.ibd");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 7))
        .unwrap();
    // Holes where the server's copy has them: behind the compressed bytes of each page.
    let bytes = fs::read(&path).unwrap();
    let sparse = samples.path("sparse.ibd");
    let file = File::create(&sparse).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (at, block) in bytes.chunks(4096).enumerate().filter(|(_, block)| block.iter().any(|byte| *byte != 0))
    {
        file.write_all_at(block, at as u64 * 4096).unwrap();
    }
    file.sync_all().unwrap();
    drop(file);
    let stored = |path: &Path| fs::metadata(path).unwrap().blocks();
    assert!(stored(&sparse) * 512 < bytes.len() as u64, "this file system knows holes");
    samples.run("rekey", &["@sparse.ibd", "-o", "@rekeyed.ibd"]).ok();
    assert_eq!(stored(&samples.path("rekeyed.ibd")), stored(&sparse));
    samples.run("verify", &["@rekeyed.ibd"]).ok();

    samples.run("rekey", &["@t_enc_zlib.ibd", "--in-place"]).ok();
    let about = fs::metadata(&path).unwrap();
    assert_eq!(about.mode() & 0o7777, 0o640);
    assert_eq!((about.mtime(), about.mtime_nsec()), (1_000_000_000, 7));
    assert_ne!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_file_that_another_process_has_open_is_refused_unless_it_is_a_copy() {
    let samples = Samples::new();
    let held = File::options().read(true).write(true).open(samples.path("t_enc.ibd")).unwrap();
    assert!(held.as_raw_fd() >= 0);
    let stderr = samples.run("rekey", &["@t_enc.ibd", "--in-place"]).failed(1);
    assert!(stderr.contains(&format!("open in another process ({})", std::process::id())), "{stderr}");
    samples.run("verify", &["@"]).failed(1);
    samples.run("verify", &["@", "--consistent-copy"]).ok();
    drop(held);
    samples.run("verify", &["@"]).ok();
}

#[test]
fn what_is_not_for_a_verb_is_said_with_the_reason() {
    let samples = Samples::new();
    let stderr = samples.run("decrypt", &["@t_enc.ibd", "--in-place"]).failed(1);
    assert!(stderr.contains("data dictionary"), "{stderr}");
    let stderr = samples.run("decrypt", &["@t_plain.ibd", "-o", "@out"]).failed(1);
    assert!(stderr.contains("is not encrypted"), "{stderr}");
    let stderr = samples.run("encrypt", &["@t_enc.ibd", "-o", "@out"]).failed(1);
    assert!(stderr.contains("encrypted already"), "{stderr}");
    let stderr = samples.run("decrypt", &["@t_enc.ibd", "-o", "@t_plain.ibd"]).failed(1);
    assert!(stderr.contains("name another file"), "{stderr}");
    let stderr = samples.run("logs", &["@t_enc.ibd", "-o", "@out"]).failed(3);
    assert!(stderr.contains("no file of InnoDB"), "{stderr}");
    samples.run("decrypt", &["@t_enc.ibd"]).failed(2);
    assert_eq!(samples.run("rotate", &["@", "--resume"]).ok().trim(), "nothing was interrupted");
}

/// Page 0 of a plain file that MySQL 5.7 and MariaDB 10.4 write in the same way, and one page more.
pub(crate) fn anyones_tablespace() -> Vec<u8> {
    const PAGE: usize = 16384;
    let geometry = Geometry::uncompressed(16384).unwrap();
    let mut file = vec![0; 2 * PAGE];
    for (number, page) in (0_u32..).zip(file.chunks_mut(PAGE)) {
        let page_type: u16 = if number == 0 { 8 } else { 17855 };
        page[4..8].copy_from_slice(&number.to_be_bytes());
        page[24..26].copy_from_slice(&page_type.to_be_bytes());
        page[34..38].copy_from_slice(&7_u32.to_be_bytes());
        if number == 0 {
            page[38..42].copy_from_slice(&7_u32.to_be_bytes());
            page[46..50].copy_from_slice(&2_u32.to_be_bytes());
            page[54..58].copy_from_slice(&0x21_u32.to_be_bytes());
        }
        checksum::write(geometry, page, Algorithm::Crc32);
    }
    file
}

#[test]
fn a_plain_file_that_either_server_may_have_made_is_encrypted_only_for_the_one_that_is_named() {
    let samples = Samples::new();
    fs::write(samples.path("any.ibd"), anyones_tablespace()).unwrap();
    let keys = samples.path("keys");
    fs::write(&keys, format!("1;{0}\n7;{0}\n", "6b".repeat(16))).unwrap();
    let key_file = format!("keyfile:{}", keys.display());

    let stderr = samples.run_with(&key_file, "encrypt", &["@any.ibd", "-o", "@out.ibd"]).failed(2);
    assert!(stderr.contains("--key-id"), "{stderr}");
    // One key may be either's.
    let one = samples.path("one");
    fs::write(&one, "6b".repeat(32)).unwrap();
    let with_one = |rest: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", "exec 9<\"$1\"; shift; exec \"$@\"", "sh"]).arg(&one);
        command.arg(strongroom(args!["tablespace"]).get_program());
        command.args(["tablespace", "encrypt", "--keys", "fd:9"]);
        command.arg(samples.path("any.ibd")).arg("-o").arg(samples.path("out.ibd")).args(rest);
        Ran::of(&mut command).unwrapped()
    };
    // Without a uuid it is refused before the file is looked at.
    with_one(&[]).failed(2);
    assert!(!samples.path("out.ibd").exists());
    with_one(&["--server-uuid", UUID]).ok();
    fs::remove_file(samples.path("out.ibd")).unwrap();

    samples.run_with(&key_file, "encrypt", &["@any.ibd", "-o", "@out.ibd", "--key-id", "7"]).ok();
    let report = json(samples.run("inspect", &["@out.ibd", "--json"]));
    assert_eq!(report[0]["format"], "MariaDB");
    samples.run("encrypt", &["@any.ibd", "-o", "@mysql.ibd"]).ok();

    // The data directory around it speaks for it.
    fs::write(samples.path("auto.cnf"), "").unwrap();
    let stderr =
        samples.run_with(&key_file, "encrypt", &["@any.ibd", "-o", "@other.ibd", "--key-id", "7"]).failed(1);
    assert!(stderr.contains("it is MySQL's"), "{stderr}");
}

#[test]
fn what_a_journal_names_is_not_finished_while_a_server_has_it_open() {
    let (samples, elsewhere) = (Samples::new(), tempfile::tempdir().unwrap());
    let far = elsewhere.path().join("far.ibd");
    fs::copy(samples.path("t_enc.ibd"), &far).unwrap();
    for (verb, change) in [("rekey", Change::Rekey), ("rotate", Change::Rotate)] {
        let journal = Journal {
            change,
            server_uuid: UUID.to_owned(),
            master_key_id: 1,
            entries: vec![Entry { path: far.clone(), patches: Vec::new() }],
        };
        journal.begin(&SystemDisk, samples.0.path()).unwrap();
        let _open = File::options().write(true).open(&far).unwrap();
        let stderr = samples.run(verb, &["@t_enc.ibd", "--resume"]).failed(1);
        assert!(stderr.contains("far.ibd is open in another process"), "{stderr}");
        fs::remove_file(Journal::path_in(samples.0.path())).unwrap();
    }
}

#[test]
fn nothing_is_replaced_in_a_data_directory_of_which_nobody_can_tell_how_it_was_shut_down() {
    let samples = Samples::new();
    fs::write(samples.path("mysql.ibd"), vec![0; 16384]).unwrap();
    let before = fs::read(samples.path("t_enc.ibd")).unwrap();
    for verb in ["import", "rekey"] {
        let stderr = samples.run(verb, &["@t_enc.ibd", "--in-place"]).failed(1);
        assert!(stderr.contains("no redo log"), "{verb}: {stderr}");
    }
    let stderr = samples.run("rotate", &["@t_enc.ibd"]).failed(1);
    assert!(stderr.contains("no redo log"), "{stderr}");
    assert_eq!(fs::read(samples.path("t_enc.ibd")).unwrap(), before);
}

//! Which files `strongroom tablespace` works on, what it leaves of them as it was, and how it answers.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use serde_json::Value;
use strongroom_testkit::{Unavailable, need};

use crate::tablespace::{Samples, UUID, anyones_tablespace, json};
use crate::{Ran, args, run};

const VERBS: [&str; 9] =
    ["inspect", "verify", "decrypt", "encrypt", "rotate", "rekey", "export", "import", "logs"];

/// A keyring of another server with a master key of its own.
fn other_keyring(samples: &Samples) -> String {
    let path = samples.path("other.json");
    let text = fs::read_to_string(samples.path("component_keyring_file.json")).unwrap();
    let key = text.split("\"data\":").nth(1).unwrap().split('"').nth(1).unwrap();
    let other: String = key.chars().rev().collect();
    fs::write(&path, text.replace(UUID, "11111111-e5f5-11f1-98d1-02fc00000001").replace(key, &other))
        .unwrap();
    format!("json:{}", path.display())
}

/// A key file of MariaDB's, and a plain file for it.
fn mariadb_file(samples: &Samples) -> String {
    fs::write(samples.path("maria.ibd"), anyones_tablespace()).unwrap();
    fs::write(samples.path("keys"), format!("1;{0}\n7;1;{0}\n", "6b".repeat(16))).unwrap();
    format!("keyfile:{}", samples.path("keys").display())
}

#[test]
fn a_tablespace_that_is_elsewhere_is_followed_through_its_link_and_stays_there() {
    let (samples, elsewhere) = (Samples::new(), tempfile::tempdir().unwrap());
    let far = fs::canonicalize(elsewhere.path()).unwrap().join("far.ibd");
    fs::create_dir(samples.path("s")).unwrap();
    fs::rename(samples.path("t_enc.ibd"), &far).unwrap();
    fs::write(samples.path("s/far.isl"), format!("{}\n", far.display())).unwrap();
    fs::write(samples.path("s/lost.isl"), "/nowhere/lost.ibd").unwrap();
    let named = |ran: Ran| {
        let rows = json(ran);
        let rows = rows.as_array().unwrap().clone();
        rows.into_iter().find(|row| row["file"] == far.to_str().unwrap()).expect("the file is followed")
    };
    let ran = samples.run("verify", &["@", "--json"]);
    assert!(ran.stderr.contains("/nowhere/lost.ibd is named by a link"), "{}", ran.stderr);
    assert_eq!(named(ran)["bad"], Value::Array(Vec::new()));

    let before = fs::read(&far).unwrap();
    let rotated = json(samples.run("rotate", &["@", "--json"]));
    assert_eq!(rotated["changed"], 7, "{rotated}");
    let head = fs::read(&far).unwrap();
    assert!(head[..16384] != before[..16384] && head[16384..] == before[16384..]);
    samples.run("rekey", &["@", "--in-place"]).ok();
    assert!(fs::read(&far).unwrap()[16384..] != before[16384..]);
    assert_eq!(named(samples.run("inspect", &["@", "--json"]))["master_key_number"], 2);
    samples.run("verify", &["@"]).ok();
    // Where a file is elsewhere, its result is named by it alone.
    samples.run("decrypt", &["@s", "-o", "@plain"]).ok();
    assert!(samples.path("plain/far.ibd").exists());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "no draft is left there");
}

/// An owner that is not the one who runs the tests. Only root may give files away.
fn stranger(path: &Path) -> Result<(u32, u32), Unavailable> {
    let (user, group) = (4711, 4712);
    chown(path, Some(user), Some(group)).map(|()| (user, group)).map_err(|error| {
        Unavailable::new("another owner of files", format!("{error}; run the tests as root"))
    })
}

#[test]
fn owner_mode_and_times_outlive_every_change_in_place() {
    let samples = Samples::new();
    let (other, maria) = (other_keyring(&samples), mariadb_file(&samples));
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_100_000_000, 9);
    let check = |name: &str, keys: &str, verb: &str, rest: &[&str], keeps_times: bool| {
        let path = samples.path(name);
        let owner = match stranger(&path) {
            Ok(owner) => owner,
            Err(unavailable) => return Err(unavailable),
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        let before = fs::read(&path).unwrap();
        let file = format!("@{name}");
        samples.run_with(keys, verb, &[&[file.as_str()], rest].concat()).ok();
        assert!(fs::read(&path).unwrap() != before, "{verb} changed nothing");
        let about = fs::metadata(&path).unwrap();
        assert_eq!((about.uid(), about.gid()), owner, "{verb}");
        assert_eq!(about.mode() & 0o7777, 0o640, "{verb}");
        // A rotation writes into the file, as a server would.
        assert_eq!(about.modified().unwrap() == time, keeps_times, "{verb}");
        Ok(())
    };
    let own = samples.keys();
    need!(check("t_enc.ibd", &own, "rotate", &[], false));
    need!(check("t_enc.ibd", &own, "rekey", &["--in-place"], true));
    samples.run("export", &["@t_enc.ibd", "-o", "@now.cfp"]).ok();
    let transfer = samples.path("now.cfp").display().to_string();
    need!(check("t_enc.ibd", &other, "import", &["--in-place", "--transfer", &transfer], true));
    samples.run_with(&other, "verify", &["@t_enc.ibd"]).ok();

    need!(check("maria.ibd", &maria, "encrypt", &["--in-place", "--key-id", "7"], true));
    let keys = fs::read_to_string(samples.path("keys")).unwrap();
    fs::write(samples.path("keys"), format!("{keys}7;2;{}\n", "6c".repeat(16))).unwrap();
    need!(check("maria.ibd", &maria, "rekey", &["--in-place"], true));
    need!(check("maria.ibd", &maria, "decrypt", &["--in-place"], true));
    assert_eq!(fs::read(samples.path("maria.ibd")).unwrap(), anyones_tablespace());
}

#[test]
fn a_tablespace_is_imported_in_place_with_the_transfer_file_beside_it() {
    let samples = Samples::new();
    let other = other_keyring(&samples);
    fs::create_dir(samples.path("s")).unwrap();
    for name in ["t_enc", "t_part#p#p0"] {
        for extension in ["ibd", "cfp"] {
            let name = format!("{name}.{extension}");
            fs::rename(samples.path(&name), samples.path("s").join(&name)).unwrap();
        }
    }
    fs::copy(samples.path("t_plain.ibd"), samples.path("s/t_plain.ibd")).unwrap();
    let plain = samples.path("decrypted.ibd").display().to_string();
    samples.run("decrypt", &["@s/t_enc.ibd", "-o", &plain]).ok();
    let pages = fs::read(samples.path("s/t_enc.ibd")).unwrap();
    let rows = json(samples.run_with(&other, "import", &["@s", "--in-place", "--json"]));
    let outcomes: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes, ["imported", "imported", "left alone"], "{rows}");
    // Its pages are as they were; what opens them is the other server's.
    assert!(fs::read(samples.path("s/t_enc.ibd")).unwrap()[16384..] == pages[16384..]);
    samples.run("verify", &["@s/t_enc.ibd"]).failed_with(3);
    samples.run_with(&other, "verify", &["@s"]).ok();
    let again = samples.path("again.ibd").display().to_string();
    samples.run_with(&other, "decrypt", &["@s/t_enc.ibd", "-o", &again]).ok();
    assert!(fs::read(again).unwrap() == fs::read(plain).unwrap());
    // Another tablespace's transfer file is noticed by the pages, and nothing is replaced.
    let before = fs::read(samples.path("t_enc_zlib.ibd")).unwrap();
    let transfer = samples.path("t_enc_lz4.cfp").display().to_string();
    samples.run("import", &["@t_enc_zlib.ibd", "--in-place", "--transfer", &transfer]).failed(5);
    samples.run("import", &["@gts.ibd", "--in-place"]).failed(1);
    assert!(fs::read(samples.path("t_enc_zlib.ibd")).unwrap() == before);
}

#[test]
fn what_is_not_for_a_verb_is_left_alone_in_a_directory_and_said() {
    let samples = Samples::new();
    let rows = json(samples.run("decrypt", &["@", "-o", "@out", "--json"]));
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 8);
    for row in rows {
        let is_plain = row["file"].as_str().unwrap().ends_with("t_plain.ibd");
        assert_eq!(row["outcome"] == "left alone", is_plain, "{row}");
        assert_eq!(row["reason"] == "it is not encrypted", is_plain, "{row}");
    }
    assert_eq!(fs::read_dir(samples.path("out")).unwrap().count(), 7);
    // And back: what was decrypted is encrypted, and what is encrypted is left.
    fs::copy(samples.path("t_enc.ibd"), samples.path("out/other.ibd")).unwrap();
    let text = samples.run("encrypt", &["@out", "-o", "@again"]).ok();
    assert!(text.contains("other.ibd: it is encrypted already"), "{text}");
    samples.run("verify", &["@again"]).ok();
    let rows = json(samples.run("export", &["@again", "--json"]));
    assert_eq!(rows.as_array().unwrap().len(), 7);
    // A directory of which nothing is for it is a mistake.
    let stderr = samples.run("encrypt", &["@again", "-o", "@third"]).failed(1);
    assert!(stderr.contains("encrypted already"), "{stderr}");
}

#[test]
fn every_verb_answers_in_json_as_well() {
    let samples = Samples::new();
    let keys = |document: &Value| -> BTreeSet<String> {
        let row = document.get(0).unwrap_or(document);
        row.as_object().unwrap_or_else(|| panic!("{document}")).keys().cloned().collect()
    };
    let has = |ran: Ran, members: &[&str]| {
        let document = json(ran);
        let found = keys(&document);
        assert!(members.iter().all(|member| found.contains(*member)), "{members:?}: {document}");
    };
    let key = ["master_key", "server_uuid", "master_key_number", "cipher"];
    has(samples.run("inspect", &["@t_enc.ibd", "--json"]), &key);
    has(
        samples.run("inspect", &["@t_enc.ibd", "--json"]),
        &["file", "kind", "space_id", "page_types", "encrypted_share", "opens"],
    );
    has(samples.run("verify", &["@t_enc.ibd", "--json"]), &["file", "pages", "encrypted_pages", "bad"]);
    let written = ["file", "out", "outcome"];
    has(samples.run("decrypt", &["@t_enc.ibd", "-o", "@plain.ibd", "--json"]), &written);
    has(samples.run("encrypt", &["@plain.ibd", "-o", "@enc.ibd", "--json"]), &written);
    has(samples.run("export", &["@enc.ibd", "--json"]), &written);
    has(samples.run("import", &["@enc.ibd", "-o", "@imported.ibd", "--json"]), &written);
    has(
        samples.run("rekey", &["@enc.ibd", "-o", "@rekeyed.ibd", "--json"]),
        &["changed", "unchanged", "gone"],
    );
    has(
        samples.run("rotate", &["@enc.ibd", "--json"]),
        &["master_key", "server_uuid", "master_key_number", "changed", "unchanged", "gone"],
    );
    has(samples.run("rotate", &["@enc.ibd", "--resume", "--json"]), &["changed", "unchanged"]);
    has(samples.run("rekey", &["@enc.ibd", "--resume", "--json"]), &["changed", "unchanged"]);
    // A binary log that is not encrypted is copied.
    fs::write(samples.path("binlog.000001"), [&b"\xfebin"[..], &[0; 500]].concat()).unwrap();
    has(
        samples.run("logs", &["@binlog.000001", "-o", "@out", "--json"]),
        &["file", "out", "kind", "was_encrypted"],
    );
    // A bad page is in the answer too.
    samples.spoil("t_enc.ibd", 5 * 16384 + 77);
    let ran = samples.run("verify", &["@t_enc.ibd", "--json"]).failed_with(5);
    let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(rows[0]["bad"][0]["page"], 5, "{rows}");
}

#[test]
fn any_number_of_jobs_gives_the_same_file() {
    let samples = Samples::new();
    let one = |jobs: &str| {
        let name = format!("plain-{jobs}.ibd");
        samples.run("decrypt", &["@gts.ibd", "-o", &format!("@{name}"), "--jobs", jobs]).ok();
        samples.run("verify", &["@", "--jobs", jobs]).ok();
        fs::read(samples.path(&name)).unwrap()
    };
    let alone = one("1");
    assert!(one("3") == alone && one("64") == alone);
    let stderr = samples.run("verify", &["@gts.ibd", "--jobs", "0"]).failed(2);
    assert!(stderr.contains("--jobs"), "{stderr}");
    samples.run("verify", &["@gts.ibd", "--jobs", "many"]).failed(2);
}

#[test]
fn help_names_what_each_verb_takes() {
    let all = run(args!["tablespace", "--help"]).ok();
    for verb in VERBS {
        assert!(all.contains(verb), "{all}");
        let help = run(args!["tablespace", verb, "--help"]).ok();
        for option in ["--keys", "--jobs", "--consistent-copy", "PATH"] {
            assert!(help.contains(option), "{verb}: {help}");
        }
        assert_eq!(
            help.contains("--out"),
            !["inspect", "verify", "rotate"].contains(&verb),
            "{verb}: {help}"
        );
        let in_place = ["decrypt", "encrypt", "rekey", "import"].contains(&verb);
        assert_eq!(help.contains("--in-place"), in_place, "{verb}: {help}");
        assert_eq!(help.contains("--resume"), ["rotate", "rekey"].contains(&verb), "{verb}: {help}");
        // Without a path, and without a source of keys where one is needed.
        run(args!["tablespace", verb]).failed(2);
    }
    run(args!["tablespace", "verify", "somewhere"]).failed(2);
}

#[test]
fn the_exit_code_says_whose_fault_it_is() {
    let samples = Samples::new();
    let head = |name: &str, offset: u64| {
        fs::copy(samples.path("t_enc.ibd"), samples.path(name)).unwrap();
        samples.spoil(name, offset);
    };
    // Page 0, the wrapped key on it, and the last page: damage wherever it is.
    head("head.ibd", 100);
    head("wrapped.ibd", 10390 + 60);
    head("page.ibd", fs::metadata(samples.path("t_enc.ibd")).unwrap().len() - 3000);
    for name in ["@head.ibd", "@wrapped.ibd", "@page.ibd"] {
        samples.run("verify", &[name]).failed_with(5);
        for verb in ["decrypt", "rekey", "import"] {
            let transfer = samples.path("t_enc.cfp").display().to_string();
            let rest = if verb == "import" { vec!["--transfer", &transfer] } else { Vec::new() };
            let ran = samples.run(verb, &[&[name, "-o", "@out.ibd"], rest.as_slice()].concat());
            ran.failed_with(5);
            assert!(!samples.path("out.ibd").exists(), "{verb} {name}");
        }
    }
    samples.run("rotate", &["@head.ibd"]).failed(5);
    samples.run("rotate", &["@wrapped.ibd"]).failed(5);
    // Less than its page 0 says.
    fs::copy(samples.path("t_enc.ibd"), samples.path("short.ibd")).unwrap();
    fs::File::options().write(true).open(samples.path("short.ibd")).unwrap().set_len(3 * 16384).unwrap();
    samples.run("verify", &["@short.ibd"]).failed_with(5);
    samples.run("decrypt", &["@short.ibd", "-o", "@out.ibd"]).failed(5);
    // A part of a page behind the last one, of either family.
    let maria = mariadb_file(&samples);
    samples.run_with(&maria, "encrypt", &["@maria.ibd", "--in-place", "--key-id", "7"]).ok();
    for (keys, name) in [(samples.keys(), "t_enc_kbs8.ibd"), (maria, "maria.ibd")] {
        let whole = fs::read(samples.path(name)).unwrap();
        let file = format!("@{name}");
        for bytes in [1, 20, 40, 1000] {
            fs::write(samples.path(name), [&whole[..], &vec![0x5A; bytes]].concat()).unwrap();
            let ran = samples.run_with(&keys, "verify", &[&file]).failed_with(5);
            assert!(ran.stdout.contains(&format!("{bytes} bytes")), "{}", ran.stdout);
            samples.run_with(&keys, "inspect", &[&file]).ok();
            samples.run_with(&keys, "decrypt", &[&file, "-o", "@out.ibd"]).failed(5);
        }
    }
    // A transfer file that is none.
    fs::write(samples.path("broken.cfp"), [0; 99]).unwrap();
    let transfer = samples.path("broken.cfp").display().to_string();
    samples.run("import", &["@t_enc.ibd", "-o", "@out.ibd", "--transfer", &transfer]).failed(5);
    // No tablespace at all is nobody's damage.
    fs::write(samples.path("text.ibd"), "not a tablespace\n".repeat(4000)).unwrap();
    samples.run("verify", &["@text.ibd"]).failed_with(1);
}

/// What the table of verbs and formats in docs/tablespace.md says of MariaDB's files, and of MySQL's in place.
#[test]
fn each_verb_does_or_refuses_what_the_documentation_says() {
    let samples = Samples::new();
    let maria = mariadb_file(&samples);
    let file = |verb: &str, rest: &[&str]| samples.run_with(&maria, verb, rest);
    file("encrypt", &["@maria.ibd", "-o", "@enc.ibd", "--key-id", "7"]).ok();
    file("encrypt", &["@maria.ibd", "-o", "@ctr.ibd", "--key-id", "7", "--encryption-algorithm", "aes_ctr"])
        .ok();
    for name in ["enc", "ctr"] {
        let (encrypted, plain) = (format!("@{name}.ibd"), format!("@{name}-plain.ibd"));
        file("verify", &[&encrypted]).ok();
        file("inspect", &[&encrypted]).ok();
        file("decrypt", &[&encrypted, "-o", &plain]).ok();
        assert_eq!(fs::read(samples.path(&plain[1..])).unwrap(), anyones_tablespace());
    }
    let keys = fs::read_to_string(samples.path("keys")).unwrap();
    fs::write(samples.path("keys"), format!("{keys}7;2;{}\n", "6c".repeat(16))).unwrap();
    file("rekey", &["@enc.ibd", "-o", "@newer.ibd"]).ok();
    assert_eq!(json(file("inspect", &["@newer.ibd", "--json"]))[0]["min_key_version"], 2);
    let refused = |ran: Ran, code: i32, reason: &str| {
        let stderr = ran.failed(code);
        assert!(stderr.contains(reason), "{stderr}");
    };
    refused(file("rotate", &["@enc.ibd"]), 1, "MariaDB wraps no tablespace keys");
    refused(file("export", &["@enc.ibd"]), 1, "no transfer files");
    refused(file("import", &["@enc.ibd", "-o", "@no.ibd"]), 2, "no transfer files");
    refused(
        samples.run("import", &["@enc.ibd", "-o", "@no.ibd", "--transfer", "/dev/null"]),
        1,
        "regular file",
    );
    // An encrypted binary log of MariaDB looks like a plain one, but for its second event.
    let mut log = vec![0; 400];
    log[..4].copy_from_slice(b"\xFEbin");
    (log[8], log[13], log[4 + 252 + 4]) = (15, 252, 164);
    fs::write(samples.path("bin.000001"), &log).unwrap();
    refused(file("logs", &["@bin.000001", "-o", "@no"]), 1, "encrypted log of MariaDB's");
    fs::write(samples.path("ib_logfile0"), b"Phys".repeat(4000)).unwrap();
    refused(file("logs", &["@ib_logfile0", "-o", "@no"]), 1, "log of MySQL's");
    fs::remove_file(samples.path("ib_logfile0")).unwrap();
    // MySQL's in place.
    for (verb, name) in [("decrypt", "@t_enc.ibd"), ("encrypt", "@t_plain.ibd")] {
        let before = fs::read(samples.path(&name[1..])).unwrap();
        refused(samples.run(verb, &[name, "--in-place"]), 1, "data dictionary");
        assert!(fs::read(samples.path(&name[1..])).unwrap() == before);
    }
}

//! Enrolment through the real port: once per token, and safely again after a lost answer.

use std::fs;
use std::process::Stdio;

use strongroom_testkit::vault::Vault;

use crate::{Ran, args, run, strongroom};

/// How many processes use one token at once.
const RIVALS: usize = 200;
/// How many of them run at the same time; more would exhaust the processes of a small machine.
const WAVE: usize = 50;

#[test]
fn of_many_parallel_uses_of_a_token_one_wins() {
    let vault = Vault::start();
    let folder = tempfile::tempdir().unwrap();
    let token = vault.endpoint_add("db1");
    let (mut won, mut refused) = (0, 0);
    for wave in 0..RIVALS / WAVE {
        let rivals: Vec<_> = (0..WAVE)
            .map(|rival| {
                let out = folder.path().join(format!("{wave}-{rival}"));
                strongroom(args!["enroll", "--token", &token, "--out", out])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for rival in rivals {
            let ran = Ran::from(rival.wait_with_output().unwrap());
            match ran.code {
                0 => won += 1,
                4 => refused += 1,
                _ => panic!("{ran:?}"),
            }
        }
    }
    assert_eq!((won, refused), (1, RIVALS - 1));
}

#[test]
fn a_retry_after_a_lost_answer_gets_the_same_certificate() {
    let mut vault = Vault::start();
    let folder = tempfile::tempdir().unwrap();
    let token = vault.endpoint_add("db1");
    let (out, pending) = (folder.path().join("db1"), folder.path().join(".db1.enrolling"));
    let enroll = || run(args!["enroll", "--token", &token, "--out", &out]);

    // Nobody answers: the key and the request stay for the next try.
    vault.stop();
    enroll().failed(4);
    assert!(!out.exists());
    let kept: Vec<(std::ffi::OsString, Vec<u8>)> = fs::read_dir(&pending)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
        .collect();
    vault.restart();
    enroll().ok();
    let first = fs::read(out.join("ssl/cert.pem")).unwrap();

    // As if the answer had never come: the endpoint directory is not there, the key and the request are.
    fs::remove_dir_all(&out).unwrap();
    fs::create_dir(&pending).unwrap();
    for (name, bytes) in kept {
        fs::write(pending.join(name), bytes).unwrap();
    }
    enroll().ok();
    assert_eq!(fs::read(out.join("ssl/cert.pem")).unwrap(), first);
    run(args!["ping", "--conf", &out]).ok();
}

#[test]
fn an_enrolled_directory_is_not_overwritten_and_the_token_not_spent() {
    let vault = Vault::start();
    let conf = vault.enrol("db1");
    let before = fs::read(conf.join("ssl/cert.pem")).unwrap();
    let token = vault.endpoint_add("db2");
    run(args!["enroll", "--token", &token, "--out", &conf]).failed(1);
    assert_eq!(fs::read(conf.join("ssl/cert.pem")).unwrap(), before);
    let folder = tempfile::tempdir().unwrap();
    run(args!["enroll", "--token", &token, "--out", folder.path().join("db2")]).ok();
}

#[test]
fn a_password_encrypts_the_key() {
    let vault = Vault::start();
    let folder = tempfile::tempdir().unwrap();
    let (out, password) = (folder.path().join("db1"), folder.path().join("password"));
    fs::write(&password, "correct horse\n").unwrap();
    let token = vault.endpoint_add("db1");
    let mut enroll = strongroom(args!["enroll", "--token", token, "--out", &out, "--password-fd", "0"]);
    Ran::of(enroll.stdin(fs::File::open(&password).unwrap())).ok();
    assert!(fs::read_to_string(out.join("ssl/key.pem")).unwrap().contains("ENCRYPTED PRIVATE KEY"));
    assert_eq!(fs::read_to_string(out.join("ssl/password.txt")).unwrap().trim_end(), "correct horse");
    run(args!["ping", "--conf", &out]).ok();

    fs::write(out.join("ssl/password.txt"), "battery staple").unwrap();
    let wrong = run(args!["ping", "--conf", &out]).failed(5);
    assert!(wrong.contains("password.txt"), "{wrong}");
    assert!(!wrong.contains("battery"), "{wrong}");
}

#[test]
fn a_token_can_be_piped() {
    let vault = Vault::start();
    let folder = tempfile::tempdir().unwrap();
    let mut added = strongroom(args!["endpoint", "add", "db1", "--dir", vault.dir()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut enroll = strongroom(args!["enroll", "--token", "-", "--out", folder.path().join("db1")]);
    Ran::of(enroll.stdin(added.stdout.take().unwrap())).ok();
    assert!(added.wait().unwrap().success());
}

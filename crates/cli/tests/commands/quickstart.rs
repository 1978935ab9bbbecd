//! The main job in one command, on an empty directory and again on what the first run left.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use strongroom_testkit::mariadb;
use strongroom_testkit::process::wait_until;

use crate::{Ran, args, run, strongroom};

#[test]
fn it_holds_twice_over_the_same_directory() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("strongroom-data");
    for _ in 0..2 {
        let printed = Ran::of(&mut strongroom(args!["quickstart", "--once", "--dir", &dir])).ok();
        assert!(printed.contains('✓') && !printed.contains('✗'), "{printed}");
    }
}

#[test]
fn it_encrypts_the_tables_of_a_real_mariadb() {
    let installation = strongroom_testkit::need!(mariadb::installation());
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("strongroom-data");
    // Building the default members is what puts the plugin beside the command.
    let _plugin = strongroom_testkit::built::plugin("strongroom_kmip_key_management");
    for _ in 0..2 {
        let mut command = strongroom(args!["quickstart", "--once", "--dir", &dir]);
        with_mariadb(&mut command, &installation);
        let printed = Ran::of(&mut command).ok();
        assert!(printed.contains("read the rows back"), "{printed}");
    }
}

#[test]
fn it_stays_up_for_the_next_server_until_it_is_told_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("strongroom-data");
    let mut child = strongroom(args!["quickstart", "--dir", &dir])
        .stdout(Stdio::piped())
        .env("PATH", "")
        .spawn()
        .unwrap();
    // Kept to the end: a run whose reader is gone ends.
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let invited = printed.by_ref().any(|line| line.contains("strongroom ping --conf"));
    let outcome = std::panic::catch_unwind(|| {
        assert!(invited, "it ended without an invitation");
        let token = run(args!["endpoint", "add", "db1", "--dir", dir.join("vault")]).ok();
        let conf = folder.path().join("db1");
        run(args!["enroll", "--token", token.trim(), "--out", &conf]).ok();
        run(args!["ping", "--conf", &conf]).ok();
    });
    kill_process(pid(&child), Signal::TERM).unwrap();
    let ended = wait_until(Duration::from_secs(10), || child.try_wait().unwrap());
    let _ = child.kill();
    let _ = child.wait();
    drop(printed);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    assert!(ended.is_some_and(|status| status.success()), "SIGTERM ended it with {ended:?}");
}

#[test]
fn a_killed_run_leaves_no_server_behind() {
    let installation = strongroom_testkit::need!(mariadb::installation());
    let folder = tempfile::tempdir().unwrap();
    let (dir, scratch) = (folder.path().join("strongroom-data"), folder.path().join("t"));
    fs::create_dir(&scratch).unwrap();
    let _plugin = strongroom_testkit::built::plugin("strongroom_kmip_key_management");
    let mut command = strongroom(args!["quickstart", "--once", "--dir", &dir]);
    with_mariadb(&mut command, &installation);
    let mut child = command.env("TMPDIR", &scratch).stdout(Stdio::null()).spawn().unwrap();
    let started =
        wait_until(Duration::from_secs(60), || (!mentioning(&scratch, "mariadbd").is_empty()).then_some(()));
    let _ = child.kill();
    let _ = child.wait();
    assert!(started.is_some(), "no mariadbd was started");
    let gone =
        wait_until(Duration::from_secs(10), || mentioning(&scratch, "mariadbd").is_empty().then_some(()));
    assert!(gone.is_some(), "still there: {:?}", mentioning(&scratch, "mariadbd"));
}

fn with_mariadb(command: &mut Command, installation: &mariadb::Installation) {
    if let Some(libraries) = installation.library_path() {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    command.env("STRONGROOM_MARIADBD", &installation.program);
}

/// Command lines of running `program`s that name something under `folder`.
fn mentioning(folder: &Path, program: &str) -> Vec<String> {
    let folder = folder.display().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&folder) && line.contains(program))
        .collect()
}

fn pid(child: &std::process::Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

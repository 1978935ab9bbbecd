use std::fs;
use std::process::{Command, Output};

use strongroom_testkit::folder::Scratch;

/// Runs one of this binary's own tests where no program can be found and nothing is installed.
fn run_without_anything(scratch: &Scratch, ci: &str) -> Output {
    Command::new(std::env::current_exe().expect("a process knows its program"))
        .args(["--exact", "pykmip::a_killed_server_comes_back_on_its_port", "--nocapture"])
        .env("PATH", "/nonexistent")
        .env("STRONGROOM_TESTKIT", scratch.path())
        .env("STRONGROOM_SKIPS", scratch.path().join("skipped"))
        .env("CI", ci)
        .output()
        .expect("this program can be run")
}

#[test]
fn a_missing_server_is_a_recorded_skip() {
    let scratch = Scratch::new("skips");
    let output = run_without_anything(&scratch, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let skipped = fs::read_to_string(scratch.path().join("skipped")).expect("the skip was recorded");
    let expected = "SKIPPED strongroom-testkit pykmip::a_killed_server_comes_back_on_its_port: \
                    PyKMIP is not available: Python 3.8 or newer is needed";
    assert!(skipped.starts_with(expected), "{skipped}");
    assert_eq!(skipped.lines().count(), 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains(expected));
}

#[test]
fn a_missing_server_is_a_failure_in_ci() {
    let scratch = Scratch::new("skips");
    let output = run_without_anything(&scratch, "true");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("CI=true allows no skip"));
    assert!(!scratch.path().join("skipped").exists());
}

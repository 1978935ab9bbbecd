//! `testkit prepare`: installs the real servers that the tests need and prints their versions, so that no test
//! spends its time on a download. Ends with 1 in CI when one is missing.

use std::process::ExitCode;

use strongroom_testkit::{Unavailable, mariadb, pykmip, skip};

fn main() -> ExitCode {
    if std::env::args().skip(1).ne(["prepare".to_owned()]) {
        eprintln!("usage: testkit prepare");
        return ExitCode::from(2);
    }
    let servers: [Result<String, Unavailable>; 2] = [
        mariadb::installation().map(|found| format!("{} ({})", found.version, found.program.display())),
        pykmip::installation().map(|found| format!("{} ({})", found.version, found.python.display())),
    ];
    let mut missing = false;
    for server in servers {
        match server {
            Ok(version) => println!("  {version}"),
            Err(unavailable) => {
                missing = true;
                println!("  {unavailable}; tests that need it will be skipped and listed");
            }
        }
    }
    if missing && skip::in_ci() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

//! `testkit prepare`: installs the real servers that the tests need and prints their versions, so that no test
//! spends its time on a download. Ends with 1 in CI when one is missing.
//!
//! `testkit suites SERIES`: unpacks a MariaDB with its own regression tests and prints its base folder, for `./soak`.

use std::process::ExitCode;

use strongroom_testkit::{Unavailable, mariadb, mysql, pykmip, skip};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["prepare"] => prepare(),
        ["suites", series] => suites(series),
        _ => {
            eprintln!("usage: testkit prepare | testkit suites SERIES");
            ExitCode::from(2)
        }
    }
}

fn suites(series: &str) -> ExitCode {
    let Some(series) = mariadb::Series::of_number(series) else {
        eprintln!(
            "no such series: {series}; one of {}",
            mariadb::Series::ALL.map(|series| series.to_string()).join(", ")
        );
        return ExitCode::from(2);
    };
    match series.with_suites() {
        Ok(found) => {
            println!("{}", found.base.display());
            ExitCode::SUCCESS
        }
        Err(unavailable) => {
            eprintln!("{unavailable}");
            ExitCode::FAILURE
        }
    }
}

fn prepare() -> ExitCode {
    let of_each_series = mariadb::Series::ALL.map(mariadb::Series::installation);
    let mut servers: Vec<Result<String, Unavailable>> = [mariadb::installation()]
        .into_iter()
        .chain(of_each_series)
        .map(|found| found.map(|found| format!("MariaDB {} ({})", found.version, found.program.display())))
        .collect();
    // The first one is mostly of one of the series.
    servers.dedup();
    servers
        .push(mysql::installation().map(|found| format!("{} ({})", found.version, found.program.display())));
    servers
        .push(pykmip::installation().map(|found| format!("{} ({})", found.version, found.python.display())));
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

//! Tests that cannot run here: said aloud, listed by `./test`, never counted as passed in silence.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;

/// Why this machine cannot have a real server. It is not a failure of the server: one that is there but does
/// not start is an error of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// The thing that is missing, for example `PyKMIP`.
    pub what: String,
    /// What was tried, how it ended, and what would help.
    pub why: String,
}

impl Unavailable {
    /// Says that `what` is missing because of `why`.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not available: {}", self.what, self.why)
    }
}

impl std::error::Error for Unavailable {}

/// True where every required server must be present (`CI=true`).
#[must_use]
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

/// Prints the skip and, where `STRONGROOM_SKIPS` names a file, appends a line to it.
///
/// The runner hides what a passing test prints, so the file is how `./test` learns of it.
pub fn record(test: &str, why: &str) {
    let line = format!("SKIPPED {test}: {}\n", why.replace('\n', " "));
    eprint!("{line}");
    if let Some(path) = std::env::var_os("STRONGROOM_SKIPS")
        && let Err(error) = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut f| f.write_all(line.as_bytes()))
    {
        panic!("the skip could not be recorded in {}: {error}", path.display());
    }
}

/// Records that a required server is missing. Panics in CI, where nothing required may be skipped.
pub fn record_missing(test: &str, why: &dyn fmt::Display) {
    assert!(!in_ci(), "{test} needs what this machine lacks, and CI=true allows no skip: {why}");
    record(test, &why.to_string());
}

/// The running test's name, as the test runner prints it.
#[must_use]
pub fn test_name(package: &str) -> String {
    let thread = std::thread::current();
    format!("{package} {}", thread.name().unwrap_or("main"))
}

/// Skips the running test with a reason: `skip!("openssl is not installed")`.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::skip::record(&$crate::skip::test_name(env!("CARGO_PKG_NAME")), &format!($($reason)*));
        return;
    }};
}

/// The value of a `Result<_, Unavailable>`, or a loud skip of the running test (a failure in CI).
#[macro_export]
macro_rules! need {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(unavailable) => {
                let unavailable: $crate::Unavailable = unavailable;
                $crate::skip::record_missing(&$crate::skip::test_name(env!("CARGO_PKG_NAME")), &unavailable);
                return;
            }
        }
    };
}

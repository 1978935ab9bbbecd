//! No panic leaves a plugin.
//!
//! Unwinding out of an `extern "C"` function aborts the process, and the process is somebody's database. Every
//! function that a server can call does its work inside [`guard`], and answers with its interface's value for failure
//! if the work panics. The panic's message still reaches standard error, which servers send to their error log.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; if it panics, the result is `failure`.
///
/// The state that `work` touched must be usable after it was left half-way: snapshots that are swapped whole, or locks
/// whose poison is ignored on purpose.
pub fn guard<T>(failure: T, work: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => value,
        Err(payload) => {
            // Dropping what was thrown runs foreign code once more, which may panic again.
            if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                // Whatever a payload's destructor throws is not worth a third attempt.
                Box::leak(second);
            }
            failure
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_value_for_failure() {
        assert_eq!(guard(-1, || 7), 7);
        assert_eq!(guard(-1, || panic!("on purpose")), -1);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained() {
        struct Grenade;
        impl Drop for Grenade {
            fn drop(&mut self) {
                panic!("on purpose, in a destructor");
            }
        }
        assert_eq!(guard(-1, || std::panic::panic_any(Grenade)), -1);
    }
}

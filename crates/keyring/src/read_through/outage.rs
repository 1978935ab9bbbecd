//! A back end that lets callers wait in vain is left alone for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;

/// A failure that came faster than this costs nobody much, and is no reason not to ask again.
const NOTICEABLE: Duration = Duration::from_secs(1);

/// How long a back end is left alone at most. Whoever mends it will try at once.
const LEFT_ALONE_MAX: Duration = Duration::from_secs(10);

/// Until when the back end is left alone. Time is an argument.
#[derive(Debug, Default)]
pub(super) struct Outage {
    until: Mutex<Option<Instant>>,
}

impl Outage {
    /// Whether the back end may be asked at `now`.
    pub(super) fn check(&self, now: Instant) -> Result<(), Error> {
        match *self.until() {
            Some(until) if now < until => Err(Error::StillAway { left: until - now }),
            _ => Ok(()),
        }
    }

    /// Learns what became of a call. One that found no server after a noticeable time begins an outage as long as it took; every
    /// answer ends it.
    pub(super) fn learn(&self, error: Option<&Error>, began: Instant, ended: Instant) {
        let took = ended.saturating_duration_since(began);
        match error {
            Some(Error::BackEnd(
                strongroom_client::Error::NoServer { .. } | strongroom_client::Error::OutcomeUnknown { .. },
            )) => {
                if took >= NOTICEABLE {
                    *self.until() = Some(ended + took.min(LEFT_ALONE_MAX));
                }
            }
            None | Some(Error::BackEnd(strongroom_client::Error::Refused { .. }) | Error::Exists { .. }) => {
                self.end();
            }
            Some(_) => {}
        }
    }

    /// The back end may be asked again.
    pub(super) fn end(&self) {
        *self.until() = None;
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Error {
        Error::BackEnd(strongroom_client::Error::NoServer { failures: vec![] })
    }

    #[test]
    fn a_long_wait_in_vain_is_not_repeated_at_once_and_a_short_one_is() {
        let (outage, start) = (Outage::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        outage.learn(Some(&away()), start, start + Duration::from_millis(900));
        assert!(outage.check(after(1)).is_ok());

        outage.learn(Some(&away()), start, after(4));
        assert!(matches!(outage.check(after(5)), Err(Error::StillAway { left }) if left.as_secs() == 3));
        assert!(outage.check(after(8)).is_ok());

        outage.learn(Some(&away()), start, after(60));
        assert!(outage.check(after(69)).is_err());
        assert!(outage.check(after(70)).is_ok(), "no longer than ten seconds");

        outage.learn(Some(&away()), start, after(60));
        outage.learn(Some(&Error::Random), start, after(61));
        assert!(outage.check(after(62)).is_err(), "that says nothing about the back end");
        outage.learn(None, start, after(62));
        assert!(outage.check(after(62)).is_ok(), "an answer ends it");
    }
}

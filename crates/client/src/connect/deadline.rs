//! The moment at which a call ends, whatever the peer does.

use std::io;
use std::time::{Duration, Instant};

/// The moment at which a call ends, and how long it was given.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Deadline {
    /// `allowed` from now.
    #[must_use]
    pub fn after(allowed: Duration) -> Self {
        // A duration that no clock can count to is as good as a day.
        let now = Instant::now();
        let at = now.checked_add(allowed).unwrap_or_else(|| now + Duration::from_secs(86_400));
        Self { at, allowed }
    }

    /// `allowed` from now, but no later than this deadline.
    #[must_use]
    pub fn within(self, allowed: Duration) -> Self {
        Self::after(allowed.min(self.left()))
    }

    /// The time that is left; zero once it is over.
    #[must_use]
    pub fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// How long the call was given.
    #[must_use]
    pub fn allowed(self) -> Duration {
        self.allowed
    }

    /// The time that is left for one system call: at least a millisecond, because zero means "for ever" to a socket.
    pub(super) fn for_system_call(self) -> io::Result<Duration> {
        let left = self.left();
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(left.max(Duration::from_millis(1)))
    }
}

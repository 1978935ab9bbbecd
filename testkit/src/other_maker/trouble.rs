//! Requests that go wrong on the way, by their number.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before the vault sees the request.
    Cut,
    /// The vault does what is asked, and the connection ends instead of an answer.
    AnswerLost,
    /// The request is refused with General Failure.
    Refused,
    /// The answer is not KMIP.
    Garbage,
    /// Nothing happens and nothing is answered until the trouble is over; then the connection ends.
    Hang,
    /// The request is answered as usual, and not before the trouble is over.
    Slow,
}

/// A fault and the requests it happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// What happens.
    pub fault: Fault,
    /// The first request it happens to; 0 is the next one.
    pub from: u32,
    /// How many requests it happens to.
    pub count: u32,
}

impl Trouble {
    /// From the next request on.
    #[must_use]
    pub fn always(fault: Fault) -> Self {
        Self::from(fault, 0)
    }

    /// From the `from`-th request on, counted from 0.
    #[must_use]
    pub fn from(fault: Fault, from: u32) -> Self {
        Self { fault, from, count: u32::MAX }
    }

    /// The `at`-th request alone, counted from 0.
    #[must_use]
    pub fn once(fault: Fault, at: u32) -> Self {
        Self { fault, from: at, count: 1 }
    }
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    requests: u32,
    hanging: u32,
}

/// The requests that came, and what happens to those that come.
#[derive(Debug, Default)]
pub(super) struct Counter {
    state: Mutex<State>,
    changed: Condvar,
}

impl Counter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts from 0 again, with this trouble or none; what hangs goes on.
    pub(super) fn set(&self, trouble: Option<Trouble>) {
        *self.state() = State { trouble, ..State::default() };
        self.changed.notify_all();
    }

    /// The requests since the last [`Counter::set`].
    pub(super) fn requests(&self) -> u32 {
        self.state().requests
    }

    /// Whether a request hangs at this moment.
    pub(super) fn hangs(&self) -> bool {
        self.state().hanging > 0
    }

    /// Counts one request and says what happens to it. One that hangs returns when the trouble is over.
    pub(super) fn next(&self) -> Option<Fault> {
        let mut state = self.state();
        let number = state.requests;
        state.requests += 1;
        let trouble = state.trouble?;
        if number.checked_sub(trouble.from).is_none_or(|after| after >= trouble.count) {
            return None;
        }
        if matches!(trouble.fault, Fault::Hang | Fault::Slow) {
            state.hanging += 1;
            // `set` makes a new state, in which nothing hangs.
            while state.trouble == Some(trouble) {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        Some(trouble.fault)
    }
}

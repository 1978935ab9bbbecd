//! Questions that are on their way to the source, and what the last ones came to.
//!
//! A source may take as long as its deadline allows, so nobody holds a lock while it is asked. A question is marked as under way instead:
//! whoever has the same one waits for that answer, for a limited time; other questions go their own way; and what is served is served
//! without a look in here.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::absent::{Absent, Question};
use super::service::{ReloadError, Reloaded};

/// How many single questions are under way at most. Each may be a connection to the key server.
const LOOKUPS_MAX: usize = 4;

/// What a reload came to, for everybody who waited for it.
pub(super) type Outcome = Result<Arc<Reloaded>, ReloadError>;

/// The book of what is under way.
#[derive(Debug, Default)]
pub(super) struct Flights {
    /// Held for a moment only, never while a source is asked.
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    absent: Absent,
    lookups: Vec<Question>,
    is_reloading: bool,
    /// How many reloads have begun.
    begun: u64,
    /// The last reload that came to something, counted as in `begun`.
    last: Option<(u64, Outcome)>,
    #[cfg(test)]
    waiting: usize,
}

/// What becomes of a wish to look for one key or version.
pub(super) enum Lookup<'a> {
    /// The source is to be asked, by the caller and by nobody else.
    Mine(Looking<'a>),
    /// The answer is known by now: it is served, or it is no.
    Known,
    /// Too many unknown keys and versions were asked for, so this one is not.
    Refused,
    /// Others were asking for all of the time.
    TimedOut,
}

/// What becomes of a wish to load every key again.
pub(super) enum Reload<'a> {
    /// The source is to be asked, by the caller and by nobody else.
    Mine(Reloading<'a>),
    /// Somebody else's question, which began after the wish, came to this.
    Shared(Outcome),
    /// Others were asking for all of the time.
    TimedOut,
}

/// The mark of a look-up under way; it ends with this, were it by a panic.
pub(super) struct Looking<'a> {
    flights: &'a Flights,
    question: Question,
}

/// The mark of a reload under way; it ends with this, were it by a panic.
pub(super) struct Reloading<'a> {
    flights: &'a Flights,
    number: u64,
}

impl Flights {
    /// Begins to look for something, unless that is under way: then this waits for the answer, at most for the `patience`.
    pub(super) fn look(
        &self,
        question: Question,
        patience: Duration,
        is_served: impl Fn() -> bool,
    ) -> Lookup<'_> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if is_served() || state.absent.is_known(question, now) {
                return Lookup::Known;
            }
            if state.lookups.len() < LOOKUPS_MAX && !state.lookups.contains(&question) {
                if !state.absent.may_ask(question, now) {
                    return Lookup::Refused;
                }
                state.lookups.push(question);
                return Lookup::Mine(Looking { flights: self, question });
            }
            match self.wait(state, deadline) {
                Some(woken) => state = woken,
                None => return Lookup::TimedOut,
            }
        }
    }

    /// Begins to load every key, unless that is under way. Such an answer may be older than the wish, so this waits for its end and
    /// begins then, or shares what another one came to that has begun by then; at most for the `patience`.
    pub(super) fn reload(&self, patience: Duration) -> Reload<'_> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        let wanted = state.begun + 1;
        loop {
            if let Some((number, outcome)) = &state.last
                && *number >= wanted
            {
                return Reload::Shared(outcome.clone());
            }
            if !state.is_reloading {
                state.is_reloading = true;
                state.begun += 1;
                return Reload::Mine(Reloading { flights: self, number: state.begun });
            }
            match self.wait(state, deadline) {
                Some(woken) => state = woken,
                None => return Reload::TimedOut,
            }
        }
    }

    /// Waits until something ends; `None` when the time is up.
    fn wait<'a>(&self, state: MutexGuard<'a, State>, deadline: Instant) -> Option<MutexGuard<'a, State>> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        #[cfg(test)]
        let state = Self::counted(state, 1);
        let state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        #[cfg(test)]
        let state = Self::counted(state, -1);
        Some(state)
    }

    #[cfg(test)]
    fn counted(mut state: MutexGuard<'_, State>, change: isize) -> MutexGuard<'_, State> {
        state.waiting = state.waiting.wrapping_add_signed(change);
        state
    }

    /// How many threads wait for what others ask.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting
    }

    /// Keeps the book closed.
    #[cfg(test)]
    pub(super) fn hold(&self) -> impl Drop + '_ {
        self.lock()
    }

    /// A lock that a panic has left open is still good: the contents are valid at every step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Looking<'_> {
    /// The source says that there is no such key or version, or gives one that cannot be used.
    pub(super) fn not_there(&self) {
        self.flights.lock().absent.not_there(self.question, Instant::now());
    }

    /// The source could not be asked.
    pub(super) fn unreachable(&self) {
        self.flights.lock().absent.unreachable(Instant::now());
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.flights.lock().lookups.retain(|question| *question != self.question);
        self.flights.ended.notify_all();
    }
}

impl Reloading<'_> {
    /// What was said to be absent may be there now.
    pub(super) fn forget_absent(&self) {
        self.flights.lock().absent.forget();
    }

    /// Tells everybody who waits what it came to.
    pub(super) fn end(self, outcome: Outcome) -> Outcome {
        self.flights.lock().last = Some((self.number, outcome.clone()));
        outcome
    }
}

impl Drop for Reloading<'_> {
    fn drop(&mut self) {
        self.flights.lock().is_reloading = false;
        self.flights.ended.notify_all();
    }
}

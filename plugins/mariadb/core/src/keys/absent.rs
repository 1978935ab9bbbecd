//! What was looked for and not found a moment ago.
//!
//! The server asks several times in a row for a key that does not exist, under its own locks. Only the first question
//! goes over the network.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use strongroom_keyring::versions::{KeyId, KeyVersion};

/// How long "there is no such key" is believed. Short, because an administrator who has just made the key will try
/// again at once.
const ABSENT: Duration = Duration::from_secs(1);

/// How long nobody is asked after nobody could be reached. Longer, because each attempt keeps a statement waiting
/// until its time is up.
const UNREACHABLE: Duration = Duration::from_secs(10);

/// Entries that are kept at most; a client can ask for any number of key ids.
const ENTRIES_MAX: usize = 1024;

/// One question: any version of a key, or one of them.
pub type Question = (KeyId, Option<KeyVersion>);

/// The memory of fruitless questions. Time is an argument.
#[derive(Debug, Default)]
pub struct Absent {
    until: HashMap<Question, Instant>,
    unreachable_until: Option<Instant>,
}

impl Absent {
    /// Whether the answer at `now` is no without asking.
    #[must_use]
    pub fn is_known(&self, question: Question, now: Instant) -> bool {
        self.unreachable_until.is_some_and(|until| now < until)
            || self.until.get(&question).is_some_and(|&until| now < until)
    }

    /// The key server says that there is no such key.
    pub fn not_there(&mut self, question: Question, now: Instant) {
        self.unreachable_until = None;
        self.until.retain(|_, &mut until| now < until);
        if self.until.len() < ENTRIES_MAX {
            self.until.insert(question, now + ABSENT);
        }
    }

    /// The key server could not be asked, or gave an answer that cannot be used.
    pub fn unreachable(&mut self, now: Instant) {
        self.unreachable_until = Some(now + UNREACHABLE);
    }

    /// Everything may be asked again.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVEN: Question = (KeyId(7), None);

    #[test]
    fn an_absent_key_is_asked_for_again_after_a_second() {
        let (mut absent, start) = (Absent::default(), Instant::now());
        assert!(!absent.is_known(SEVEN, start));
        absent.not_there(SEVEN, start);
        assert!(absent.is_known(SEVEN, start + ABSENT / 2));
        assert!(!absent.is_known(SEVEN, start + ABSENT));
        assert!(!absent.is_known((KeyId(8), None), start), "other keys are other questions");
        assert!(!absent.is_known((KeyId(7), KeyVersion::new(1)), start));
    }

    #[test]
    fn while_nobody_can_be_reached_no_question_waits_for_the_network() {
        let (mut absent, start) = (Absent::default(), Instant::now());
        absent.unreachable(start);
        assert!(absent.is_known(SEVEN, start + UNREACHABLE / 2));
        assert!(absent.is_known((KeyId(8), None), start + UNREACHABLE / 2));
        assert!(!absent.is_known(SEVEN, start + UNREACHABLE));
        absent.unreachable(start);
        absent.forget();
        assert!(!absent.is_known(SEVEN, start));
    }

    #[test]
    fn the_memory_does_not_grow_without_end() {
        let (mut absent, start) = (Absent::default(), Instant::now());
        for id in 0..10 * ENTRIES_MAX {
            absent.not_there((KeyId(id as u32), None), start);
        }
        assert_eq!(absent.until.len(), ENTRIES_MAX);
        absent.not_there(SEVEN, start + ABSENT);
        assert_eq!(absent.until.len(), 1, "what is over is dropped");
    }
}

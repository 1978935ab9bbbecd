//! What was looked for and not found a moment ago.
//!
//! The server asks several times in a row for a key that does not exist, under its own locks. Only the first question
//! goes over the network. And whoever asks for many that do not exist, as a damaged page with garbage for a version does, or a user
//! with one statement after the other, gets only so many of them through to the key server.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use strongroom_key_versions::versions::{KeyId, KeyVersion};

/// How long "there is no such key" is believed. Short, because an administrator who has just made the key will try
/// again at once.
const ABSENT: Duration = Duration::from_secs(1);

/// How long nobody is asked after nobody could be reached. Longer, because each attempt keeps a statement waiting
/// until its time is up.
const UNREACHABLE: Duration = Duration::from_secs(10);

/// Entries that are kept at most; a client can ask for any number of key ids.
const ENTRIES_MAX: usize = 1024;

/// How many questions may follow each other at once.
const ALLOWANCE: u32 = 32;

/// How long it takes until one more may be asked.
const REFILL: Duration = Duration::from_millis(250);

/// One question: any version of a key, or one of them.
pub type Question = (KeyId, Option<KeyVersion>);

/// The memory of fruitless questions. Time is an argument.
#[derive(Debug, Default)]
pub struct Absent {
    until: HashMap<Question, Instant>,
    unreachable_until: Option<Instant>,
    keys: Allowance,
    versions: Allowance,
}

/// How many questions of one kind may still be asked.
#[derive(Debug, Default)]
struct Allowance {
    /// Those that were asked lately.
    used: u32,
    /// When the first of them counts no more.
    next_refill: Option<Instant>,
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        while let Some(at) = self.next_refill.filter(|&at| at <= now) {
            self.used -= 1;
            self.next_refill = (self.used > 0).then_some(at + REFILL);
        }
        if self.used == ALLOWANCE {
            return false;
        }
        self.used += 1;
        self.next_refill.get_or_insert(now + REFILL);
        true
    }
}

impl Absent {
    /// Whether the answer at `now` is no without asking.
    #[must_use]
    pub fn is_known(&self, question: Question, now: Instant) -> bool {
        self.unreachable_until.is_some_and(|until| now < until)
            || self.until.get(&question).is_some_and(|&until| now < until)
    }

    /// Whether the key server may be bothered with the question at `now`, which counts as asked then. Keys and versions are counted
    /// apart, so that damaged pages keep nobody from making a table.
    pub fn may_ask(&mut self, question: Question, now: Instant) -> bool {
        let allowance = if question.1.is_some() { &mut self.versions } else { &mut self.keys };
        allowance.take(now)
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

    /// Nothing is known any more. The allowances stay as they are.
    pub fn forget(&mut self) {
        self.until.clear();
        self.unreachable_until = None;
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
    fn garbage_does_not_hammer_the_key_server() {
        let (mut absent, start) = (Absent::default(), Instant::now());
        let version = |number| (KeyId(1), KeyVersion::new(number));
        let asked = |absent: &mut Absent, at: Instant, count: u32| {
            (1..=count).filter(|&number| absent.may_ask(version(number), at)).count()
        };
        assert_eq!(asked(&mut absent, start, 1000), 32);
        assert!(absent.may_ask(SEVEN, start), "keys are another matter");
        absent.forget();
        assert_eq!(asked(&mut absent, start, 1000), 0);
        assert_eq!(asked(&mut absent, start + 3 * REFILL, 1000), 3);
        assert_eq!(asked(&mut absent, start + 1000 * REFILL, 1000), 32);
        assert_eq!(asked(&mut absent, start + 1000 * REFILL, 1000), 0);
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

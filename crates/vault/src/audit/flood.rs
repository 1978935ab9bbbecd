//! What strangers may add to the journal.
//!
//! Anybody who reaches a port can be refused as often as they like. Each refusal is worth an entry, but whoever can cause
//! entries could fill the disk with them, and a vault that cannot write its journal serves nobody. So only the first
//! few of a minute get entries of their own, and one entry counts the rest.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Actor, AuditError, Event, Journal};

/// Bounds the entries of one kind.
#[derive(Debug)]
pub struct FloodGate {
    operation: &'static str,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    listed: u32,
    left_out: u64,
}

impl FloodGate {
    /// Entries of their own in one [`Self::WINDOW`].
    pub const LISTED_MAX: u32 = 10;
    /// How long an entry counts; it is also how late the entry for the rest may come.
    pub const WINDOW: Duration = Duration::from_secs(60);

    /// A gate for entries of this operation.
    pub fn new(operation: &'static str) -> Self {
        Self { operation, window: Mutex::default() }
    }

    /// Journals a refusal, or counts it. Says whether it has an entry of its own, and so deserves a line in the log.
    ///
    /// # Errors
    /// [`AuditError`]: neither is in the journal.
    pub fn report(&self, journal: &Journal, now: Instant, event: &Event) -> Result<bool, AuditError> {
        self.settle(journal, now, event.time)?;
        if !self.admit(now) {
            return Ok(false);
        }
        journal.record(event)?;
        Ok(true)
    }

    /// Journals how many were left out, when their minute is over.
    ///
    /// # Errors
    /// [`AuditError`]: they still count.
    pub fn settle(&self, journal: &Journal, now: Instant, time: Timestamp) -> Result<(), AuditError> {
        let left_out = {
            let mut window = self.window();
            if window.since.is_none_or(|since| now.saturating_duration_since(since) < Self::WINDOW) {
                return Ok(());
            }
            std::mem::take(&mut *window).left_out
        };
        self.summarise(journal, time, left_out)
    }

    /// Journals how many were left out so far: the vault stops.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn close(&self, journal: &Journal, time: Timestamp) -> Result<(), AuditError> {
        let left_out = std::mem::take(&mut self.window().left_out);
        self.summarise(journal, time, left_out)
    }

    fn summarise(&self, journal: &Journal, time: Timestamp, left_out: u64) -> Result<(), AuditError> {
        if left_out == 0 {
            return Ok(());
        }
        let event = Event::new(time, Actor::Unknown, self.operation)
            .detail("count", left_out.to_string())
            .failed("more like the entries before, within a minute");
        journal.record(&event).inspect_err(|_| self.window().left_out += left_out)
    }

    fn admit(&self, now: Instant) -> bool {
        let mut window = self.window();
        window.since.get_or_insert(now);
        let listed = window.listed < Self::LISTED_MAX;
        if listed {
            window.listed += 1;
        } else {
            window.left_out += 1;
        }
        listed
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        // Counters are consistent at every step.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(journal: &Journal) -> Vec<String> {
        let text = std::fs::read_to_string(journal.path()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_flood_gets_ten_entries_a_minute_and_one_that_counts_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal"), None, Timestamp::UNIX_EPOCH).unwrap();
        let gate = FloodGate::new("connect");
        let event = Event::new(Timestamp::UNIX_EPOCH, Actor::Unknown, "connect").failed("no certificate");
        let start = Instant::now();
        let listed = (0..1000).filter(|_| gate.report(&journal, start, &event).unwrap()).count();
        assert_eq!((listed, entries(&journal).len()), (10, 10));
        gate.settle(&journal, start + Duration::from_secs(59), event.time).unwrap();
        assert_eq!(entries(&journal).len(), 10, "the minute is not over");

        let later = start + FloodGate::WINDOW;
        gate.settle(&journal, later, event.time).unwrap();
        let counted = entries(&journal).pop().unwrap();
        assert!(counted.contains("\"count\":\"990\""), "{counted}");
        gate.settle(&journal, later + FloodGate::WINDOW, event.time).unwrap();
        assert_eq!(entries(&journal).len(), 11, "nothing more was left out");

        assert!(gate.report(&journal, later, &event).unwrap(), "a new minute has room again");
        assert_eq!(entries(&journal).len(), 12);
    }

    #[test]
    fn a_stop_counts_what_the_last_minute_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal"), None, Timestamp::UNIX_EPOCH).unwrap();
        let gate = FloodGate::new("enrol");
        let event = Event::new(Timestamp::UNIX_EPOCH, Actor::Unknown, "enrol").failed("token-unknown");
        let now = Instant::now();
        for _ in 0..12 {
            gate.report(&journal, now, &event).unwrap();
        }
        gate.close(&journal, event.time).unwrap();
        gate.close(&journal, event.time).unwrap();
        let entries = entries(&journal);
        assert_eq!(entries.len(), 11);
        assert!(entries[10].contains("\"count\":\"2\""), "{}", entries[10]);
    }
}

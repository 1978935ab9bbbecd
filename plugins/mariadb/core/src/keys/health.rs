//! When the key server was last reached, and what it said: for the status variables, and for an error log that is
//! worth reading.

use std::time::{Duration, Instant};

/// How often a fault that stays the same is logged again.
const REPEAT: Duration = Duration::from_secs(10 * 60);

/// Flaws that are kept at most between two answers about all keys.
const FLAWS_MAX: usize = 100;

/// What is known of the key server. Time is an argument.
#[derive(Debug)]
pub struct Health {
    last_contact: Instant,
    fault: Option<Fault>,
    flaws: Vec<String>,
    flooded: Option<Instant>,
}

#[derive(Debug)]
struct Fault {
    message: String,
    is_outage: bool,
    logged: Instant,
    since: Instant,
}

impl Health {
    /// The key server has just given all keys.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { last_contact: now, fault: None, flaws: Vec::new(), flooded: None }
    }

    /// The key server gave all keys. If it had not before: for how long.
    pub fn contact(&mut self, now: Instant) -> Option<Duration> {
        self.last_contact = now;
        self.fault.take().map(|fault| now - fault.since)
    }

    /// More was asked for than the key server is asked. Whether this is worth a line in the error log.
    pub fn is_flooded(&mut self, now: Instant) -> bool {
        let is_news = self.flooded.is_none_or(|logged| now >= logged + REPEAT);
        if is_news {
            self.flooded = Some(now);
        }
        is_news
    }

    /// What is not as it should be in the last answer, though keys are served. Those that are news.
    pub fn flaws(&mut self, flaws: Vec<String>) -> Vec<String> {
        let news = flaws.iter().filter(|flaw| !self.flaws.contains(flaw)).cloned().collect();
        self.flaws = flaws;
        news
    }

    /// A version that was asked for cannot be used. Whether that is news.
    pub fn flaw(&mut self, flaw: &str) -> bool {
        let is_news = self.flaws.len() < FLAWS_MAX && !self.flaws.iter().any(|known| known.starts_with(flaw));
        if is_news {
            self.flaws.push(flaw.to_owned());
        }
        is_news
    }

    /// The key server answered a question about one key. That ends an outage; a refusal of all its keys stands until it gives
    /// them again. If there was an outage: for how long.
    pub fn heard(&mut self, now: Instant) -> Option<Duration> {
        self.last_contact = now;
        self.fault.take_if(|fault| fault.is_outage).map(|fault| now - fault.since)
    }

    /// The key server did not answer (`is_outage`), or what it said cannot be used. Whether this is worth a line in the error
    /// log: it is new, other than before, or the last line is ten minutes old.
    pub fn fault(&mut self, message: &str, is_outage: bool, now: Instant) -> bool {
        match &mut self.fault {
            Some(fault) if fault.message == message && now < fault.logged + REPEAT => false,
            Some(fault) => {
                message.clone_into(&mut fault.message);
                fault.is_outage = is_outage;
                fault.logged = now;
                true
            }
            None => {
                self.fault = Some(Fault { message: message.to_owned(), is_outage, logged: now, since: now });
                true
            }
        }
    }

    /// What the last contact came to: `OK`, or the fault, or else the flaws.
    #[must_use]
    pub fn outcome(&self) -> String {
        match &self.fault {
            Some(fault) => fault.message.clone(),
            None if self.flaws.is_empty() => String::from("OK"),
            None => self.flaws.join("; "),
        }
    }

    /// Time since the key server last gave a usable answer.
    #[must_use]
    pub fn since_contact(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_contact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_logged_once_and_then_every_ten_minutes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut health = Health::new(start);
        assert_eq!(health.outcome(), "OK");
        assert!(health.fault("refused", true, at(60)));
        assert!(!health.fault("refused", true, at(120)));
        assert!(health.fault("timed out", true, at(180)), "another fault is news");
        assert!(!health.fault("timed out", true, at(779)));
        assert!(health.fault("timed out", true, at(780)));
        assert_eq!((health.outcome().as_str(), health.since_contact(at(790)).as_secs()), ("timed out", 790));
        assert_eq!(health.contact(at(800)), Some(Duration::from_secs(740)));
        assert_eq!(health.contact(at(860)), None, "recovery is news only once");
        assert_eq!((health.outcome().as_str(), health.since_contact(at(860)).as_secs()), ("OK", 0));
    }

    #[test]
    fn an_answer_about_one_key_ends_an_outage_and_not_a_refusal() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut health = Health::new(start);
        assert!(health.fault("away", true, at(1)));
        assert_eq!(health.heard(at(5)), Some(Duration::from_secs(4)));
        assert_eq!(health.outcome(), "OK");
        assert!(health.fault("a key is gone", false, at(10)));
        assert_eq!(health.heard(at(20)), None);
        assert_eq!((health.outcome().as_str(), health.since_contact(at(20)).as_secs()), ("a key is gone", 0));
        assert!(!health.fault("a key is gone", false, at(60)), "nothing new");
    }

    #[test]
    fn a_flaw_is_news_once_and_again_after_it_was_gone() {
        let mut health = Health::new(Instant::now());
        let flaws = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(health.flaws(flaws(&["a"])), ["a"]);
        assert_eq!(health.flaws(flaws(&["a", "b"])), ["b"]);
        assert_eq!(health.outcome(), "a; b");
        assert!(health.flaws(vec![]).is_empty());
        assert_eq!(health.outcome(), "OK");
        assert_eq!(health.flaws(flaws(&["a"])), ["a"]);
        assert!(!health.flaw("a") && health.flaw("b") && !health.flaw("b"));
        assert_eq!(health.outcome(), "a; b");
    }
}

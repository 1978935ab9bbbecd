//! The life of a managed object: its states, the events that move it between them, and the dates
//! that remember those events.
//!
//! The state is never stored. It follows from the dates and the time of asking ([`Lifecycle::state`]),
//! so an object becomes Active or Deactivated the moment its date is reached, without anybody
//! writing a record. This module knows nothing of records, messages or clocks: time is an argument.
//!
//! Source: KMIP 1.4 §3.22 (State, the ten transitions) and §§3.23-3.30 (the dates).

use std::fmt;

use strongroom_kmip::ttlv::DateTime;

/// The states of KMIP 1.4 §3.22. The discriminants are the wire values of KMIP 1.4 §9.1.3.2.18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub(crate) enum State {
    /// The object exists and must not be used for cryptography yet.
    PreActive = 1,
    /// In use.
    Active = 2,
    /// Only for processing what was protected before.
    Deactivated = 3,
    /// Suspected to be known to others.
    Compromised = 4,
    /// The material is gone, the attributes remain.
    Destroyed = 5,
    /// Destroyed, and known to have been compromised.
    DestroyedCompromised = 6,
}

impl State {
    /// The enumeration value on the wire.
    #[must_use]
    pub(crate) fn wire_value(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PreActive => "Pre-Active",
            Self::Active => "Active",
            Self::Deactivated => "Deactivated",
            Self::Compromised => "Compromised",
            Self::Destroyed => "Destroyed",
            Self::DestroyedCompromised => "Destroyed Compromised",
        })
    }
}

/// What can happen to an object after its creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// Activate, or the Activation Date is reached.
    Activate,
    /// Revoke for a reason other than compromise, or the Deactivation Date is reached.
    Deactivate,
    /// Revoke because of a key or CA compromise.
    Compromise,
    /// Destroy.
    Destroy,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Activate => "activated",
            Self::Deactivate => "deactivated",
            Self::Compromise => "marked as compromised",
            Self::Destroy => "destroyed",
        })
    }
}

/// A transition that KMIP 1.4 §3.22 does not list: "Only the transitions described are permitted".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TransitionRefused {
    /// The state the object is in.
    pub(crate) state: State,
    /// What was asked of it.
    pub(crate) event: Event,
}

impl fmt::Display for TransitionRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, event } = self;
        write!(f, "the object is {state} and cannot be {event}")?;
        match (state, event) {
            (State::Active, Event::Destroy) => f.write_str("; revoke it first"),
            (State::PreActive, Event::Deactivate) => f.write_str("; activate it first, or destroy it"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for TransitionRefused {}

/// The state after `event`, or why it may not happen. The whole table of KMIP 1.4 §3.22.
///
/// # Errors
/// [`TransitionRefused`] for every pair that the standard does not list.
pub(crate) fn transition(state: State, event: Event) -> Result<State, TransitionRefused> {
    match (state, event) {
        (State::PreActive, Event::Activate) => Ok(State::Active),
        (State::Active, Event::Deactivate) => Ok(State::Deactivated),
        (State::PreActive | State::Active | State::Deactivated, Event::Compromise) => Ok(State::Compromised),
        (State::Destroyed, Event::Compromise) => Ok(State::DestroyedCompromised),
        (State::PreActive | State::Deactivated, Event::Destroy) => Ok(State::Destroyed),
        (State::Compromised, Event::Destroy) => Ok(State::DestroyedCompromised),
        _ => Err(TransitionRefused { state, event }),
    }
}

/// The dates that the state follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifecycle {
    /// When the object was created or registered here (§3.23).
    pub(crate) initial: DateTime,
    /// When it may begin to be used (§3.24).
    pub(crate) activation: Option<DateTime>,
    /// When it stops being used (§3.27).
    pub(crate) deactivation: Option<DateTime>,
    /// When its material was removed (§3.28).
    pub(crate) destroy: Option<DateTime>,
    /// When the compromise was reported (§3.30).
    pub(crate) compromise: Option<DateTime>,
    /// When the compromise is believed to have happened (§3.29).
    pub(crate) compromise_occurrence: Option<DateTime>,
}

impl Lifecycle {
    /// The life of an object that is made now and has no other date yet.
    #[must_use]
    pub(crate) fn beginning(now: DateTime) -> Self {
        Self {
            initial: now,
            activation: None,
            deactivation: None,
            destroy: None,
            compromise: None,
            compromise_occurrence: None,
        }
    }

    /// The state at `now`.
    ///
    /// A Deactivation Date means nothing before activation: Pre-Active to Deactivated is not among
    /// the permitted transitions.
    #[must_use]
    pub(crate) fn state(&self, now: DateTime) -> State {
        let reached = |date: Option<DateTime>| date.is_some_and(|date| date <= now);
        match (self.destroy.is_some(), self.compromise.is_some()) {
            (true, true) => State::DestroyedCompromised,
            (true, false) => State::Destroyed,
            (false, true) => State::Compromised,
            (false, false) if !reached(self.activation) => State::PreActive,
            (false, false) if reached(self.deactivation) => State::Deactivated,
            (false, false) => State::Active,
        }
    }

    /// Lets `event` happen at `now`, setting the date that remembers it, and returns the state that
    /// follows. That is the state of [`transition`], except that an object activated after its own
    /// Deactivation Date is Deactivated at once.
    ///
    /// # Errors
    /// [`TransitionRefused`] when the object's state at `now` does not permit it; nothing changes then.
    pub(crate) fn apply(&mut self, event: Event, now: DateTime) -> Result<State, TransitionRefused> {
        transition(self.state(now), event)?;
        match event {
            Event::Activate => self.activation = Some(now),
            Event::Deactivate => self.deactivation = Some(now),
            Event::Compromise => self.compromise = Some(now),
            Event::Destroy => self.destroy = Some(now),
        }
        Ok(self.state(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the order of the table's columns.
    const EVENTS: [Event; 4] = [Event::Activate, Event::Deactivate, Event::Compromise, Event::Destroy];

    /// KMIP 1.4 §3.22, typed from its list: rows are states, columns are
    /// Activate, Deactivate, Compromise, Destroy.
    const TABLE: [(State, [Option<State>; 4]); 6] = [
        (State::PreActive, [Some(State::Active), None, Some(State::Compromised), Some(State::Destroyed)]),
        (State::Active, [None, Some(State::Deactivated), Some(State::Compromised), None]),
        (State::Deactivated, [None, None, Some(State::Compromised), Some(State::Destroyed)]),
        (State::Compromised, [None, None, None, Some(State::DestroyedCompromised)]),
        (State::Destroyed, [None, None, Some(State::DestroyedCompromised), None]),
        (State::DestroyedCompromised, [None; 4]),
    ];

    /// An object that is in `state` at time 1000.
    fn in_state(state: State) -> Lifecycle {
        let at = |wanted: bool| wanted.then_some(DateTime(500));
        let active = !matches!(state, State::PreActive);
        Lifecycle {
            initial: DateTime(100),
            activation: at(active),
            deactivation: at(matches!(state, State::Deactivated | State::Destroyed)),
            destroy: at(matches!(state, State::Destroyed | State::DestroyedCompromised)),
            compromise: at(matches!(state, State::Compromised | State::DestroyedCompromised)),
            compromise_occurrence: None,
        }
    }

    #[test]
    fn every_state_and_event_follows_the_standards_table() {
        for (state, row) in TABLE {
            for (event, expected) in EVENTS.into_iter().zip(row) {
                assert_eq!(transition(state, event).ok(), expected, "{state} when {event}");
            }
        }
    }

    #[test]
    fn applying_an_event_moves_the_derived_state_as_the_table_says() {
        for (state, row) in TABLE {
            for (event, expected) in EVENTS.into_iter().zip(row) {
                let mut life = in_state(state);
                assert_eq!(life.state(DateTime(1000)), state);
                let before = life;
                let result = life.apply(event, DateTime(1000));
                assert_eq!(result.ok(), expected, "{state} when {event}");
                match expected {
                    Some(next) => assert_eq!(life.state(DateTime(1000)), next),
                    None => assert_eq!(life, before, "a refused event changes nothing"),
                }
            }
        }
    }

    #[test]
    fn dates_move_the_state_without_anybody_writing() {
        let life = Lifecycle {
            activation: Some(DateTime(10)),
            deactivation: Some(DateTime(20)),
            ..Lifecycle::beginning(DateTime(0))
        };
        assert_eq!(life.state(DateTime(9)), State::PreActive);
        assert_eq!(life.state(DateTime(10)), State::Active);
        assert_eq!(life.state(DateTime(19)), State::Active);
        assert_eq!(life.state(DateTime(20)), State::Deactivated);
    }

    #[test]
    fn a_deactivation_date_without_activation_leaves_the_object_pre_active() {
        let life = Lifecycle { deactivation: Some(DateTime(5)), ..Lifecycle::beginning(DateTime(0)) };
        assert_eq!(life.state(DateTime(50)), State::PreActive);
    }

    #[test]
    fn an_object_activated_after_its_deactivation_date_is_deactivated_at_once() {
        let mut life = Lifecycle { deactivation: Some(DateTime(5)), ..Lifecycle::beginning(DateTime(0)) };
        assert_eq!(life.apply(Event::Activate, DateTime(50)), Ok(State::Deactivated));
        assert_eq!(life.activation, Some(DateTime(50)));
    }

    #[test]
    fn refusing_to_destroy_an_active_object_says_what_to_do() {
        let refused = transition(State::Active, Event::Destroy).unwrap_err();
        assert_eq!(refused.to_string(), "the object is Active and cannot be destroyed; revoke it first");
    }
}

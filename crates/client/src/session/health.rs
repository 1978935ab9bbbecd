//! How each server of the list has been doing, as far as this session has had to do with it. Servers that stand by are not asked for it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::address::ServerAddress;
use crate::error::ServerFailure;

/// How one server has been doing.
#[derive(Clone, Debug)]
pub struct ServerHealth {
    /// The server.
    pub server: ServerAddress,
    /// Whether the next call goes to it first.
    pub is_in_use: bool,
    /// When it last answered, whatever the answer.
    pub last_answer: Option<SystemTime>,
    /// The time from the last request to its answer, without that for the connection.
    pub round_trip: Option<Duration>,
    /// When it last could not be used, and why.
    pub last_failure: Option<(SystemTime, ServerFailure)>,
    /// Whether the last attempt failed.
    pub is_failing: bool,
}

/// What is remembered of the servers, in the order of the list.
#[derive(Debug)]
pub(super) struct Ledger(Mutex<Vec<Entry>>);

#[derive(Clone, Debug, Default)]
struct Entry {
    last_answer: Option<SystemTime>,
    round_trip: Option<Duration>,
    last_failure: Option<(SystemTime, ServerFailure)>,
    is_failing: bool,
}

impl Ledger {
    pub(super) fn new(servers: usize) -> Self {
        Self(Mutex::new(vec![Entry::default(); servers]))
    }

    pub(super) fn answered(&self, index: usize, round_trip: Duration) {
        self.change(index, |entry| {
            entry.last_answer = Some(SystemTime::now());
            entry.round_trip = Some(round_trip);
            entry.is_failing = false;
        });
    }

    pub(super) fn failed(&self, index: usize, failure: &ServerFailure) {
        self.change(index, |entry| {
            entry.last_failure = Some((SystemTime::now(), failure.clone()));
            entry.is_failing = true;
        });
    }

    pub(super) fn read(&self, servers: &[ServerAddress], in_use: usize) -> Vec<ServerHealth> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let describe = |(index, (entry, server)): (usize, (Entry, &ServerAddress))| ServerHealth {
            server: server.clone(),
            is_in_use: index == in_use && entry.last_answer.is_some() && !entry.is_failing,
            last_answer: entry.last_answer,
            round_trip: entry.round_trip,
            last_failure: entry.last_failure,
            is_failing: entry.is_failing,
        };
        entries.into_iter().zip(servers).enumerate().map(describe).collect()
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            change(entry);
        }
    }
}

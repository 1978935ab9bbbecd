//! One call over the list of servers.

use std::cell::Cell;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

use strongroom_kmip::message::{RequestMessage, RequestPayload};
use strongroom_kmip::types::BatchErrorContinuationOption;
use strongroom_kmip::{Failure, Operation, ProtocolVersion, ResponsePayload};

use super::Session;
use super::answer::{self, Answer};
use super::connection::{Connection, encode, receive};
use crate::address::ServerAddress;
use crate::connect::Deadline;
use crate::error::{Cause, Error, ServerFailure, Step};

/// How many connections are kept for the next call.
const MAX_IDLE: usize = 4;

thread_local! {
    /// When the calls end that this thread makes [`together`](Session::together).
    static TOGETHER: Cell<Option<Deadline>> = const { Cell::new(None) };
}

/// Whether a request may be sent a second time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing.
    Harmless,
    /// It would change something twice.
    Never,
}

/// What a server answered to each item of a request.
pub(super) struct Results {
    pub(super) server: ServerAddress,
    pub(super) items: Vec<Result<ResponsePayload, Failure>>,
}

/// What became of a request at one server.
enum Attempt {
    Answered(Results),
    /// The server could not be used, and the request had no effect that matters.
    Failed(ServerFailure),
    /// A connection from earlier turned out to be dead, and the request had no effect that matters.
    Stale,
    /// Nothing that another server could do better.
    Fatal(Error),
}

impl Session {
    /// Makes several calls on this thread within the time of one ([`Options::total`](super::Options::total)), so that a server which is slow
    /// with each of them keeps nobody waiting longer than one that is slow once. Inside another `together` the outer one's time
    /// holds.
    ///
    /// A change for which too little of that time is left is not sent: its answer might come when nobody waits any more. What has to
    /// be done after a change goes [`apart`](Self::apart).
    pub fn together<T>(&self, calls: impl FnOnce(&Self) -> T) -> T {
        self.until(Some(self.end()), calls)
    }

    /// Makes calls that have their own time, also inside a [`together`](Self::together): to take back or to finish what must not stay
    /// as it is.
    pub fn apart<T>(&self, calls: impl FnOnce(&Self) -> T) -> T {
        self.until(None, calls)
    }

    fn until<T>(&self, end: Option<Deadline>, calls: impl FnOnce(&Self) -> T) -> T {
        /// Puts back what held before, even when the calls panic.
        struct Before(Option<Deadline>);
        impl Drop for Before {
            fn drop(&mut self) {
                TOGETHER.set(self.0);
            }
        }
        let _before = Before(TOGETHER.replace(end));
        calls(self)
    }

    /// When a call that begins now ends.
    fn end(&self) -> Deadline {
        TOGETHER.get().unwrap_or_else(|| Deadline::after(self.options.total))
    }

    /// Reaches one of the servers and keeps the connection.
    pub(super) fn reach(&self) -> Result<(), Error> {
        let list = self.end();
        let mut failures = Vec::new();
        for (position, index) in self.order().enumerate() {
            match self.connection(index, self.deadline(list, position)) {
                Ok((connection, _)) => {
                    self.keep(index, connection);
                    return Ok(());
                }
                Err(failure) => {
                    self.ledger.failed(index, &failure);
                    failures.push(failure);
                }
            }
        }
        Err(Error::NoServer { failures })
    }

    /// A question without an object: nothing is absent.
    pub(super) fn ask(
        &self,
        operation: Operation,
        payload: impl Fn() -> RequestPayload,
    ) -> Result<Answer, Error> {
        self.one(operation, Repeat::Harmless, payload)
    }

    /// A question about an object; `None` when the server says that there is none.
    pub(super) fn read(
        &self,
        operation: Operation,
        payload: impl Fn() -> RequestPayload,
    ) -> Result<Option<Answer>, Error> {
        match self.one(operation, Repeat::Harmless, payload) {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Refused { failure, .. }) if answer::is_absent(&failure) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A change.
    pub(super) fn change(
        &self,
        operation: Operation,
        payload: impl Fn() -> RequestPayload,
    ) -> Result<Answer, Error> {
        if TOGETHER.get().is_some_and(|end| end.left() < self.options.least_for_a_change()) {
            let not_tried = |index: usize| ServerFailure {
                server: self.servers[index].clone(),
                step: Step::Name,
                cause: Cause::NotTried,
            };
            return Err(Error::NoServer { failures: self.order().map(not_tried).collect() });
        }
        self.one(operation, Repeat::Never, payload)
    }

    fn one(
        &self,
        operation: Operation,
        repeat: Repeat,
        payload: impl Fn() -> RequestPayload,
    ) -> Result<Answer, Error> {
        let Results { server, items } = self.call(operation, repeat, |_| vec![payload()])?;
        match items.into_iter().next() {
            Some(Ok(payload)) => Ok(Answer { server, payload }),
            Some(Err(failure)) => Err(Error::Refused { server, operation, failure }),
            None => Err(Error::Answer {
                server,
                operation,
                fault: answer::AnswerFault::Items { asked: 1, got: 0 },
            }),
        }
    }

    /// A request, whose items `payloads` makes for the version that is spoken with the server. `operation` is the one that errors name.
    pub(super) fn call(
        &self,
        operation: Operation,
        repeat: Repeat,
        payloads: impl Fn(ProtocolVersion) -> Vec<RequestPayload>,
    ) -> Result<Results, Error> {
        let list = self.end();
        let mut failures = Vec::new();
        for (position, index) in self.order().enumerate() {
            let deadline = self.deadline(list, position);
            // At most once for each idle connection, and then with a fresh one, which is never stale.
            loop {
                match self.attempt(index, deadline, operation, repeat, &payloads) {
                    Attempt::Answered(results) => return Ok(results),
                    Attempt::Failed(failure) => {
                        self.ledger.failed(index, &failure);
                        failures.push(failure);
                        break;
                    }
                    Attempt::Stale => {}
                    Attempt::Fatal(error) => return Err(error),
                }
            }
        }
        Err(Error::NoServer { failures })
    }

    fn attempt(
        &self,
        index: usize,
        deadline: Deadline,
        operation: Operation,
        repeat: Repeat,
        payloads: &impl Fn(ProtocolVersion) -> Vec<RequestPayload>,
    ) -> Attempt {
        let server = &self.servers[index];
        let (mut connection, fresh) = match self.connection(index, deadline) {
            Ok(connection) => connection,
            Err(failure) => return Attempt::Failed(failure),
        };
        let failed = |step, cause| ServerFailure { server: server.clone(), step, cause };
        let give_up = |failure: ServerFailure| match failure.cause {
            // Waiting used up this server's time, so a fresh connection has none left.
            Cause::TimedOut(_) => Attempt::Failed(failure),
            _ if fresh => Attempt::Failed(failure),
            _ => Attempt::Stale,
        };
        let request = batch(connection.version, payloads(connection.version));
        let message = match encode(&request) {
            Ok(message) => message,
            Err(fault) => return Attempt::Fatal(Error::Request { operation, fault }),
        };
        let sent = Instant::now();
        if let Err((step, cause)) = connection.stream.send(&message, deadline) {
            // The server has not got all of it, so it has done nothing.
            return give_up(failed(step, cause));
        }
        let results = receive(&mut connection.stream, &self.options.limits, deadline).and_then(|response| {
            answer::results(&request, response).map_err(|fault| (Step::Kmip, Cause::Answer(Box::new(fault))))
        });
        match results {
            Ok(items) => {
                self.keep(index, connection);
                self.ledger.answered(index, sent.elapsed());
                Attempt::Answered(Results { server: server.clone(), items })
            }
            Err((step, cause)) if repeat == Repeat::Never => {
                let failure = failed(step, cause);
                self.ledger.failed(index, &failure);
                Attempt::Fatal(Error::OutcomeUnknown { operation, failure })
            }
            Err((step, cause)) => give_up(failed(step, cause)),
        }
    }

    /// The servers as they are to be tried: the one that answered last, then the others in the order of the list.
    fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let (last_good, servers) = (self.last_good.load(Ordering::Relaxed), 0..self.servers.len());
        let others = servers.clone().filter(move |&index| index != last_good);
        servers.skip(last_good).take(1).chain(others)
    }

    fn deadline(&self, list: Deadline, position: usize) -> Deadline {
        list.within(self.options.share(list.left(), self.servers.len() - position))
    }

    /// A connection to a server, and whether it is fresh.
    fn connection(&self, index: usize, deadline: Deadline) -> Result<(Connection, bool), ServerFailure> {
        let server = &self.servers[index];
        if deadline.left().is_zero() {
            return Err(ServerFailure { server: server.clone(), step: Step::Name, cause: Cause::NotTried });
        }
        while let Some(mut connection) = self.take_idle(index) {
            if connection.stream.is_usable() {
                return Ok((connection, false));
            }
        }
        Connection::open(server, &self.tls, &self.options, deadline).map(|connection| (connection, true))
    }

    fn take_idle(&self, index: usize) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let position = idle.iter().rposition(|(of, _)| *of == index)?;
        Some(idle.remove(position).1)
    }

    /// Keeps a connection that has just answered.
    fn keep(&self, index: usize, connection: Connection) {
        self.last_good.store(index, Ordering::Relaxed);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((index, connection));
        if idle.len() > MAX_IDLE {
            // Dropped after the lock is given back.
            let oldest = idle.remove(0);
            drop(idle);
            drop(oldest);
        }
    }
}

/// A request of these items. Several items carry an id each, as the specification demands, and do not stop at the first failure.
fn batch(version: ProtocolVersion, payloads: Vec<RequestPayload>) -> RequestMessage {
    let mut request = RequestMessage {
        header: strongroom_kmip::message::RequestHeader::new(version),
        items: payloads.into_iter().map(Into::into).collect(),
    };
    if request.items.len() > 1 {
        request.header.batch_error_continuation = Some(BatchErrorContinuationOption::Continue);
        for (item, number) in request.items.iter_mut().zip(1_u32..) {
            item.batch_id = Some(number.to_be_bytes().to_vec());
        }
    }
    request
}

//! Reading many objects in few round trips.

use std::sync::atomic::Ordering;

use strongroom_kmip::attribute::{AttributeKind, Attributes};
use strongroom_kmip::message::RequestPayload;
use strongroom_kmip::{Failure, ManagedObject, Operation, ResponsePayload};

use super::answer::{Answer, AnswerFault, is_absent};
use super::call::{Repeat, Results};
use super::{Session, get_attributes_request, get_request};
use crate::error::Error;

/// How many items go into one batch.
const BATCH: usize = 32;

/// An object and some of its attributes.
#[derive(Debug)]
pub struct Fetched {
    /// The object.
    pub object: ManagedObject,
    /// Those of the attributes asked for that it has.
    pub attributes: Attributes,
}

impl Session {
    /// Get for each of `ids`, in their order; `None` for those of which the server says that they do not exist. All batches share the
    /// time of one call.
    ///
    /// # Errors
    /// [`Error`]: all are given, or none.
    pub fn get_many(&self, ids: &[String]) -> Result<Vec<Option<ManagedObject>>, Error> {
        let answers = self.read_many(Operation::Get, ids, get_request)?;
        answers.into_iter().zip(ids).map(|(answer, id)| answer?.map(|a| a.object(id)).transpose()).collect()
    }

    /// [`get_many`](Self::get_many) where one object that cannot be given is no reason to go without the others: what the server
    /// refuses of an object, and a key that is not as long as it says, stands in that object's place.
    ///
    /// # Errors
    /// [`Error`]: nobody could be asked, or what came back does not fit the question.
    pub fn get_each(&self, ids: &[String]) -> Result<Vec<Result<Option<ManagedObject>, Error>>, Error> {
        let answers = self.read_many(Operation::Get, ids, get_request)?;
        answers
            .into_iter()
            .zip(ids)
            .map(|(answer, id)| match answer.map(|answer| answer.map(|a| a.object(id)).transpose()) {
                Err(error) | Ok(Err(error)) if is_of_one_object(&error) => Ok(Err(error)),
                Err(error) | Ok(Err(error)) => Err(error),
                Ok(Ok(object)) => Ok(Ok(object)),
            })
            .collect()
    }

    /// Get Attributes for each of `ids`, in their order; `None` for those of which the server says that they do not exist. All batches
    /// share the time of one call.
    ///
    /// # Errors
    /// [`Error`]: all are given, or none.
    pub fn get_attributes_many(
        &self,
        ids: &[String],
        names: &[AttributeKind],
    ) -> Result<Vec<Option<Attributes>>, Error> {
        let answers =
            self.read_many(Operation::GetAttributes, ids, |id| get_attributes_request(id, names))?;
        answers
            .into_iter()
            .zip(ids)
            .map(|(answer, id)| answer?.map(|a| a.attributes(id)).transpose())
            .collect()
    }

    fn read_many(
        &self,
        operation: Operation,
        ids: &[String],
        request: impl Fn(&str) -> RequestPayload,
    ) -> Result<Vec<Result<Option<Answer>, Error>>, Error> {
        self.together(|session| session.read_batches(operation, ids, request))
    }

    /// One answer for each of `ids`, or why the server refuses that one.
    fn read_batches(
        &self,
        operation: Operation,
        ids: &[String],
        request: impl Fn(&str) -> RequestPayload,
    ) -> Result<Vec<Result<Option<Answer>, Error>>, Error> {
        let mut answers = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(BATCH) {
            if chunk.len() > 1 && !self.no_batches.load(Ordering::Relaxed) {
                let results =
                    self.call(operation, Repeat::Harmless, |_| chunk.iter().map(|id| request(id)).collect())?;
                if !refused_as_a_whole(&results) {
                    for item in results.items {
                        answers.push(judge(&results.server, operation, item));
                    }
                    continue;
                }
            }
            for id in chunk {
                answers.push(match self.read(operation, || request(id)) {
                    Err(error) if !is_of_one_object(&error) => return Err(error),
                    answer => answer,
                });
            }
            if chunk.len() > 1 {
                // What fails in a batch works one by one here, so that the next batch need not be tried.
                self.no_batches.store(true, Ordering::Relaxed);
            }
        }
        Ok(answers)
    }
}

fn judge(
    server: &crate::ServerAddress,
    operation: Operation,
    item: Result<ResponsePayload, Failure>,
) -> Result<Option<Answer>, Error> {
    match item {
        Ok(payload) => Ok(Some(Answer { server: server.clone(), payload })),
        Err(failure) if is_absent(&failure) => Ok(None),
        Err(failure) => Err(Error::Refused { server: server.clone(), operation, failure }),
    }
}

/// Whether the fault is one object's, so that others may be had all the same.
fn is_of_one_object(error: &Error) -> bool {
    matches!(error, Error::Refused { .. } | Error::Answer { fault: AnswerFault::KeyLength { .. }, .. })
}

/// Whether the batch itself was the trouble: nothing in it succeeded, and something other than absence is the reason; or the server
/// stopped at the first failure although it was told to go on.
fn refused_as_a_whole(results: &Results) -> bool {
    let failed = |item: &Result<_, Failure>| item.as_ref().is_err_and(|failure| !is_absent(failure));
    results.items.iter().any(failed)
        && (results.items.iter().all(Result::is_err) || results.items.last().is_some_and(failed))
}

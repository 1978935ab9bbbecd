//! Searching among the objects that an endpoint may see.

use super::access::unreadable;
use crate::barrier::{Records, Scope, Term};
use crate::objects::ManagedObject;
use crate::objects::record::StoredObject;
use crate::operations::Fault;
use crate::store::{Page, RecordId, Sequence};

/// Records opened at a time while candidates are looked at one by one.
const CHUNK: u64 = 256;

/// A search within what policy permits. Only [`super::Policy`] begins one.
pub(crate) struct Search<'a> {
    records: &'a Records,
    scope: Scope,
}

/// An object that has all terms of a search and whose other attributes are still to be looked at.
pub(crate) struct Candidate {
    /// Its Unique Identifier.
    pub(crate) id: RecordId,
    /// The object, without its key.
    pub(crate) object: ManagedObject,
}

impl<'a> Search<'a> {
    pub(super) fn new(records: &'a Records, scope: Scope) -> Self {
        Self { records, scope }
    }

    /// How many objects have all of these terms.
    ///
    /// # Errors
    /// [`Fault::Vault`].
    pub(crate) fn count(&self, terms: &[Term<'_>]) -> Result<u64, Fault> {
        Ok(self.records.count(&self.scope, terms)?)
    }

    /// The identifiers of one page of the objects that have all of these terms, newest first.
    ///
    /// # Errors
    /// [`Fault::Vault`].
    pub(crate) fn identifiers(&self, terms: &[Term<'_>], page: Page) -> Result<Vec<RecordId>, Fault> {
        let mut identifiers = Vec::new();
        let mut part = page;
        loop {
            // In parts, because records are opened to be believed, and all of a page at once could be much.
            part.limit = CHUNK.min(page.limit - identifiers.len() as u64);
            let found = self.records.find(&self.scope, terms, part)?.records;
            identifiers.extend(found.iter().map(|record| record.id));
            match found.last() {
                Some(last) if found.len() as u64 == part.limit && (identifiers.len() as u64) < page.limit => {
                    part = Page { before: Some(last.sequence), offset: 0, ..part };
                }
                _ => return Ok(identifiers),
            }
        }
    }

    /// Shows `visit` every object that has all of these terms, newest first, until it says to stop.
    ///
    /// Other tasks run between chunks: a long search must not hold up a Get.
    ///
    /// # Errors
    /// [`Fault::Vault`], [`Fault::RecordUnreadable`].
    pub(crate) async fn each(
        &self,
        terms: &[Term<'_>],
        mut visit: impl FnMut(Candidate) -> Visit + Send,
    ) -> Result<(), Fault> {
        let mut before: Option<Sequence> = None;
        loop {
            let found = self.records.find(&self.scope, terms, Page { before, ..Page::first(CHUNK) })?;
            let last = found.records.last().map(|record| record.sequence);
            let full = found.records.len() as u64 == CHUNK;
            for record in found.records {
                let id = record.id;
                let object = StoredObject::parse(record.opened)
                    .and_then(StoredObject::without_material)
                    .map_err(|error| unreadable(id, &error))?;
                if visit(Candidate { id, object }) == Visit::Stop {
                    return Ok(());
                }
            }
            match last {
                Some(_) if full => before = last,
                _ => return Ok(()),
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Whether a search goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    /// Show the next candidate.
    Next,
    /// Enough.
    Stop,
}

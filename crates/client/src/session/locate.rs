//! Locate, page by page (KMIP 1.4 §4.9).

use std::collections::HashSet;

use strongroom_kmip::attribute::Attributes;
use strongroom_kmip::operation::locate;
use strongroom_kmip::{Operation, ProtocolVersion, ResponsePayload};

use super::Session;
use super::answer::{AnswerFault, unexpected};
use super::call::Repeat;
use crate::address::ServerAddress;
use crate::error::Error;

/// How many identifiers are asked for at once.
const PAGE: u32 = 1_000;

/// How many identifiers are taken at most: more than any database has keys, and few enough for any memory.
const LOCATED_MAX: usize = 500_000;

impl Session {
    /// The unique identifiers of all objects that have all of `attributes`, each once. None is an empty list.
    ///
    /// Since 1.3 the list is asked for in pages, and servers that give no total are put up with. Before, it comes whole, as it does from
    /// a server that refuses to pass over a page or gives the same one again.
    ///
    /// All pages share the time of one call.
    ///
    /// # Errors
    /// [`Error`].
    pub fn locate(&self, attributes: &Attributes) -> Result<Vec<String>, Error> {
        self.together(|session| session.locate_pages(attributes))
    }

    fn locate_pages(&self, attributes: &Attributes) -> Result<Vec<String>, Error> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut offset: u32 = 0;
        let mut whole = false;
        loop {
            let page = match self.locate_page(attributes, offset, whole) {
                Err(Error::Refused { .. }) if offset > 0 && !whole => {
                    whole = true;
                    continue;
                }
                page => page?,
            };
            let before = found.len();
            for identifier in &page.unique_identifiers {
                if seen.insert(identifier.clone()) {
                    found.push(identifier.clone());
                }
            }
            if found.len() > LOCATED_MAX {
                let fault = AnswerFault::TooMany { limit: LOCATED_MAX };
                return Err(Error::Answer { server: page.server, operation: Operation::Locate, fault });
            }
            let given = page.unique_identifiers.len();
            let all = page.whole || given == 0 || page.total.is_some_and(|total| found.len() >= total);
            if all {
                return Ok(found);
            }
            // A page without news is the first one again, from a server that passes over nothing.
            whole = found.len() == before;
            offset = offset.saturating_add(u32::try_from(given).unwrap_or(u32::MAX));
        }
    }

    fn locate_page(&self, attributes: &Attributes, offset: u32, whole: bool) -> Result<Page, Error> {
        // The version is known only once a server is chosen.
        let paged = std::cell::Cell::new(false);
        let results = self.call(Operation::Locate, Repeat::Harmless, |version| {
            paged.set(!whole && (version >= ProtocolVersion::V1_3 || offset > 0));
            let request = locate::Request {
                maximum_items: paged.get().then_some(PAGE),
                offset_items: (paged.get() && offset > 0).then_some(offset),
                attributes: attributes.clone(),
                ..locate::Request::default()
            };
            vec![request.into()]
        })?;
        let server = results.server;
        match results.items.into_iter().next() {
            Some(Ok(ResponsePayload::Locate(response))) => Ok(Page {
                server,
                whole: !paged.get(),
                total: response.located_items.and_then(|total| usize::try_from(total).ok()),
                unique_identifiers: response.unique_identifiers,
            }),
            Some(Ok(other)) => Err(unexpected(server, Operation::Locate, &other)),
            Some(Err(failure)) => Err(Error::Refused { server, operation: Operation::Locate, failure }),
            None => Err(Error::Answer {
                server,
                operation: Operation::Locate,
                fault: AnswerFault::Items { asked: 1, got: 0 },
            }),
        }
    }
}

struct Page {
    server: ServerAddress,
    /// Whether everything was asked for at once.
    whole: bool,
    /// How many objects there are in all, where the server says so.
    total: Option<usize>,
    unique_identifiers: Vec<String>,
}

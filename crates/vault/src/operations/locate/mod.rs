//! Locate: which objects have these attributes (KMIP 1.4 §4.9, errors §11.10).
//!
//! Filters are joined by AND. Those with a search term (Name, Object Type, Object Group, Application Specific Information,
//! custom attributes) are answered by the index alone; the others are compared with each object that has all the terms.
//! A filter that cannot be understood matches nothing: a search may find too little, but never another's key.
//!
//! Newest first. Offset Items and Located Items (the total) are honoured under any version, because clients page with them
//! under a 1.0 header; nothing found is a success.

mod filter;

use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::attribute::{Attribute, AttributeKind};
use strongroom_kmip::operation::locate::{Request, Response};
use strongroom_kmip::types::{ObjectGroupMember, State as WireState, StorageStatusMask};

use super::{Context, Done, Fault, Placeholder};
use crate::barrier::Term;
use crate::objects::terms::{self, Storage};
use crate::policy::{ReadAttributes, Visit};
use crate::store::{Page, RecordId};
use filter::Filters;

/// The most identifiers in one answer. More are reached with Offset Items.
const ANSWER_ITEMS_MAX: u64 = 10_000;
/// Terms that the index is asked for at most; each is a part of one statement. Further ones are compared with what it finds.
const TERMS_MAX: usize = 16;

pub(super) async fn locate(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    let limit =
        request.maximum_items.map_or(ANSWER_ITEMS_MAX, |maximum| u64::from(maximum).min(ANSWER_ITEMS_MAX));
    let offset = u64::from(request.offset_items.unwrap_or(0));
    let wants_total = context.version >= ProtocolVersion::V1_3 || request.offset_items.is_some();
    let found = match Plan::of(&request) {
        Plan::Nothing => Found::none(),
        Plan::Search { terms, filters } => {
            search(context, &terms, &filters, offset, limit, wants_total).await?
        }
    };
    let placeholder = match found.identifiers[..] {
        // Only a single match is safe to act on; with Maximum Items 1 the client said that any will do.
        [only] if found.total == Some(1) || request.maximum_items == Some(1) => Some(only.to_string()),
        _ => None,
    };
    let response = Response {
        located_items: if wants_total {
            found.total.map(|total| u32::try_from(total).unwrap_or(u32::MAX))
        } else {
            None
        },
        unique_identifiers: found.identifiers.iter().map(RecordId::to_string).collect(),
    };
    Ok(Done { placeholder: Placeholder::Set(placeholder), ..Done::read(response, None) })
}

/// How a request is answered.
enum Plan {
    /// By nothing: it asks for what cannot be here.
    Nothing,
    /// By looking among the objects with all of these terms for those that pass the filters.
    Search { terms: Vec<Term<'static>>, filters: Filters },
}

impl Plan {
    fn of(request: &Request) -> Self {
        let Some(storage) = storage_of(request) else {
            return Self::Nothing;
        };
        let mut terms = Vec::new();
        let mut filters = Filters::default();
        for attribute in request.attributes.iter() {
            match terms::exact(attribute) {
                Some(term) if terms.contains(&term) => {}
                Some(term) if terms.len() < TERMS_MAX => terms.push(term),
                _ => filters.push(attribute.clone()),
            }
        }
        terms.extend(storage.map(terms::storage));
        // The store walks along the first term and looks up the others: the one that fewest objects have goes first.
        terms.sort_by_key(terms::commonness);
        match request.object_group_member {
            None => {}
            Some(ObjectGroupMember::GroupMemberFresh) => filters.push(Attribute::Fresh(true)),
            // A group has no default member here, and a number nobody knows has none either.
            Some(_) => return Self::Nothing,
        }
        Self::Search { terms, filters }
    }
}

/// The storage status that the index is to be asked for: `Some(None)` for both, nothing when the mask asks for neither.
///
/// Without a mask on-line objects are meant (§4.9). 1.x has no bit for destroyed ones, so a client that filters by a
/// destroyed state means those.
fn storage_of(request: &Request) -> Option<Option<Storage>> {
    let mask = request.storage_status_mask.unwrap_or_else(|| {
        let destroyed = request.attributes.all(AttributeKind::State).any(|attribute| {
            matches!(attribute, Attribute::State(WireState::Destroyed | WireState::DestroyedCompromised))
        });
        if destroyed { StorageStatusMask::DestroyedStorage } else { StorageStatusMask::OnLineStorage }
    });
    let online = mask.contains(StorageStatusMask::OnLineStorage);
    let destroyed = mask.contains(StorageStatusMask::DestroyedStorage);
    match (online, destroyed) {
        (true, true) => Some(None),
        (true, false) => Some(Some(Storage::Online)),
        (false, true) => Some(Some(Storage::Destroyed)),
        (false, false) => None,
    }
}

struct Found {
    identifiers: Vec<RecordId>,
    /// All matches; nothing when they were not counted.
    total: Option<u64>,
}

impl Found {
    fn none() -> Self {
        Self { identifiers: Vec::new(), total: Some(0) }
    }
}

async fn search(
    context: &Context<'_>,
    terms: &[Term<'_>],
    filters: &Filters,
    offset: u64,
    limit: u64,
    wants_total: bool,
) -> Result<Found, Fault> {
    let policy = context.policy;
    let now = policy.now();
    let search = policy.search();
    if filters.is_empty() {
        let identifiers = search.identifiers(terms, Page { offset, ..Page::first(limit) })?;
        // One match out of a full page of one is not known to be the only one.
        let total = if offset == 0 && (identifiers.len() as u64) < limit {
            Some(identifiers.len() as u64)
        } else if wants_total {
            Some(search.count(terms)?)
        } else {
            None
        };
        return Ok(Found { identifiers, total });
    }
    if let Some(identifier) = filters.unique_identifier() {
        // No need to search for what is named; but it must pass like any other.
        let access = match policy.access::<ReadAttributes>(identifier) {
            Ok(access) => access,
            Err(Fault::NotFound) => return Ok(Found::none()),
            Err(fault) => return Err(fault),
        };
        let id = access.id();
        let object = access.into_attributes()?;
        let has = terms::of(&object).terms;
        let passes = terms.iter().all(|term| has.contains(term)) && filters.pass(&object, id, now);
        let identifiers = if passes && offset == 0 && limit > 0 { vec![id] } else { Vec::new() };
        return Ok(Found { identifiers, total: Some(u64::from(passes)) });
    }
    let mut matched = 0;
    let mut identifiers = Vec::new();
    search
        .each(terms, |candidate| {
            if filters.pass(&candidate.object, candidate.id, now) {
                matched += 1;
                if matched > offset && (identifiers.len() as u64) < limit {
                    identifiers.push(candidate.id);
                }
            }
            // Beyond the page only the total is of interest, and one more match to know whether a single one is alone.
            if !wants_total && matched > offset.saturating_add(limit) { Visit::Stop } else { Visit::Next }
        })
        .await?;
    Ok(Found { identifiers, total: Some(matched) })
}

//! Comparing an object with the filters that no search term answers (KMIP 1.4 §4.9).

use strongroom_kmip::attribute::{Attribute, AttributeKind};
use strongroom_kmip::ttlv::DateTime;

use crate::objects::{ManagedObject, is_kept_apart};
use crate::store::RecordId;

/// A date with its largest value asks for objects that do not have it.
const UNDEFINED: DateTime = DateTime(i64::MAX);

/// Filters that must all pass.
#[derive(Default)]
pub(super) struct Filters(Vec<Attribute>);

impl Filters {
    pub(super) fn push(&mut self, attribute: Attribute) {
        self.0.push(attribute);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one object that can pass, where a filter names it.
    pub(super) fn unique_identifier(&self) -> Option<&str> {
        self.0.iter().find_map(|filter| match filter {
            Attribute::UniqueIdentifier(identifier) => Some(identifier.as_str()),
            _ => None,
        })
    }

    /// Whether an object passes all of them.
    pub(super) fn pass(&self, object: &ManagedObject, id: RecordId, now: DateTime) -> bool {
        self.0.iter().all(|filter| match date(filter) {
            Some((kind, wanted)) => self.pass_date(kind, wanted, object, id, now),
            None => pass_one(filter, object, id, now),
        })
    }

    /// One date must be equal; two of the same kind are the ends of a range; more make no sense and match nothing.
    fn pass_date(
        &self,
        kind: AttributeKind,
        wanted: DateTime,
        object: &ManagedObject,
        id: RecordId,
        now: DateTime,
    ) -> bool {
        let has = match is_kept_apart(kind) {
            true => object.kept_apart(kind, id, now),
            false => object.attributes.get(kind).cloned(),
        };
        let has = has.as_ref().and_then(date).map(|(_, date)| date);
        let mut ends =
            self.0.iter().filter_map(date).filter(|(other, _)| *other == kind).map(|(_, date)| date);
        match (ends.next(), ends.next(), ends.next()) {
            (Some(UNDEFINED), None, None) => has.is_none(),
            (Some(_), None, None) => has == Some(wanted),
            (Some(a), Some(b), None) => has.is_some_and(|date| (a.min(b)..=a.max(b)).contains(&date)),
            _ => false,
        }
    }
}

fn pass_one(filter: &Attribute, object: &ManagedObject, id: RecordId, now: DateTime) -> bool {
    match filter {
        // All bits asked for; the object may have more.
        Attribute::CryptographicUsageMask(mask) => object.attributes.usage_mask().is_some_and(|has| has.contains(*mask)),
        Attribute::UsageLimits(wanted) => object.attributes.iter().any(|attribute| {
            matches!(attribute, Attribute::UsageLimits(has)
                if has.unit == wanted.unit && has.total >= wanted.total && has.count >= wanted.count)
        }),
        // A structure may be given in part.
        Attribute::ApplicationSpecificInformation(wanted) if wanted.data.is_none() => {
            object.attributes.iter().any(|attribute| {
                matches!(attribute, Attribute::ApplicationSpecificInformation(has) if has.namespace == wanted.namespace)
            })
        }
        other => match other.kind() {
            Some(kind) if is_kept_apart(kind) => object.kept_apart(kind, id, now).as_ref() == Some(other),
            _ => object.attributes.iter().any(|has| has == other),
        },
    }
}

fn date(attribute: &Attribute) -> Option<(AttributeKind, DateTime)> {
    match attribute {
        Attribute::InitialDate(date)
        | Attribute::ActivationDate(date)
        | Attribute::ProcessStartDate(date)
        | Attribute::ProtectStopDate(date)
        | Attribute::DeactivationDate(date)
        | Attribute::DestroyDate(date)
        | Attribute::CompromiseOccurrenceDate(date)
        | Attribute::CompromiseDate(date)
        | Attribute::ArchiveDate(date)
        | Attribute::LastChangeDate(date)
        | Attribute::OriginalCreationDate(date) => attribute.kind().map(|kind| (kind, *date)),
        _ => None,
    }
}

//! Managed objects as the vault keeps them: what they are, their dates, their attributes and their key.
//!
//! [`lifecycle`] says how an object lives; [`record`] how it becomes the bytes that the barrier seals; [`terms`] under which
//! keyed hashes it can be found. Nothing here knows who asks, what was asked or where records are kept.

pub(crate) mod lifecycle;
pub(crate) mod record;
pub(crate) mod terms;

use strongroom_kmip::attribute::{Attribute, AttributeInstance, AttributeKind, Attributes};
use strongroom_kmip::object::ManagedObject as KmipObject;
use strongroom_kmip::ttlv::DateTime;
use strongroom_kmip::types::{ObjectType, State as WireState};

pub(crate) use lifecycle::{Event, Lifecycle, State, TransitionRefused};

use crate::store::RecordId;

/// A managed object, opened.
#[derive(Debug)]
pub(crate) struct ManagedObject {
    /// What it is.
    pub(crate) object_type: ObjectType,
    /// The dates its state follows from.
    pub(crate) life: Lifecycle,
    /// When anything about it last changed (KMIP 1.4 §3.38).
    pub(crate) last_change: DateTime,
    /// Whether it was never handed out (KMIP 1.4 §3.34).
    pub(crate) fresh: bool,
    /// Its other attributes, each with its index: everything but what the fields above and the record's address say.
    pub(crate) attributes: Attributes,
    /// The key, secret or opaque data, in the form in which it was made or registered; nothing once destroyed, and nothing
    /// where permission to see it was not asked for.
    pub(crate) material: Option<KmipObject>,
}

/// Attributes that [`ManagedObject`] keeps in fields of their own or that follow from those: never in its list.
pub(crate) fn is_kept_apart(kind: AttributeKind) -> bool {
    matches!(
        kind,
        AttributeKind::UniqueIdentifier
            | AttributeKind::ObjectType
            | AttributeKind::State
            | AttributeKind::InitialDate
            | AttributeKind::ActivationDate
            | AttributeKind::DeactivationDate
            | AttributeKind::DestroyDate
            | AttributeKind::CompromiseDate
            | AttributeKind::CompromiseOccurrenceDate
            | AttributeKind::LastChangeDate
            | AttributeKind::Fresh
    )
}

impl ManagedObject {
    /// The state at `now`.
    pub(crate) fn state(&self, now: DateTime) -> State {
        self.life.state(now)
    }

    /// One attribute that is kept apart from the list; nothing when the object does not have it.
    pub(crate) fn kept_apart(&self, kind: AttributeKind, id: RecordId, now: DateTime) -> Option<Attribute> {
        let life = &self.life;
        match kind {
            AttributeKind::UniqueIdentifier => Some(Attribute::UniqueIdentifier(id.to_string())),
            AttributeKind::ObjectType => Some(Attribute::ObjectType(self.object_type)),
            AttributeKind::State => Some(Attribute::State(WireState(self.state(now).wire_value()))),
            AttributeKind::InitialDate => Some(Attribute::InitialDate(life.initial)),
            AttributeKind::ActivationDate => life.activation.map(Attribute::ActivationDate),
            AttributeKind::DeactivationDate => life.deactivation.map(Attribute::DeactivationDate),
            AttributeKind::DestroyDate => life.destroy.map(Attribute::DestroyDate),
            AttributeKind::CompromiseDate => life.compromise.map(Attribute::CompromiseDate),
            AttributeKind::CompromiseOccurrenceDate => {
                life.compromise_occurrence.map(Attribute::CompromiseOccurrenceDate)
            }
            AttributeKind::LastChangeDate => Some(Attribute::LastChangeDate(self.last_change)),
            AttributeKind::Fresh => Some(Attribute::Fresh(self.fresh)),
            _ => None,
        }
    }

    /// Every attribute the object has, standard ones first and in the standard's order.
    pub(crate) fn all_attributes(&self, id: RecordId, now: DateTime) -> Attributes {
        let mut all = Attributes::new();
        for &kind in AttributeKind::ALL {
            if is_kept_apart(kind) {
                all.extend(self.kept_apart(kind, id, now));
            } else {
                for instance in self.attributes.instances().filter(|one| one.attribute.kind() == Some(kind)) {
                    all.push_instance(instance.clone());
                }
            }
        }
        for instance in self.attributes.instances().filter(|one| one.attribute.kind().is_none()) {
            all.push_instance(instance.clone());
        }
        all
    }

    /// Adds an instance of an attribute under the lowest index that was not used after the highest one in use, and returns
    /// it. The first has index 0, which is left out on the wire.
    pub(crate) fn add_instance(&mut self, attribute: Attribute) -> AttributeInstance {
        let name = attribute.name();
        let highest = self
            .attributes
            .instances()
            .filter(|one| one.attribute.name() == name)
            .map(|one| one.index.unwrap_or(0))
            .max();
        let index = highest.map(|index| index + 1);
        let instance = AttributeInstance { index, attribute };
        self.attributes.push_instance(instance.clone());
        instance
    }
}

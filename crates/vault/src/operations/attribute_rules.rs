//! What a client may do with each attribute: at creation, and by Add, Modify and Delete Attribute.
//!
//! The general rights come from the attribute table of `strongroom-kmip`; here are the rules that depend on the object and
//! the time (KMIP 1.4 §3, the rules table of each attribute).

use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::attribute::{
    Attribute, AttributeInstance, AttributeKind, AttributeName, Attributes, ClientRights, TemplateAttribute,
};
use strongroom_kmip::ttlv::DateTime;
use strongroom_kmip::types::ObjectType;

use super::Fault;
use crate::objects::{Lifecycle, ManagedObject, State, is_kept_apart};
use crate::policy::{Policy, ReadAttributes};

/// How many instances of one attribute an object may have.
const INSTANCES_MAX: usize = 256;
/// How many attributes an object may have in all. Each is compared with the others, and many are search terms.
const ATTRIBUTES_MAX: usize = 1024;

/// Makes an object of what the client says about it; its key is put in by the caller.
///
/// # Errors
/// [`Fault::TemplateUnknown`]; [`Fault::AttributeInvalid`] and the other attribute faults; [`Fault::NotFound`] for a Link to
/// an object that this endpoint does not know.
pub(super) fn new_object(
    policy: &Policy<'_>,
    object_type: ObjectType,
    template: TemplateAttribute,
) -> Result<ManagedObject, Fault> {
    let now = policy.now();
    if !template.names.is_empty() {
        return Err(Fault::TemplateUnknown);
    }
    let mut object = ManagedObject {
        object_type,
        life: Lifecycle::beginning(now),
        last_change: now,
        fresh: true,
        attributes: Attributes::new(),
        material: None,
    };
    // Some clients send Attribute Index 0 with every attribute; the order decides here.
    for AttributeInstance { attribute, .. } in template.attributes {
        check_value(policy, &attribute)?;
        match attribute {
            Attribute::ObjectType(named) if named == object_type => {}
            Attribute::Fresh(fresh) => object.fresh = fresh,
            other => {
                if let Some(kind) = other.kind()
                    && kind.client_rights() == ClientRights::Read
                {
                    return Err(Fault::AttributeInvalid {
                        attribute: kind.into(),
                        problem: "only the server sets it; leave it out",
                    });
                }
                add(&mut object, other)?;
            }
        }
    }
    check_dates(&object)?;
    Ok(object)
}

/// Adds one attribute or instance.
///
/// # Errors
/// [`Fault::AttributeExists`], [`Fault::TooManyInstances`], [`Fault::AttributeInvalid`].
pub(super) fn add(object: &mut ManagedObject, attribute: Attribute) -> Result<AttributeInstance, Fault> {
    let name = attribute.name();
    if let Some(date) = date_of(&mut object.life, &attribute) {
        if date.is_some() {
            return Err(Fault::AttributeExists(name));
        }
        *date = date_value(&attribute);
        return Ok(attribute.into());
    }
    if object.attributes.len() >= ATTRIBUTES_MAX {
        return Err(Fault::TooManyInstances(name));
    }
    let count = object.attributes.named(&name).count();
    let multiple = match attribute.kind() {
        Some(kind) => kind.is_multiple(),
        // A custom attribute has as many instances as its owner likes.
        None => true,
    };
    if count > 0 && !multiple {
        return Err(Fault::AttributeExists(name));
    }
    if count >= INSTANCES_MAX {
        return Err(Fault::TooManyInstances(name));
    }
    if attribute.kind().is_some() && object.attributes.iter().any(|other| *other == attribute) {
        return Err(Fault::AttributeExists(name));
    }
    Ok(object.add_instance(attribute))
}

/// What Add Attribute may add.
///
/// # Errors
/// [`Fault::AttributeReadOnly`], [`Fault::IndexGiven`], and those of [`add`].
pub(super) fn client_adds(
    policy: &Policy<'_>,
    object: &mut ManagedObject,
    instance: AttributeInstance,
) -> Result<AttributeInstance, Fault> {
    let AttributeInstance { index, attribute } = instance;
    let name = attribute.name();
    // Index 0 is what some clients write always.
    if index.is_some_and(|index| index != 0) {
        return Err(Fault::IndexGiven(name));
    }
    check_changeable(&attribute, object, policy.now())?;
    check_value(policy, &attribute)?;
    let added = add(object, attribute)?;
    check_dates(object)?;
    Ok(added)
}

/// Replaces the value of the instance with the given index.
///
/// # Errors
/// [`Fault::AttributeReadOnly`], [`Fault::AttributeToModifyAbsent`], [`Fault::InstanceAbsent`], and those of the value.
pub(super) fn client_modifies(
    policy: &Policy<'_>,
    object: &mut ManagedObject,
    instance: AttributeInstance,
) -> Result<AttributeInstance, Fault> {
    let AttributeInstance { index, attribute } = instance;
    let name = attribute.name();
    check_changeable(&attribute, object, policy.now())?;
    check_value(policy, &attribute)?;
    let wanted = index.unwrap_or(0);
    if let Some(date) = date_of(&mut object.life, &attribute) {
        if date.is_none() {
            return Err(Fault::AttributeToModifyAbsent(name));
        }
        if wanted != 0 {
            return Err(Fault::InstanceAbsent { attribute: name, index: wanted });
        }
        *date = date_value(&attribute);
        check_dates(object)?;
        return Ok(AttributeInstance { index, attribute });
    }
    if object.attributes.named(&name).next().is_none() {
        return Err(Fault::AttributeToModifyAbsent(name));
    }
    let mut found = false;
    object.attributes = std::mem::take(&mut object.attributes)
        .into_iter()
        .map(|mut one| {
            if one.attribute.name() == name && one.index.unwrap_or(0) == wanted {
                found = true;
                one.attribute = attribute.clone();
            }
            one
        })
        .collect::<Vec<_>>()
        .into();
    if !found {
        return Err(Fault::InstanceAbsent { attribute: name, index: wanted });
    }
    check_dates(object)?;
    Ok(AttributeInstance { index, attribute })
}

/// Removes the instance with the given index.
///
/// # Errors
/// [`Fault::AttributeRequired`], [`Fault::InstanceAbsent`].
pub(super) fn client_deletes(
    object: &mut ManagedObject,
    name: &AttributeName,
    index: Option<u32>,
) -> Result<AttributeInstance, Fault> {
    if let AttributeName::Standard(kind) = name
        && kind.client_rights() != ClientRights::Delete
    {
        return Err(Fault::AttributeRequired(name.clone()));
    }
    let wanted = index.unwrap_or(0);
    let (mut removed, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut object.attributes)
        .into_iter()
        .partition(|one| one.attribute.name() == *name && one.index.unwrap_or(0) == wanted);
    object.attributes = kept.into();
    removed.pop().ok_or_else(|| Fault::InstanceAbsent { attribute: name.clone(), index: wanted })
}

/// An attribute that the request's version does not have cannot be in its answer, so it is not touched either.
///
/// # Errors
/// [`Fault::AttributeUnsupported`].
pub(super) fn check_version(name: &AttributeName, version: ProtocolVersion) -> Result<(), Fault> {
    if name.exists_in(version) { Ok(()) } else { Err(Fault::AttributeUnsupported(name.clone())) }
}

/// Whether a client may set this attribute of an object that exists, in its state.
fn check_changeable(attribute: &Attribute, object: &ManagedObject, now: DateTime) -> Result<(), Fault> {
    let Some(kind) = attribute.kind() else {
        return Ok(());
    };
    let state = object.state(now);
    let not_reached = |date: Option<&Attribute>| match date {
        Some(Attribute::ProcessStartDate(date) | Attribute::ProtectStopDate(date)) => *date > now,
        _ => true,
    };
    let allowed = match (kind.client_rights(), kind) {
        (ClientRights::Read | ClientRights::SetOnce, _) => false,
        (_, AttributeKind::ActivationDate) => state == State::PreActive,
        (_, AttributeKind::DeactivationDate) => matches!(state, State::PreActive | State::Active),
        (_, AttributeKind::ProcessStartDate | AttributeKind::ProtectStopDate) => {
            matches!(state, State::PreActive | State::Active) && not_reached(object.attributes.get(kind))
        }
        _ => true,
    };
    if allowed { Ok(()) } else { Err(Fault::AttributeReadOnly(kind.into())) }
}

/// Values that no object may have.
fn check_value(policy: &Policy<'_>, attribute: &Attribute) -> Result<(), Fault> {
    let invalid = |problem| Err(Fault::AttributeInvalid { attribute: attribute.name(), problem });
    match attribute {
        Attribute::Name(name) if name.value.is_empty() => invalid("a name must not be empty"),
        Attribute::ObjectGroup(group) if group.is_empty() => invalid("the name of a group must not be empty"),
        Attribute::ApplicationSpecificInformation(info) if info.data.is_none() => {
            Err(Fault::ApplicationDataMissing)
        }
        // Nothing here could keep these promises, so they are not given.
        Attribute::Sensitive(true) => invalid("keys are handed out unwrapped here, so none can be Sensitive"),
        Attribute::Extractable(false) => invalid("a key that could never be fetched would be of no use here"),
        Attribute::KeyValueLocation(_)
        | Attribute::CryptographicDomainParameters(_)
        | Attribute::RandomNumberGenerator(_) => Err(Fault::AttributeUnsupported(attribute.name())),
        // A link is a reference to another object, and needs access to it like any other.
        Attribute::Link(link) => policy.access::<ReadAttributes>(&link.object).map(drop),
        _ => Ok(()),
    }
}

/// The order that dates must have (KMIP 1.4 §§3.24-3.27).
fn check_dates(object: &ManagedObject) -> Result<(), Fault> {
    let life = &object.life;
    let invalid =
        |kind: AttributeKind, problem| Err(Fault::AttributeInvalid { attribute: kind.into(), problem });
    let before = |a: Option<DateTime>, b: Option<DateTime>| matches!((a, b), (Some(a), Some(b)) if a < b);
    let start = object.attributes.process_start_date();
    let stop = object.attributes.protect_stop_date();
    if before(life.deactivation, life.activation) {
        return invalid(AttributeKind::DeactivationDate, "it is before the Activation Date");
    }
    if before(start, life.activation) {
        return invalid(AttributeKind::ProcessStartDate, "it is before the Activation Date");
    }
    if before(life.deactivation, stop) {
        return invalid(AttributeKind::ProtectStopDate, "it is after the Deactivation Date");
    }
    Ok(())
}

/// The field of the two dates that clients set and that are kept apart from the list.
fn date_of<'a>(life: &'a mut Lifecycle, attribute: &Attribute) -> Option<&'a mut Option<DateTime>> {
    match attribute {
        Attribute::ActivationDate(_) => Some(&mut life.activation),
        Attribute::DeactivationDate(_) => Some(&mut life.deactivation),
        other => {
            debug_assert!(other.kind().is_none_or(|kind| !is_kept_apart(kind)), "{other:?}");
            None
        }
    }
}

fn date_value(attribute: &Attribute) -> Option<DateTime> {
    match attribute {
        Attribute::ActivationDate(date) | Attribute::DeactivationDate(date) => Some(*date),
        _ => None,
    }
}

//! Attributes in order.

use super::{Attribute, AttributeKind, AttributeName, Name};
use crate::ttlv::DateTime;
use crate::types::{CryptographicAlgorithm, ObjectType, State, UsageMask};
use crate::version::ProtocolVersion;

/// An attribute and, in 1.x, which of several of its name it is.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeInstance {
    /// Attribute Index: 0 for the first. Absent means 0 in requests; 2.x has none.
    pub index: Option<u32>,
    /// The attribute.
    pub attribute: Attribute,
}

impl From<Attribute> for AttributeInstance {
    fn from(attribute: Attribute) -> Self {
        Self { index: None, attribute }
    }
}

/// Attributes in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Attributes(Vec<AttributeInstance>);

impl Attributes {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends an attribute without an index.
    pub fn push(&mut self, attribute: Attribute) {
        self.0.push(attribute.into());
    }

    /// Appends an attribute with its index.
    pub fn push_instance(&mut self, instance: AttributeInstance) {
        self.0.push(instance);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The attributes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.0.iter().map(|instance| &instance.attribute)
    }

    /// The attributes with their indexes, in order.
    pub fn instances(&self) -> impl Iterator<Item = &AttributeInstance> {
        self.0.iter()
    }

    /// The first attribute of a kind.
    pub fn get(&self, kind: AttributeKind) -> Option<&Attribute> {
        self.all(kind).next()
    }

    /// All attributes of a kind, in order.
    pub fn all(&self, kind: AttributeKind) -> impl Iterator<Item = &Attribute> {
        self.iter().filter(move |attribute| attribute.kind() == Some(kind))
    }

    /// All attributes with a name, in order.
    pub fn named<'a>(&'a self, name: &'a AttributeName) -> impl Iterator<Item = &'a Attribute> {
        self.iter().filter(move |attribute| attribute.name() == *name)
    }

    /// Removes what `version` does not have, and, where it knows no indexes, those: for a server's answer to an older client, which
    /// is the one place where attributes are left out on purpose.
    pub fn project(&mut self, version: ProtocolVersion) {
        self.0.retain(|instance| instance.attribute.exists_in(version));
        if !version.has_named_attributes() {
            for instance in &mut self.0 {
                instance.index = None;
            }
        }
    }

    /// The text of the first Name.
    pub fn name(&self) -> Option<&str> {
        self.names().next().map(|name| name.value.as_str())
    }

    /// All Names.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.iter().filter_map(|attribute| match attribute {
            Attribute::Name(name) => Some(name),
            _ => None,
        })
    }

    /// All Object Groups.
    pub fn object_groups(&self) -> impl Iterator<Item = &str> {
        self.iter().filter_map(|attribute| match attribute {
            Attribute::ObjectGroup(group) => Some(group.as_str()),
            _ => None,
        })
    }
}

/// Getters for the value of the first attribute of a kind.
macro_rules! getters {
    ($($(#[$meta:meta])* $getter:ident -> $Type:ty = $kind:ident;)*) => {
        impl Attributes {
            $(
                $(#[$meta])*
                pub fn $getter(&self) -> Option<$Type> {
                    self.iter().find_map(|attribute| match attribute {
                        Attribute::$kind(value) => Some(*value),
                        _ => None,
                    })
                }
            )*
        }
    };
}

getters! {
    /// Object Type.
    object_type -> ObjectType = ObjectType;
    /// Cryptographic Algorithm.
    cryptographic_algorithm -> CryptographicAlgorithm = CryptographicAlgorithm;
    /// Cryptographic Length in bits.
    cryptographic_length -> u32 = CryptographicLength;
    /// Cryptographic Usage Mask.
    usage_mask -> UsageMask = CryptographicUsageMask;
    /// State.
    state -> State = State;
    /// Initial Date.
    initial_date -> DateTime = InitialDate;
    /// Activation Date.
    activation_date -> DateTime = ActivationDate;
    /// Process Start Date.
    process_start_date -> DateTime = ProcessStartDate;
    /// Protect Stop Date.
    protect_stop_date -> DateTime = ProtectStopDate;
    /// Deactivation Date.
    deactivation_date -> DateTime = DeactivationDate;
    /// Last Change Date.
    last_change_date -> DateTime = LastChangeDate;
}

impl From<Vec<AttributeInstance>> for Attributes {
    fn from(instances: Vec<AttributeInstance>) -> Self {
        Self(instances)
    }
}

impl FromIterator<Attribute> for Attributes {
    fn from_iter<I: IntoIterator<Item = Attribute>>(attributes: I) -> Self {
        Self(attributes.into_iter().map(AttributeInstance::from).collect())
    }
}

impl Extend<Attribute> for Attributes {
    fn extend<I: IntoIterator<Item = Attribute>>(&mut self, attributes: I) {
        self.0.extend(attributes.into_iter().map(AttributeInstance::from));
    }
}

impl IntoIterator for Attributes {
    type Item = AttributeInstance;
    type IntoIter = std::vec::IntoIter<AttributeInstance>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

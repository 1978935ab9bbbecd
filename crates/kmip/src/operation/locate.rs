//! Locate: which objects have these attributes (KMIP 1.4 §4.9, KMIP 2.1 §6.1.32).

use crate::attribute::Attributes;
use crate::ttlv::structure;
use crate::types::{ObjectGroupMember, StorageStatusMask};

structure! {
    /// What is looked for. All attributes must match.
    #[derive(Clone, Default)]
    pub struct Request {
        /// How many identifiers at most.
        pub maximum_items: Option<u32> = MaximumItems,
        /// How many matches to pass over first (since 1.3; older clients send it all the same, see
        /// [`crate::version::OFFSET_ITEMS_BEFORE_1_3`]).
        pub offset_items: Option<u32> = OffsetItems,
        /// Whether objects on line, archived or destroyed are meant. Absent means on line.
        pub storage_status_mask: Option<StorageStatusMask> = StorageStatusMask,
        /// Which members of the group are meant (since 1.1).
        pub object_group_member: Option<ObjectGroupMember> = ObjectGroupMember,
        /// The attributes that an object must have.
        pub attributes: Attributes = Attribute | Attributes,
    }
}

structure! {
    /// What was found. Nothing is a success without identifiers.
    #[derive(Clone, Default)]
    pub struct Response {
        /// How many objects match in all, whatever was asked to be passed over or left out (since 1.3; older clients need it where
        /// they sent Offset Items, see [`crate::version::LOCATED_ITEMS_FOR_OFFSET`]).
        pub located_items: Option<u32> = LocatedItems,
        /// The objects.
        pub unique_identifiers: Vec<String> = UniqueIdentifier,
    }
}

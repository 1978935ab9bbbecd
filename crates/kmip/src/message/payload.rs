//! Payloads by operation.

use crate::operation::{
    activate, add_attribute, create, delete_attribute, destroy, discover_versions, get, get_attribute_list,
    get_attributes, locate, modify_attribute, query, register, revoke, rng_retrieve,
};
use crate::ttlv::{DecodeError, EncodeError, Item, RawStructure, Reader, Tag, Wire, Writer};
use crate::types::Operation;

macro_rules! payloads {
    ($($Operation:ident($module:ident): $doc:literal;)*) => {
        /// What a request item asks for.
        #[derive(Debug, PartialEq)]
        pub enum RequestPayload {
            $(
                #[doc = $doc]
                $Operation($module::Request),
            )*
            /// An operation nobody here knows, carried and not understood.
            Unknown {
                /// The operation.
                operation: Operation,
                /// The items of its payload.
                payload: Vec<Item>,
            },
        }

        /// What a successful item answers.
        #[derive(Debug, PartialEq)]
        pub enum ResponsePayload {
            $(
                #[doc = $doc]
                $Operation($module::Response),
            )*
            /// An operation nobody here knows, carried and not understood.
            Unknown {
                /// The operation.
                operation: Operation,
                /// The items of its payload.
                payload: Vec<Item>,
            },
        }

        payloads!(@impl RequestPayload, Tag::RequestPayload; $($Operation)*);
        payloads!(@impl ResponsePayload, Tag::ResponsePayload; $($Operation)*);

        $(
            impl From<$module::Request> for RequestPayload {
                fn from(payload: $module::Request) -> Self {
                    Self::$Operation(payload)
                }
            }

            impl From<$module::Response> for ResponsePayload {
                fn from(payload: $module::Response) -> Self {
                    Self::$Operation(payload)
                }
            }
        )*
    };
    (@impl $Payload:ident, $tag:expr; $($Operation:ident)*) => {
        impl $Payload {
            /// The operation it belongs to.
            pub const fn operation(&self) -> Operation {
                match self {
                    $(Self::$Operation(_) => Operation::$Operation,)*
                    Self::Unknown { operation, .. } => *operation,
                }
            }

            pub(super) fn decode(operation: Operation, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match operation {
                    $(Operation::$Operation => Wire::decode($tag, reader).map(Self::$Operation),)*
                    _ => {
                        let RawStructure(payload) = Wire::decode($tag, reader)?;
                        Ok(Self::Unknown { operation, payload })
                    }
                }
            }

            pub(super) fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
                match self {
                    $(Self::$Operation(payload) => payload.encode($tag, writer),)*
                    Self::Unknown { payload, .. } => {
                        writer.structure($tag, |writer| payload.iter().try_for_each(|item| writer.item(item)))
                    }
                }
            }
        }
    };
}

payloads! {
    Create(create): "Create.";
    Register(register): "Register.";
    Locate(locate): "Locate.";
    Get(get): "Get.";
    GetAttributes(get_attributes): "Get Attributes.";
    GetAttributeList(get_attribute_list): "Get Attribute List.";
    AddAttribute(add_attribute): "Add Attribute.";
    ModifyAttribute(modify_attribute): "Modify Attribute.";
    DeleteAttribute(delete_attribute): "Delete Attribute.";
    Activate(activate): "Activate.";
    Revoke(revoke): "Revoke.";
    Destroy(destroy): "Destroy.";
    Query(query): "Query.";
    DiscoverVersions(discover_versions): "Discover Versions.";
    RNGRetrieve(rng_retrieve): "RNG Retrieve.";
}

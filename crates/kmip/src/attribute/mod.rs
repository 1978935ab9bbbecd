//! Attributes of managed objects (KMIP 1.4 §3, KMIP 2.1 §4).
//!
//! 1.x writes an attribute as `Attribute {Attribute Name, Attribute Index, Attribute Value}`, 2.x under a tag of its own inside
//! `Attributes`. Here both are one [`Attribute`], typed; the text names and the tags come from one table, [`AttributeKind`], which
//! also says what a client may do with each.

mod attributes;
mod kind;
mod name;
mod template;
mod values;
mod wire;

pub use attributes::{AttributeInstance, Attributes};
pub use kind::{Attribute, AttributeKind, ClientRights};
pub use name::AttributeName;
pub use template::TemplateAttribute;
pub use values::{
    AlternativeName, ApplicationSpecificInformation, CryptographicParameters, Digest, Link, Name,
    RevocationReason, UsageLimits, VendorAttribute,
};

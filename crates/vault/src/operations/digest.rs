//! The Digest attribute, which the server sets when an object comes to be (KMIP 1.4 §3.17).

use strongroom_kmip::ManagedObject as KmipObject;
use strongroom_kmip::attribute::{Attribute, Digest};
use strongroom_kmip::types::{HashingAlgorithm, KeyFormatType};

use super::{Fault, attribute_rules};
use crate::objects::ManagedObject;

/// Adds the SHA-256 of the object's bytes, over the format in which they were made or registered.
///
/// A Transparent Symmetric Key is digested as its raw bytes, which are all it holds.
///
/// # Errors
/// [`Fault::ObjectInconsistent`] when the object has no bytes to digest.
pub(super) fn add(object: &mut ManagedObject) -> Result<(), Fault> {
    let (bytes, format) = match &object.material {
        Some(KmipObject::SymmetricKey(block) | KmipObject::SecretData { key_block: block, .. }) => {
            let format = match block.format {
                KeyFormatType::TransparentSymmetricKey => KeyFormatType::Raw,
                other => other,
            };
            (block.material(), format)
        }
        Some(KmipObject::OpaqueObject { data, .. }) => (Some(data), KeyFormatType::Opaque),
        Some(KmipObject::Unknown(_)) | None => (None, KeyFormatType::Raw),
    };
    let bytes = bytes.ok_or(Fault::ObjectInconsistent("the object has no Key Material"))?;
    let value = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes.as_bytes()).as_ref().to_vec();
    let digest = Digest { algorithm: HashingAlgorithm::SHA_256, value: Some(value), format: Some(format) };
    attribute_rules::add(object, Attribute::Digest(digest)).map(drop)
}

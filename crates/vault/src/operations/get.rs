//! Get: the object itself (KMIP 1.4 §4.11, errors §11.12).
//!
//! A key can be fetched before it is activated and after it was deactivated or compromised: some clients never activate,
//! and old data must stay readable. Only destruction ends it.

use strongroom_kmip::ManagedObject as KmipObject;
use strongroom_kmip::object::{KeyBlock, KeyBytes, KeyValue};
use strongroom_kmip::operation::get::{Request, Response};
use strongroom_kmip::types::{KeyFormatType, Operation};

use super::{Context, Done, Fault};
use crate::policy::ReadMaterial;

pub(super) async fn get(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    if request.key_wrapping_specification.is_some() {
        return Err(Fault::FeatureUnsupported("wrapping the key on Get"));
    }
    if request.key_compression_type.is_some() {
        return Err(Fault::CompressionUnsupported);
    }
    let subject = context.subject(request.unique_identifier)?;
    let access = context.policy.access::<ReadMaterial>(&subject)?;
    let object = access.material()?.ok_or(Fault::MaterialDestroyed)?;
    let object = match request.key_format_type {
        Some(format) => in_format(object, format)?,
        None => object,
    };
    let id = access.id();
    let response = Response { object_type: access.object_type(), unique_identifier: id.to_string(), object };
    if access.is_fresh() {
        // The first time it is served; the same commit journals the release.
        let served = context.policy.change(Operation::Get, &subject, |object| {
            object.fresh = false;
            // Somebody may have destroyed it since it was read.
            if object.material.is_some() { Ok(()) } else { Err(Fault::MaterialDestroyed) }
        });
        match served.await {
            Ok(_) => return Ok(Done::changed(response, id)),
            // Nothing but this note depends on it, so a vault that cannot write still serves, as long as the journal
            // takes the release.
            Err(fault @ (Fault::Vault(_) | Fault::Contended)) => {
                tracing::debug!(object = %id, ?fault, "that an object was served could not be noted");
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(Done::read(response, Some(id)))
}

/// The object in the format asked for, where its bytes are the same thing in it.
fn in_format(object: KmipObject, format: KeyFormatType) -> Result<KmipObject, Fault> {
    match object {
        KmipObject::SymmetricKey(block) => block_in_format(
            block,
            format,
            &[KeyFormatType::Raw, KeyFormatType::Opaque, KeyFormatType::TransparentSymmetricKey],
        )
        .map(KmipObject::SymmetricKey),
        KmipObject::SecretData { kind, key_block } => {
            let key_block = block_in_format(key_block, format, &[KeyFormatType::Raw, KeyFormatType::Opaque])?;
            Ok(KmipObject::SecretData { kind, key_block })
        }
        // An Opaque Object has no key format; asking for its bytes as they are is harmless.
        KmipObject::OpaqueObject { .. } if matches!(format, KeyFormatType::Opaque | KeyFormatType::Raw) => {
            Ok(object)
        }
        KmipObject::OpaqueObject { .. } | KmipObject::Unknown(_) => Err(Fault::FormatUnsupported(format)),
    }
}

fn block_in_format(
    block: KeyBlock,
    format: KeyFormatType,
    formats: &[KeyFormatType],
) -> Result<KeyBlock, Fault> {
    if block.format == format {
        return Ok(block);
    }
    if !formats.contains(&format) {
        return Err(Fault::FormatUnsupported(format));
    }
    let (compression, algorithm, length) = (block.compression, block.algorithm, block.length);
    let material = block.into_material().ok_or(Fault::FormatUnsupported(format))?;
    let bytes = if format == KeyFormatType::TransparentSymmetricKey {
        KeyBytes::TransparentSymmetric(material)
    } else {
        KeyBytes::Plain(material)
    };
    Ok(KeyBlock {
        format,
        compression,
        value: Some(KeyValue::from(bytes)),
        algorithm,
        length,
        wrapping: None,
    })
}

//! Register: the client hands an object over (KMIP 1.4 §4.3, errors §11.4).

use strongroom_kmip::ManagedObject as KmipObject;
use strongroom_kmip::attribute::{Attribute, AttributeInstance};
use strongroom_kmip::object::{KeyBlock, KeyBytes, KeyValue};
use strongroom_kmip::operation::register::{Request, Response};
use strongroom_kmip::types::{KeyFormatType, Operation};
use strongroom_secret::KeyMaterial;

use super::{Context, Done, Fault, attribute_rules, digest, key_length};
use crate::objects::ManagedObject;

pub(super) async fn register(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    let Request { object_type, mut template, object: mut given, .. } = request;
    if matches!(given, KmipObject::Unknown(_)) {
        return Err(Fault::ObjectTypeUnsupported(given.object_type().unwrap_or(object_type)));
    }
    if given.object_type() != Some(object_type) {
        return Err(Fault::ObjectInconsistent("the object is not of the Object Type given with it"));
    }
    if let KmipObject::SymmetricKey(block) | KmipObject::SecretData { key_block: block, .. } = &mut given {
        // Attributes may travel inside the key; those of the request take precedence.
        if let Some(KeyValue::Plain { attributes, .. }) = &mut block.value {
            for AttributeInstance { attribute, .. } in std::mem::take(attributes) {
                if template.attributes.named(&attribute.name()).next().is_none() {
                    template.attributes.push(attribute);
                }
            }
        }
    }
    let mut object = attribute_rules::new_object(context.policy, object_type, template)?;
    match &mut given {
        KmipObject::SymmetricKey(block) => {
            check_block(
                block,
                &[KeyFormatType::Raw, KeyFormatType::Opaque, KeyFormatType::TransparentSymmetricKey],
            )?;
            if block.material().is_none_or(KeyMaterial::is_empty) {
                return Err(Fault::ObjectInconsistent("the Key Material is empty"));
            }
            reconcile_key(block, &mut object)?;
        }
        KmipObject::SecretData { key_block, .. } => {
            check_block(key_block, &[KeyFormatType::Raw, KeyFormatType::Opaque])?;
            reconcile_secret(key_block, &mut object)?;
        }
        KmipObject::OpaqueObject { data, .. } => {
            if data.is_empty() {
                return Err(Fault::ObjectInconsistent("the Opaque Data Value is empty"));
            }
        }
        KmipObject::Unknown(_) => return Err(Fault::ObjectTypeUnsupported(object_type)),
    }
    object.material = Some(given);
    digest::add(&mut object)?;
    let id = context.policy.create(Operation::Register, &object).await?;
    let response = Response { unique_identifier: id.to_string(), template: None };
    Ok(Done::changed(response, id).becoming_placeholder())
}

/// Only bytes that are here, in the clear and in a format that can be given back.
fn check_block(block: &KeyBlock, formats: &[KeyFormatType]) -> Result<(), Fault> {
    if block.wrapping.is_some() || matches!(block.value, Some(KeyValue::Wrapped(_))) {
        return Err(Fault::FeatureUnsupported("registering a wrapped key"));
    }
    if !formats.contains(&block.format) {
        return Err(Fault::FormatUnsupported(block.format));
    }
    let fits = match &block.value {
        Some(KeyValue::Plain { bytes: KeyBytes::TransparentSymmetric(_), .. }) => {
            block.format == KeyFormatType::TransparentSymmetricKey
        }
        Some(KeyValue::Plain { bytes: KeyBytes::Plain(_), .. }) => {
            block.format != KeyFormatType::TransparentSymmetricKey
        }
        _ => false,
    };
    if !fits {
        return Err(Fault::ObjectInconsistent(
            "the Key Material does not have the Key Format Type given with it",
        ));
    }
    if block.material().is_none() {
        return Err(Fault::ObjectInconsistent("there is no Key Material"));
    }
    Ok(())
}

/// Algorithm and length are said in the key, in the attributes, or both; then they must agree. Both get both.
fn reconcile_key(block: &mut KeyBlock, object: &mut ManagedObject) -> Result<(), Fault> {
    let material = block.material().map_or(0, KeyMaterial::len);
    let algorithm = agree(block.algorithm, object.attributes.cryptographic_algorithm())?
        .ok_or(Fault::AttributeMissing("Cryptographic Algorithm"))?;
    let bits = match agree(block.length, object.attributes.cryptographic_length())? {
        Some(bits) => bits,
        None => u32::try_from(material.saturating_mul(8))
            .map_err(|_| Fault::ObjectInconsistent("the Key Material is too long"))?,
    };
    key_length::check_registered(algorithm, bits, material)?;
    block.algorithm = Some(algorithm);
    block.length = Some(bits);
    complete(object, Attribute::CryptographicAlgorithm(algorithm))?;
    complete(object, Attribute::CryptographicLength(bits))
}

/// A secret needs neither; what is said of it must agree.
fn reconcile_secret(block: &KeyBlock, object: &mut ManagedObject) -> Result<(), Fault> {
    if let Some(algorithm) = agree(block.algorithm, object.attributes.cryptographic_algorithm())? {
        complete(object, Attribute::CryptographicAlgorithm(algorithm))?;
    }
    let material = block.material().map_or(0, KeyMaterial::len);
    if let Some(bits) = agree(block.length, object.attributes.cryptographic_length())? {
        if (bits as usize).div_ceil(8) != material {
            return Err(Fault::ObjectInconsistent(
                "the Key Material does not have the Cryptographic Length given with it",
            ));
        }
        complete(object, Attribute::CryptographicLength(bits))?;
    }
    Ok(())
}

fn agree<T: PartialEq>(in_key: Option<T>, in_attributes: Option<T>) -> Result<Option<T>, Fault> {
    match (in_key, in_attributes) {
        (Some(a), Some(b)) if a != b => Err(Fault::ObjectInconsistent(
            "the Key Block and the attributes name different algorithms or lengths",
        )),
        (a, b) => Ok(a.or(b)),
    }
}

/// Adds an attribute that the client did not give beside the key.
fn complete(object: &mut ManagedObject, attribute: Attribute) -> Result<(), Fault> {
    if object.attributes.named(&attribute.name()).next().is_some() {
        return Ok(());
    }
    attribute_rules::add(object, attribute).map(drop)
}

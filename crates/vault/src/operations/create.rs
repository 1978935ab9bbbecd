//! Create: the vault makes a symmetric key (KMIP 1.4 §4.1, errors §11.2).

use strongroom_kmip::ManagedObject as KmipObject;
use strongroom_kmip::attribute::{Attribute, AttributeKind};
use strongroom_kmip::object::KeyBlock;
use strongroom_kmip::operation::create::{Request, Response};
use strongroom_kmip::types::{CryptographicAlgorithm, ObjectType, Operation};

use super::{Context, Done, Fault, attribute_rules, digest, key_length};

/// The length of an AES key when the client does not say, in bits. The standard leaves it to the server then.
const AES_DEFAULT_BITS: u32 = 256;

pub(super) async fn create(context: &Context<'_>, request: Request) -> Result<Done, Fault> {
    if request.object_type != ObjectType::SymmetricKey {
        return Err(Fault::ObjectTypeUnsupported(request.object_type));
    }
    let mut object = attribute_rules::new_object(context.policy, request.object_type, request.template)?;
    let attributes = &object.attributes;
    let algorithm =
        attributes.cryptographic_algorithm().ok_or(Fault::AttributeMissing("Cryptographic Algorithm"))?;
    if attributes.usage_mask().is_none() {
        return Err(Fault::AttributeMissing("Cryptographic Usage Mask"));
    }
    let bits = match (attributes.cryptographic_length(), algorithm) {
        (Some(bits), _) => bits,
        (None, CryptographicAlgorithm::AES) => {
            attribute_rules::add(&mut object, Attribute::CryptographicLength(AES_DEFAULT_BITS))?;
            AES_DEFAULT_BITS
        }
        (None, _) => return Err(Fault::AttributeMissing("Cryptographic Length")),
    };
    let mut block = KeyBlock::raw(algorithm, key_length::generate(algorithm, bits)?);
    // What the client counts: 168 bits of a 3DES key are 24 bytes.
    block.length = Some(bits);
    if object.attributes.get(AttributeKind::OriginalCreationDate).is_none() {
        attribute_rules::add(&mut object, Attribute::OriginalCreationDate(context.policy.now()))?;
    }
    object.material = Some(KmipObject::SymmetricKey(block));
    digest::add(&mut object)?;
    let id = context.policy.create(Operation::Create, &object).await?;
    let response =
        Response { object_type: ObjectType::SymmetricKey, unique_identifier: id.to_string(), template: None };
    Ok(Done::changed(response, id).becoming_placeholder())
}

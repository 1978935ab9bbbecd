//! Attributes.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::attribute::*;
use strongroom_kmip::ttlv::{Interval, Item, Tag};
use strongroom_kmip::types::*;

use super::{bytes, count, date, raw, since, text, value, value_of};

pub(super) fn name() -> impl Strategy<Value = Name> {
    (text(), value_of!(NameType, ProtocolVersion::V1_0)).prop_map(|(value, kind)| Name { value, kind })
}

pub(super) fn custom_name(version: ProtocolVersion) -> BoxedStrategy<String> {
    if version.has_named_attributes() {
        prop_oneof!["[xy]-[a-zA-Z ]{0,12}", "Storage Status Mask", "[a-z]{1,8}"].boxed()
    } else {
        "[xy]-[a-zA-Z]{0,12}".boxed()
    }
}

pub(super) fn standard_attribute(kind: AttributeKind, v: ProtocolVersion) -> BoxedStrategy<Attribute> {
    use AttributeKind as K;
    match kind {
        K::UniqueIdentifier => text().prop_map(Attribute::UniqueIdentifier).boxed(),
        K::Name => name().prop_map(Attribute::Name).boxed(),
        K::ObjectType => value_of!(ObjectType, v).prop_map(Attribute::ObjectType).boxed(),
        K::CryptographicAlgorithm => {
            value_of!(CryptographicAlgorithm, v).prop_map(Attribute::CryptographicAlgorithm).boxed()
        }
        K::CryptographicLength => count().prop_map(Attribute::CryptographicLength).boxed(),
        K::CryptographicParameters => {
            let since_1_2 = |strategy| since(ProtocolVersion::V1_2, v, strategy);
            let old = (
                option::of(value_of!(BlockCipherMode, v)),
                option::of(value_of!(PaddingMethod, v)),
                option::of(value_of!(HashingAlgorithm, v)),
                option::of(value_of!(KeyRoleType, v)),
            );
            let new = (
                since(ProtocolVersion::V1_1, v, value_of!(DigitalSignatureAlgorithm, v)),
                since(ProtocolVersion::V1_2, v, any::<bool>()),
                since_1_2(count().boxed()),
                since_1_2(count().boxed()),
                since(ProtocolVersion::V1_4, v, value_of!(MaskGenerator, v)),
                since(ProtocolVersion::V1_4, v, bytes()),
            );
            (old, new)
                .prop_map(|((block_cipher_mode, padding_method, hashing_algorithm, key_role_type), new)| {
                    Attribute::CryptographicParameters(Box::new(CryptographicParameters {
                        block_cipher_mode,
                        padding_method,
                        hashing_algorithm,
                        key_role_type,
                        digital_signature_algorithm: new.0,
                        random_iv: new.1,
                        iv_length: new.2,
                        counter_length: new.3,
                        mask_generator: new.4,
                        p_source: new.5,
                        ..CryptographicParameters::default()
                    }))
                })
                .boxed()
        }
        K::CryptographicDomainParameters => raw().prop_map(Attribute::CryptographicDomainParameters).boxed(),
        K::CertificateType => value_of!(CertificateType, v).prop_map(Attribute::CertificateType).boxed(),
        K::CertificateLength => count().prop_map(Attribute::CertificateLength).boxed(),
        K::X_509CertificateIdentifier => raw().prop_map(Attribute::X_509CertificateIdentifier).boxed(),
        K::X_509CertificateSubject => raw().prop_map(Attribute::X_509CertificateSubject).boxed(),
        K::X_509CertificateIssuer => raw().prop_map(Attribute::X_509CertificateIssuer).boxed(),
        K::CertificateIdentifier => raw().prop_map(Attribute::CertificateIdentifier).boxed(),
        K::CertificateSubject => raw().prop_map(Attribute::CertificateSubject).boxed(),
        K::CertificateIssuer => raw().prop_map(Attribute::CertificateIssuer).boxed(),
        K::DigitalSignatureAlgorithm => {
            value_of!(DigitalSignatureAlgorithm, v).prop_map(Attribute::DigitalSignatureAlgorithm).boxed()
        }
        K::Digest => {
            (value_of!(HashingAlgorithm, v), option::of(bytes()), option::of(value_of!(KeyFormatType, v)))
                .prop_map(|(algorithm, value, format)| Attribute::Digest(Digest { algorithm, value, format }))
                .boxed()
        }
        K::OperationPolicyName => text().prop_map(Attribute::OperationPolicyName).boxed(),
        K::CryptographicUsageMask => {
            any::<u32>().prop_map(|bits| Attribute::CryptographicUsageMask(UsageMask(bits))).boxed()
        }
        K::LeaseTime => any::<u32>().prop_map(|seconds| Attribute::LeaseTime(Interval(seconds))).boxed(),
        K::UsageLimits => (any::<i64>(), option::of(any::<i64>()), value_of!(UsageLimitsUnit, v))
            .prop_map(|(total, count, unit)| Attribute::UsageLimits(UsageLimits { total, count, unit }))
            .boxed(),
        K::State => value_of!(State, v).prop_map(Attribute::State).boxed(),
        K::InitialDate => date().prop_map(Attribute::InitialDate).boxed(),
        K::ActivationDate => date().prop_map(Attribute::ActivationDate).boxed(),
        K::ProcessStartDate => date().prop_map(Attribute::ProcessStartDate).boxed(),
        K::ProtectStopDate => date().prop_map(Attribute::ProtectStopDate).boxed(),
        K::DeactivationDate => date().prop_map(Attribute::DeactivationDate).boxed(),
        K::DestroyDate => date().prop_map(Attribute::DestroyDate).boxed(),
        K::CompromiseOccurrenceDate => date().prop_map(Attribute::CompromiseOccurrenceDate).boxed(),
        K::CompromiseDate => date().prop_map(Attribute::CompromiseDate).boxed(),
        K::RevocationReason => revocation_reason(v).prop_map(Attribute::RevocationReason).boxed(),
        K::ArchiveDate => date().prop_map(Attribute::ArchiveDate).boxed(),
        K::ObjectGroup => text().prop_map(Attribute::ObjectGroup).boxed(),
        K::Fresh => any::<bool>().prop_map(Attribute::Fresh).boxed(),
        K::Link => (value_of!(LinkType, v), text())
            .prop_map(|(kind, object)| Attribute::Link(Link { kind, object }))
            .boxed(),
        K::ApplicationSpecificInformation => (text(), option::of(text()))
            .prop_map(|(namespace, data)| {
                Attribute::ApplicationSpecificInformation(ApplicationSpecificInformation { namespace, data })
            })
            .boxed(),
        K::ContactInformation => text().prop_map(Attribute::ContactInformation).boxed(),
        K::LastChangeDate => date().prop_map(Attribute::LastChangeDate).boxed(),
        K::AlternativeName => (text(), value_of!(AlternativeNameType, v))
            .prop_map(|(value, kind)| Attribute::AlternativeName(AlternativeName { value, kind }))
            .boxed(),
        K::KeyValuePresent => any::<bool>().prop_map(Attribute::KeyValuePresent).boxed(),
        K::KeyValueLocation => raw().prop_map(Attribute::KeyValueLocation).boxed(),
        K::OriginalCreationDate => date().prop_map(Attribute::OriginalCreationDate).boxed(),
        K::RandomNumberGenerator => raw().prop_map(Attribute::RandomNumberGenerator).boxed(),
        K::PKCS_12FriendlyName => text().prop_map(Attribute::PKCS_12FriendlyName).boxed(),
        K::Description => text().prop_map(Attribute::Description).boxed(),
        K::Comment => text().prop_map(Attribute::Comment).boxed(),
        K::Sensitive => any::<bool>().prop_map(Attribute::Sensitive).boxed(),
        K::AlwaysSensitive => any::<bool>().prop_map(Attribute::AlwaysSensitive).boxed(),
        K::Extractable => any::<bool>().prop_map(Attribute::Extractable).boxed(),
        K::NeverExtractable => any::<bool>().prop_map(Attribute::NeverExtractable).boxed(),
        K::KeyFormatType => value_of!(KeyFormatType, v).prop_map(Attribute::KeyFormatType).boxed(),
        K::NISTKeyType => value_of!(NISTKeyType, v).prop_map(Attribute::NISTKeyType).boxed(),
        K::OpaqueDataType => value_of!(OpaqueDataType, v).prop_map(Attribute::OpaqueDataType).boxed(),
        K::ProtectionLevel => value_of!(ProtectionLevel, v).prop_map(Attribute::ProtectionLevel).boxed(),
        K::ProtectionPeriod => {
            any::<u32>().prop_map(|seconds| Attribute::ProtectionPeriod(Interval(seconds))).boxed()
        }
        K::ProtectionStorageMask => any::<u32>()
            .prop_map(|bits| Attribute::ProtectionStorageMask(ProtectionStorageMask(bits)))
            .boxed(),
        K::QuantumSafe => any::<bool>().prop_map(Attribute::QuantumSafe).boxed(),
        K::ShortUniqueIdentifier => bytes().prop_map(Attribute::ShortUniqueIdentifier).boxed(),
        K::RotateAutomatic => any::<bool>().prop_map(Attribute::RotateAutomatic).boxed(),
        K::RotateDate => date().prop_map(Attribute::RotateDate).boxed(),
        K::RotateGeneration => count().prop_map(Attribute::RotateGeneration).boxed(),
        K::RotateInterval => {
            any::<u32>().prop_map(|seconds| Attribute::RotateInterval(Interval(seconds))).boxed()
        }
        K::RotateLatest => any::<bool>().prop_map(Attribute::RotateLatest).boxed(),
        K::RotateName => raw().prop_map(Attribute::RotateName).boxed(),
        K::RotateOffset => {
            any::<u32>().prop_map(|seconds| Attribute::RotateOffset(Interval(seconds))).boxed()
        }
    }
}

pub(super) fn revocation_reason(v: ProtocolVersion) -> impl Strategy<Value = RevocationReason> {
    (value_of!(RevocationReasonCode, v), option::of(text()))
        .prop_map(|(code, message)| RevocationReason { code, message })
}

pub(super) fn attribute(v: ProtocolVersion) -> BoxedStrategy<Attribute> {
    let kinds: Vec<AttributeKind> =
        AttributeKind::ALL.iter().copied().filter(|kind| kind.exists_in(v)).collect();
    let standard = proptest::sample::select(kinds).prop_flat_map(move |kind| standard_attribute(kind, v));
    let custom = (custom_name(v), value()).prop_map(|(name, value)| Attribute::Custom { name, value });
    if v.has_named_attributes() {
        return prop_oneof![5 => standard, 1 => custom].boxed();
    }
    let vendor = ("[a-z]{2,8}", text(), value()).prop_map(|(vendor, name, value)| {
        Attribute::Vendor(Box::new(VendorAttribute { vendor, name, value }))
    });
    let other = (0x54_0000_u32..0x55_0000, value())
        .prop_map(|(tag, value)| Attribute::Other(Box::new(Item { tag: Tag::new(tag), value })));
    prop_oneof![5 => standard, 1 => custom, 1 => vendor, 1 => other].boxed()
}

pub(super) fn instance(v: ProtocolVersion) -> impl Strategy<Value = AttributeInstance> {
    let index = if v.has_named_attributes() { option::of(count()).boxed() } else { Just(None).boxed() };
    (index, attribute(v)).prop_map(|(index, attribute)| AttributeInstance { index, attribute })
}

pub(super) fn attributes(v: ProtocolVersion) -> impl Strategy<Value = Attributes> {
    vec(instance(v), 0..5).prop_map(Attributes::from)
}

pub(super) fn template(v: ProtocolVersion) -> impl Strategy<Value = TemplateAttribute> {
    let names = if v.has_named_attributes() { vec(name(), 0..2).boxed() } else { Just(Vec::new()).boxed() };
    (names, attributes(v)).prop_map(|(names, attributes)| TemplateAttribute { names, attributes })
}

pub(super) fn attribute_name(v: ProtocolVersion) -> impl Strategy<Value = AttributeName> {
    attribute(v).prop_map(|attribute| attribute.name())
}

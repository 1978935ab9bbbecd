//! Attribute values that are structures.

use crate::ttlv::{Value, structure};
use crate::types::{
    AlternativeNameType, BlockCipherMode, CryptographicAlgorithm, DigitalSignatureAlgorithm,
    HashingAlgorithm, KeyFormatType, KeyRoleType, LinkType, MaskGenerator, NameType, PaddingMethod,
    RevocationReasonCode, UsageLimitsUnit,
};

structure! {
    /// A name given by a client (KMIP 1.4 §3.2).
    #[derive(Clone, Eq)]
    pub struct Name {
        /// The name itself.
        pub value: String = NameValue,
        /// How it is to be read.
        pub kind: NameType = NameType,
    }
}

impl Name {
    /// A name that is just text.
    pub fn text(value: impl Into<String>) -> Self {
        Self { value: value.into(), kind: NameType::UninterpretedTextString }
    }
}

structure! {
    /// Another name, which need not be unique (KMIP 1.4 §3.40).
    #[derive(Clone, Eq)]
    pub struct AlternativeName {
        /// The name itself.
        pub value: String = AlternativeNameValue,
        /// What kind of name it is.
        pub kind: AlternativeNameType = AlternativeNameType,
    }
}

structure! {
    /// A digest of the object's bytes (KMIP 1.4 §3.17).
    #[derive(Clone, Eq)]
    pub struct Digest {
        /// The hash function.
        pub algorithm: HashingAlgorithm = HashingAlgorithm,
        /// The digest.
        pub value: Option<Vec<u8>> = DigestValue,
        /// The key format that was digested (since 1.1).
        pub format: Option<KeyFormatType> = KeyFormatType,
    }
}

structure! {
    /// How much may be done with a key (KMIP 1.4 §3.21).
    #[derive(Clone, Eq)]
    pub struct UsageLimits {
        /// The units allowed in all.
        pub total: i64 = UsageLimitsTotal,
        /// The units left.
        pub count: Option<i64> = UsageLimitsCount,
        /// What is counted.
        pub unit: UsageLimitsUnit = UsageLimitsUnit,
    }
}

structure! {
    /// Why an object was revoked (KMIP 1.4 §3.31).
    #[derive(Clone, Eq)]
    pub struct RevocationReason {
        /// The reason.
        pub code: RevocationReasonCode = RevocationReasonCode,
        /// Words about it.
        pub message: Option<String> = RevocationMessage,
    }
}

structure! {
    /// A link to another managed object (KMIP 1.4 §3.35).
    #[derive(Clone, Eq)]
    pub struct Link {
        /// How they belong together.
        pub kind: LinkType = LinkType,
        /// The other one's Unique Identifier.
        pub object: String = LinkedObjectIdentifier,
    }
}

structure! {
    /// What an application notes about an object (KMIP 1.4 §3.36).
    #[derive(Clone, Eq)]
    pub struct ApplicationSpecificInformation {
        /// The application's namespace.
        pub namespace: String = ApplicationNamespace,
        /// Its data; absent where the server shall make it (since 1.3).
        pub data: Option<String> = ApplicationData,
    }
}

structure! {
    /// How a key is used in an operation (KMIP 1.4 §3.6). All lengths are in bits but those of the salt and the tag, which are in
    /// bytes.
    #[derive(Clone, Eq, Default)]
    pub struct CryptographicParameters {
        /// Mode of the block cipher.
        pub block_cipher_mode: Option<BlockCipherMode> = BlockCipherMode,
        /// Padding.
        pub padding_method: Option<PaddingMethod> = PaddingMethod,
        /// Hash function.
        pub hashing_algorithm: Option<HashingAlgorithm> = HashingAlgorithm,
        /// Role of the key.
        pub key_role_type: Option<KeyRoleType> = KeyRoleType,
        /// Signature scheme (since 1.2).
        pub digital_signature_algorithm: Option<DigitalSignatureAlgorithm> = DigitalSignatureAlgorithm,
        /// Algorithm (since 1.2).
        pub cryptographic_algorithm: Option<CryptographicAlgorithm> = CryptographicAlgorithm,
        /// Whether the server draws the IV (since 1.2).
        pub random_iv: Option<bool> = RandomIV,
        /// Length of the IV.
        pub iv_length: Option<u32> = IVLength,
        /// Length of the authentication tag.
        pub tag_length: Option<u32> = TagLength,
        /// Length of the IV's fixed part.
        pub fixed_field_length: Option<u32> = FixedFieldLength,
        /// Length of the IV's invocation part.
        pub invocation_field_length: Option<u32> = InvocationFieldLength,
        /// Length of the IV's counter.
        pub counter_length: Option<u32> = CounterLength,
        /// First value of the counter.
        pub initial_counter_value: Option<u32> = InitialCounterValue,
        /// Length of the salt (since 1.4).
        pub salt_length: Option<u32> = SaltLength,
        /// Mask generation function (since 1.4).
        pub mask_generator: Option<MaskGenerator> = MaskGenerator,
        /// Its hash function (since 1.4).
        pub mask_generator_hashing_algorithm: Option<HashingAlgorithm> = MaskGeneratorHashingAlgorithm,
        /// The label of OAEP (since 1.4).
        pub p_source: Option<Vec<u8>> = PSource,
        /// The trailer of PSS (since 1.4).
        pub trailer_field: Option<u32> = TrailerField,
    }
}

structure! {
    /// An attribute that a vendor defines, as 2.x writes it (KMIP 2.1 §4.60).
    #[derive(Clone, Eq)]
    pub struct VendorAttribute {
        /// The vendor.
        pub vendor: String = VendorIdentification,
        /// The attribute's name.
        pub name: String = AttributeName,
        /// Its value.
        pub value: Value = AttributeValue,
    }
}

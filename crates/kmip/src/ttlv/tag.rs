//! Tags: the names of items, and the versions that know them.

use std::fmt;

use crate::version::{ProtocolVersion, Span};

/// The name of an item: three bytes (KMIP 1.4 §9.1.3.1).
///
/// The constants bear the specification's normalised names. Standard tags start with 0x42, those of vendors with 0x54; unknown
/// ones survive a round trip and print in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u32);

/// What the specification says about a tag.
#[derive(Clone, Copy, Debug)]
pub struct TagInfo {
    /// The specification's name, with spaces. For an attribute it is also its 1.x text name.
    pub name: &'static str,
    /// The versions that have it.
    pub span: Span,
}

/// First tag of the standard.
const FIRST: u32 = 0x42_0000;
/// One past the last tag of KMIP 2.1.
const COUNT: usize = 0x177;

impl Tag {
    /// The tag with this number; the uppermost byte is ignored, because a tag has three.
    pub const fn new(number: u32) -> Self {
        Self(number & 0x00FF_FFFF)
    }

    /// The number, below 2^24.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// What is known of it; `None` for tags of vendors and of later versions.
    pub fn info(self) -> Option<&'static TagInfo> {
        KNOWN.get(self.0.checked_sub(FIRST)? as usize)?.as_ref()
    }

    /// The specification's name, where it has one.
    pub fn name(self) -> Option<&'static str> {
        self.info().map(|info| info.name)
    }

    /// Whether `version` knows it. Nobody's version excludes an unknown tag: only its vendor knows.
    pub fn exists_in(self, version: ProtocolVersion) -> bool {
        self.info().is_none_or(|info| info.span.contains(version))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:06X}", self.0),
        }
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! tags {
    ($(since $since:ident $(until $until:ident)? { $($tag:ident = $number:literal, $name:literal;)* })*) => {
        #[allow(non_upper_case_globals)]
        impl Tag {
            $($(
                #[doc = $name]
                pub const $tag: Self = Self($number);
            )*)*
        }

        static KNOWN: [Option<TagInfo>; COUNT] = {
            let mut known = [const { None }; COUNT];
            $({
                #[allow(unused_mut, unused_assignments)]
                let mut until = None;
                $(until = Some(ProtocolVersion::$until);)?
                let span = Span { since: ProtocolVersion::$since, until };
                $(known[$number - FIRST as usize] = Some(TagInfo { name: $name, span });)*
            })*
            known
        };
    };
}

tags! {
    since V1_0 until V1_4 {
        AttributeIndex = 0x420009, "Attribute Index";
        CertificateIdentifier = 0x420014, "Certificate Identifier";
        CertificateIssuer = 0x420015, "Certificate Issuer";
        CertificateIssuerAlternativeName = 0x420016, "Certificate Issuer Alternative Name";
        CertificateIssuerDistinguishedName = 0x420017, "Certificate Issuer Distinguished Name";
        CertificateSubject = 0x42001A, "Certificate Subject";
        CertificateSubjectAlternativeName = 0x42001B, "Certificate Subject Alternative Name";
        CertificateSubjectDistinguishedName = 0x42001C, "Certificate Subject Distinguished Name";
        CommonTemplateAttribute = 0x42001F, "Common Template-Attribute";
        CustomAttribute = 0x42002D, "Custom Attribute";
        Issuer = 0x42003B, "Issuer";
        OperationPolicyName = 0x42005D, "Operation Policy Name";
        PrivateKeyTemplateAttribute = 0x420065, "Private Key Template-Attribute";
        PublicKeyTemplateAttribute = 0x42006E, "Public Key Template-Attribute";
        SerialNumber = 0x420087, "Serial Number";
        Template = 0x420090, "Template";
        TemplateAttribute = 0x420091, "Template-Attribute";
    }
    since V1_0 {
        ActivationDate = 0x420001, "Activation Date";
        ApplicationData = 0x420002, "Application Data";
        ApplicationNamespace = 0x420003, "Application Namespace";
        ApplicationSpecificInformation = 0x420004, "Application Specific Information";
        ArchiveDate = 0x420005, "Archive Date";
        AsynchronousCorrelationValue = 0x420006, "Asynchronous Correlation Value";
        AsynchronousIndicator = 0x420007, "Asynchronous Indicator";
        Attribute = 0x420008, "Attribute";
        AttributeName = 0x42000A, "Attribute Name";
        AttributeValue = 0x42000B, "Attribute Value";
        Authentication = 0x42000C, "Authentication";
        BatchCount = 0x42000D, "Batch Count";
        BatchErrorContinuationOption = 0x42000E, "Batch Error Continuation Option";
        BatchItem = 0x42000F, "Batch Item";
        BatchOrderOption = 0x420010, "Batch Order Option";
        BlockCipherMode = 0x420011, "Block Cipher Mode";
        CancellationResult = 0x420012, "Cancellation Result";
        Certificate = 0x420013, "Certificate";
        CertificateRequest = 0x420018, "Certificate Request";
        CertificateRequestType = 0x420019, "Certificate Request Type";
        CertificateType = 0x42001D, "Certificate Type";
        CertificateValue = 0x42001E, "Certificate Value";
        CompromiseDate = 0x420020, "Compromise Date";
        CompromiseOccurrenceDate = 0x420021, "Compromise Occurrence Date";
        ContactInformation = 0x420022, "Contact Information";
        Credential = 0x420023, "Credential";
        CredentialType = 0x420024, "Credential Type";
        CredentialValue = 0x420025, "Credential Value";
        CriticalityIndicator = 0x420026, "Criticality Indicator";
        CRTCoefficient = 0x420027, "CRT Coefficient";
        CryptographicAlgorithm = 0x420028, "Cryptographic Algorithm";
        CryptographicDomainParameters = 0x420029, "Cryptographic Domain Parameters";
        CryptographicLength = 0x42002A, "Cryptographic Length";
        CryptographicParameters = 0x42002B, "Cryptographic Parameters";
        CryptographicUsageMask = 0x42002C, "Cryptographic Usage Mask";
        D = 0x42002E, "D";
        DeactivationDate = 0x42002F, "Deactivation Date";
        DerivationData = 0x420030, "Derivation Data";
        DerivationMethod = 0x420031, "Derivation Method";
        DerivationParameters = 0x420032, "Derivation Parameters";
        DestroyDate = 0x420033, "Destroy Date";
        Digest = 0x420034, "Digest";
        DigestValue = 0x420035, "Digest Value";
        EncryptionKeyInformation = 0x420036, "Encryption Key Information";
        G = 0x420037, "G";
        HashingAlgorithm = 0x420038, "Hashing Algorithm";
        InitialDate = 0x420039, "Initial Date";
        InitializationVector = 0x42003A, "Initialization Vector";
        IterationCount = 0x42003C, "Iteration Count";
        IVCounterNonce = 0x42003D, "IV/Counter/Nonce";
        J = 0x42003E, "J";
        Key = 0x42003F, "Key";
        KeyBlock = 0x420040, "Key Block";
        KeyCompressionType = 0x420041, "Key Compression Type";
        KeyFormatType = 0x420042, "Key Format Type";
        KeyMaterial = 0x420043, "Key Material";
        KeyPartIdentifier = 0x420044, "Key Part Identifier";
        KeyValue = 0x420045, "Key Value";
        KeyWrappingData = 0x420046, "Key Wrapping Data";
        KeyWrappingSpecification = 0x420047, "Key Wrapping Specification";
        LastChangeDate = 0x420048, "Last Change Date";
        LeaseTime = 0x420049, "Lease Time";
        Link = 0x42004A, "Link";
        LinkType = 0x42004B, "Link Type";
        LinkedObjectIdentifier = 0x42004C, "Linked Object Identifier";
        MACSignature = 0x42004D, "MAC/Signature";
        MACSignatureKeyInformation = 0x42004E, "MAC/Signature Key Information";
        MaximumItems = 0x42004F, "Maximum Items";
        MaximumResponseSize = 0x420050, "Maximum Response Size";
        MessageExtension = 0x420051, "Message Extension";
        Modulus = 0x420052, "Modulus";
        Name = 0x420053, "Name";
        NameType = 0x420054, "Name Type";
        NameValue = 0x420055, "Name Value";
        ObjectGroup = 0x420056, "Object Group";
        ObjectType = 0x420057, "Object Type";
        Offset = 0x420058, "Offset";
        OpaqueDataType = 0x420059, "Opaque Data Type";
        OpaqueDataValue = 0x42005A, "Opaque Data Value";
        OpaqueObject = 0x42005B, "Opaque Object";
        Operation = 0x42005C, "Operation";
        P = 0x42005E, "P";
        PaddingMethod = 0x42005F, "Padding Method";
        PrimeExponentP = 0x420060, "Prime Exponent P";
        PrimeExponentQ = 0x420061, "Prime Exponent Q";
        PrimeFieldSize = 0x420062, "Prime Field Size";
        PrivateExponent = 0x420063, "Private Exponent";
        PrivateKey = 0x420064, "Private Key";
        PrivateKeyUniqueIdentifier = 0x420066, "Private Key Unique Identifier";
        ProcessStartDate = 0x420067, "Process Start Date";
        ProtectStopDate = 0x420068, "Protect Stop Date";
        ProtocolVersion = 0x420069, "Protocol Version";
        ProtocolVersionMajor = 0x42006A, "Protocol Version Major";
        ProtocolVersionMinor = 0x42006B, "Protocol Version Minor";
        PublicExponent = 0x42006C, "Public Exponent";
        PublicKey = 0x42006D, "Public Key";
        PublicKeyUniqueIdentifier = 0x42006F, "Public Key Unique Identifier";
        PutFunction = 0x420070, "Put Function";
        Q = 0x420071, "Q";
        QString = 0x420072, "Q String";
        Qlength = 0x420073, "Qlength";
        QueryFunction = 0x420074, "Query Function";
        RecommendedCurve = 0x420075, "Recommended Curve";
        ReplacedUniqueIdentifier = 0x420076, "Replaced Unique Identifier";
        RequestHeader = 0x420077, "Request Header";
        RequestMessage = 0x420078, "Request Message";
        RequestPayload = 0x420079, "Request Payload";
        ResponseHeader = 0x42007A, "Response Header";
        ResponseMessage = 0x42007B, "Response Message";
        ResponsePayload = 0x42007C, "Response Payload";
        ResultMessage = 0x42007D, "Result Message";
        ResultReason = 0x42007E, "Result Reason";
        ResultStatus = 0x42007F, "Result Status";
        RevocationMessage = 0x420080, "Revocation Message";
        RevocationReason = 0x420081, "Revocation Reason";
        RevocationReasonCode = 0x420082, "Revocation Reason Code";
        KeyRoleType = 0x420083, "Key Role Type";
        Salt = 0x420084, "Salt";
        SecretData = 0x420085, "Secret Data";
        SecretDataType = 0x420086, "Secret Data Type";
        ServerInformation = 0x420088, "Server Information";
        SplitKey = 0x420089, "Split Key";
        SplitKeyMethod = 0x42008A, "Split Key Method";
        SplitKeyParts = 0x42008B, "Split Key Parts";
        SplitKeyThreshold = 0x42008C, "Split Key Threshold";
        State = 0x42008D, "State";
        StorageStatusMask = 0x42008E, "Storage Status Mask";
        SymmetricKey = 0x42008F, "Symmetric Key";
        TimeStamp = 0x420092, "Time Stamp";
        UniqueBatchItemID = 0x420093, "Unique Batch Item ID";
        UniqueIdentifier = 0x420094, "Unique Identifier";
        UsageLimits = 0x420095, "Usage Limits";
        UsageLimitsCount = 0x420096, "Usage Limits Count";
        UsageLimitsTotal = 0x420097, "Usage Limits Total";
        UsageLimitsUnit = 0x420098, "Usage Limits Unit";
        Username = 0x420099, "Username";
        ValidityDate = 0x42009A, "Validity Date";
        ValidityIndicator = 0x42009B, "Validity Indicator";
        VendorExtension = 0x42009C, "Vendor Extension";
        VendorIdentification = 0x42009D, "Vendor Identification";
        WrappingMethod = 0x42009E, "Wrapping Method";
        X = 0x42009F, "X";
        Y = 0x4200A0, "Y";
        Password = 0x4200A1, "Password";
    }
    since V1_1 {
        DeviceIdentifier = 0x4200A2, "Device Identifier";
        EncodingOption = 0x4200A3, "Encoding Option";
        ExtensionInformation = 0x4200A4, "Extension Information";
        ExtensionName = 0x4200A5, "Extension Name";
        ExtensionTag = 0x4200A6, "Extension Tag";
        ExtensionType = 0x4200A7, "Extension Type";
        Fresh = 0x4200A8, "Fresh";
        MachineIdentifier = 0x4200A9, "Machine Identifier";
        MediaIdentifier = 0x4200AA, "Media Identifier";
        NetworkIdentifier = 0x4200AB, "Network Identifier";
        ObjectGroupMember = 0x4200AC, "Object Group Member";
        CertificateLength = 0x4200AD, "Certificate Length";
        DigitalSignatureAlgorithm = 0x4200AE, "Digital Signature Algorithm";
        CertificateSerialNumber = 0x4200AF, "Certificate Serial Number";
        DeviceSerialNumber = 0x4200B0, "Device Serial Number";
        IssuerAlternativeName = 0x4200B1, "Issuer Alternative Name";
        IssuerDistinguishedName = 0x4200B2, "Issuer Distinguished Name";
        SubjectAlternativeName = 0x4200B3, "Subject Alternative Name";
        SubjectDistinguishedName = 0x4200B4, "Subject Distinguished Name";
        X_509CertificateIdentifier = 0x4200B5, "X.509 Certificate Identifier";
        X_509CertificateIssuer = 0x4200B6, "X.509 Certificate Issuer";
        X_509CertificateSubject = 0x4200B7, "X.509 Certificate Subject";
    }
    since V1_2 {
        KeyValueLocation = 0x4200B8, "Key Value Location";
        KeyValueLocationValue = 0x4200B9, "Key Value Location Value";
        KeyValueLocationType = 0x4200BA, "Key Value Location Type";
        KeyValuePresent = 0x4200BB, "Key Value Present";
        OriginalCreationDate = 0x4200BC, "Original Creation Date";
        PGPKey = 0x4200BD, "PGP Key";
        PGPKeyVersion = 0x4200BE, "PGP Key Version";
        AlternativeName = 0x4200BF, "Alternative Name";
        AlternativeNameValue = 0x4200C0, "Alternative Name Value";
        AlternativeNameType = 0x4200C1, "Alternative Name Type";
        Data = 0x4200C2, "Data";
        SignatureData = 0x4200C3, "Signature Data";
        DataLength = 0x4200C4, "Data Length";
        RandomIV = 0x4200C5, "Random IV";
        MACData = 0x4200C6, "MAC Data";
        AttestationType = 0x4200C7, "Attestation Type";
        Nonce = 0x4200C8, "Nonce";
        NonceID = 0x4200C9, "Nonce ID";
        NonceValue = 0x4200CA, "Nonce Value";
        AttestationMeasurement = 0x4200CB, "Attestation Measurement";
        AttestationAssertion = 0x4200CC, "Attestation Assertion";
        IVLength = 0x4200CD, "IV Length";
        TagLength = 0x4200CE, "Tag Length";
        FixedFieldLength = 0x4200CF, "Fixed Field Length";
        CounterLength = 0x4200D0, "Counter Length";
        InitialCounterValue = 0x4200D1, "Initial Counter Value";
        InvocationFieldLength = 0x4200D2, "Invocation Field Length";
        AttestationCapableIndicator = 0x4200D3, "Attestation Capable Indicator";
    }
    since V1_3 {
        OffsetItems = 0x4200D4, "Offset Items";
        LocatedItems = 0x4200D5, "Located Items";
        CorrelationValue = 0x4200D6, "Correlation Value";
        InitIndicator = 0x4200D7, "Init Indicator";
        FinalIndicator = 0x4200D8, "Final Indicator";
        RNGParameters = 0x4200D9, "RNG Parameters";
        RNGAlgorithm = 0x4200DA, "RNG Algorithm";
        DRBGAlgorithm = 0x4200DB, "DRBG Algorithm";
        FIPS186Variation = 0x4200DC, "FIPS186 Variation";
        PredictionResistance = 0x4200DD, "Prediction Resistance";
        RandomNumberGenerator = 0x4200DE, "Random Number Generator";
        ValidationInformation = 0x4200DF, "Validation Information";
        ValidationAuthorityType = 0x4200E0, "Validation Authority Type";
        ValidationAuthorityCountry = 0x4200E1, "Validation Authority Country";
        ValidationAuthorityURI = 0x4200E2, "Validation Authority URI";
        ValidationVersionMajor = 0x4200E3, "Validation Version Major";
        ValidationVersionMinor = 0x4200E4, "Validation Version Minor";
        ValidationType = 0x4200E5, "Validation Type";
        ValidationLevel = 0x4200E6, "Validation Level";
        ValidationCertificateIdentifier = 0x4200E7, "Validation Certificate Identifier";
        ValidationCertificateURI = 0x4200E8, "Validation Certificate URI";
        ValidationVendorURI = 0x4200E9, "Validation Vendor URI";
        ValidationProfile = 0x4200EA, "Validation Profile";
        ProfileInformation = 0x4200EB, "Profile Information";
        ProfileName = 0x4200EC, "Profile Name";
        ServerURI = 0x4200ED, "Server URI";
        ServerPort = 0x4200EE, "Server Port";
        StreamingCapability = 0x4200EF, "Streaming Capability";
        AsynchronousCapability = 0x4200F0, "Asynchronous Capability";
        AttestationCapability = 0x4200F1, "Attestation Capability";
        UnwrapMode = 0x4200F2, "Unwrap Mode";
        DestroyAction = 0x4200F3, "Destroy Action";
        ShreddingAlgorithm = 0x4200F4, "Shredding Algorithm";
        RNGMode = 0x4200F5, "RNG Mode";
        ClientRegistrationMethod = 0x4200F6, "Client Registration Method";
        CapabilityInformation = 0x4200F7, "Capability Information";
    }
    since V1_4 {
        KeyWrapType = 0x4200F8, "Key Wrap Type";
        BatchUndoCapability = 0x4200F9, "Batch Undo Capability";
        BatchContinueCapability = 0x4200FA, "Batch Continue Capability";
        PKCS_12FriendlyName = 0x4200FB, "PKCS#12 Friendly Name";
        Description = 0x4200FC, "Description";
        Comment = 0x4200FD, "Comment";
        AuthenticatedEncryptionAdditionalData = 0x4200FE, "Authenticated Encryption Additional Data";
        AuthenticatedEncryptionTag = 0x4200FF, "Authenticated Encryption Tag";
        SaltLength = 0x420100, "Salt Length";
        MaskGenerator = 0x420101, "Mask Generator";
        MaskGeneratorHashingAlgorithm = 0x420102, "Mask Generator Hashing Algorithm";
        PSource = 0x420103, "P Source";
        TrailerField = 0x420104, "Trailer Field";
        ClientCorrelationValue = 0x420105, "Client Correlation Value";
        ServerCorrelationValue = 0x420106, "Server Correlation Value";
        DigestedData = 0x420107, "Digested Data";
        CertificateSubjectCN = 0x420108, "Certificate Subject CN";
        CertificateSubjectO = 0x420109, "Certificate Subject O";
        CertificateSubjectOU = 0x42010A, "Certificate Subject OU";
        CertificateSubjectEmail = 0x42010B, "Certificate Subject Email";
        CertificateSubjectC = 0x42010C, "Certificate Subject C";
        CertificateSubjectST = 0x42010D, "Certificate Subject ST";
        CertificateSubjectL = 0x42010E, "Certificate Subject L";
        CertificateSubjectUID = 0x42010F, "Certificate Subject UID";
        CertificateSubjectSerialNumber = 0x420110, "Certificate Subject Serial Number";
        CertificateSubjectTitle = 0x420111, "Certificate Subject Title";
        CertificateSubjectDC = 0x420112, "Certificate Subject DC";
        CertificateSubjectDNQualifier = 0x420113, "Certificate Subject DN Qualifier";
        CertificateIssuerCN = 0x420114, "Certificate Issuer CN";
        CertificateIssuerO = 0x420115, "Certificate Issuer O";
        CertificateIssuerOU = 0x420116, "Certificate Issuer OU";
        CertificateIssuerEmail = 0x420117, "Certificate Issuer Email";
        CertificateIssuerC = 0x420118, "Certificate Issuer C";
        CertificateIssuerST = 0x420119, "Certificate Issuer ST";
        CertificateIssuerL = 0x42011A, "Certificate Issuer L";
        CertificateIssuerUID = 0x42011B, "Certificate Issuer UID";
        CertificateIssuerSerialNumber = 0x42011C, "Certificate Issuer Serial Number";
        CertificateIssuerTitle = 0x42011D, "Certificate Issuer Title";
        CertificateIssuerDC = 0x42011E, "Certificate Issuer DC";
        CertificateIssuerDNQualifier = 0x42011F, "Certificate Issuer DN Qualifier";
        Sensitive = 0x420120, "Sensitive";
        AlwaysSensitive = 0x420121, "Always Sensitive";
        Extractable = 0x420122, "Extractable";
        NeverExtractable = 0x420123, "Never Extractable";
        ReplaceExisting = 0x420124, "Replace Existing";
    }
    since V2_0 {
        Attributes = 0x420125, "Attributes";
        CommonAttributes = 0x420126, "Common Attributes";
        PrivateKeyAttributes = 0x420127, "Private Key Attributes";
        PublicKeyAttributes = 0x420128, "Public Key Attributes";
        ExtensionEnumeration = 0x420129, "Extension Enumeration";
        ExtensionAttribute = 0x42012A, "Extension Attribute";
        ExtensionParentStructureTag = 0x42012B, "Extension Parent Structure Tag";
        ExtensionDescription = 0x42012C, "Extension Description";
        ServerName = 0x42012D, "Server Name";
        ServerSerialNumber = 0x42012E, "Server Serial Number";
        ServerVersion = 0x42012F, "Server Version";
        ServerLoad = 0x420130, "Server Load";
        ProductName = 0x420131, "Product Name";
        BuildLevel = 0x420132, "Build Level";
        BuildDate = 0x420133, "Build Date";
        ClusterInfo = 0x420134, "Cluster Info";
        AlternateFailoverEndpoints = 0x420135, "Alternate Failover Endpoints";
        ShortUniqueIdentifier = 0x420136, "Short Unique Identifier";
        Tag = 0x420138, "Tag";
        CertificateRequestUniqueIdentifier = 0x420139, "Certificate Request Unique Identifier";
        NISTKeyType = 0x42013A, "NIST Key Type";
        AttributeReference = 0x42013B, "Attribute Reference";
        CurrentAttribute = 0x42013C, "Current Attribute";
        NewAttribute = 0x42013D, "New Attribute";
        CertificateRequestValue = 0x420140, "Certificate Request Value";
        LogMessage = 0x420141, "Log Message";
        ProfileVersion = 0x420142, "Profile Version";
        ProfileVersionMajor = 0x420143, "Profile Version Major";
        ProfileVersionMinor = 0x420144, "Profile Version Minor";
        ProtectionLevel = 0x420145, "Protection Level";
        ProtectionPeriod = 0x420146, "Protection Period";
        QuantumSafe = 0x420147, "Quantum Safe";
        QuantumSafeCapability = 0x420148, "Quantum Safe Capability";
        Ticket = 0x420149, "Ticket";
        TicketType = 0x42014A, "Ticket Type";
        TicketValue = 0x42014B, "Ticket Value";
        RequestCount = 0x42014C, "Request Count";
        Rights = 0x42014D, "Rights";
        Objects = 0x42014E, "Objects";
        Operations = 0x42014F, "Operations";
        Right = 0x420150, "Right";
        EndpointRole = 0x420151, "Endpoint Role";
        DefaultsInformation = 0x420152, "Defaults Information";
        ObjectDefaults = 0x420153, "Object Defaults";
        Ephemeral = 0x420154, "Ephemeral";
        ServerHashedPassword = 0x420155, "Server Hashed Password";
        OneTimePassword = 0x420156, "One Time Password";
        HashedPassword = 0x420157, "Hashed Password";
        AdjustmentType = 0x420158, "Adjustment Type";
        PKCS_11Interface = 0x420159, "PKCS#11 Interface";
        PKCS_11Function = 0x42015A, "PKCS#11 Function";
        PKCS_11InputParameters = 0x42015B, "PKCS#11 Input Parameters";
        PKCS_11OutputParameters = 0x42015C, "PKCS#11 Output Parameters";
        PKCS_11ReturnCode = 0x42015D, "PKCS#11 Return Code";
        ProtectionStorageMask = 0x42015E, "Protection Storage Mask";
        ProtectionStorageMasks = 0x42015F, "Protection Storage Masks";
        InteropFunction = 0x420160, "Interop Function";
        InteropIdentifier = 0x420161, "Interop Identifier";
        AdjustmentValue = 0x420162, "Adjustment Value";
        CommonProtectionStorageMasks = 0x420163, "Common Protection Storage Masks";
        PrivateProtectionStorageMasks = 0x420164, "Private Protection Storage Masks";
        PublicProtectionStorageMasks = 0x420165, "Public Protection Storage Masks";
    }
    since V2_1 {
        ObjectGroups = 0x420166, "Object Groups";
        ObjectTypes = 0x420167, "Object Types";
        Constraints = 0x420168, "Constraints";
        Constraint = 0x420169, "Constraint";
        RotateInterval = 0x42016A, "Rotate Interval";
        RotateAutomatic = 0x42016B, "Rotate Automatic";
        RotateOffset = 0x42016C, "Rotate Offset";
        RotateDate = 0x42016D, "Rotate Date";
        RotateGeneration = 0x42016E, "Rotate Generation";
        RotateName = 0x42016F, "Rotate Name";
        RotateNameValue = 0x420170, "Rotate Name Value";
        RotateNameType = 0x420171, "Rotate Name Type";
        RotateLatest = 0x420172, "Rotate Latest";
        AsynchronousRequest = 0x420173, "Asynchronous Request";
        SubmissionDate = 0x420174, "Submission Date";
        ProcessingStage = 0x420175, "Processing Stage";
        AsynchronousCorrelationValues = 0x420176, "Asynchronous Correlation Values";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_knows_its_name_and_its_versions() {
        assert_eq!(Tag::LocatedItems.to_string(), "Located Items");
        assert!(!Tag::LocatedItems.exists_in(ProtocolVersion::V1_2));
        assert!(Tag::LocatedItems.exists_in(ProtocolVersion::V1_3));
        assert!(Tag::AttributeIndex.exists_in(ProtocolVersion::V1_4));
        assert!(!Tag::AttributeIndex.exists_in(ProtocolVersion::V2_0));
    }

    #[test]
    fn an_unknown_tag_prints_in_hexadecimal_and_belongs_to_every_version() {
        let tag = Tag::new(0x54_0001);
        assert_eq!(tag.to_string(), "0x540001");
        assert!(tag.exists_in(ProtocolVersion::V1_0));
    }
}

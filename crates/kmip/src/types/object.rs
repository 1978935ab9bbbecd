//! Enumerations about managed objects and their attributes.

use super::enumeration;

enumeration! {
    /// What a managed object is (KMIP 1.4 §9.1.3.2.12).
    pub struct ObjectType;
    since V1_0 until V1_4 {
        Template = 0x06, "Template";
    }
    since V1_0 {
        Certificate = 0x01, "Certificate";
        SymmetricKey = 0x02, "Symmetric Key";
        PublicKey = 0x03, "Public Key";
        PrivateKey = 0x04, "Private Key";
        SplitKey = 0x05, "Split Key";
        SecretData = 0x07, "Secret Data";
        OpaqueObject = 0x08, "Opaque Object";
    }
    since V1_2 {
        PGPKey = 0x09, "PGP Key";
    }
    since V2_0 {
        CertificateRequest = 0x0A, "Certificate Request";
    }
}

enumeration! {
    /// Where a managed object is in its life (KMIP 1.4 §9.1.3.2.18).
    pub struct State;
    since V1_0 {
        PreActive = 0x01, "Pre-Active";
        Active = 0x02, "Active";
        Deactivated = 0x03, "Deactivated";
        Compromised = 0x04, "Compromised";
        Destroyed = 0x05, "Destroyed";
        DestroyedCompromised = 0x06, "Destroyed Compromised";
    }
}

enumeration! {
    /// How a Name is to be read (KMIP 1.4 §9.1.3.2.11).
    pub struct NameType;
    since V1_0 {
        UninterpretedTextString = 0x01, "Uninterpreted Text String";
        URI = 0x02, "URI";
    }
}

enumeration! {
    /// What Secret Data holds (KMIP 1.4 §9.1.3.2.9).
    pub struct SecretDataType;
    since V1_0 {
        Password = 0x01, "Password";
        Seed = 0x02, "Seed";
    }
}

enumeration! {
    /// How one managed object refers to another (KMIP 1.4 §9.1.3.2.20).
    pub struct LinkType;
    since V1_0 {
        CertificateLink = 0x101, "Certificate Link";
        PublicKeyLink = 0x102, "Public Key Link";
        PrivateKeyLink = 0x103, "Private Key Link";
        DerivationBaseObjectLink = 0x104, "Derivation Base Object Link";
        DerivedKeyLink = 0x105, "Derived Key Link";
        ReplacementObjectLink = 0x106, "Replacement Object Link";
        ReplacedObjectLink = 0x107, "Replaced Object Link";
    }
    since V1_2 {
        ParentLink = 0x108, "Parent Link";
        ChildLink = 0x109, "Child Link";
        PreviousLink = 0x10A, "Previous Link";
        NextLink = 0x10B, "Next Link";
    }
    since V1_4 {
        PKCS_12CertificateLink = 0x10C, "PKCS#12 Certificate Link";
        PKCS_12PasswordLink = 0x10D, "PKCS#12 Password Link";
    }
    since V2_0 {
        WrappingKeyLink = 0x10E, "Wrapping Key Link";
    }
}

enumeration! {
    /// Why an object was revoked (KMIP 1.4 §9.1.3.2.19).
    pub struct RevocationReasonCode;
    since V1_0 {
        Unspecified = 0x01, "Unspecified";
        KeyCompromise = 0x02, "Key Compromise";
        CACompromise = 0x03, "CA Compromise";
        AffiliationChanged = 0x04, "Affiliation Changed";
        Superseded = 0x05, "Superseded";
        CessationOfOperation = 0x06, "Cessation of Operation";
        PrivilegeWithdrawn = 0x07, "Privilege Withdrawn";
    }
}

enumeration! {
    /// Which members of an Object Group a Locate means (KMIP 1.4 §9.1.3.2.33).
    pub struct ObjectGroupMember;
    since V1_1 {
        GroupMemberFresh = 0x01, "Group Member Fresh";
        GroupMemberDefault = 0x02, "Group Member Default";
    }
}

enumeration! {
    /// What Usage Limits count (KMIP 1.4 §9.1.3.2.31).
    pub struct UsageLimitsUnit;
    since V1_0 {
        Byte = 0x01, "Byte";
        Object = 0x02, "Object";
    }
}

enumeration! {
    /// What kind of name an Alternative Name is (KMIP 1.4 §9.1.3.2.34).
    pub struct AlternativeNameType;
    since V1_2 {
        UninterpretedTextString = 0x01, "Uninterpreted Text String";
        URI = 0x02, "URI";
        ObjectSerialNumber = 0x03, "Object Serial Number";
        EmailAddress = 0x04, "Email Address";
        DNSName = 0x05, "DNS Name";
        X_500DistinguishedName = 0x06, "X.500 Distinguished Name";
        IPAddress = 0x07, "IP Address";
    }
}

enumeration! {
    /// The format of a certificate (KMIP 1.4 §9.1.3.2.6).
    pub struct CertificateType;
    since V1_0 {
        X_509 = 0x01, "X.509";
        PGP = 0x02, "PGP";
    }
}

enumeration! {
    /// What an Opaque Object holds (KMIP 1.4 §9.1.3.2.10). The specification defines no value; vendors set the top bit.
    pub struct OpaqueDataType;
}

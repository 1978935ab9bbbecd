//! Enumerations about keys and their encodings.

use super::enumeration;

enumeration! {
    /// How the bytes of a key are laid out (KMIP 1.4 §9.1.3.2.3).
    pub struct KeyFormatType;
    since V1_0 until V1_4 {
        TransparentECDSAPrivateKey = 0x0E, "Transparent ECDSA Private Key";
        TransparentECDSAPublicKey = 0x0F, "Transparent ECDSA Public Key";
        TransparentECDHPrivateKey = 0x10, "Transparent ECDH Private Key";
        TransparentECDHPublicKey = 0x11, "Transparent ECDH Public Key";
        TransparentECMQVPrivateKey = 0x12, "Transparent ECMQV Private Key";
        TransparentECMQVPublicKey = 0x13, "Transparent ECMQV Public Key";
    }
    since V1_0 {
        Raw = 0x01, "Raw";
        Opaque = 0x02, "Opaque";
        PKCS_1 = 0x03, "PKCS#1";
        PKCS_8 = 0x04, "PKCS#8";
        X_509 = 0x05, "X.509";
        ECPrivateKey = 0x06, "ECPrivateKey";
        TransparentSymmetricKey = 0x07, "Transparent Symmetric Key";
        TransparentDSAPrivateKey = 0x08, "Transparent DSA Private Key";
        TransparentDSAPublicKey = 0x09, "Transparent DSA Public Key";
        TransparentRSAPrivateKey = 0x0A, "Transparent RSA Private Key";
        TransparentRSAPublicKey = 0x0B, "Transparent RSA Public Key";
        TransparentDHPrivateKey = 0x0C, "Transparent DH Private Key";
        TransparentDHPublicKey = 0x0D, "Transparent DH Public Key";
    }
    since V1_3 {
        TransparentECPrivateKey = 0x14, "Transparent EC Private Key";
        TransparentECPublicKey = 0x15, "Transparent EC Public Key";
    }
    since V1_4 {
        PKCS_12 = 0x16, "PKCS#12";
    }
    since V2_0 {
        PKCS_10 = 0x17, "PKCS#10";
    }
}

enumeration! {
    /// How the point of an elliptic curve key is compressed (KMIP 1.4 §9.1.3.2.2).
    pub struct KeyCompressionType;
    since V1_0 {
        ECPublicKeyTypeUncompressed = 0x01, "EC Public Key Type Uncompressed";
        ECPublicKeyTypeX9_62CompressedPrime = 0x02, "EC Public Key Type X9.62 Compressed Prime";
        ECPublicKeyTypeX9_62CompressedChar2 = 0x03, "EC Public Key Type X9.62 Compressed Char2";
        ECPublicKeyTypeX9_62Hybrid = 0x04, "EC Public Key Type X9.62 Hybrid";
    }
}

enumeration! {
    /// The role of a key (as the payment industry names them) (KMIP 1.4 §9.1.3.2.17).
    pub struct KeyRoleType;
    since V1_0 {
        BDK = 0x01, "BDK";
        CVK = 0x02, "CVK";
        DEK = 0x03, "DEK";
        MKAC = 0x04, "MKAC";
        MKSMC = 0x05, "MKSMC";
        MKSMI = 0x06, "MKSMI";
        MKDAC = 0x07, "MKDAC";
        MKDN = 0x08, "MKDN";
        MKCP = 0x09, "MKCP";
        MKOTH = 0x0A, "MKOTH";
        KEK = 0x0B, "KEK";
        MAC16609 = 0x0C, "MAC16609";
        MAC97971 = 0x0D, "MAC97971";
        MAC97972 = 0x0E, "MAC97972";
        MAC97973 = 0x0F, "MAC97973";
        MAC97974 = 0x10, "MAC97974";
        MAC97975 = 0x11, "MAC97975";
        ZPK = 0x12, "ZPK";
        PVKIBM = 0x13, "PVKIBM";
        PVKPVV = 0x14, "PVKPVV";
        PVKOTH = 0x15, "PVKOTH";
    }
    since V1_4 {
        DUKPT = 0x16, "DUKPT";
        IV = 0x17, "IV";
        TRKBK = 0x18, "TRKBK";
    }
}

enumeration! {
    /// Whether Get hands out a key wrapped as it was registered (KMIP 1.4 §9.1.3.2.48).
    pub struct KeyWrapType;
    since V1_4 {
        NotWrapped = 0x01, "Not Wrapped";
        AsRegistered = 0x02, "As Registered";
    }
}

enumeration! {
    /// Use of a key in NIST SP 800-57's words (KMIP 2.1 §11.32).
    pub struct NISTKeyType;
    since V2_0 {
        PrivateSignatureKey = 0x01, "Private signature key";
        PublicSignatureVerificationKey = 0x02, "Public signature verification key";
        SymmetricAuthenticationKey = 0x03, "Symmetric authentication key";
        PrivateAuthenticationKey = 0x04, "Private authentication key";
        PublicAuthenticationKey = 0x05, "Public authentication key";
        SymmetricDataEncryptionKey = 0x06, "Symmetric data encryption key";
        SymmetricKeyWrappingKey = 0x07, "Symmetric key wrapping key";
        SymmetricRandomNumberGenerationKey = 0x08, "Symmetric random number generation key";
        SymmetricMasterKey = 0x09, "Symmetric master key";
        PrivateKeyTransportKey = 0x0A, "Private key transport key";
        PublicKeyTransportKey = 0x0B, "Public key transport key";
        SymmetricKeyAgreementKey = 0x0C, "Symmetric key agreement key";
        PrivateStaticKeyAgreementKey = 0x0D, "Private static key agreement key";
        PublicStaticKeyAgreementKey = 0x0E, "Public static key agreement key";
        PrivateEphemeralKeyAgreementKey = 0x0F, "Private ephemeral key agreement key";
        PublicEphemeralKeyAgreementKey = 0x10, "Public ephemeral key agreement key";
        SymmetricAuthorizationKey = 0x11, "Symmetric authorization key";
        PrivateAuthorizationKey = 0x12, "Private authorization key";
        PublicAuthorizationKey = 0x13, "Public authorization key";
    }
}

enumeration! {
    /// How well a key must be protected (KMIP 2.1 §11.42).
    pub struct ProtectionLevel;
    since V2_0 {
        High = 0x01, "High";
        Low = 0x02, "Low";
    }
}

//! Enumerations about algorithms.

use super::enumeration;

enumeration! {
    /// A cryptographic algorithm (KMIP 1.4 §9.1.3.2.13).
    pub struct CryptographicAlgorithm;
    since V1_0 {
        DES = 0x01, "DES";
        DES3 = 0x02, "3DES";
        AES = 0x03, "AES";
        RSA = 0x04, "RSA";
        DSA = 0x05, "DSA";
        ECDSA = 0x06, "ECDSA";
        HMAC_SHA1 = 0x07, "HMAC-SHA1";
        HMAC_SHA224 = 0x08, "HMAC-SHA224";
        HMAC_SHA256 = 0x09, "HMAC-SHA256";
        HMAC_SHA384 = 0x0A, "HMAC-SHA384";
        HMAC_SHA512 = 0x0B, "HMAC-SHA512";
        HMAC_MD5 = 0x0C, "HMAC-MD5";
        DH = 0x0D, "DH";
        ECDH = 0x0E, "ECDH";
        ECMQV = 0x0F, "ECMQV";
        Blowfish = 0x10, "Blowfish";
        Camellia = 0x11, "Camellia";
        CAST5 = 0x12, "CAST5";
        IDEA = 0x13, "IDEA";
        MARS = 0x14, "MARS";
        RC2 = 0x15, "RC2";
        RC4 = 0x16, "RC4";
        RC5 = 0x17, "RC5";
        SKIPJACK = 0x18, "SKIPJACK";
        Twofish = 0x19, "Twofish";
    }
    since V1_2 {
        EC = 0x1A, "EC";
    }
    since V1_3 {
        OneTimePad = 0x1B, "One Time Pad";
    }
    since V1_4 {
        ChaCha20 = 0x1C, "ChaCha20";
        Poly1305 = 0x1D, "Poly1305";
        ChaCha20Poly1305 = 0x1E, "ChaCha20Poly1305";
        SHA3_224 = 0x1F, "SHA3-224";
        SHA3_256 = 0x20, "SHA3-256";
        SHA3_384 = 0x21, "SHA3-384";
        SHA3_512 = 0x22, "SHA3-512";
        HMAC_SHA3_224 = 0x23, "HMAC-SHA3-224";
        HMAC_SHA3_256 = 0x24, "HMAC-SHA3-256";
        HMAC_SHA3_384 = 0x25, "HMAC-SHA3-384";
        HMAC_SHA3_512 = 0x26, "HMAC-SHA3-512";
        SHAKE_128 = 0x27, "SHAKE-128";
        SHAKE_256 = 0x28, "SHAKE-256";
    }
    since V2_0 {
        ARIA = 0x29, "ARIA";
        SEED = 0x2A, "SEED";
        SM2 = 0x2B, "SM2";
        SM3 = 0x2C, "SM3";
        SM4 = 0x2D, "SM4";
        GOSTR34_10_2012 = 0x2E, "GOST R 34.10-2012";
        GOSTR34_11_2012 = 0x2F, "GOST R 34.11-2012";
        GOSTR34_13_2015 = 0x30, "GOST R 34.13-2015";
        GOST28147_89 = 0x31, "GOST 28147-89";
        XMSS = 0x32, "XMSS";
        SPHINCS_256 = 0x33, "SPHINCS-256";
        McEliece = 0x34, "McEliece";
        McEliece_6960119 = 0x35, "McEliece-6960119";
        McEliece_8192128 = 0x36, "McEliece-8192128";
        Ed25519 = 0x37, "Ed25519";
        Ed448 = 0x38, "Ed448";
    }
}

enumeration! {
    /// A mode of a block cipher (KMIP 1.4 §9.1.3.2.14).
    pub struct BlockCipherMode;
    since V1_0 {
        CBC = 0x01, "CBC";
        ECB = 0x02, "ECB";
        PCBC = 0x03, "PCBC";
        CFB = 0x04, "CFB";
        OFB = 0x05, "OFB";
        CTR = 0x06, "CTR";
        CMAC = 0x07, "CMAC";
        CCM = 0x08, "CCM";
        GCM = 0x09, "GCM";
        CBC_MAC = 0x0A, "CBC-MAC";
        XTS = 0x0B, "XTS";
        AESKeyWrapPadding = 0x0C, "AESKeyWrapPadding";
        NISTKeyWrap = 0x0D, "NISTKeyWrap";
        X9_102AESKW = 0x0E, "X9.102 AESKW";
        X9_102TDKW = 0x0F, "X9.102 TDKW";
        X9_102AKW1 = 0x10, "X9.102 AKW1";
        X9_102AKW2 = 0x11, "X9.102 AKW2";
    }
    since V1_4 {
        AEAD = 0x12, "AEAD";
    }
}

enumeration! {
    /// How a last block is filled (KMIP 1.4 §9.1.3.2.15).
    pub struct PaddingMethod;
    since V1_0 {
        None = 0x01, "None";
        OAEP = 0x02, "OAEP";
        PKCS5 = 0x03, "PKCS5";
        SSL3 = 0x04, "SSL3";
        Zeros = 0x05, "Zeros";
        ANSIX9_23 = 0x06, "ANSI X9.23";
        ISO10126 = 0x07, "ISO 10126";
        PKCS1V1_5 = 0x08, "PKCS1 v1.5";
        X9_31 = 0x09, "X9.31";
        PSS = 0x0A, "PSS";
    }
}

enumeration! {
    /// A hash function (KMIP 1.4 §9.1.3.2.16).
    pub struct HashingAlgorithm;
    since V1_0 {
        MD2 = 0x01, "MD2";
        MD4 = 0x02, "MD4";
        MD5 = 0x03, "MD5";
        SHA_1 = 0x04, "SHA-1";
        SHA_224 = 0x05, "SHA-224";
        SHA_256 = 0x06, "SHA-256";
        SHA_384 = 0x07, "SHA-384";
        SHA_512 = 0x08, "SHA-512";
        RIPEMD_160 = 0x09, "RIPEMD-160";
        Tiger = 0x0A, "Tiger";
        Whirlpool = 0x0B, "Whirlpool";
    }
    since V1_2 {
        SHA_512_224 = 0x0C, "SHA-512/224";
        SHA_512_256 = 0x0D, "SHA-512/256";
    }
    since V1_4 {
        SHA3_224 = 0x0E, "SHA3-224";
        SHA3_256 = 0x0F, "SHA3-256";
        SHA3_384 = 0x10, "SHA3-384";
        SHA3_512 = 0x11, "SHA3-512";
    }
}

enumeration! {
    /// A signature scheme (KMIP 1.4 §9.1.3.2.7).
    pub struct DigitalSignatureAlgorithm;
    since V1_1 {
        MD2WithRSAEncryptionPKCS_1V1_5 = 0x01, "MD2 with RSA Encryption (PKCS#1 v1.5)";
        MD5WithRSAEncryptionPKCS_1V1_5 = 0x02, "MD5 with RSA Encryption (PKCS#1 v1.5)";
        SHA_1WithRSAEncryptionPKCS_1V1_5 = 0x03, "SHA-1 with RSA Encryption (PKCS#1 v1.5)";
        SHA_224WithRSAEncryptionPKCS_1V1_5 = 0x04, "SHA-224 with RSA Encryption (PKCS#1 v1.5)";
        SHA_256WithRSAEncryptionPKCS_1V1_5 = 0x05, "SHA-256 with RSA Encryption (PKCS#1 v1.5)";
        SHA_384WithRSAEncryptionPKCS_1V1_5 = 0x06, "SHA-384 with RSA Encryption (PKCS#1 v1.5)";
        SHA_512WithRSAEncryptionPKCS_1V1_5 = 0x07, "SHA-512 with RSA Encryption (PKCS#1 v1.5)";
        RSASSA_PSSPKCS_1V2_1 = 0x08, "RSASSA-PSS (PKCS#1 v2.1)";
    }
    since V1_1 {
        DSAWithSHA_1 = 0x09, "DSA with SHA-1";
        DSAWithSHA224 = 0x0A, "DSA with SHA224";
        DSAWithSHA256 = 0x0B, "DSA with SHA256";
        ECDSAWithSHA_1 = 0x0C, "ECDSA with SHA-1";
        ECDSAWithSHA224 = 0x0D, "ECDSA with SHA224";
        ECDSAWithSHA256 = 0x0E, "ECDSA with SHA256";
        ECDSAWithSHA384 = 0x0F, "ECDSA with SHA384";
        ECDSAWithSHA512 = 0x10, "ECDSA with SHA512";
    }
    since V1_4 {
        SHA3_256WithRSAEncryption = 0x11, "SHA3-256 with RSA Encryption";
        SHA3_384WithRSAEncryption = 0x12, "SHA3-384 with RSA Encryption";
        SHA3_512WithRSAEncryption = 0x13, "SHA3-512 with RSA Encryption";
    }
}

enumeration! {
    /// The mask generation function of RSA-OAEP and RSA-PSS (KMIP 1.4 §9.1.3.2.49).
    pub struct MaskGenerator;
    since V1_4 {
        MGF1 = 0x01, "MGF1";
    }
}

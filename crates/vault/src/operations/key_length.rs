//! Which lengths a symmetric key may have, and making one.

use strongroom_kmip::types::CryptographicAlgorithm;
use strongroom_secret::KeyMaterial;

use super::Fault;

/// Sources: AES FIPS 197; 3DES SP 800-67; Camellia RFC 3713; ARIA RFC 5794; SEED RFC 4269; Twofish and Blowfish, Schneier;
/// ChaCha20 RFC 8439; HMAC SP 800-107 §5.3 (any length; below 112 bits is no longer acceptable).
const RULES: &[(&[CryptographicAlgorithm], Lengths)] = {
    use CryptographicAlgorithm as A;
    &[
        (&[A::AES, A::Camellia, A::Twofish, A::ARIA], Lengths::OneOf(&[128, 192, 256])),
        // Counted with or without the parity bits, by different clients.
        (&[A::DES3], Lengths::OneOf(&[112, 128, 168, 192])),
        (&[A::SEED, A::SM4], Lengths::OneOf(&[128])),
        (&[A::ChaCha20, A::Poly1305, A::ChaCha20Poly1305], Lengths::OneOf(&[256])),
        (&[A::Blowfish], Lengths::Bytes { from: 4, to: 56 }),
        (
            &[
                A::HMAC_SHA1,
                A::HMAC_SHA224,
                A::HMAC_SHA256,
                A::HMAC_SHA384,
                A::HMAC_SHA512,
                A::HMAC_SHA3_224,
                A::HMAC_SHA3_256,
                A::HMAC_SHA3_384,
                A::HMAC_SHA3_512,
            ],
            Lengths::Bytes { from: 14, to: 1024 },
        ),
    ]
};

/// The lengths that keys of an algorithm can have.
enum Lengths {
    /// Exactly these, in bits.
    OneOf(&'static [u32]),
    /// Whole bytes, from and to inclusive.
    Bytes { from: u32, to: u32 },
}

impl Lengths {
    fn allow(&self, bits: u32) -> bool {
        match *self {
            Self::OneOf(allowed) => allowed.contains(&bits),
            Self::Bytes { from, to } => bits.is_multiple_of(8) && (from * 8..=to * 8).contains(&bits),
        }
    }
}

/// How many bytes of key material `bits` of `algorithm` are.
///
/// # Errors
/// [`Fault::AlgorithmUnsupported`], [`Fault::LengthUnsupported`].
pub(super) fn material_bytes(algorithm: CryptographicAlgorithm, bits: u32) -> Result<usize, Fault> {
    let (_, lengths) = RULES
        .iter()
        .find(|(algorithms, _)| algorithms.contains(&algorithm))
        .ok_or(Fault::AlgorithmUnsupported(algorithm))?;
    let unsupported = Fault::LengthUnsupported { algorithm, bits };
    if !lengths.allow(bits) {
        return Err(unsupported);
    }
    match (algorithm, bits) {
        (CryptographicAlgorithm::DES3, 112) => Ok(16),
        (CryptographicAlgorithm::DES3, 168) => Ok(24),
        _ => usize::try_from(bits / 8).map_err(|_| unsupported),
    }
}

/// Checks material that a client registers against what it says of it.
///
/// An algorithm without a rule here (it may be newer than this release, or a vendor's) only has to have the length it says.
///
/// # Errors
/// [`Fault::LengthUnsupported`], [`Fault::ObjectInconsistent`].
pub(super) fn check_registered(
    algorithm: CryptographicAlgorithm,
    bits: u32,
    material: usize,
) -> Result<(), Fault> {
    let expected = match material_bytes(algorithm, bits) {
        Err(Fault::AlgorithmUnsupported(_)) => usize::try_from(bits).ok().map(|bits| bits.div_ceil(8)),
        known => Some(known?),
    };
    if expected != Some(material) {
        return Err(Fault::ObjectInconsistent(
            "the Key Material does not have the Cryptographic Length given with it",
        ));
    }
    Ok(())
}

/// Draws a new key from the cryptographic random generator.
///
/// # Errors
/// As [`material_bytes`]; [`Fault::GeneratorFailed`].
pub(super) fn generate(algorithm: CryptographicAlgorithm, bits: u32) -> Result<KeyMaterial, Fault> {
    let length = material_bytes(algorithm, bits)?;
    KeyMaterial::try_fill(length, |bytes| {
        aws_lc_rs::rand::fill(bytes).map_err(|_| Fault::GeneratorFailed)?;
        if algorithm == CryptographicAlgorithm::DES3 {
            set_odd_parity(bytes);
        }
        Ok(())
    })
}

/// The lowest bit of each byte of a DES key makes the number of ones odd (SP 800-67 §2).
fn set_odd_parity(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = (*byte & 0xFE) | u8::from((*byte >> 1).count_ones().is_multiple_of(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aes_has_three_lengths() {
        for bits in [128, 192, 256] {
            assert_eq!(generate(CryptographicAlgorithm::AES, bits).unwrap().len(), bits as usize / 8);
        }
        for bits in [0, 8, 127, 160, 512, u32::MAX] {
            assert!(
                matches!(generate(CryptographicAlgorithm::AES, bits), Err(Fault::LengthUnsupported { .. })),
                "{bits}"
            );
        }
    }

    #[test]
    fn generated_keys_differ() {
        let key = || generate(CryptographicAlgorithm::AES, 256).unwrap();
        assert!(key() != key());
    }

    #[test]
    fn triple_des_keys_have_odd_parity_and_count_with_or_without_it() {
        for (bits, bytes) in [(112, 16), (128, 16), (168, 24), (192, 24)] {
            let key = generate(CryptographicAlgorithm::DES3, bits).unwrap();
            assert_eq!(key.len(), bytes);
            assert!(key.as_bytes().iter().all(|byte| byte.count_ones() % 2 == 1));
        }
    }

    #[test]
    fn public_key_algorithms_are_not_made_here() {
        assert!(matches!(
            generate(CryptographicAlgorithm::RSA, 2048),
            Err(Fault::AlgorithmUnsupported(CryptographicAlgorithm::RSA))
        ));
    }

    #[test]
    fn registered_material_must_have_the_length_it_says() {
        assert!(check_registered(CryptographicAlgorithm::AES, 256, 32).is_ok());
        assert!(check_registered(CryptographicAlgorithm::AES, 256, 16).is_err());
        assert!(check_registered(CryptographicAlgorithm::AES, 64, 8).is_err());
        assert!(check_registered(CryptographicAlgorithm(0x8000_0001), 13, 2).is_ok());
    }
}

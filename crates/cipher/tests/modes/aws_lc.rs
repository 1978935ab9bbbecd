//! The same bytes as AWS-LC, for every key length and any input.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce};
use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, EncryptingKey, EncryptionContext, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use proptest::collection::vec;
use proptest::prelude::*;
use strongroom_cipher::{AesDecrypt, AesEncrypt, CipherError, Iv, ecb};

use crate::whole::{MODES, Mode, decrypt, encrypt};

fn algorithm(key: &[u8]) -> &'static Algorithm {
    match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        _ => &AES_256,
    }
}

fn unbound(key: &[u8]) -> UnboundCipherKey {
    UnboundCipherKey::new(algorithm(key), key).expect("a key of the right length")
}

pub(crate) fn ecb_of(key: &[u8], blocks: &[u8]) -> Vec<u8> {
    let mut out = blocks.to_vec();
    EncryptingKey::ecb(unbound(key))
        .and_then(|k| k.less_safe_encrypt(&mut out, EncryptionContext::None))
        .expect("ECB");
    out
}

/// What AWS-LC makes of it; the tail rule, which is MariaDB's own, is put together from its CBC and its ECB.
pub(crate) fn expected(mode: Mode, key: &[u8], iv: &Iv, plain: &[u8]) -> Vec<u8> {
    let context = || EncryptionContext::Iv128(FixedLength::from(iv));
    let mut out = plain.to_vec();
    match mode {
        Mode::CbcPadded => {
            PaddedBlockEncryptingKey::cbc_pkcs7(unbound(key))
                .and_then(|k| k.less_safe_encrypt(&mut out, context()))
                .expect("CBC with padding");
        }
        Mode::CbcTail => {
            let whole = plain.len() / 16 * 16;
            if whole > 0 {
                EncryptingKey::cbc(unbound(key))
                    .and_then(|k| k.less_safe_encrypt(&mut out[..whole], context()))
                    .expect("CBC");
            }
            for (byte, mask) in out[whole..].iter_mut().zip(ecb_of(key, iv)) {
                *byte ^= mask;
            }
        }
        Mode::Ctr => {
            EncryptingKey::ctr(unbound(key))
                .and_then(|k| k.less_safe_encrypt(&mut out, context()))
                .expect("CTR");
        }
        Mode::Gcm => {
            let algorithm = match key.len() {
                16 => &aead::AES_128_GCM,
                24 => &aead::AES_192_GCM,
                _ => &aead::AES_256_GCM,
            };
            let key = LessSafeKey::new(aead::UnboundKey::new(algorithm, key).expect("a key"));
            let nonce = Nonce::try_assume_unique_for_key(&iv[..12]).expect("12 bytes");
            key.seal_in_place_append_tag(nonce, Aad::from(&iv[12..]), &mut out).expect("GCM");
        }
    }
    out
}

pub(crate) fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 16), vec(any::<u8>(), 24), vec(any::<u8>(), 32)]
}

proptest! {
    #[test]
    fn every_mode_agrees_with_aws_lc(key in key(), iv: Iv, plain in vec(any::<u8>(), 0..600)) {
        for mode in MODES {
            let sealed = encrypt(mode, &key, &iv, &[&plain]).expect("encrypts");
            prop_assert_eq!(&sealed, &expected(mode, &key, &iv, &plain), "{:?}", mode);
            prop_assert_eq!(&decrypt(mode, &key, &iv, &[&sealed]).expect("decrypts"), &plain, "{:?}", mode);
        }
    }

    #[test]
    fn wrapped_blocks_agree_with_aws_lc_and_unwrap(key in key(), blocks in vec(any::<u8>(), 0..12)) {
        let plain: Vec<u8> = blocks.iter().flat_map(|byte| [*byte; 16]).collect();
        let mut wrapped = plain.clone();
        ecb::encrypt_blocks(&AesEncrypt::new(&key).expect("a key"), &mut wrapped).expect("whole blocks");
        prop_assert_eq!(&wrapped, &ecb_of(&key, &plain));
        ecb::decrypt_blocks(&AesDecrypt::new(&key).expect("a key"), &mut wrapped).expect("whole blocks");
        prop_assert_eq!(wrapped, plain);
    }
}

#[test]
fn the_counter_wraps_over_all_128_bits() {
    let iv = [0xFF; 16];
    let plain = [7_u8; 100];
    let key = [3_u8; 32];
    let sealed = encrypt(Mode::Ctr, &key, &iv, &[&plain]).expect("encrypts");
    assert_eq!(sealed, expected(Mode::Ctr, &key, &iv, &plain));
    let mut second_block = [0_u8; 16];
    ecb::encrypt_blocks(&AesEncrypt::new(&key).expect("a key"), &mut second_block).expect("one block");
    assert!(
        second_block.iter().zip(&sealed[16..32]).all(|(mask, byte)| mask ^ byte == 7),
        "counter zero follows"
    );
}

#[test]
fn a_whole_page_agrees_with_aws_lc() {
    let plain: Vec<u8> = (0..16_338_u32).map(|at| (at * 31 % 251) as u8).collect();
    for mode in MODES {
        let sealed = encrypt(mode, &[9; 16], &[4; 16], &[&plain]).expect("encrypts");
        assert_eq!(sealed, expected(mode, &[9; 16], &[4; 16], &plain), "{mode:?}");
    }
}

#[test]
fn a_key_of_another_length_is_refused() {
    for bytes in [0, 1, 15, 17, 31, 33, 64] {
        let key = vec![1; bytes];
        for mode in MODES {
            assert_eq!(encrypt(mode, &key, &[0; 16], &[]), Err(CipherError::KeyLength { bytes }));
            assert_eq!(decrypt(mode, &key, &[0; 16], &[]), Err(CipherError::KeyLength { bytes }));
        }
    }
}

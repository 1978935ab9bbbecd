//! Examples printed in SP 800-38A, appendix F: one key, one text, two modes.

use strongroom_cipher::pages::{self, Page, PageKey, Rule};
use strongroom_cipher::{AesEncrypt, Backend, Buffer, ecb};

use crate::whole::{Mode, decrypt, encrypt};

const KEY_128: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const KEY_192: &str = "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b";
const KEY_256: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                     30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn iv(hex: &str) -> [u8; 16] {
    bytes(hex).try_into().expect("16 bytes")
}

#[test]
fn cbc_matches_sp_800_38a_f_2() {
    let iv = iv("000102030405060708090a0b0c0d0e0f");
    for (key, sealed) in [
        (
            KEY_128,
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
             73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
        ),
        (
            KEY_256,
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
             39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
        ),
    ] {
        let key = bytes(key);
        assert_eq!(encrypt(Mode::CbcTail, &key, &iv, &[&bytes(PLAIN)]).expect("encrypts"), bytes(sealed));
        assert_eq!(decrypt(Mode::CbcTail, &key, &iv, &[&bytes(sealed)]).expect("decrypts"), bytes(PLAIN));
    }
}

#[test]
fn ctr_matches_sp_800_38a_f_5() {
    let iv = iv("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    for (key, sealed) in [
        (
            KEY_128,
            "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff\
             5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
        ),
        (
            KEY_256,
            "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5\
             2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
        ),
    ] {
        let key = bytes(key);
        assert_eq!(encrypt(Mode::Ctr, &key, &iv, &[&bytes(PLAIN)]).expect("encrypts"), bytes(sealed));
    }
}

#[test]
fn single_blocks_match_sp_800_38a_f_1() {
    let aes = AesEncrypt::new(&bytes(KEY_128)).expect("16 bytes");
    let mut block = bytes(PLAIN)[..16].to_vec();
    ecb::encrypt_blocks(&aes, &mut block).expect("one block");
    assert_eq!(block, bytes("3ad77bb40d7a3660a89ecaf32466ef97"));
}

#[test]
fn pages_match_sp_800_38a_in_every_back_end() {
    let iv_cbc = iv("000102030405060708090a0b0c0d0e0f");
    let iv_ctr = iv("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    // The last block of F.2.1, F.2.3 and F.2.5, and of F.5.1, F.5.3 and F.5.5.
    for (key, cbc, ctr) in [
        (KEY_128, "3ff1caa1681fac09120eca307586e1a7", "1e031dda2fbe03d1792170a0f3009cee"),
        (KEY_192, "08b0e27988598881d920a9e64f5615cd", "4f78a7f6d29809585a97daec58c6b050"),
        (KEY_256, "b2eb05e2c39be9fcda6c19078c6a9d1b", "dfc9c58db67aada613c2dd08457941a6"),
    ] {
        for backend in Backend::ALL.into_iter().filter(|backend| backend.is_available()) {
            let key = PageKey::with_backend(&bytes(key), backend).expect("a key");
            let mut chained = vec![bytes(PLAIN); 3];
            let mut batch: Vec<Page<'_>> = chained
                .iter_mut()
                .map(|page| Page { key: &key, iv: iv_cbc, data: Buffer::InPlace(page) })
                .collect();
            pages::encrypt(Rule::WholeBlocks, &mut batch).expect("whole blocks");
            assert!(chained.iter().all(|page| page[48..] == bytes(cbc)), "{backend:?}");

            let mut counted = bytes(PLAIN);
            let data = Buffer::InPlace(&mut counted);
            pages::apply_ctr(&mut [Page { key: &key, iv: iv_ctr, data }]).expect("any length");
            assert_eq!(counted[48..], bytes(ctr), "{backend:?}");
        }
    }
}

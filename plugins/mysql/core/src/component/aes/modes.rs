//! Modes of operation for AES-256 (SP 800-38A) that no library of ours has: CBC with and without padding, CFB in three widths, OFB.
//!
//! None of them says whether what it decrypts was tampered with; the interface has no place for that.

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes256Dec, Aes256Enc};
use zeroize::Zeroizing;

/// AES's block, and the length of an initialisation vector, in bytes.
pub(super) const BLOCK_BYTES: usize = 16;
/// AES-256's key, in bytes.
const KEY_BYTES: usize = 32;

type Block = [u8; BLOCK_BYTES];

/// A mode of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Cipher block chaining.
    Cbc,
    /// Cipher feedback with segments of one bit.
    Cfb1,
    /// Cipher feedback with segments of eight bits.
    Cfb8,
    /// Cipher feedback with segments of a block.
    Cfb128,
    /// Output feedback.
    Ofb,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Encrypt,
    Decrypt,
}

impl Mode {
    /// The mode of this name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"cbc" => Self::Cbc,
            b"cfb1" => Self::Cfb1,
            b"cfb8" => Self::Cfb8,
            b"cfb128" => Self::Cfb128,
            b"ofb" => Self::Ofb,
            _ => return None,
        })
    }

    /// How many bytes encrypting makes of `input_bytes`, padding included.
    pub(super) fn encrypted_bytes(self, input_bytes: usize) -> Option<usize> {
        match self {
            Self::Cbc => (input_bytes / BLOCK_BYTES + 1).checked_mul(BLOCK_BYTES),
            _ => Some(input_bytes),
        }
    }

    /// Encrypts or decrypts. `None` when CBC's input is not made of whole blocks where it must be, or its padding is none.
    pub(super) fn transform(
        self,
        direction: Direction,
        key: &[u8; KEY_BYTES],
        iv: &Block,
        padding: bool,
        input: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        if self == Self::Cbc {
            return match direction {
                Direction::Encrypt => cbc_encrypt(key, iv, padding, input),
                Direction::Decrypt => cbc_decrypt(key, iv, padding, input),
            };
        }
        let cipher = Aes256Enc::new(key.into());
        let mut bytes = Zeroizing::new(input.to_vec());
        let mut register = *iv;
        match self {
            Self::Cbc => {}
            Self::Ofb => {
                for chunk in bytes.chunks_mut(BLOCK_BYTES) {
                    register = encrypt_block(&cipher, &register);
                    xor(chunk, &register);
                }
            }
            Self::Cfb128 => {
                for chunk in bytes.chunks_mut(BLOCK_BYTES) {
                    let pad = encrypt_block(&cipher, &register);
                    if direction == Direction::Decrypt {
                        register[..chunk.len()].copy_from_slice(chunk);
                        xor(chunk, &pad);
                    } else {
                        xor(chunk, &pad);
                        register[..chunk.len()].copy_from_slice(chunk);
                    }
                }
            }
            Self::Cfb8 => {
                for byte in bytes.iter_mut() {
                    let pad = encrypt_block(&cipher, &register)[0];
                    let cipher_byte = if direction == Direction::Decrypt { *byte } else { *byte ^ pad };
                    *byte ^= pad;
                    register.rotate_left(1);
                    register[BLOCK_BYTES - 1] = cipher_byte;
                }
            }
            Self::Cfb1 => {
                for byte in bytes.iter_mut() {
                    for shift in (0..8).rev() {
                        let pad = encrypt_block(&cipher, &register)[0] >> 7;
                        let bit = (*byte >> shift) & 1;
                        let cipher_bit = if direction == Direction::Decrypt { bit } else { bit ^ pad };
                        *byte ^= pad << shift;
                        let shifted = (u128::from_be_bytes(register) << 1) | u128::from(cipher_bit);
                        register = shifted.to_be_bytes();
                    }
                }
            }
        }
        Some(bytes)
    }
}

fn encrypt_block(cipher: &Aes256Enc, block: &Block) -> Block {
    let mut block = Array::from(*block);
    cipher.encrypt_block(&mut block);
    block.into()
}

fn xor(bytes: &mut [u8], with: &Block) {
    bytes.iter_mut().zip(with).for_each(|(byte, with)| *byte ^= with);
}

fn cbc_encrypt(key: &[u8; KEY_BYTES], iv: &Block, padding: bool, input: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = Aes256Enc::new(key.into());
    let padded = Mode::Cbc.encrypted_bytes(input.len())?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(padded));
    bytes.extend_from_slice(input);
    if padding {
        // PKCS#7 (RFC 5652 §6.3): 1 to 16 bytes, each of which says how many there are.
        let count = padded - input.len();
        bytes.resize(padded, u8::try_from(count).ok()?);
    } else if !input.len().is_multiple_of(BLOCK_BYTES) {
        return None;
    }
    let mut previous = *iv;
    for chunk in bytes.chunks_exact_mut(BLOCK_BYTES) {
        xor(chunk, &previous);
        previous = encrypt_block(&cipher, &Block::try_from(&*chunk).ok()?);
        chunk.copy_from_slice(&previous);
    }
    Some(bytes)
}

fn cbc_decrypt(key: &[u8; KEY_BYTES], iv: &Block, padding: bool, input: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if !input.len().is_multiple_of(BLOCK_BYTES) {
        return None;
    }
    let cipher = Aes256Dec::new(key.into());
    let mut bytes = Zeroizing::new(input.to_vec());
    let mut previous = *iv;
    for chunk in bytes.chunks_exact_mut(BLOCK_BYTES) {
        let encrypted = Block::try_from(&*chunk).ok()?;
        let mut block = Array::from(encrypted);
        cipher.decrypt_block(&mut block);
        let mut block: Block = block.into();
        xor(&mut block, &previous);
        chunk.copy_from_slice(&block);
        previous = encrypted;
    }
    if padding {
        let count = usize::from(*bytes.last()?);
        let end = bytes.len().checked_sub(count).filter(|_| (1..=BLOCK_BYTES).contains(&count))?;
        if bytes[end..].iter().any(|byte| usize::from(*byte) != count) {
            return None;
        }
        bytes.truncate(end);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// The key, initialisation vector and plain text of SP 800-38A, appendix F.
    fn example() -> ([u8; 32], Block, Vec<u8>) {
        let key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let iv = hex("000102030405060708090a0b0c0d0e0f");
        let text = hex(concat!(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
        ));
        (key.try_into().unwrap(), iv.try_into().unwrap(), text)
    }

    #[test]
    fn each_mode_gives_the_examples_of_the_standard() {
        let (key, iv, text) = example();
        for (mode, plain, encrypted) in [
            (
                Mode::Cbc,
                &text[..],
                "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
            ),
            (Mode::Cfb1, &text[..2], "9029"),
            (Mode::Cfb8, &text[..18], "dc1f1a8520a64db55fcc8ac554844e889700"),
            (
                Mode::Cfb128,
                &text[..],
                "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407bdf10132415e54b92a13ed0a8267ae2f975a385741ab9cef82031623d55b1e471",
            ),
            (
                Mode::Ofb,
                &text[..],
                "dc7e84bfda79164b7ecd8486985d38604febdc6740d20b3ac88f6ad82a4fb08d71ab47a086e86eedf39d1c5bba97c4080126141d67f37be8538f5a8be740e484",
            ),
        ] {
            let result = mode.transform(Direction::Encrypt, &key, &iv, false, plain).unwrap();
            assert_eq!(*result, hex(encrypted), "{mode:?}");
            let back = mode.transform(Direction::Decrypt, &key, &iv, false, &result).unwrap();
            assert_eq!(*back, plain, "{mode:?}");
        }
    }

    #[test]
    fn every_length_comes_back_and_has_the_length_foretold() {
        let (key, iv, text) = example();
        for name in ["cbc", "cfb1", "cfb8", "cfb128", "ofb"] {
            let mode = Mode::named(name.as_bytes()).unwrap();
            for length in 0..=text.len() {
                let plain = &text[..length];
                let encrypted = mode.transform(Direction::Encrypt, &key, &iv, true, plain).unwrap();
                assert_eq!(Some(encrypted.len()), mode.encrypted_bytes(length), "{name} {length}");
                let back = mode.transform(Direction::Decrypt, &key, &iv, true, &encrypted).unwrap();
                assert_eq!(*back, plain, "{name} {length}");
            }
        }
        assert_eq!(Mode::named(b"ecb"), None);
        assert_eq!(Mode::Cbc.encrypted_bytes(usize::MAX), None);
    }

    #[test]
    fn cbc_refuses_broken_blocks_and_padding() {
        let (key, iv, text) = example();
        let cbc =
            |direction, padding, input: &[u8]| Mode::Cbc.transform(direction, &key, &iv, padding, input);
        assert!(cbc(Direction::Encrypt, false, &text[..17]).is_none());
        assert!(cbc(Direction::Decrypt, true, &text[..17]).is_none());
        assert!(cbc(Direction::Decrypt, true, &[]).is_none());
        for last in [[0; 16], [17; 16], [255; 16]] {
            let encrypted = cbc(Direction::Encrypt, false, &last).unwrap();
            assert!(cbc(Direction::Decrypt, true, &encrypted).is_none());
        }
        let mut uneven = [3_u8; 16];
        uneven[14] = 4;
        let encrypted = cbc(Direction::Encrypt, false, &uneven).unwrap();
        assert!(cbc(Direction::Decrypt, true, &encrypted).is_none());
    }
}

//! How the input is cut must not matter, and damage must be noticed where a mode can notice it.

use proptest::collection::vec;
use proptest::prelude::*;
use strongroom_cipher::cbc::{CbcDecrypt, CbcEncrypt, Ending};
use strongroom_cipher::gcm::{GcmDecrypt, GcmEncrypt};
use strongroom_cipher::{CipherError, Iv};

use crate::aws_lc::key;
use crate::whole::{MODES, Mode, decrypt, encrypt};

/// `data` cut at the given places, some pieces empty.
fn cut<'a>(data: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (data.len() + 1)).collect();
    places.extend([0, data.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &data[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_bytes(
        key in key(), iv: Iv, plain in vec(any::<u8>(), 0..300), cuts in vec(any::<usize>(), 0..12),
    ) {
        for mode in MODES {
            let whole = encrypt(mode, &key, &iv, &[&plain]).expect("encrypts");
            prop_assert_eq!(&encrypt(mode, &key, &iv, &cut(&plain, &cuts)).expect("encrypts"), &whole, "{:?}", mode);
            prop_assert_eq!(&decrypt(mode, &key, &iv, &cut(&whole, &cuts)).expect("decrypts"), &plain, "{:?}", mode);
        }
    }

    #[test]
    fn gcm_notices_any_changed_bit(
        key in key(), iv: Iv, plain in vec(any::<u8>(), 0..100), place: prop::sample::Index, bit in 0..8,
    ) {
        let mut sealed = encrypt(Mode::Gcm, &key, &iv, &[&plain]).expect("encrypts");
        let at = place.index(sealed.len());
        sealed[at] ^= 1_u8 << bit;
        prop_assert_eq!(decrypt(Mode::Gcm, &key, &iv, &[&sealed]), Err(CipherError::Tag));
    }

    #[test]
    fn gcm_covers_all_sixteen_bytes_of_the_vector(key in key(), iv: Iv, at in 0_usize..16) {
        let sealed = encrypt(Mode::Gcm, &key, &iv, &[b"text"]).expect("encrypts");
        let mut other = iv;
        other[at] ^= 0x40;
        prop_assert_eq!(decrypt(Mode::Gcm, &key, &other, &[&sealed]), Err(CipherError::Tag));
    }

    #[test]
    fn no_input_makes_a_decryption_panic(key in key(), iv: Iv, data in vec(any::<u8>(), 0..80)) {
        for mode in MODES {
            match decrypt(mode, &key, &iv, &[&data]) {
                Ok(plain) => prop_assert!(plain.len() <= data.len()),
                Err(CipherError::Tag) => prop_assert!(matches!(mode, Mode::Gcm)),
                Err(CipherError::Padding) => prop_assert!(matches!(mode, Mode::CbcPadded)),
                Err(CipherError::InputLength) => {
                    prop_assert!(data.len() < 16 || data.len() % 16 != 0, "{:?} of {}", mode, data.len());
                }
                Err(other) => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

#[test]
fn padding_that_no_encryption_writes_is_refused() {
    let (key, iv) = ([5; 16], [6; 16]);
    for last in [0_u8, 17, 255] {
        let mut block = [0; 16];
        block[15] = last;
        // A block encrypted under the tail rule has no padding of its own, so its last byte can be anything.
        let sealed = encrypt(Mode::CbcTail, &key, &iv, &[&block]).expect("encrypts");
        assert_eq!(decrypt(Mode::CbcPadded, &key, &iv, &[&sealed]), Err(CipherError::Padding), "{last}");
    }
    let mut block = [3; 16];
    block[14] = 2;
    let sealed = encrypt(Mode::CbcTail, &key, &iv, &[&block]).expect("encrypts");
    assert_eq!(decrypt(Mode::CbcPadded, &key, &iv, &[&sealed]), Err(CipherError::Padding));
}

#[test]
fn the_tail_rule_releases_every_whole_block_at_once() {
    let (key, iv) = ([5; 16], [6; 16]);
    let mut encryption = CbcEncrypt::new(&key, &iv, Ending::Tail).expect("a key");
    let mut decryption = CbcDecrypt::new(&key, &iv, Ending::Tail).expect("a key");
    let (mut sealed, mut plain) = ([0; 48], [0; 48]);
    assert_eq!(encryption.update(&[1; 48], &mut sealed), Ok(48));
    assert_eq!(decryption.update(&sealed, &mut plain), Ok(48));
    assert_eq!(plain, [1; 48]);
    assert_eq!(encryption.finish(&mut []), Ok(0));
    assert_eq!(decryption.finish(&mut []), Ok(0));
}

#[test]
fn a_call_without_room_changes_nothing() {
    let (key, iv) = ([5; 16], [6; 16]);
    let mut cbc = CbcEncrypt::new(&key, &iv, Ending::Padded).expect("a key");
    let too_small = Err(CipherError::OutputTooSmall { needed: 32, room: 31 });
    assert_eq!(cbc.update(&[1; 40], &mut [0; 31]), too_small);
    let mut sealed = [0; 48];
    assert_eq!(cbc.update(&[1; 40], &mut sealed), Ok(32));
    assert_eq!(cbc.finish(&mut sealed[32..]), Ok(16));
    assert_eq!(sealed.to_vec(), encrypt(Mode::CbcPadded, &key, &iv, &[&[1; 40]]).expect("encrypts"));

    let mut gcm = GcmEncrypt::new(&key, &iv).expect("a key");
    assert!(gcm.update(&[1; 40], &mut [0; 39]).is_err());
    let mut sealed = [0; 56];
    assert_eq!(gcm.update(&[1; 40], &mut sealed), Ok(40));
    assert_eq!(gcm.finish(&mut sealed[40..]), Ok(16));
    let mut gcm = GcmDecrypt::new(&key, &iv).expect("a key");
    assert!(gcm.update(&sealed, &mut [0; 39]).is_err());
    assert_eq!(gcm.update(&sealed, &mut [0; 40]), Ok(40));
    assert_eq!(gcm.finish(), Ok(()));
}

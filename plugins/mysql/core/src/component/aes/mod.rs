//! `keyring_aes`: encryption under keys that stay in the keyring.
//!
//! Nothing in the community server calls it; components of others may. As in the server's own keyring, only AES-256 is done, its key is
//! the SHA-256 of the bytes in the keyring, and the key must be of type AES.

mod modes;

use std::ffi::{c_char, c_int};

use aws_lc_rs::digest::{SHA256, digest};
use strongroom_keyring::KeyKind;
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::{pointers, text};
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use self::modes::{BLOCK_BYTES, Direction, Mode};
use super::{DONE, FAILED, SERVICE, asked};
use crate::layout::services::KeyringAes;
use crate::service::keys::Asked;

pub(super) static AES: KeyringAes = KeyringAes { size, encrypt, decrypt };

/// The only key length, in bits. The interface calls it the block size.
const KEY_BITS: usize = 256;

/// # Safety
/// `mode` is null or ends with a zero byte; `output_bytes` is null or takes a number.
unsafe extern "C" fn size(
    input_bytes: usize,
    mode: *const c_char,
    block_bits: usize,
    output_bytes: *mut usize,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's text.
        let mode = unsafe { mode_of(mode, block_bits) };
        match mode.and_then(|mode| mode.encrypted_bytes(input_bytes)) {
            Some(bytes) if !output_bytes.is_null() => {
                // SAFETY: the server's place.
                unsafe { pointers::store(output_bytes, bytes) };
                DONE
            }
            _ => FAILED,
        }
    })
}

/// # Safety
/// As for [`crypt`].
unsafe extern "C" fn encrypt(
    data_id: *const c_char,
    auth_id: *const c_char,
    mode: *const c_char,
    block_bits: usize,
    iv: *const u8,
    padding: c_int,
    input: *const u8,
    input_bytes: usize,
    output: *mut u8,
    output_room: usize,
    output_bytes: *mut usize,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promises.
        let work = unsafe {
            Work {
                asked: asked(data_id, auth_id),
                mode: mode_of(mode, block_bits),
                iv: pointers::input(iv, BLOCK_BYTES),
                padding: padding != 0,
                input: pointers::input(input, input_bytes),
            }
        };
        // SAFETY: the server's promises.
        unsafe { crypt(&work, Direction::Encrypt, output, output_room, output_bytes) }
    })
}

/// # Safety
/// As for [`crypt`].
unsafe extern "C" fn decrypt(
    data_id: *const c_char,
    auth_id: *const c_char,
    mode: *const c_char,
    block_bits: usize,
    iv: *const u8,
    padding: c_int,
    input: *const u8,
    input_bytes: usize,
    output: *mut u8,
    output_room: usize,
    output_bytes: *mut usize,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the server's promises.
        let work = unsafe {
            Work {
                asked: asked(data_id, auth_id),
                mode: mode_of(mode, block_bits),
                iv: pointers::input(iv, BLOCK_BYTES),
                padding: padding != 0,
                input: pointers::input(input, input_bytes),
            }
        };
        // SAFETY: the server's promises.
        unsafe { crypt(&work, Direction::Decrypt, output, output_room, output_bytes) }
    })
}

/// What is to be done, with `None` for what was missing or is unknown.
struct Work<'a> {
    asked: Asked<'a>,
    mode: Option<Mode>,
    iv: Option<&'a [u8]>,
    padding: bool,
    input: Option<&'a [u8]>,
}

/// # Safety
/// `output` is null or has `output_room` bytes that are ours to write; it may be the input. `output_bytes` is null or takes a number.
unsafe fn crypt(
    work: &Work<'_>,
    direction: Direction,
    output: *mut u8,
    output_room: usize,
    output_bytes: *mut usize,
) -> c_int {
    let Some(result) = transform(work, direction) else {
        return FAILED;
    };
    if output.is_null() || output_room < result.len() {
        return FAILED;
    }
    // SAFETY: the caller's promise. The input is not used any more.
    unsafe {
        let Some(place) = pointers::output(output, result.len()) else {
            return FAILED;
        };
        place.copy_from_slice(&result);
        pointers::store(output_bytes, result.len());
    }
    DONE
}

fn transform(work: &Work<'_>, direction: Direction) -> Option<Zeroizing<Vec<u8>>> {
    let (mode, iv, input) = (work.mode?, work.iv?.first_chunk()?, work.input?);
    let stored = SERVICE.fetch(work.asked).ok()??;
    if stored.kind != KeyKind::Aes {
        return None;
    }
    let key = KeyMaterial::new(digest(&SHA256, stored.material.as_bytes()).as_ref());
    mode.transform(direction, key.as_bytes().first_chunk()?, iv, work.padding, input)
}

/// # Safety
/// `mode` is null or ends with a zero byte.
unsafe fn mode_of(mode: *const c_char, block_bits: usize) -> Option<Mode> {
    // SAFETY: the caller's promise.
    let name = unsafe { text::bytes_from_c(mode) }?;
    if block_bits == KEY_BITS { Mode::named(name) } else { None }
}

//! The same through MariaDB's interface: pointers in, return codes out.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

use strongroom_cipher::{CipherError, Iv};
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::{place, pointers};
use zeroize::Zeroizing;

use super::context::{Algorithm, Context, FINISH_BYTES_MAX};
use crate::layout::ReturnCode;

/// The algorithm of this process. Chosen once, before the server encrypts anything.
static ALGORITHM: AtomicU8 = AtomicU8::new(Algorithm::AesCbc as u8);

/// Chooses the algorithm of this process.
pub fn choose(algorithm: Algorithm) {
    ALGORITHM.store(algorithm as u8, Ordering::Relaxed);
}

fn algorithm() -> Algorithm {
    Algorithm::from_number(u64::from(ALGORITHM.load(Ordering::Relaxed)))
}

fn code(error: CipherError) -> ReturnCode {
    match error {
        CipherError::KeyLength { .. } => ReturnCode::BadKeySize,
        _ => ReturnCode::BadData,
    }
}

fn answer(result: Result<(), ReturnCode>) -> c_int {
    result.err().unwrap_or(ReturnCode::Ok) as c_int
}

/// Bytes of context memory to provide.
pub extern "C" fn context_size(_key_id: c_uint, _version: c_uint) -> c_uint {
    const BYTES: usize = place::bytes_for::<Context>();
    const { assert!(BYTES < 4096, "the server takes this from its stack") };
    BYTES as c_uint
}

/// Length of `src_len` bytes once encrypted with padding.
pub extern "C" fn encrypted_length(src_len: c_uint, _key_id: c_uint, _version: c_uint) -> c_uint {
    algorithm().encrypted_length(src_len)
}

/// Starts an encryption or a decryption.
///
/// # Safety
/// `context` has [`context_size`] writable bytes, `key` has `key_len` and `iv` has `iv_len` readable ones.
pub unsafe extern "C" fn context_init(
    context: *mut c_void,
    key: *const u8,
    key_len: c_uint,
    iv: *const u8,
    iv_len: c_uint,
    flags: c_int,
    _key_id: c_uint,
    _version: c_uint,
) -> c_int {
    guard(ReturnCode::BadData as c_int, || {
        // SAFETY: the server promises as much.
        let (key, iv) =
            unsafe { (pointers::input(key, key_len as usize), pointers::input(iv, iv_len as usize)) };
        answer((|| {
            let key = key.ok_or(ReturnCode::BadKeySize)?;
            let iv: &Iv = iv.and_then(|iv| iv.try_into().ok()).ok_or(ReturnCode::BadData)?;
            let value = Context::new(algorithm(), flags, key, iv).map_err(code)?;
            // SAFETY: the server provided as many bytes as `context_size` asked for.
            let placed = unsafe { place::put(context.cast(), value) };
            if placed { Ok(()) } else { Err(ReturnCode::BadData) }
        })())
    })
}

/// Processes data. What `written` points to on entry is garbage, and is not read.
///
/// # Safety
/// `context` went through [`context_init`] with success; `src` has `src_len` readable bytes; `dst` has room for what
/// the mode writes.
pub unsafe extern "C" fn context_update(
    context: *mut c_void,
    src: *const u8,
    src_len: c_uint,
    dst: *mut u8,
    written: *mut c_uint,
) -> c_int {
    guard(ReturnCode::BadData as c_int, || {
        // SAFETY: the server promises that a context is there, that `src` is readable, `dst` writable, and `written` a
        // place for a number.
        unsafe {
            pointers::store(written, 0);
            let Some(context) = place::get::<Context>(context.cast()) else {
                return ReturnCode::BadData as c_int;
            };
            match update(context, src, src_len as usize, dst) {
                // No mode writes more than it was given now plus one held block, and lengths here have 32 bits.
                Ok(count) => {
                    pointers::store(written, count as c_uint);
                    ReturnCode::Ok as c_int
                }
                Err(code) => code as c_int,
            }
        }
    })
}

/// # Safety
/// As [`context_update`].
unsafe fn update(
    context: &mut Context,
    src: *const u8,
    src_len: usize,
    dst: *mut u8,
) -> Result<usize, ReturnCode> {
    let room = context.update_len(src_len);
    if pointers::overlap(src, src_len, dst, room) {
        if let (Context::Ctr(ctr), true) = (&mut *context, ptr::eq(src, dst)) {
            // SAFETY: the server promises the output, which is the input.
            let data = unsafe { pointers::output(dst, src_len) }.ok_or(ReturnCode::BadData)?;
            return ctr.update_in_place(data).map(|()| src_len).map_err(code);
        }
        // SAFETY: passed on.
        return unsafe { update_over_input(context, src, src_len, dst) };
    }
    // SAFETY: the server promises both; they share no byte.
    let (src, dst) = unsafe { (pointers::input(src, src_len), pointers::output(dst, room)) };
    let (src, dst) = (src.ok_or(ReturnCode::BadData)?, dst.ok_or(ReturnCode::BadData)?);
    context.update(src, dst).map_err(code)
}

/// The server's own ciphers allow output over the input, so ours do; two Rust slices may not, so the input goes
/// through a copy.
///
/// # Safety
/// As [`context_update`].
unsafe fn update_over_input(
    context: &mut Context,
    src: *const u8,
    src_len: usize,
    dst: *mut u8,
) -> Result<usize, ReturnCode> {
    let mut piece = Zeroizing::new([0_u8; 1024]);
    let (mut read, mut written) = (0, 0);
    while read < src_len {
        let count = piece.len().min(src_len - read);
        // SAFETY: `count` bytes of `src` are left, and the copy is on our stack.
        unsafe { ptr::copy_nonoverlapping(src.add(read), piece.as_mut_ptr(), count) };
        let room = context.update_len(count);
        // SAFETY: `dst` has room for all that the whole input gives, and while this slice lives nobody reads `src`.
        let out = unsafe { pointers::output(dst.wrapping_add(written), room) };
        written += context.update(&piece[..count], out.ok_or(ReturnCode::BadData)?).map_err(code)?;
        read += count;
    }
    Ok(written)
}

/// Writes the end of the data and clears the context, whatever came of it.
///
/// # Safety
/// `context` went through [`context_init`] with success and is not used again; `dst` has room for the end of the data.
pub unsafe extern "C" fn context_finish(context: *mut c_void, dst: *mut u8, written: *mut c_uint) -> c_int {
    guard(ReturnCode::BadData as c_int, || {
        // SAFETY: the server promises that a context is there, that `dst` has room, and that `written` is a place for
        // a number.
        unsafe {
            pointers::store(written, 0);
            let Some(value) = place::get::<Context>(context.cast()) else {
                return ReturnCode::BadData as c_int;
            };
            // The end goes through a copy: with padding its length is known only afterwards, and `dst` may have no
            // byte to spare.
            let mut end = Zeroizing::new([0_u8; FINISH_BYTES_MAX]);
            let result = value.finish(&mut *end).map_err(code).and_then(|count| {
                pointers::output(dst, count).ok_or(ReturnCode::BadData)?.copy_from_slice(&end[..count]);
                pointers::store(written, count as c_uint);
                Ok(())
            });
            place::take_away::<Context>(context.cast());
            answer(result)
        }
    })
}

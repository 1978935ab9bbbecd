//! A function for SQL that measures the encryption plugin of the server that loads it, whichever that is:
//! `bench_crypt(bytes, flags, iterations)` starts, feeds and ends that many encryptions through the server's own table of
//! functions, as InnoDB does, and returns the thread's processor time for all of them in nanoseconds.
//!
//! It is not for use: anybody who may call functions may keep a processor busy with it.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use strongroom_mariadb_core::layout::{ARGUMENT_INTEGER, FunctionArguments, FunctionInit};
use strongroom_plugin_abi::boundary::guard;
use strongroom_plugin_abi::symbols;

/// The server's `encryption_handler`: the functions of the plugin in use, or the server's own where it has none.
#[repr(C)]
struct Handler {
    latest_version: *const c_void,
    key: *const c_void,
    context_size: extern "C" fn(c_uint, c_uint) -> c_uint,
    context_init: unsafe extern "C" fn(
        *mut c_void,
        *const u8,
        c_uint,
        *const u8,
        c_uint,
        c_int,
        c_uint,
        c_uint,
    ) -> c_int,
    context_update: unsafe extern "C" fn(*mut c_void, *const u8, c_uint, *mut u8, *mut c_uint) -> c_int,
    context_finish: unsafe extern "C" fn(*mut c_void, *mut u8, *mut c_uint) -> c_int,
}

/// The key that all runs use; InnoDB's are of this length.
const KEY: [u8; 16] = *b"sixteen of bytes";

/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bench_crypt_init(
    function: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    _message: *mut c_char,
) -> c_char {
    // SAFETY: the server passes its own structures, with as many types as there are arguments.
    unsafe {
        if (*arguments).count != 3 {
            return 1;
        }
        for at in 0..3 {
            (*arguments).types.add(at).write(ARGUMENT_INTEGER);
        }
        (*function).maybe_null = 1;
    }
    0
}

/// # Safety
/// Called by the server after `bench_crypt_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bench_crypt(
    _function: *mut FunctionInit,
    arguments: *mut FunctionArguments,
    is_null: *mut u8,
    _error: *mut u8,
) -> i64 {
    guard(0, || {
        // SAFETY: three numbers, as `bench_crypt_init` has asked for; the handler has this shape in every server.
        let measured = unsafe {
            let number = |at| (*arguments).values.add(at).read().cast::<i64>().read_unaligned();
            symbols::find(c"encryption_handler")
                .and_then(|handler| run(handler.cast().as_ref(), number(0), number(1), number(2)))
        };
        // SAFETY: the server passes a place for the flag.
        measured.unwrap_or_else(|| unsafe {
            is_null.write(1);
            0
        })
    })
}

fn run(handler: &Handler, bytes: i64, flags: i64, iterations: i64) -> Option<i64> {
    let (bytes, flags) = (usize::try_from(bytes).ok()?, c_int::try_from(flags).ok()?);
    let mut context = vec![0_u128; (handler.context_size)(1, 1) as usize / size_of::<u128>() + 1];
    let context = NonNull::from(context.as_mut_slice()).as_ptr().cast::<c_void>();
    let (source, mut target) = (vec![0x5A_u8; bytes], vec![0_u8; bytes + 64]);
    let start = thread_time();
    for iteration in 0..iterations {
        let iv = u128::from(iteration.unsigned_abs()).to_ne_bytes();
        let (mut written, mut rest) = (0, 0);
        // SAFETY: the context has the size asked for, and the buffers the lengths passed, with room for a padded end.
        let codes = unsafe {
            [
                (handler.context_init)(context, KEY.as_ptr(), 16, iv.as_ptr(), 16, flags, 1, 1),
                (handler.context_update)(
                    context,
                    source.as_ptr(),
                    bytes as c_uint,
                    target.as_mut_ptr(),
                    &raw mut written,
                ),
                (handler.context_finish)(context, target.as_mut_ptr().add(written as usize), &raw mut rest),
            ]
        };
        if codes != [0; 3] {
            return None;
        }
    }
    Some(thread_time() - start)
}

/// Nanoseconds that this thread has had of a processor.
fn thread_time() -> i64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the place is ours, and all zeros is a time.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr());
        time.assume_init()
    };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

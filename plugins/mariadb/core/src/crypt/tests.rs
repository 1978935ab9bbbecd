//! The five functions driven as the server drives them: raw memory, garbage lengths, no destructor.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;
use std::sync::Mutex;

use strongroom_cipher::{AesEncrypt, ecb};

use super::*;
use crate::layout::{DECRYPT, ENCRYPT, NOPAD, ReturnCode};

/// The algorithm is one per process, and test threads share the process.
static ALGORITHM_IN_USE: Mutex<()> = Mutex::new(());

const KEY: [u8; 32] = [0x5C; 32];
const IV: [u8; 16] = *b"iv-of-16-bytes!!";

/// The server's stack memory: never initialised, and as unaligned as can be.
struct Memory(Vec<u8>, usize);

impl Memory {
    fn new() -> Self {
        let size = context_size(1, 1) as usize;
        Self(vec![0xEE; size + 1], 1)
    }

    fn start(&mut self) -> *mut c_void {
        self.0[self.1..].as_mut_ptr().cast()
    }
}

/// What the server's `encryption_crypt` does, with the input cut into pieces. Every length it passes in is garbage.
fn crypt(flags: c_int, key: &[u8], pieces: &[&[u8]]) -> Result<Vec<u8>, c_int> {
    let mut memory = Memory::new();
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    // One guard byte behind the room that the server provides.
    let room = encrypted_length(total as c_uint, 1, 1) as usize;
    let mut dst = vec![0xA5_u8; room + 1];
    let mut done = 0;
    // SAFETY: the memory has the size asked for, and the buffers the lengths passed.
    unsafe {
        let context = memory.start();
        let rc = context_init(
            context,
            key.as_ptr(),
            key.len() as c_uint,
            IV.as_ptr(),
            IV.len() as c_uint,
            flags,
            1,
            1,
        );
        if rc != 0 {
            return Err(rc);
        }
        let mut rc = 0;
        for piece in pieces {
            let mut written: c_uint = 0xDEAD_BEEF;
            rc = context_update(
                context,
                piece.as_ptr(),
                piece.len() as c_uint,
                dst[done..].as_mut_ptr(),
                &raw mut written,
            );
            if rc != 0 {
                break;
            }
            done += written as usize;
        }
        let mut written: c_uint = 0xDEAD_BEEF;
        let finish_rc = context_finish(context, dst[done..].as_mut_ptr(), &raw mut written);
        done += written as usize;
        assert_eq!(dst[room], 0xA5, "nothing is written past the room");
        dst.truncate(done);
        if rc != 0 || finish_rc != 0 { Err(if rc != 0 { rc } else { finish_rc }) } else { Ok(dst) }
    }
}

fn with(algorithm: Algorithm, test: impl FnOnce()) {
    let _guard = ALGORITHM_IN_USE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    choose(algorithm);
    test();
}

const BOTH: [Algorithm; 2] = [Algorithm::AesCbc, Algorithm::AesCtr];

#[test]
fn every_length_survives_the_round_trip_and_keeps_its_promise() {
    let data: Vec<u8> = (0..=255).cycle().take(600).collect();
    for algorithm in BOTH {
        with(algorithm, || {
            for len in (0..70).chain([511, 512, 513, 600]) {
                for key_len in [16, 24, 32] {
                    let (plain, key) = (&data[..len], &KEY[..key_len]);
                    let kept = crypt(ENCRYPT | NOPAD, key, &[plain]).expect("encrypts");
                    assert_eq!(kept.len(), len, "the length is kept");
                    assert_eq!(crypt(DECRYPT | NOPAD, key, &[&kept]).expect("decrypts"), plain);
                    let padded = crypt(ENCRYPT, key, &[plain]).expect("encrypts");
                    assert_eq!(padded.len(), encrypted_length(len as c_uint, 1, 1) as usize);
                    assert_eq!(crypt(DECRYPT, key, &[&padded]).expect("decrypts"), plain);
                }
            }
        });
    }
}

#[test]
fn the_tail_is_xored_with_the_encrypted_vector() {
    let mut mask = IV;
    ecb::encrypt_blocks(&AesEncrypt::new(&KEY[..16]).expect("a key"), &mut mask).expect("one block");
    with(Algorithm::AesCbc, || {
        let sealed = crypt(ENCRYPT | NOPAD, &KEY[..16], &[&[0; 37]]).expect("encrypts");
        assert_eq!(sealed[32..], mask[..5]);
        assert_eq!(crypt(ENCRYPT | NOPAD, &KEY[..16], &[&[0; 7]]).expect("encrypts"), mask[..7]);
    });
}

/// The redo log writes the last short update and the finish to one address, so only one of them may write.
#[test]
fn whole_blocks_come_out_of_update_and_only_the_tail_of_cbc_out_of_finish() {
    for (algorithm, update_bytes, finish_bytes) in [(Algorithm::AesCbc, 48, 5), (Algorithm::AesCtr, 53, 0)] {
        with(algorithm, || {
            for flags in [ENCRYPT | NOPAD, DECRYPT | NOPAD] {
                let (mut memory, mut dst) = (Memory::new(), [0_u8; 64]);
                let mut written = 0xDEAD_BEEF;
                // SAFETY: the memory has the size asked for, and the buffers the lengths passed.
                unsafe {
                    let context = memory.start();
                    assert_eq!(context_init(context, KEY.as_ptr(), 16, IV.as_ptr(), 16, flags, 1, 1), 0);
                    assert_eq!(
                        context_update(context, [1; 53].as_ptr(), 53, dst.as_mut_ptr(), &raw mut written),
                        0
                    );
                    assert_eq!(written, update_bytes);
                    assert_eq!(context_finish(context, dst.as_mut_ptr(), &raw mut written), 0);
                    assert_eq!(written, finish_bytes);
                }
            }
        });
    }
}

#[test]
fn pieces_give_the_same_bytes_as_the_whole() {
    let data: Vec<u8> = (0..200).collect();
    for algorithm in BOTH {
        with(algorithm, || {
            for flags in [ENCRYPT, ENCRYPT | NOPAD] {
                let whole = crypt(flags, &KEY, &[&data]).expect("encrypts");
                let pieces: Vec<&[u8]> = data.chunks(7).collect();
                assert_eq!(crypt(flags, &KEY, &pieces).expect("encrypts"), whole);
            }
        });
    }
}

#[test]
fn output_may_lie_over_its_input() {
    let data: Vec<u8> = (0..=255).cycle().take(3000).collect();
    for algorithm in BOTH {
        with(algorithm, || {
            let expected = crypt(ENCRYPT | NOPAD, &KEY, &[&data]).expect("encrypts");
            let (mut memory, mut buffer) = (Memory::new(), data.clone());
            let mut written = 0;
            // SAFETY: the memory has the size asked for, and the buffer the length passed.
            unsafe {
                let context = memory.start();
                context_init(context, KEY.as_ptr(), 32, IV.as_ptr(), 16, ENCRYPT | NOPAD, 1, 1);
                let start = buffer.as_mut_ptr();
                assert_eq!(context_update(context, start, 3000, start, &raw mut written), 0);
                context_finish(context, start.add(written as usize), &raw mut written);
            }
            assert_eq!(buffer, expected);
        });
    }
}

#[test]
fn damaged_and_short_data_is_refused_where_the_mode_can_tell() {
    with(Algorithm::AesCtr, || {
        let mut sealed = crypt(ENCRYPT, &KEY, &[b"a row"]).expect("encrypts");
        sealed[0] ^= 1;
        assert_eq!(crypt(DECRYPT, &KEY, &[&sealed]), Err(ReturnCode::BadData as c_int));
        assert_eq!(crypt(DECRYPT, &KEY, &[&sealed[..15]]), Err(ReturnCode::BadData as c_int));
    });
    with(Algorithm::AesCbc, || {
        assert_eq!(crypt(DECRYPT, &KEY, &[&[1; 15]]), Err(ReturnCode::BadData as c_int));
        assert_eq!(crypt(DECRYPT, &KEY, &[]), Err(ReturnCode::BadData as c_int));
    });
}

#[test]
fn keys_and_vectors_of_other_lengths_and_null_pointers_are_refused() {
    for algorithm in BOTH {
        with(algorithm, || {
            for key_len in [0, 1, 15, 17, 31] {
                assert_eq!(crypt(ENCRYPT, &KEY[..key_len], &[]), Err(ReturnCode::BadKeySize as c_int));
            }
            let mut memory = Memory::new();
            // SAFETY: the memory has the size asked for; null and short inputs are what is being tested.
            unsafe {
                let context = memory.start();
                assert_ne!(context_init(context, ptr::null(), 16, IV.as_ptr(), 16, ENCRYPT, 1, 1), 0);
                assert_ne!(context_init(context, KEY.as_ptr(), 16, ptr::null(), 16, ENCRYPT, 1, 1), 0);
                assert_ne!(context_init(context, KEY.as_ptr(), 16, IV.as_ptr(), 15, ENCRYPT, 1, 1), 0);
                assert_ne!(
                    context_init(ptr::null_mut(), KEY.as_ptr(), 16, IV.as_ptr(), 16, ENCRYPT, 1, 1),
                    0
                );
            }
        });
    }
}

/// The server frees the memory without a word, so what finish leaves there is left for good.
#[test]
fn finish_leaves_neither_key_nor_schedule_in_the_memory() {
    let data = *b"plaintext that is held back, too";
    for algorithm in BOTH {
        with(algorithm, || {
            for flags in [ENCRYPT, DECRYPT, ENCRYPT | NOPAD, DECRYPT | NOPAD] {
                let mut memory = Memory::new();
                let (mut written, mut dst) = (0, [0_u8; 64]);
                // SAFETY: the memory has the size asked for, and the buffers the lengths passed.
                unsafe {
                    let context = memory.start();
                    assert_eq!(context_init(context, KEY.as_ptr(), 32, IV.as_ptr(), 16, flags, 1, 1), 0);
                    context_update(context, data.as_ptr(), 31, dst.as_mut_ptr(), &raw mut written);
                    // With these keys, equal bytes in a row stand at the start of the encrypting schedule.
                    let before = windows_of(&memory.0, &KEY[..16]);
                    if flags & ENCRYPT != 0 {
                        assert!(before > 0, "the test can see a schedule");
                    }
                    context_finish(memory.start(), dst.as_mut_ptr(), &raw mut written);
                }
                assert_eq!(windows_of(&memory.0, &KEY[..8]), 0, "{algorithm:?} {flags}");
                assert_eq!(windows_of(&memory.0, &data[16..24]), 0, "{algorithm:?} {flags}");
            }
        });
    }
}

fn windows_of(memory: &[u8], wanted: &[u8]) -> usize {
    memory.windows(wanted.len()).filter(|window| *window == wanted).count()
}

#[test]
fn lengths_near_the_end_of_32_bits_do_not_wrap() {
    for algorithm in BOTH {
        assert!(algorithm.encrypted_length(u32::MAX) >= u32::MAX - 15, "{algorithm:?}");
    }
    assert_eq!(Algorithm::AesCbc.encrypted_length(0), 16);
    assert_eq!(Algorithm::AesCbc.encrypted_length(16), 32);
    assert_eq!(Algorithm::AesCtr.encrypted_length(16), 32);
    assert_eq!(Algorithm::AesCtr.encrypted_length(0), 16);
}

//! What the server calls for every page takes nothing from the heap: neither for contexts, which lie in memory that the server lends,
//! nor for look-ups of keys and versions that are served.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::{c_int, c_uint};
use std::ptr;

use strongroom_key_versions::versions::{KeyId, KeyVersion, LoadError, VersionedKey, VersionedKeys};
use strongroom_mariadb_core::crypt::Algorithm;
use strongroom_mariadb_core::layout::{
    DECRYPT, ENCRYPT, Encryption, KEY_BUFFER_TOO_SMALL, KEY_VERSION_INVALID, NOPAD,
};
use strongroom_mariadb_core::served;
use strongroom_mariadb_core::server::Log;
use strongroom_secret::KeyMaterial;

/// The system's allocator, which counts what each thread asks it for.
struct Counting;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator as it comes; counting takes nothing from the heap itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

/// How often `work` takes something from the heap on this thread.
fn taken(work: impl FnOnce()) -> usize {
    let before = TAKEN.get();
    work();
    TAKEN.get() - before
}

struct Keys;

impl VersionedKeys for Keys {
    fn load(&self) -> Result<Vec<VersionedKey>, LoadError> {
        let key = |(id, version, bytes): (u32, u32, usize)| VersionedKey {
            id: KeyId(id),
            version: KeyVersion::new(version).expect("a version"),
            material: KeyMaterial::new(&vec![version as u8; bytes]),
        };
        Ok([(1, 1, 32), (1, 3, 32), (2, 1, 16), (9, 5, 24)].map(key).into())
    }

    fn key(&self, _id: KeyId) -> Result<Vec<VersionedKey>, LoadError> {
        Ok(Vec::new())
    }

    fn version(&self, _id: KeyId, _version: KeyVersion) -> Result<Option<VersionedKey>, LoadError> {
        Ok(None)
    }
}

#[repr(align(16))]
struct Memory([u8; 4096]);

const PAGE: usize = 16 * 1024;

fn functions() -> &'static Encryption {
    // SAFETY: it is a static of the library, and nobody writes to it.
    unsafe { &*served::encryption().cast::<Encryption>() }
}

/// One encryption or decryption, as the server does it.
fn crypt(memory: &mut Memory, flags: c_int, source: &[u8], target: &mut [u8]) -> usize {
    let functions = functions();
    let (key, iv, context) = ([7_u8; 16], [9_u8; 16], memory.0.as_mut_ptr().cast());
    let (mut first, mut last) = (0xDEAD, 0xBEEF);
    // SAFETY: each place has the size passed, the context as many bytes as are asked for, and the target room for all output.
    unsafe {
        assert!((functions.context_size)(1, 1) as usize <= 4096);
        assert_eq!((functions.context_init)(context, key.as_ptr(), 16, iv.as_ptr(), 16, flags, 1, 1), 0);
        let updated = (functions.context_update)(
            context,
            source.as_ptr(),
            source.len() as c_uint,
            target.as_mut_ptr(),
            &raw mut first,
        );
        assert_eq!(updated, 0);
        let rest = target[first as usize..].as_mut_ptr();
        assert_eq!((functions.context_finish)(context, rest, &raw mut last), 0);
    }
    (first + last) as usize
}

fn look_up(key: &mut [u8; 32]) {
    let functions = functions();
    // SAFETY: the key's place has the size passed; null is part of the contract.
    unsafe {
        assert_eq!((functions.latest_key_version)(1), 3);
        assert_eq!((functions.latest_key_version)(9), 5);
        for (id, version, bytes) in [(1, 1, 32), (1, 3, 32), (2, 1, 16), (9, 5, 24)] {
            let mut length = 32;
            assert_eq!((functions.key)(id, version, key.as_mut_ptr(), &raw mut length), 0);
            assert_eq!((length, key[0]), (bytes, version as u8));
            let mut length = 0;
            assert_eq!((functions.key)(id, version, ptr::null_mut(), &raw mut length), KEY_BUFFER_TOO_SMALL);
        }
    }
}

/// The whole page path once, on a thread that has never called before, and how often it took something from the heap.
fn on_a_new_thread() -> usize {
    let work = || {
        let (mut memory, mut key) = (Memory([0xA5; 4096]), [0_u8; 32]);
        let (plain, mut cipher, mut again) = (vec![3_u8; PAGE], vec![0_u8; PAGE + 32], vec![0_u8; PAGE + 32]);
        let looking = taken(|| look_up(&mut key));
        let crypting = taken(|| {
            for (flags, bytes) in
                [(NOPAD, PAGE), (NOPAD, 4099), (NOPAD, 7), (0, PAGE), (0, 4099), (0, 7), (NOPAD, 48)]
            {
                let length = crypt(&mut memory, ENCRYPT | flags, &plain[..bytes], &mut cipher);
                assert_ne!(plain[..bytes], cipher[..bytes]);
                let back = crypt(&mut memory, DECRYPT | flags, &cipher[..length], &mut again);
                assert_eq!(plain[..bytes], again[..back]);
            }
        });
        looking + crypting
    };
    std::thread::spawn(work).join().expect("a thread")
}

/// One test, because the service is one per process.
#[test]
fn nothing_on_the_page_path_takes_from_the_heap() {
    assert_eq!(taken(|| drop(Box::new(7))), 1, "what is taken is counted");
    for algorithm in [Algorithm::AesCbc, Algorithm::AesCtr] {
        served::begin(Log { plugin: "test" }, Box::new(Keys), None, algorithm, None).expect("begins");
        for _ in 0..3 {
            assert_eq!(on_a_new_thread(), 0, "{algorithm:?}");
        }
        // SAFETY: no pointer is passed.
        let unknown = taken(|| unsafe {
            assert_eq!((functions().latest_key_version)(77), KEY_VERSION_INVALID);
        });
        assert_ne!(unknown, 0, "an unknown key is another matter, and seen to be");
        served::end();
    }
}

//! A cache from its writing to each way in which it is not believed.

use std::os::unix::fs::PermissionsExt;

use strongroom_secret::KeyMaterial;
use strongroom_testkit::skip;
use tempfile::TempDir;

use super::*;
use crate::versions::{KeyId, KeyVersion, VersionedKey};

const HOUR: Duration = Duration::from_secs(3600);

fn keys(all: &[(u32, u32, usize)]) -> KeySet {
    let key = |&(id, version, bytes): &(u32, u32, usize)| VersionedKey {
        id: KeyId(id),
        version: KeyVersion::new(version).unwrap(),
        material: KeyMaterial::new(&vec![version as u8; bytes]),
    };
    KeySet::from_keys(all.iter().map(key)).unwrap()
}

fn all(keys: &KeySet) -> Vec<(u32, u32, Vec<u8>)> {
    keys.iter().map(|(id, version, key)| (id.0, version.number(), key.as_bytes().to_vec())).collect()
}

fn seal_key(byte: u8) -> SealKey {
    SealKey::new(&[byte; 32]).unwrap()
}

fn identity(prefix: &str) -> Identity {
    Identity::new([b"an authority".as_slice()], b"CN=db1", prefix)
}

/// A cache on this machine's disk with its seal key in memory; `None` where there is no such place.
fn bench() -> Option<(TempDir, TempDir, SealedCache)> {
    let disk = tempfile::tempdir().ok()?;
    let memory = tempfile::tempdir_in("/dev/shm").ok()?;
    let seal_key = memory.path().join("seal");
    fs::write(&seal_key, [7; 32]).ok()?;
    fs::set_permissions(&seal_key, fs::Permissions::from_mode(0o600)).ok()?;
    if Machine::this().share_a_disk(disk.path(), &seal_key).ok()? {
        return None;
    }
    let cache =
        SealedCache::new(disk.path().join("cache"), Location::Path(seal_key), identity("mariadb"), HOUR);
    Some((disk, memory, cache))
}

#[test]
fn what_was_sealed_comes_out_and_is_nowhere_in_the_clear() {
    let written = keys(&[(1, 1, 16), (1, 3, 32), (2, 1, 24), (u32::MAX, u32::MAX - 1, 32)]);
    let bytes = format::seal(&written, &identity("mariadb"), 1_000, &seal_key(1)).unwrap();
    assert!(format::is_cache(&bytes));
    assert!(!bytes.windows(8).any(|window| window == [3; 8]));
    let opened = format::open(&bytes, &identity("mariadb"), &seal_key(1)).unwrap();
    assert_eq!((all(&opened.keys), opened.written), (all(&written), 1_000));
    let again = format::seal(&written, &identity("mariadb"), 1_000, &seal_key(1)).unwrap();
    assert_ne!(bytes[20..], again[20..], "every cache has a key of its own");
}

#[test]
fn no_byte_can_be_changed_and_none_can_be_missing() {
    let bytes = format::seal(&keys(&[(1, 1, 16)]), &identity("mariadb"), 1_000, &seal_key(1)).unwrap();
    let open = |bytes: &[u8]| format::open(bytes, &identity("mariadb"), &seal_key(1));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(open(&changed).is_err(), "byte {at}");
        assert!(open(&bytes[..at]).is_err(), "the first {at} bytes");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(open(&longer), Err(CacheError::Damaged)));
    let mut older = bytes.clone();
    older[12..20].copy_from_slice(&2_000_u64.to_be_bytes());
    assert!(matches!(open(&older), Err(CacheError::Damaged)), "the date is bound");
}

#[test]
fn each_reason_has_its_own_name() {
    let bytes = format::seal(&keys(&[(1, 1, 16)]), &identity("mariadb"), 1_000, &seal_key(1)).unwrap();
    let open = |prefix, byte| format::open(&bytes, &identity(prefix), &seal_key(byte)).unwrap_err();
    assert!(matches!(open("mariadb", 2), CacheError::WrongSealKey));
    assert!(matches!(open("other", 1), CacheError::OtherIdentity));
    let mut newer = bytes.clone();
    newer[9] = 2;
    assert!(matches!(format::open(&newer, &identity("mariadb"), &seal_key(1)), Err(CacheError::Format(2))));
    assert!(matches!(
        format::open(b"# keys and no cache", &identity("mariadb"), &seal_key(1)),
        Err(CacheError::NoCache)
    ));
}

#[test]
fn the_identity_is_of_all_its_parts() {
    let one = Identity::new([b"a".as_slice(), b"b"], b"s", "p");
    assert_eq!(one, Identity::new([b"b".as_slice(), b"a"], b"s", "p"), "order of a file");
    for other in [
        Identity::new([b"ab".as_slice()], b"s", "p"),
        Identity::new([b"a".as_slice(), b"b"], b"sp", ""),
        Identity::new([b"a".as_slice(), b"b"], b"x", "p"),
        Identity::new([b"a".as_slice(), b"bs".as_slice()], b"", "p"),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn a_text_that_is_not_as_it_is_written_gives_no_keys() {
    let entry = |id: u32, version: u32, length: u8| {
        let mut entry = [id.to_be_bytes(), version.to_be_bytes()].concat();
        entry.push(length);
        entry.extend_from_slice(&vec![5; length.into()]);
        entry
    };
    let text = |count: u32, entries: &[Vec<u8>]| [count.to_be_bytes().to_vec(), entries.concat()].concat();
    assert_eq!(format::read_keys(&text(2, &[entry(1, 1, 16), entry(1, 2, 32)])).unwrap().versions(), 2);
    assert!(format::read_keys(&text(0, &[])).unwrap().is_empty());
    for bad in [
        text(3, &[entry(1, 1, 16), entry(1, 2, 32)]),
        text(1, &[entry(1, 1, 16), entry(1, 2, 32)]),
        text(2, &[entry(1, 2, 16), entry(1, 1, 16)]),
        text(2, &[entry(1, 1, 16), entry(1, 1, 16)]),
        text(1, &[entry(1, 0, 16)]),
        text(1, &[entry(1, u32::MAX, 16)]),
        text(1, &[entry(1, 1, 17)]),
        text(u32::MAX, &[]),
        vec![],
    ] {
        assert!(matches!(format::read_keys(&bad), Err(CacheError::Damaged)), "{bad:?}");
    }
}

#[test]
fn a_cache_is_for_its_owner_alone_and_replaced_whole() {
    let Some((disk, _memory, cache)) = bench() else { skip!("no second file system in /dev/shm") };
    assert!(matches!(cache.read(), Err(CacheError::NotThere(_))));
    cache.write(&keys(&[(1, 1, 16)])).unwrap();
    cache.write(&keys(&[(1, 1, 16), (1, 3, 16)])).unwrap();
    let read = cache.read().unwrap();
    assert_eq!(read.keys.versions(), 2);
    assert!(read.age < HOUR);
    assert_eq!(fs::metadata(cache.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_is_set_aside_outlives_the_next_cache() {
    let Some((_disk, _memory, cache)) = bench() else { skip!("no second file system in /dev/shm") };
    assert!(matches!(cache.set_aside(), Err(CacheError::Write { .. })), "there is none");
    cache.write(&keys(&[(1, 1, 16), (1, 3, 16)])).unwrap();
    let aside = cache.set_aside().unwrap();
    cache.write(&keys(&[(1, 1, 16)])).unwrap();
    assert_eq!(cache.read().unwrap().keys.versions(), 1);
    fs::rename(aside, cache.path()).unwrap();
    assert_eq!(cache.read().unwrap().keys.versions(), 2);
}

#[test]
fn an_old_cache_and_one_from_the_future_are_not_believed() {
    let Some((_disk, memory, cache)) = bench() else { skip!("no second file system in /dev/shm") };
    let key = SealKey::read(&memory.path().join("seal")).unwrap();
    let now = seconds_now().unwrap();
    let written = |written: u64| {
        let bytes = format::seal(&keys(&[(1, 1, 16)]), &identity("mariadb"), written, &key).unwrap();
        fs::write(cache.path(), bytes).unwrap();
        cache.read()
    };
    assert!(written(now - 3000).is_ok());
    assert!(matches!(written(now - 4000), Err(CacheError::TooOld { .. })));
    assert!(matches!(written(now + 4000), Err(CacheError::FromTheFuture { .. })));
}

#[test]
fn a_seal_key_beside_the_cache_or_open_to_others_is_refused() {
    let Some((disk, memory, cache)) = bench() else { skip!("no second file system in /dev/shm") };
    cache.write(&keys(&[(1, 1, 16)])).unwrap();
    let beside = disk.path().join("seal");
    fs::copy(memory.path().join("seal"), &beside).unwrap();
    let same = SealedCache::new(cache.path().into(), Location::Path(beside), identity("mariadb"), HOUR);
    assert!(matches!(same.read(), Err(CacheError::SameDisk { .. })));
    assert!(matches!(same.write(&keys(&[(1, 1, 16)])), Err(CacheError::SameDisk { .. })));
    let seal = memory.path().join("seal");
    fs::set_permissions(&seal, fs::Permissions::from_mode(0o604)).unwrap();
    assert!(matches!(cache.read(), Err(CacheError::SealKeyOpen(_))));
    fs::set_permissions(&seal, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&seal, [7; 31]).unwrap();
    assert!(matches!(cache.read(), Err(CacheError::SealKeyLength(_, 31))));
    fs::remove_file(&seal).unwrap();
    assert!(matches!(cache.read(), Err(CacheError::Disk { .. })));
}

proptest::proptest! {
    /// What outsiders can write to is read without a panic, and no two texts are the same keys.
    #[test]
    fn any_bytes_are_a_cache_or_an_error(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), count in 0_u32..3) {
        let _ = format::is_cache(&bytes);
        if let Some(start) = bytes.first_chunk_mut() {
            *start = count.to_be_bytes();
        }
        if let Ok(keys) = format::read_keys(&bytes) {
            let entries: usize = keys.iter().map(|(_, _, key)| 9 + key.len()).sum();
            proptest::prop_assert_eq!(bytes.len(), 4 + entries);
        }
    }
}

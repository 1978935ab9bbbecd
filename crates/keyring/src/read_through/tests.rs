use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Barrier, mpsc};
use std::thread;

use super::*;
use crate::backend::{Backend, Memory};

/// Keys in memory behind a door: how often they were asked for, whether anybody answers, and who waits in front of it.
#[derive(Default)]
struct Door {
    keys: Memory,
    fetched: AtomicUsize,
    shut: AtomicBool,
    /// Where a fetch says that it has its answer, and waits to be let go.
    pause: RwLock<Option<(mpsc::SyncSender<()>, Arc<Barrier>)>>,
}

impl Door {
    fn open(&self) -> Result<(), Error> {
        if self.shut.load(Ordering::SeqCst) {
            return Err(Error::BackEnd(strongroom_client::Error::NoServer { failures: vec![] }));
        }
        Ok(())
    }
}

struct Shared(Arc<Door>);

impl Backend for Shared {
    fn create(&self, name: &KeyName, bytes: usize) -> Result<(), Error> {
        self.0.open().and_then(|()| self.0.keys.create(name, bytes))
    }

    fn register(&self, name: &KeyName, kind: KeyKind, material: &KeyMaterial) -> Result<(), Error> {
        self.0.open().and_then(|()| self.0.keys.register(name, kind, material))
    }

    fn fetch(&self, name: &KeyName) -> Result<Option<Key>, Error> {
        self.0.fetched.fetch_add(1, Ordering::SeqCst);
        let answer = self.0.open().and_then(|()| self.0.keys.fetch(name));
        let pause = self.0.pause.read().unwrap().clone();
        if let Some((arrived, go_on)) = pause {
            arrived.send(()).unwrap();
            go_on.wait();
        }
        answer
    }

    fn describe(&self, name: &KeyName) -> Result<Option<Description>, Error> {
        self.0.open().and_then(|()| self.0.keys.describe(name))
    }

    fn remove(&self, name: &KeyName) -> Result<bool, Error> {
        self.0.open().and_then(|()| self.0.keys.remove(name))
    }

    fn list(&self) -> Result<Vec<Description>, Error> {
        self.0.open().and_then(|()| self.0.keys.list())
    }
}

fn keyring(keep: bool) -> (Arc<Door>, CachedKeyring) {
    let door = Arc::new(Door::default());
    let keyring = CachedKeyring::new(Shared(Arc::clone(&door)).into(), keep);
    (door, keyring)
}

fn name(id: &str) -> KeyName {
    KeyName::new(id, None).unwrap()
}

#[test]
fn a_key_that_was_fetched_is_served_without_the_back_end() {
    let (door, keyring) = keyring(true);
    keyring.generate(&name("key"), KeyKind::Aes, 32).unwrap();
    let first = keyring.fetch(&name("key")).unwrap().unwrap();
    door.shut.store(true, Ordering::SeqCst);
    for _ in 0..1000 {
        assert_eq!(keyring.fetch(&name("key")).unwrap().unwrap(), first);
    }
    assert_eq!((door.fetched.load(Ordering::SeqCst), keyring.kept()), (1, 1));
    assert!(keyring.fetch(&name("other")).is_err());
    assert!(keyring.generate(&name("other"), KeyKind::Aes, 32).is_err());
}

#[test]
fn without_a_cache_each_fetch_asks() {
    let (door, keyring) = keyring(false);
    keyring.generate(&name("key"), KeyKind::Aes, 32).unwrap();
    for _ in 0..3 {
        assert!(keyring.fetch(&name("key")).unwrap().is_some());
    }
    assert_eq!((door.fetched.load(Ordering::SeqCst), keyring.kept()), (3, 0));
    door.shut.store(true, Ordering::SeqCst);
    assert!(keyring.fetch(&name("key")).is_err());
}

#[test]
fn an_absent_key_is_asked_for_again() {
    let (door, keyring) = keyring(true);
    assert!(keyring.fetch(&name("key")).unwrap().is_none());
    keyring.generate(&name("key"), KeyKind::Aes, 32).unwrap();
    assert!(keyring.fetch(&name("key")).unwrap().is_some());
    assert_eq!(door.fetched.load(Ordering::SeqCst), 2);
}

#[test]
fn a_removed_key_is_gone_and_its_name_serves_the_next_one() {
    let (door, keyring) = keyring(true);
    let key = name("key");
    keyring.store(&key, KeyKind::Secret, &KeyMaterial::new(b"old")).unwrap();
    keyring.fetch(&key).unwrap();
    door.shut.store(true, Ordering::SeqCst);
    assert!(keyring.remove(&key).is_err());
    assert!(keyring.fetch(&key).unwrap().is_some(), "nobody could be told, so it is still there");
    door.shut.store(false, Ordering::SeqCst);
    assert!(keyring.remove(&key).unwrap());
    assert!(keyring.fetch(&key).unwrap().is_none());
    keyring.store(&key, KeyKind::Secret, &KeyMaterial::new(b"new")).unwrap();
    assert_eq!(keyring.fetch(&key).unwrap().unwrap().material.as_bytes(), b"new");
}

/// A key was destroyed at the key server and made again under its name; what was in memory served on, and what was encrypted with it
/// could not be read after the next start.
#[test]
fn a_key_that_is_made_anew_is_the_one_that_is_served() {
    let (door, keyring) = keyring(true);
    let key = name("key");
    for value in [b"first", b"later"] {
        keyring.store(&key, KeyKind::Secret, &KeyMaterial::new(value)).unwrap();
        assert_eq!(keyring.fetch(&key).unwrap().unwrap().material.as_bytes(), value);
        assert!(keyring.store(&key, KeyKind::Secret, &KeyMaterial::new(b"other")).is_err());
        assert_eq!(keyring.kept(), 1, "what exists stays in memory");
        assert!(door.keys.remove(&key).unwrap());
    }
    keyring.generate(&key, KeyKind::Aes, 32).unwrap();
    assert_eq!(keyring.fetch(&key).unwrap().unwrap().kind, KeyKind::Aes);
}

#[test]
fn threads_that_want_the_same_key_ask_once() {
    let (door, keyring) = keyring(true);
    keyring.generate(&name("key"), KeyKind::Aes, 32).unwrap();
    let together = Barrier::new(64);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                together.wait();
                assert!(keyring.fetch(&name("key")).unwrap().is_some());
            });
        }
    });
    assert_eq!(door.fetched.load(Ordering::SeqCst), 1);
}

/// While one thread waits for the network, nobody else does who wants a key from memory.
#[test]
fn a_kept_key_is_given_while_another_is_being_fetched_and_changed() {
    let (door, keyring) = keyring(true);
    keyring.generate(&name("kept"), KeyKind::Aes, 32).unwrap();
    keyring.fetch(&name("kept")).unwrap();
    let (arrived, arrivals) = mpsc::sync_channel(1);
    let go_on = Arc::new(Barrier::new(2));
    *door.pause.write().unwrap() = Some((arrived, Arc::clone(&go_on)));
    thread::scope(|scope| {
        scope.spawn(|| keyring.fetch(&name("slow")));
        arrivals.recv().unwrap();
        assert!(keyring.fetch(&name("kept")).unwrap().is_some());
        go_on.wait();
    });
}

#[test]
fn an_answer_from_before_a_removal_is_not_kept_after_it() {
    let (door, keyring) = keyring(true);
    let key = name("key");
    keyring.generate(&key, KeyKind::Aes, 32).unwrap();
    let (arrived, arrivals) = mpsc::sync_channel(1);
    let go_on = Arc::new(Barrier::new(2));
    *door.pause.write().unwrap() = Some((arrived, Arc::clone(&go_on)));
    thread::scope(|scope| {
        let fetching = scope.spawn(|| keyring.fetch(&key).unwrap());
        arrivals.recv().unwrap();
        assert!(keyring.remove(&key).unwrap());
        go_on.wait();
        assert!(fetching.join().unwrap().is_some(), "it was there when it was asked for");
    });
    *door.pause.write().unwrap() = None;
    assert!(keyring.fetch(&key).unwrap().is_none());
    assert_eq!(keyring.kept(), 0);
}

#[test]
fn another_way_to_the_same_keys_leaves_memory_as_it_is() {
    let (door, keyring) = keyring(true);
    keyring.generate(&name("key"), KeyKind::Aes, 32).unwrap();
    let before = keyring.fetch(&name("key")).unwrap().unwrap();
    let renewed = Arc::new(Door::default());
    keyring.replace(Shared(Arc::clone(&renewed)).into());
    assert_eq!(keyring.fetch(&name("key")).unwrap().unwrap(), before);
    keyring.generate(&name("next"), KeyKind::Aes, 32).unwrap();
    assert_eq!((door.keys.list().unwrap().len(), renewed.keys.list().unwrap().len()), (1, 1));
}

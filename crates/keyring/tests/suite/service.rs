//! What every back end of the keyring service must do.

use strongroom_keyring::backend::Backend;
use strongroom_keyring::{Error, Key, KeyKind, KeyName, Keyring};
use strongroom_secret::KeyMaterial;

/// Runs every check on a keyring of its own, which `backend` makes empty.
pub(super) fn suite<B: Backend + 'static>(backend: impl Fn() -> B) {
    let keyring = || Keyring::from(backend());
    roundtrip(&keyring());
    absent_keys_are_answers(&keyring());
    existing_keys_stay_as_they_are(&keyring());
    owners_are_apart(&keyring());
    lengths_are_those_of_the_kind(&keyring());
    removed_names_are_free_again(&keyring());
    lists_are_complete(&keyring());
}

fn name(id: &str) -> KeyName {
    KeyName::new(id, None).unwrap()
}

fn bytes(keyring: &Keyring, name: &KeyName) -> Vec<u8> {
    keyring.fetch(name).unwrap().unwrap().material.as_bytes().to_vec()
}

pub(super) fn roundtrip(keyring: &Keyring) {
    for length in [16, 24, 32] {
        let generated = name(&format!("generated-{length}"));
        keyring.generate(&generated, KeyKind::Aes, length).unwrap();
        let Key { kind, material } = keyring.fetch(&generated).unwrap().unwrap();
        assert_eq!((kind, material.len()), (KeyKind::Aes, length));
        assert!(material.as_bytes().iter().any(|&byte| byte != 0));
        assert_eq!(bytes(keyring, &generated), material.as_bytes());
        let described = keyring.describe(&generated).unwrap().unwrap();
        assert_eq!((described.kind, described.bytes, &described.name), (KeyKind::Aes, length, &generated));

        let stored = name(&format!("stored-{length}"));
        let material = KeyMaterial::new(&vec![0xA5; length]);
        keyring.store(&stored, KeyKind::Aes, &material).unwrap();
        assert_eq!(keyring.fetch(&stored).unwrap(), Some(Key { kind: KeyKind::Aes, material }));
    }
    for length in [0, 1, 17, 1000, 16_384] {
        let secret = name(&format!("secret-{length}"));
        let material = KeyMaterial::new(&vec![7; length]);
        keyring.store(&secret, KeyKind::Secret, &material).unwrap();
        assert_eq!(keyring.fetch(&secret).unwrap(), Some(Key { kind: KeyKind::Secret, material }));
        let described = keyring.describe(&secret).unwrap().unwrap();
        assert_eq!((described.kind, described.bytes), (KeyKind::Secret, length));
    }
    keyring.generate(&name("generated-secret"), KeyKind::Secret, 40).unwrap();
    assert_eq!(bytes(keyring, &name("generated-secret")).len(), 40);
}

fn absent_keys_are_answers(keyring: &Keyring) {
    let absent = name("absent");
    assert_eq!(keyring.fetch(&absent).unwrap(), None);
    assert_eq!(keyring.describe(&absent).unwrap(), None);
    assert!(!keyring.remove(&absent).unwrap());
    // And looking for it has not made it.
    assert_eq!(keyring.fetch(&absent).unwrap(), None);
    assert_eq!(keyring.list().unwrap(), []);
}

fn existing_keys_stay_as_they_are(keyring: &Keyring) {
    let key = name("key");
    keyring.generate(&key, KeyKind::Aes, 32).unwrap();
    let before = bytes(keyring, &key);
    let exists = |result| matches!(result, Err(Error::Exists { name }) if name == "key");
    assert!(exists(keyring.generate(&key, KeyKind::Aes, 16)));
    assert!(exists(keyring.generate(&key, KeyKind::Secret, 16)));
    assert!(exists(keyring.store(&key, KeyKind::Aes, &KeyMaterial::new(&[1; 16]))));
    assert!(exists(keyring.store(&key, KeyKind::Secret, &KeyMaterial::new(b"other"))));
    assert_eq!(bytes(keyring, &key), before);
    assert_eq!(keyring.list().unwrap().len(), 1);
}

fn owners_are_apart(keyring: &Keyring) {
    let names = [
        name("app"),
        KeyName::new("app", Some("root@localhost")).unwrap(),
        KeyName::new("app", Some("root:x%@host é")).unwrap(),
        KeyName::new("APP", Some("root@localhost")).unwrap(),
        name("sr1:root@localhost:app"),
    ];
    for (i, name) in names.iter().enumerate() {
        keyring.store(name, KeyKind::Secret, &KeyMaterial::new(&[i as u8 + 1])).unwrap();
    }
    for (i, name) in names.iter().enumerate() {
        assert_eq!(bytes(keyring, name), [i as u8 + 1]);
    }
    assert!(keyring.remove(&names[1]).unwrap());
    assert_eq!(keyring.fetch(&names[1]).unwrap(), None);
    assert_eq!(keyring.list().unwrap().len(), names.len() - 1);
}

fn lengths_are_those_of_the_kind(keyring: &Keyring) {
    for length in [0, 8, 17, 33, 64] {
        let wrong = keyring.generate(&name("key"), KeyKind::Aes, length).unwrap_err();
        assert!(matches!(wrong, Error::Length { kind: KeyKind::Aes, bytes } if bytes == length), "{wrong}");
    }
    let too_long = keyring.store(&name("key"), KeyKind::Secret, &KeyMaterial::new(&[1; 16_385]));
    for wrong in [too_long, keyring.generate(&name("key"), KeyKind::Secret, 16_385)] {
        assert!(matches!(wrong, Err(Error::Length { kind: KeyKind::Secret, bytes: 16_385 })), "{wrong:?}");
    }
    // One of no bytes may be stored; there is nothing to generate.
    let nothing = keyring.generate(&name("key"), KeyKind::Secret, 0);
    assert!(matches!(nothing, Err(Error::Length { kind: KeyKind::Secret, bytes: 0 })), "{nothing:?}");
    assert!(matches!("RSA".parse::<KeyKind>(), Err(Error::TypeNotKept(kind)) if kind == "RSA"));
    assert!(matches!("DSA".parse::<KeyKind>(), Err(Error::TypeNotKept(_))));
    assert_eq!(keyring.list().unwrap(), []);
}

fn removed_names_are_free_again(keyring: &Keyring) {
    let key = name("key");
    let mut seen = Vec::new();
    for _ in 0..3 {
        keyring.generate(&key, KeyKind::Aes, 32).unwrap();
        let material = bytes(keyring, &key);
        assert!(!seen.contains(&material));
        seen.push(material);
        assert!(keyring.remove(&key).unwrap());
        assert_eq!(keyring.fetch(&key).unwrap(), None);
        assert_eq!(keyring.describe(&key).unwrap(), None);
        assert!(!keyring.remove(&key).unwrap());
    }
    assert_eq!(keyring.list().unwrap(), []);
}

fn lists_are_complete(keyring: &Keyring) {
    let count = 70;
    for i in 0..count {
        let bytes: &[u8] = if i == 0 { &[] } else { &[1; 5] };
        keyring.store(&name(&format!("k{i:03}")), KeyKind::Secret, &KeyMaterial::new(bytes)).unwrap();
    }
    let owned = KeyName::new("k000", Some("root")).unwrap();
    keyring.generate(&owned, KeyKind::Aes, 16).unwrap();
    let list = keyring.list().unwrap();
    let names: Vec<_> = list.iter().map(|key| key.name.clone()).collect();
    let expected: Vec<_> = (0..count).map(|i| name(&format!("k{i:03}"))).chain([owned]).collect();
    assert_eq!(names, expected);
    let identified = |key: &strongroom_keyring::Description| (key.name.clone(), key.identifier.clone());
    assert_eq!(keyring.names(usize::MAX).unwrap(), list.iter().map(identified).collect::<Vec<_>>());
    assert_eq!(keyring.names(7).unwrap().len(), 7);
    for (i, key) in list[..count].iter().enumerate() {
        assert_eq!((key.kind, key.bytes), (KeyKind::Secret, if i == 0 { 0 } else { 5 }));
    }
    assert_eq!((list[count].kind, list[count].bytes), (KeyKind::Aes, 16));
}

pub(super) fn groups_are_apart(a: &Keyring, b: &Keyring) {
    a.generate(&name("only-a"), KeyKind::Aes, 32).unwrap();
    assert_eq!(b.fetch(&name("only-a")).unwrap(), None);
    assert_eq!(b.list().unwrap(), []);
    assert!(!b.remove(&name("only-a")).unwrap());
    assert_eq!(a.list().unwrap().len(), 1);
}

//! What every server must do for MariaDB's versioned keys.

use strongroom_client::Session;
use strongroom_keyring::versions::{
    ChangeError, DEFAULT_STEP, KeyFault, KeyId, KeySet, KeyVersion, KmipVersions, LoadError, VersionedKeys,
};
use strongroom_kmip::ManagedObject;
use strongroom_kmip::attribute::{Attribute, Attributes, Name};
use strongroom_kmip::object::KeyBlock;
use strongroom_kmip::types::{CryptographicAlgorithm, ObjectType, RevocationReasonCode, State, UsageMask};

/// Runs every check under a prefix of its own.
pub(super) fn suite(keys: impl Fn(&str) -> KmipVersions) {
    adding_and_rotating_makes_versions(&keys("rotating"));
    lookups_make_nothing(&keys("absent"));
    other_prefixes_are_apart(&keys("one"), &keys("one/x"), &keys("on"));
    many_versions_are_loaded_in_batches(&keys("many"));
    keys_without_a_group_are_found_by_name(&keys("ungrouped"));
    a_wide_gap_is_no_long_search(&keys("gap"));
    revoked_versions_stay_and_destroyed_ones_go(&keys("states"));
    a_lower_answer_than_before_is_refused(&keys("lower"));
    the_number_of_a_destroyed_version_is_not_given_again(&keys("again"), &keys("again"));
    two_objects_of_one_name_are_not_guessed_at(&keys("twins"));
    one_object_that_is_no_key_does_not_hide_the_others(&keys("odd"));
}

fn version(number: u32) -> KeyVersion {
    KeyVersion::new(number).unwrap()
}

fn versions(keys: &KmipVersions, id: u32) -> Vec<u32> {
    keys.key(KeyId(id)).unwrap().iter().map(|key| key.version.number()).collect()
}

/// Makes an object as another tool might.
fn plant(session: &Session, name: &str, group: Option<&str>) -> String {
    let mut attributes = Attributes::new();
    attributes.push(Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES));
    attributes.push(Attribute::CryptographicLength(128));
    attributes.push(Attribute::CryptographicUsageMask(UsageMask::Encrypt | UsageMask::Decrypt));
    attributes.push(Attribute::Name(Name::text(name)));
    if let Some(group) = group {
        attributes.push(Attribute::ObjectGroup(group.into()));
    }
    session.create(&attributes).unwrap()
}

fn adding_and_rotating_makes_versions(keys: &KmipVersions) {
    assert_eq!(keys.add(KeyId(1), 256).unwrap(), version(1));
    assert!(matches!(keys.add(KeyId(1), 128), Err(ChangeError::Exists(KeyId(1)))));
    assert!(matches!(keys.add(KeyId(2), 100), Err(ChangeError::Bits(100))));
    assert!(matches!(keys.rotate(KeyId(2), 1), Err(ChangeError::NoSuchKey(KeyId(2)))));
    assert!(matches!(keys.rotate(KeyId(1), 0), Err(ChangeError::ZeroStep)));
    let before = KeySet::from_keys(keys.load().unwrap()).unwrap();
    assert_eq!(keys.rotate(KeyId(1), DEFAULT_STEP).unwrap(), version(3));
    assert_eq!(keys.rotate(KeyId(1), 4).unwrap(), version(7));
    assert_eq!(keys.add(KeyId(u32::MAX), 128).unwrap(), version(1));

    let loaded = KeySet::from_keys(keys.load().unwrap()).unwrap();
    assert_eq!((loaded.keys(), loaded.versions()), (2, 4));
    assert_eq!(loaded.latest(KeyId(1)), Some(version(7)));
    let merged = KeySet::merge(&before, loaded.clone()).unwrap();
    assert_eq!(merged.latest(KeyId(1)), Some(version(7)));
    assert_eq!(versions(keys, 1), [1, 3, 7]);
    let one = keys.version(KeyId(1), version(3)).unwrap().unwrap();
    assert_eq!(&one.material, loaded.material(KeyId(1), version(3)).unwrap().as_ref());
    assert_eq!(one.material.len(), 32);
    assert_eq!(loaded.material(KeyId(u32::MAX), version(1)).unwrap().len(), 16);
    assert_ne!(loaded.material(KeyId(1), version(1)), loaded.material(KeyId(1), version(3)));
    let list: Vec<_> =
        keys.list().unwrap().iter().map(|key| (key.id.0, key.version.number(), key.bits)).collect();
    assert_eq!(list, [(1, 1, Some(256)), (1, 3, Some(256)), (1, 7, Some(256)), (u32::MAX, 1, Some(128))]);
}

fn lookups_make_nothing(keys: &KmipVersions) {
    assert!(keys.load().unwrap().is_empty());
    assert!(versions(keys, 1).is_empty());
    assert!(keys.version(KeyId(1), version(1)).unwrap().is_none());
    assert!(keys.list().unwrap().is_empty());
}

fn other_prefixes_are_apart(one: &KmipVersions, longer: &KmipVersions, shorter: &KmipVersions) {
    one.add(KeyId(1), 128).unwrap();
    assert!(longer.load().unwrap().is_empty());
    assert!(shorter.load().unwrap().is_empty());
    longer.add(KeyId(1), 192).unwrap();
    assert_eq!(one.load().unwrap().len(), 1);
    assert_eq!(longer.load().unwrap()[0].material.len(), 24);
}

fn many_versions_are_loaded_in_batches(keys: &KmipVersions) {
    for id in 1..=5 {
        keys.add(KeyId(id), 256).unwrap();
        for _ in 0..8 {
            keys.rotate(KeyId(id), 1).unwrap();
        }
    }
    let loaded = KeySet::from_keys(keys.load().unwrap()).unwrap();
    assert_eq!((loaded.keys(), loaded.versions()), (5, 45));
    assert_eq!(versions(keys, 3), (1..=9).collect::<Vec<_>>());
}

fn keys_without_a_group_are_found_by_name(keys: &KmipVersions) {
    for number in [1, 3, 9] {
        plant(keys.session(), &format!("ungrouped/4/{number}"), None);
    }
    assert_eq!(versions(keys, 4), [1, 3, 9]);
    assert_eq!(keys.load().unwrap().len(), 3);
    assert_eq!(keys.version(KeyId(4), version(9)).unwrap().unwrap().material.len(), 16);
    assert_eq!(keys.rotate(KeyId(4), 2).unwrap(), version(11));
}

/// Counting from one version to the next would take days, under the locks of whoever asks.
fn a_wide_gap_is_no_long_search(keys: &KmipVersions) {
    for number in [1, 4_000_000_000_u32] {
        plant(keys.session(), &format!("gap/4/{number}"), None);
    }
    assert_eq!(keys.load().unwrap().len(), 2);
    assert_eq!(versions(keys, 4), [1, 4_000_000_000]);
    assert_eq!(keys.rotate(KeyId(4), 2).unwrap(), version(4_000_000_002));
}

fn revoked_versions_stay_and_destroyed_ones_go(keys: &KmipVersions) {
    for _ in 0..2 {
        let _ = keys.add(KeyId(1), 128);
        keys.rotate(KeyId(1), 1).unwrap();
    }
    let id = |number: u32| {
        let list = keys.list().unwrap();
        list.into_iter().find(|key| key.version == version(number)).unwrap().identifier
    };
    let session = keys.session();
    session.revoke(&id(2), RevocationReasonCode::KeyCompromise).unwrap();
    session.revoke(&id(1), RevocationReasonCode::Superseded).unwrap();
    assert_eq!(versions(keys, 1), [1, 2, 3]);
    assert_eq!(keys.load().unwrap().len(), 3);
    session.destroy(&id(1)).unwrap();
    assert_eq!(versions(keys, 1), [2, 3]);
    assert!(keys.version(KeyId(1), version(1)).unwrap().is_none());
    assert_eq!(keys.load().unwrap().len(), 2);
}

fn a_lower_answer_than_before_is_refused(keys: &KmipVersions) {
    keys.add(KeyId(1), 128).unwrap();
    keys.rotate(KeyId(1), 1).unwrap();
    let session = keys.session();
    let remove = |number: u32| {
        let list = keys.list().unwrap();
        let key = list.into_iter().find(|key| key.version == version(number)).unwrap();
        session.revoke(&key.identifier, RevocationReasonCode::Superseded).unwrap();
        session.destroy(&key.identifier).unwrap();
    };
    remove(2);
    assert!(matches!(keys.load(), Err(LoadError::Refused(_))));
    assert!(matches!(keys.key(KeyId(1)), Err(LoadError::Refused(_))));
    remove(1);
    assert!(matches!(keys.load(), Err(LoadError::Refused(_))));
    assert!(matches!(keys.key(KeyId(1)), Err(LoadError::Refused(_))));
}

/// A database that runs goes on with the destroyed key from memory, and would take the new one for it.
pub(super) fn the_number_of_a_destroyed_version_is_not_given_again(
    keys: &KmipVersions,
    elsewhere: &KmipVersions,
) {
    let id = KeyId(1);
    keys.add(id, 128).unwrap();
    assert_eq!(keys.rotate(id, 2).unwrap(), version(3));
    let list = keys.list().unwrap();
    let latest = &list.iter().find(|key| key.version == version(3)).unwrap().identifier;
    keys.session().revoke(latest, RevocationReasonCode::Superseded).unwrap();
    keys.session().destroy(latest).unwrap();

    let lost = elsewhere.rotate_in_use(id, 2, version(9));
    assert!(matches!(lost, Err(ChangeError::Lost { in_use, .. }) if in_use == version(9)), "{lost:?}");
    let mut destroyed = Attributes::new();
    destroyed.push(Attribute::State(State::Destroyed));
    if keys.session().locate(&destroyed).is_ok_and(|found| found.contains(latest)) {
        assert_eq!(elsewhere.rotate_in_use(id, 2, version(3)).unwrap(), version(5));
        assert_eq!(keys.rotate(id, 2).unwrap(), version(7));
    } else {
        // The server forgets what it destroys, or does not tell: whoever knows the version is told.
        let lost = elsewhere.rotate_in_use(id, 2, version(3));
        let words = lost.unwrap_err().to_string();
        assert!(words.ends_with("strongroom mariadb key rotate --key-id 1 --step 4"), "{words}");
        assert_eq!(elsewhere.rotate(id, 4).unwrap(), version(5));
    }
}

fn two_objects_of_one_name_are_not_guessed_at(keys: &KmipVersions) {
    keys.add(KeyId(1), 128).unwrap();
    let mut attributes = Attributes::new();
    attributes.push(Attribute::CryptographicAlgorithm(CryptographicAlgorithm::AES));
    attributes.push(Attribute::CryptographicLength(128));
    attributes.push(Attribute::CryptographicUsageMask(UsageMask::Encrypt));
    attributes.push(Attribute::Name(Name::text("twins/1/1")));
    // A server that keeps names unique cannot come into this.
    let Ok(twin) = keys.session().create(&attributes) else { return };
    let ambiguous = |result: Result<_, LoadError>| matches!(result, Err(LoadError::Unusable { name, fault: KeyFault::Ambiguous }) if name == "twins/1/1");
    assert!(ambiguous(keys.load()));
    let usable = keys.load_usable().unwrap();
    assert!(usable.keys.is_empty());
    assert_eq!((usable.unusable.len(), &usable.unusable[0].fault), (1, &KeyFault::Ambiguous));
    assert!(ambiguous(keys.version(KeyId(1), version(1)).map(|_| vec![])));
    keys.session().destroy(&twin).unwrap();
    assert_eq!(versions(keys, 1), [1]);
}

fn one_object_that_is_no_key_does_not_hide_the_others(keys: &KmipVersions) {
    keys.add(KeyId(1), 128).unwrap();
    keys.rotate(KeyId(1), 2).unwrap();
    let mut attributes = Attributes::new();
    attributes.push(Attribute::CryptographicAlgorithm(CryptographicAlgorithm::HMAC_SHA256));
    attributes.push(Attribute::CryptographicLength(320));
    attributes.push(Attribute::CryptographicUsageMask(UsageMask::Encrypt | UsageMask::Decrypt));
    attributes.push(Attribute::Name(Name::text("odd/1/2")));
    attributes.push(Attribute::ObjectGroup("odd/1".into()));
    let object = || {
        let material = strongroom_secret::KeyMaterial::new(&[9; 40]);
        ManagedObject::SymmetricKey(KeyBlock::raw(CryptographicAlgorithm::HMAC_SHA256, material))
    };
    keys.session().register(ObjectType::SymmetricKey, &attributes, object).unwrap();
    assert!(
        matches!(keys.load(), Err(LoadError::Unusable { name, fault: KeyFault::Length(40) }) if name == "odd/1/2")
    );
    let loaded = keys.load_usable().unwrap();
    let usable: Vec<_> = loaded.keys.iter().map(|key| key.version.number()).collect();
    assert_eq!(usable, [1, 3]);
    assert_eq!(loaded.unusable.iter().map(|odd| odd.version).collect::<Vec<_>>(), [version(2)]);
    assert_eq!(versions(keys, 1), [1, 3], "it is not the latest");
}

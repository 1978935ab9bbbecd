//! Tablespaces of every page size, key block size, checksum and layout of encryption information, made by an independent
//! writer.

use std::sync::Arc;

use strongroom_secret::KeyMaterial;
use strongroom_tablespace::mysql::{
    Information, MasterKeyId, ServerUuid, TablespaceKey, UnlockError, Version, head, transfer,
};
use strongroom_tablespace::page::{Algorithm, Fault, Policy};
use strongroom_tablespace::{
    Encryption, KeySourceError, KeysInMemory, MasterKeySource, OpenError, Options, PageCodec, PageState,
    Tablespace,
};

use crate::writer::{Built, Checksum, Kind, Layout, SPACE_ID, UUID, crc, master_key, pair};

fn keyring() -> Arc<dyn MasterKeySource> {
    let keys = KeysInMemory::new()
        .with_mysql_key(format!("INNODBKey-{UUID}-3"), KeyMaterial::new(&master_key()))
        .with_mysql_key("INNODBKey-1-3", KeyMaterial::new(&[1; 32]))
        .with_mysql_key("INNODBKey-2-3", KeyMaterial::new(&master_key()))
        .with_mysql_key("INNODBKey-2-13", KeyMaterial::new(&[2; 32]));
    Arc::new(keys)
}

fn algorithm(kind: Kind) -> Algorithm {
    match kind.checksum {
        Checksum::Crc32 => Algorithm::Crc32,
        Checksum::InnoDb => Algorithm::InnoDb,
        Checksum::None => Algorithm::None,
    }
}

fn open(bytes: &[u8], options: Options) -> Box<dyn PageCodec> {
    let tablespace = Tablespace::detect(bytes).expect("a tablespace");
    tablespace.open(&keyring(), options).expect("its key")
}

fn information(bytes: &[u8]) -> Information {
    match Tablespace::detect(bytes).expect("a tablespace").encryption {
        Encryption::MySql(encryption) => encryption.information.expect("sound"),
        other => panic!("not encrypted by MySQL: {other:?}"),
    }
}

#[test]
fn every_kind_is_described_decrypted_and_encrypted_again() {
    for kind in Kind::all() {
        let built = kind.build();
        let tablespace = Tablespace::detect(&built.encrypted).expect("a tablespace");
        assert_eq!(tablespace.head, Ok(algorithm(kind)), "{kind:?}");
        assert_eq!((tablespace.space_id, tablespace.pages), (SPACE_ID, 14));
        assert_eq!(tablespace.geometry.physical(), kind.page_bytes());
        assert_eq!(tablespace.geometry.encryption_offset(), kind.information_offset());
        let options = Options { checksums: Policy::Strict(algorithm(kind)), ..Options::default() };
        let codec = tablespace.open(&keyring(), options).expect("its key");
        let mut run = built.encrypted.clone();
        assert_eq!(codec.decrypt(0, &mut run).expect("decrypted"), [], "{kind:?}");
        let size = kind.page_bytes();
        assert!(run[size..] == built.plain[size..], "{kind:?}");
        assert_eq!(codec.encrypt(1, &mut run[size..7 * size]).expect("encrypted"), []);
        assert_eq!(codec.encrypt(8, &mut run[8 * size..]).expect("encrypted"), []);
        assert!(run == built.encrypted, "{kind:?} differs when encrypted again");
        let mut run = built.plain.clone();
        assert_eq!(codec.expand(0, &mut run), []);
        assert!(run == built.expanded, "{kind:?} differs when expanded");
    }
}

#[test]
fn pages_are_told_apart_without_a_key() {
    let kind = Kind { logical: 16384, physical: None, checksum: Checksum::Crc32, information: Layout::V3 };
    let built = kind.build();
    let codec = open(&built.encrypted, Options::default());
    let classes: Vec<_> = (0..)
        .zip(built.encrypted.chunks(16384))
        .map(|(number, page)| codec.classify(number, page))
        .map(|class| (class.state, class.page_compressed, class.page_type.map(|it| it.0)))
        .collect();
    let encrypted = PageState::Encrypted { key_version: 0 };
    assert_eq!(
        classes[..10],
        [
            (PageState::Plain, false, Some(8)),
            (encrypted, false, Some(5)),
            (encrypted, false, Some(3)),
            (encrypted, false, Some(17855)),
            (encrypted, false, Some(17854)),
            (encrypted, false, Some(10)),
            (PageState::Zero, false, None),
            (PageState::Plain, false, Some(17855)),
            (encrypted, false, Some(0)),
            (encrypted, true, Some(17855)),
        ]
    );
}

#[test]
fn strict_checksums_refuse_those_of_another_algorithm() {
    let built =
        Kind { logical: 16384, physical: None, checksum: Checksum::InnoDb, information: Layout::V3 }.build();
    let options = Options { checksums: Policy::Strict(Algorithm::Crc32), ..Options::default() };
    let faults = open(&built.encrypted, options).decrypt(0, &mut built.encrypted.clone()).expect("decrypted");
    assert!(faults.len() > 5);
    assert!(faults.iter().all(|it| matches!(it.fault, Fault::Checksum { algorithm: Algorithm::Crc32, .. })));
}

/// The keyring could not be asked, does not have the key, or has another: three different answers.
#[test]
fn a_key_that_cannot_be_had_is_named_for_what_is_wrong() {
    struct Away;
    impl MasterKeySource for Away {
        fn mysql_key(&self, _: &str) -> Result<Option<KeyMaterial>, KeySourceError> {
            Err(KeySourceError::new("the vault is away"))
        }
        fn mysql_key_ids(&self, _: &str) -> Result<Vec<String>, KeySourceError> {
            Err(KeySourceError::new("the vault is away"))
        }
    }
    for layout in [Layout::V1 { wide: true }, Layout::V2 { wide: true }, Layout::V3] {
        let built =
            Kind { logical: 16384, physical: None, checksum: Checksum::Crc32, information: layout }.build();
        let tablespace = Tablespace::detect(&built.encrypted).expect("a tablespace");
        let answer = |keys: Arc<dyn MasterKeySource>| match tablespace.open(&keys, Options::default()) {
            Ok(_) => panic!("{layout:?} opened"),
            Err(OpenError::Unlock(error)) => error,
            Err(other) => panic!("{other}"),
        };
        assert!(matches!(answer(Arc::new(Away)), UnlockError::Source(_)));
        assert!(matches!(answer(Arc::new(KeysInMemory::new())), UnlockError::Absent { .. }));
        let with = |key: &[u8]| {
            let keys = KeysInMemory::new()
                .with_mysql_key(format!("INNODBKey-{UUID}-3"), KeyMaterial::new(key))
                .with_mysql_key("INNODBKey-9-3", KeyMaterial::new(key));
            answer(Arc::new(keys))
        };
        assert!(matches!(with(&[9; 32]), UnlockError::WrongMasterKey { .. }));
        assert!(matches!(with(&[9; 16]), UnlockError::Length { bytes: 16, .. }));
    }
}

/// The wrapped key damaged and the wrong master key look the same, but for page 0's checksum.
#[test]
fn a_damaged_wrapped_key_is_not_called_a_wrong_master_key() {
    let kind = Kind { logical: 16384, physical: None, checksum: Checksum::Crc32, information: Layout::V3 };
    let built = kind.build();
    let at = kind.information_offset();
    for byte in [at, at + 1, at + 6, at + 20, at + 60, at + 109] {
        let mut bytes = built.encrypted.clone();
        bytes[byte] ^= 1;
        let tablespace = Tablespace::detect(&bytes).expect("a tablespace");
        let opened = tablespace.open(&keyring(), Options::default());
        assert!(matches!(opened.map(|_| ()), Err(OpenError::Damaged(_))), "byte {}", byte - at);
    }
    let mut bytes = built.encrypted.clone();
    bytes[at + 60] ^= 1;
    kind.checksum(&mut bytes[..16384]);
    let tablespace = Tablespace::detect(&bytes).expect("a tablespace");
    let opened = tablespace.open(&keyring(), Options::default());
    assert!(matches!(opened.map(|_| ()), Err(OpenError::Unlock(UnlockError::WrongMasterKey { .. }))));
}

/// Marking as plain and as encrypted again gives back page 0, and a checksum of the algorithm it had.
#[test]
fn page_0_is_marked_plain_and_encrypted_for_every_kind() {
    for kind in Kind::all() {
        let Built { plain, encrypted, .. } = kind.build();
        let tablespace = Tablespace::detect(&encrypted).expect("a tablespace");
        let size = kind.page_bytes();
        let mut page = encrypted[..size].to_vec();
        head::set_plain(tablespace.geometry, &mut page, algorithm(kind));
        assert!(page == plain[..size], "{kind:?}");
        head::set_information(tablespace.geometry, &mut page, &information(&encrypted), algorithm(kind));
        assert!(page == encrypted[..size], "{kind:?}");
    }
}

#[test]
fn a_key_is_rewrapped_in_the_layout_the_server_reads() {
    let uuid = ServerUuid::new(UUID.as_bytes()).expect("a uuid");
    let other = KeyMaterial::new(&[0x44; 32]);
    for (layout, version, bytes) in [
        (Layout::V1 { wide: false }, Version::V2, 111),
        (Layout::V1 { wide: true }, Version::V2, 115),
        (Layout::V2 { wide: false }, Version::V2, 111),
        (Layout::V2 { wide: true }, Version::V2, 115),
        (Layout::V3, Version::V3, 111),
        (Layout::Default, Version::V3, 111),
    ] {
        let kind = Kind { logical: 16384, physical: None, checksum: Checksum::Crc32, information: layout };
        let built = kind.build();
        let before = information(&built.encrypted);
        assert_eq!(before.to_bytes(), kind.information(), "{layout:?}");
        let key = before.unlock(keyring().as_ref()).expect("its key");
        assert_eq!(key.as_bytes(), pair());
        let id = MasterKeyId::Uuid { uuid, number: 4 };
        let after = before.rewrap(&key, id.clone(), &other).expect("a key of 32 bytes");
        assert_eq!((after.version(), after.to_bytes().len()), (version, bytes), "{layout:?}");
        let mut page = built.encrypted.clone();
        let geometry = Tablespace::detect(&page).expect("a tablespace").geometry;
        head::set_information(geometry, &mut page[..16384], &after, Algorithm::Crc32);
        let read = information(&page);
        assert_eq!((read.master_key(), &read), (&id, &after));
        assert_eq!(read.unlock_with(&other).expect("the other key").as_bytes(), pair());
        assert!(matches!(
            read.unlock_with(&KeyMaterial::new(&master_key())),
            Err(UnlockError::WrongMasterKey { .. })
        ));
    }
}

#[test]
fn a_transfer_file_opens_a_tablespace_without_its_master_key() {
    let key = TablespaceKey::new(&pair());
    let file = transfer::write(&key, &KeyMaterial::new(&[6; 32])).expect("a key of 32 bytes");
    assert_eq!(transfer::read(&file).expect("a transfer file").as_bytes(), pair());
    assert_eq!(crc(b"123456789"), 0xE306_9283);
}

/// A clone's redo log brings its key in the clear; it is taken, and told.
#[test]
fn information_that_is_not_wrapped_is_known() {
    let kind = Kind { logical: 16384, physical: None, checksum: Checksum::Crc32, information: Layout::V3 };
    let mut bytes = kind.information();
    let wrapped = Information::parse(&bytes).expect("sound").expect("there");
    assert!(!wrapped.is_in_the_clear());
    bytes[43..107].copy_from_slice(&pair());
    let clear = Information::parse(&bytes).expect("sound").expect("there");
    assert!(clear.is_in_the_clear());
    assert_eq!(clear.unlock(&KeysInMemory::new()).expect("no master key needed").as_bytes(), pair());
}

/// A tablespace of which a server encrypted or decrypted a part: every page tells for itself.
#[test]
fn a_half_encrypted_tablespace_is_read() {
    let kind = Kind { logical: 16384, physical: None, checksum: Checksum::Crc32, information: Layout::V3 };
    let built = kind.build();
    for (operation, flag) in [(1, true), (2, true), (2, false)] {
        let mut bytes = built.encrypted.clone();
        bytes[4 * 16384..].copy_from_slice(&built.plain[4 * 16384..]);
        let at = kind.information_offset() + 123;
        bytes[at] = operation;
        bytes[at + 4] = 3;
        if !flag {
            bytes[54 + 2] &= !0x20;
        }
        kind.checksum(&mut bytes[..16384]);
        let tablespace = Tablespace::detect(&bytes).expect("a tablespace");
        let Encryption::MySql(encryption) = &tablespace.encryption else { panic!("not MySQL's") };
        assert_eq!(encryption.flag, flag);
        assert!(encryption.progress.is_some());
        let codec = tablespace.open(&keyring(), Options::default()).expect("its key");
        let mut run = bytes.clone();
        assert_eq!(codec.decrypt(0, &mut run).expect("decrypted"), []);
        assert!(run[16384..] == built.plain[16384..]);
        head::clear_progress(tablespace.geometry, &mut bytes[..16384], Algorithm::Crc32);
        let Encryption::MySql(encryption) = Tablespace::detect(&bytes).expect("a tablespace").encryption
        else {
            panic!("not MySQL's")
        };
        assert_eq!(encryption.progress, None);
    }
}

/// A run may begin at any page and end within one.
#[test]
fn runs_are_processed_from_any_page() {
    let kind = Kind { logical: 8192, physical: None, checksum: Checksum::Crc32, information: Layout::V3 };
    let built = kind.build();
    let codec = open(&built.encrypted, Options::default());
    for first in 1..14 {
        let mut run = built.encrypted[first * 8192..built.encrypted.len() - 1].to_vec();
        let faults = codec.decrypt(first as u32, &mut run).expect("decrypted");
        assert_eq!(faults.len(), 1);
        assert_eq!((faults[0].page, &faults[0].fault), (13, &Fault::Partial { bytes: 8191 }));
        let whole = run.len() / 8192 * 8192;
        assert!(run[..whole] == built.plain[first * 8192..][..whole]);
    }
}

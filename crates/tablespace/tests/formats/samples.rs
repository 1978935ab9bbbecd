//! Files of a real MySQL 9.7 (`tests/samples/mysql-9.7`): decrypted, checked, compared with their plain twin, encrypted again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_tablespace::mysql::transfer;
use strongroom_tablespace::{Encryption, Evidence, Family, MasterKeySource, Options, PageCodec, Tablespace};

use crate::keyring_file;

const ENCRYPTED: [&str; 9] = [
    "16k/t_enc.ibd",
    "16k/t_enc_zlib.ibd",
    "16k/t_enc_lz4.ibd",
    "16k/t_enc_kbs8.ibd",
    "16k/t_enc_rtree.ibd",
    "16k/t_part#p#p0.ibd",
    "16k/gts.ibd",
    "4k/t.ibd",
    "64k/t.ibd",
];

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/mysql-9.7").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(sample(name)).expect("a sample")
}

/// The keyring that was beside the file.
fn keys(name: &str) -> Arc<dyn MasterKeySource> {
    let folder = name.split('/').next().expect("a folder");
    keyring_file::keys(&read(&format!("{folder}/component_keyring_file.json")))
}

fn open(name: &str, bytes: &[u8]) -> Box<dyn PageCodec> {
    let tablespace = Tablespace::detect(bytes).expect("a tablespace");
    assert_eq!(tablespace.family, Family::MySql);
    assert_eq!(tablespace.pages as usize, bytes.len() / tablespace.geometry.physical(), "{name}");
    assert!(tablespace.head.is_ok(), "{name}: {:?}", tablespace.head);
    tablespace.open(&keys(name), Options::default()).expect("its key")
}

#[test]
fn every_page_is_right_when_decrypted_and_equal_when_encrypted_again() {
    for name in ENCRYPTED {
        let stored = read(name);
        let codec = open(name, &stored);
        let mut run = stored.clone();
        assert_eq!(codec.decrypt(0, &mut run).expect("decrypted"), [], "{name}");
        assert_ne!(run, stored);
        assert_eq!(codec.encrypt(0, &mut run).expect("encrypted"), [], "{name}");
        assert!(run == stored, "{name} differs when encrypted again");
    }
}

#[test]
fn the_plain_twin_is_right_and_told_by_what_it_holds() {
    let bytes = read("16k/t_plain.ibd");
    let tablespace = Tablespace::detect(&bytes).expect("a tablespace");
    assert_eq!(tablespace.evidence, Evidence::DictionaryInformation);
    let codec = tablespace.open(&keys("16k/t_plain.ibd"), Options::default()).expect("no key needed");
    assert_eq!(codec.decrypt(0, &mut bytes.clone()).expect("nothing to decrypt"), []);
}

/// One character for each byte, so that text can be searched for.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Every row is found in the decrypted and expanded file as in the plain twin, and in none of the encrypted ones.
#[test]
fn the_rows_are_in_the_decrypted_file_and_not_in_the_encrypted_one() {
    let rows = String::from_utf8(read("16k/t_enc.rows.tsv")).expect("text");
    let plain = text(&read("16k/t_plain.ibd"));
    for name in ["16k/t_enc.ibd", "16k/t_enc_zlib.ibd", "16k/t_enc_lz4.ibd"] {
        let stored = read(name);
        let codec = open(name, &stored);
        let mut run = stored.clone();
        assert_eq!(codec.decrypt(0, &mut run).expect("decrypted"), []);
        assert_eq!(codec.expand(0, &mut run), []);
        assert_eq!(codec.decrypt(0, &mut run.clone()).expect("checked"), [], "{name} when expanded");
        let (run, stored) = (text(&run), text(&stored));
        assert_eq!(rows.lines().count(), 400);
        for row in rows.lines() {
            // The id is stored as a number; the texts stand side by side.
            let texts = row.split_once('\t').expect("an id and texts").1.replace('\t', "");
            assert!(plain.contains(&texts), "{texts}");
            assert!(run.contains(&texts), "{name} has lost {texts}");
            assert!(!stored.contains(&texts[..10]), "{name} shows {texts}");
        }
    }
}

/// The transfer file holds the key that page 0 holds.
#[test]
fn a_transfer_file_and_page_0_give_the_same_key() {
    for name in ENCRYPTED.into_iter().filter(|name| !name.ends_with("gts.ibd")) {
        let file = transfer::read(&read(&name.replace(".ibd", ".cfp"))).expect("a transfer file");
        let Encryption::MySql(encryption) = Tablespace::detect(&read(name)).expect("a tablespace").encryption
        else {
            panic!("{name} is not encrypted")
        };
        let key = encryption.information.expect("sound").unlock(keys(name).as_ref()).expect("its key");
        assert!(key.as_bytes() == file.as_bytes(), "{name}");
    }
}

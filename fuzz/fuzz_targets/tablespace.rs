//! Any bytes are a tablespace or give an error; what a run of pages decrypts to, encrypted again, is the run.
//!
//! Each input is tried twice: as it is, and with right checksums, behind which most of the code is.
#![no_main]

use std::io::Cursor;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use strongroom_secret::KeyMaterial;
use strongroom_tablespace::mysql::binlog::BinlogHeader;
use strongroom_tablespace::mysql::redo::{RedoCodec, RedoHeader};
use strongroom_tablespace::mysql::{Codec, Information, TablespaceKey, doublewrite, transfer};
use strongroom_tablespace::page::{Algorithm, checksum, is_zero};
use strongroom_tablespace::{
    Encryption, KeysInMemory, MasterKeySource, Options, PageCodec, PageState, PagedFile, Tablespace,
};

fuzz_target!(|bytes: &[u8]| {
    exercise(bytes);
    if let Some(repaired) = repaired(bytes) {
        exercise(&repaired);
    }
});

/// The same with the checksum of each page as it must be. Nothing where it is no tablespace.
fn repaired(bytes: &[u8]) -> Option<Vec<u8>> {
    let space = Tablespace::detect(bytes).ok()?;
    let is_full_crc32 = space.mariadb_format().is_some_and(|format| format.is_full_crc32());
    let mut bytes = bytes.to_vec();
    for page in bytes.chunks_exact_mut(space.geometry.physical()).filter(|page| !is_zero(page)) {
        if is_full_crc32 {
            let (covered, sum) = page.split_at_mut(page.len() - 4);
            sum.copy_from_slice(&crc32c::crc32c(covered).to_be_bytes());
        } else {
            checksum::write(space.geometry, page, Algorithm::Crc32);
        }
    }
    Some(bytes)
}

fn exercise(bytes: &[u8]) {
    if let Ok(Some(information)) = Information::parse(bytes) {
        let again = Information::parse(&information.to_bytes());
        assert_eq!(again, Ok(Some(information)), "what was written is read");
    }
    let _ = transfer::read(bytes);
    if let Ok(header) = BinlogHeader::parse(bytes) {
        assert_eq!(BinlogHeader::parse(&header.to_bytes()), Ok(header), "what was written is read");
    }
    let _ = RedoHeader::parse(bytes);
    let key = TablespaceKey::new(&[7; 64]);
    RedoCodec::new(Some(&key)).decrypt(&mut bytes.to_vec()).expect("a run");
    assert!(doublewrite::copies(bytes, 4096).count() <= bytes.len() / 4096);

    // With the constant that wraps keys while there is no keyring, and with a key that fits nothing.
    let keys: Arc<dyn MasterKeySource> = Arc::new(
        KeysInMemory::new()
            .with_mysql_key("INNODBKey-1-1", KeyMaterial::new(&[0; 32]))
            .with_mariadb_key(1, 1, KeyMaterial::new(&[0; 32])),
    );
    if let Ok(mut file) = PagedFile::open(Cursor::new(bytes.to_vec()), keys.as_ref()) {
        let mut content = vec![0; file.content_bytes()];
        for number in 0..4 {
            let _ = file.read(number, &mut content);
        }
    }
    let Ok(tablespace) = Tablespace::detect(bytes) else { return };
    if let Ok(codec) = tablespace.open(&keys, Options::default()) {
        let mut run = bytes.to_vec();
        for (number, page) in (0..).zip(run.chunks(tablespace.geometry.physical())) {
            codec.classify(number, page);
            let _ = codec.check(number, page);
        }
        codec.decrypt(0, &mut run).expect("a run");
        codec.expand(0, &mut run);
        codec.expand(0, &mut bytes.to_vec());
        let _ = codec.encrypt(0, &mut bytes.to_vec());
    }
    if !matches!(tablespace.encryption, Encryption::MySql(_)) {
        return;
    }
    let codec = Codec::new(tablespace.geometry, tablespace.space_id, Some(&key), Options::default());
    let mut run = bytes.to_vec();
    let faults = codec.decrypt(0, &mut run).expect("a run");
    let size = tablespace.geometry.physical();
    for (number, (plain, stored)) in (0..).zip(run.chunks(size).zip(bytes.chunks(size))) {
        let bad = faults.iter().any(|fault| fault.page == number);
        let encrypted = matches!(codec.classify(number, stored).state, PageState::Encrypted { .. });
        if !bad && encrypted && !codec.classify(number, plain).page_compressed {
            let mut again = plain.to_vec();
            assert!(codec.encrypt(number, &mut again).expect("a run").is_empty());
            assert!(again == stored, "page {number}");
        }
    }
}

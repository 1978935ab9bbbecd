//! Any bytes are a tablespace or give an error; what a run of pages decrypts to, encrypted again, is the run.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use strongroom_secret::KeyMaterial;
use strongroom_tablespace::mysql::binlog::BinlogHeader;
use strongroom_tablespace::mysql::redo::{RedoCodec, RedoHeader};
use strongroom_tablespace::mysql::{Codec, Information, TablespaceKey, transfer};
use strongroom_tablespace::{Encryption, KeysInMemory, MasterKeySource, Options, PageCodec, Tablespace};

fuzz_target!(|bytes: &[u8]| {
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

    let Ok(tablespace) = Tablespace::detect(bytes) else { return };
    // With the constant that wraps keys while there is no keyring, and with a key that fits nothing.
    let keys: Arc<dyn MasterKeySource> = Arc::new(
        KeysInMemory::new()
            .with_mysql_key("INNODBKey-1-1", KeyMaterial::new(&[0; 32]))
            .with_mariadb_key(1, 1, KeyMaterial::new(&[0; 32])),
    );
    if let Ok(codec) = tablespace.open(&keys, Options::default()) {
        let mut run = bytes.to_vec();
        codec.decrypt(0, &mut run).expect("a run");
        codec.expand(0, &mut run);
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
        let encrypted = matches!(
            codec.classify(number, stored).state,
            strongroom_tablespace::PageState::Encrypted { .. }
        );
        if !bad && encrypted && !codec.classify(number, plain).page_compressed {
            let mut again = plain.to_vec();
            assert!(codec.encrypt(number, &mut again).expect("a run").is_empty());
            assert!(again == stored, "page {number}");
        }
    }
});

//! Data and files go both ways between the server's own plugin and ours. Each change of plugin follows a crash, so that the
//! redo log, the Aria log and the binary log are read by the other side too.

use strongroom_key_versions::key_file::{Derivation, sealed};
use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{KEYS, Rig, SECRET, Whose, checksums, fill};

every_series!(
    with_aes_cbc_both_plugins_read_what_the_other_wrote,
    with_aes_ctr_and_an_encrypted_file_both_plugins_read_what_the_other_wrote,
);

fn both_plugins_read_what_the_other_wrote(series: Series, algorithm: &str, file_key: &str) {
    let rig = need!(Rig::new(series, KEYS));
    if !file_key.is_empty() {
        rig.set_keys(
            sealed::seal(KEYS.as_bytes(), file_key.as_bytes(), Derivation::default()).expect("sealed"),
        );
    }
    let options = |whose| {
        let options = rig.encrypting(whose, algorithm);
        if file_key.is_empty() {
            options
        } else {
            options.arg(format!("--file-key-management-filekey={file_key}"))
        }
    };
    let mut server = need!(Server::start(options(Whose::Stock)));
    fill(&mut server, 1500);
    let stock_wrote = checksums(&mut server);
    server.kill9();

    *server.options_mut() = options(Whose::Ours);
    server.restart().expect("recovers from what the stock plugin wrote");
    assert_eq!(checksums(&mut server), stock_wrote);
    let events = crate::rig::rows(&mut server, "SHOW BINLOG EVENTS IN 'bin.000001' LIMIT 30");
    assert!(events.iter().any(|event| event.contains(SECRET)), "{events:?}");
    for table in ["i", "k", "m"] {
        server.sql(&format!("UPDATE t.{table} SET b = CONCAT(b, '-again') WHERE a % 3 = 0"));
        server.sql(&format!("INSERT INTO t.{table} VALUES (1000000, 'ours')"));
    }
    let we_wrote = checksums(&mut server);
    assert_ne!(we_wrote, stock_wrote);
    server.kill9();

    *server.options_mut() = options(Whose::Stock);
    server.restart().expect("the stock plugin recovers from what we wrote");
    assert_eq!(checksums(&mut server), we_wrote);
    let events = crate::rig::rows(&mut server, "SHOW BINLOG EVENTS IN 'bin.000002' LIMIT 30");
    assert!(events.iter().any(|event| event.contains("'ours'")), "{events:?}");
}

fn with_aes_cbc_both_plugins_read_what_the_other_wrote(series: Series) {
    both_plugins_read_what_the_other_wrote(series, "aes_cbc", "");
}

fn with_aes_ctr_and_an_encrypted_file_both_plugins_read_what_the_other_wrote(series: Series) {
    both_plugins_read_what_the_other_wrote(series, "aes_ctr", "open sesame");
}

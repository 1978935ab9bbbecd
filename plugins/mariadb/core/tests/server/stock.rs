//! The same bytes as the server's own ciphers: what the stock plugin wrote we read, and what we wrote it reads.
//!
//! Each change of plugin follows a crash, so that the redo log, the Aria log and the binary log are read by the other
//! side too.

use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::bench::{Bench, KEY_1, KEY_2, KEY_LAST, SECRET, checksums, fill};

every_series!(
    with_aes_cbc_both_plugins_read_what_the_other_wrote,
    with_aes_ctr_both_plugins_read_what_the_other_wrote,
);

fn both_plugins_read_what_the_other_wrote(series: Series, algorithm: &str) {
    let bench = need!(Bench::new(series, &[KEY_1, KEY_2, KEY_LAST]));
    let mut server = need!(Server::start(bench.stock_options(algorithm)));
    fill(&mut server, 2000);
    let stock_wrote = checksums(&mut server);
    server.kill9();

    *server.options_mut() = bench.options(algorithm);
    server.restart().expect("recovers from what the stock plugin wrote");
    assert_eq!(checksums(&mut server), stock_wrote);
    let events = server.sql("SHOW BINLOG EVENTS IN 'bin.000001' LIMIT 30");
    assert!(
        events.iter().any(|event| event[5].as_deref().is_some_and(|info| info.contains(SECRET))),
        "{events:?}"
    );
    for table in ["i", "k", "m"] {
        server.sql(&format!("UPDATE t.{table} SET b = CONCAT(b, '-again') WHERE a % 3 = 0"));
        server.sql(&format!("INSERT INTO t.{table} VALUES (1000000, 'ours')"));
    }
    let we_wrote = checksums(&mut server);
    assert_ne!(we_wrote, stock_wrote);
    server.kill9();

    *server.options_mut() = bench.stock_options(algorithm);
    server.restart().expect("the stock plugin recovers from what we wrote");
    assert_eq!(checksums(&mut server), we_wrote);
    let events = server.sql("SHOW BINLOG EVENTS IN 'bin.000002' LIMIT 30");
    assert!(
        events.iter().any(|event| event[5].as_deref().is_some_and(|info| info.contains("'ours'"))),
        "{events:?}"
    );
}

fn with_aes_cbc_both_plugins_read_what_the_other_wrote(series: Series) {
    both_plugins_read_what_the_other_wrote(series, "aes_cbc");
}

fn with_aes_ctr_both_plugins_read_what_the_other_wrote(series: Series) {
    both_plugins_read_what_the_other_wrote(series, "aes_ctr");
}

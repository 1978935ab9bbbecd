//! A second vault takes over, and the server shows it.

use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{FLUSH, Rig, TABLE, eventually, rows, status};

every_series!(a_standby_takes_over_and_every_vault_is_seen_to_do_well_or_not);

fn a_standby_takes_over_and_every_vault_is_seen_to_do_well_or_not(series: Series) {
    let mut rig = need!(Rig::on_a_vault());
    let (standby, addresses) = rig.add_standby();
    let mut server = need!(Server::start(rig.options().on(series)));
    let vaults = "SELECT SERVER, STATE, STEP, LAST_ANSWER <> '', ROUND_TRIP_US > 0, LAST_FAILURE <> '', FAULT <> '' \
                  FROM information_schema.KMIP_KEY_MANAGEMENT_VAULTS";
    let [first, second] = addresses;
    assert_eq!(
        rows(&mut server, vaults),
        [format!("{first} in use  1 1 0 0"), format!("{second} not tried  0 0 0 0")]
    );
    assert_eq!(status(&mut server, "vaults"), format!("{first} in use, {second} not tried"));

    rig.keys.kill();
    server.sql(FLUSH);
    let moved = [format!("{first} away TCP 1 1 1 1"), format!("{second} in use  1 1 0 0")];
    assert_eq!(rows(&mut server, vaults), moved);
    let fault = server.value("SELECT FAULT FROM information_schema.KMIP_KEY_MANAGEMENT_VAULTS LIMIT 1");
    assert!(fault.contains("connection refused"), "{fault}");
    let age = "SELECT UNIX_TIMESTAMP(LAST_FAILURE) > UNIX_TIMESTAMP() - 120 FROM information_schema.KMIP_KEY_MANAGEMENT_VAULTS LIMIT 1";
    server.sql("SET time_zone = '+00:00'");
    assert_eq!(server.value(age), "1", "times are in UTC");
    assert_eq!(rows(&mut server, "SHOW KMIP_KEY_MANAGEMENT_VAULTS").len(), 2);
    assert_eq!(rows(&mut server, TABLE), ["1 1 1", "2 1 1"]);
    assert_eq!(status(&mut server, "last_refresh"), "OK");

    rig.keys.restart();
    drop(standby);
    server.sql(FLUSH);
    eventually(&mut server, "the first one is used again", |server| {
        rows(server, vaults)[0].starts_with(&format!("{first} in use"))
    });
    // What happened is still to be seen.
    assert!(rows(&mut server, vaults)[0].ends_with("1 1"));
    let said = server.try_sql("FLUSH KMIP_KEY_MANAGEMENT_VAULTS");
    assert!(said.is_err(), "there is nothing to flush");
}

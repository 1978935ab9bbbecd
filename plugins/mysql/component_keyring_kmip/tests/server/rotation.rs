//! Rotation while the vault fails at each of its calls, and while the server is killed at each of them.

use std::time::{Duration, Instant};

use ::mysql::prelude::Queryable;
use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::other_maker::{self, Fault, Trouble};
use strongroom_testkit::process::wait_until;
use strongroom_testkit::{Unavailable, need};

use crate::rig::{ROTATE, ROTATE_BINLOG, Rig, behind_a_front, checksums, encrypted_table};

/// No rotation asks so often; it is here so that a test ends.
const CALLS_MAX: u32 = 100;
/// A refusal comes at once where the vault does not hang.
const BOUND: Duration = Duration::from_secs(60);

fn with_binary_log(rig: &Rig) -> (other_maker::Server, Options, tempfile::TempDir) {
    let (front, options, folder) = behind_a_front(rig);
    (front, options.arg("--log-bin=bin").arg("--binlog-encryption=ON").arg("--server-id=1"), folder)
}

/// MySQL 8.4 knows the statement by its new name alone, 8.0 by its old one.
fn reset_binary_logs(server: &mut Server) {
    let is_old = server.version() < (8, 2);
    server.sql(if is_old { "RESET MASTER" } else { "RESET BINARY LOGS AND GTIDS" });
}

/// Lets the vault fail from each call of the rotation on, then from the next, until the rotation needs no more calls.
fn rotate_with(statement: &str, faults: &[Fault]) -> Result<(), Unavailable> {
    let rig = Rig::new();
    let (front, options, _folder) = with_binary_log(&rig);
    let mut server = Server::start(options)?;
    for table in ["a", "b", "c"] {
        encrypted_table(&mut server, table);
    }
    let before = checksums(&mut server);
    for fault in faults {
        for from in 0.. {
            assert!(from < CALLS_MAX, "{statement} asks the vault more than {CALLS_MAX} times");
            let start = Instant::now();
            front.trouble(Some(Trouble::from(*fault, from)));
            let answer = server.try_sql(statement);
            let (asked, took) = (front.requests(), start.elapsed());
            front.trouble(None);
            let when = format!("{statement}, {fault:?} from call {from} on");
            assert!(took < BOUND, "{when}: {took:?}");
            assert!(server.is_running(), "{when}:\n{}", server.log());
            // The vault is well again, and so is the next rotation.
            server.sql(statement);
            assert_eq!(checksums(&mut server), before, "{when}");
            if asked <= from {
                answer.expect("nothing went wrong");
                break;
            }
            // Fewer old logs to re-encrypt, and old keys to remove.
            reset_binary_logs(&mut server);
        }
    }
    server.restart().expect("every key is there");
    assert_eq!(checksums(&mut server), before);
    Ok(())
}

#[test]
fn innodbs_rotation_completes_or_is_as_before_wherever_the_vault_fails() {
    need!(rotate_with(ROTATE, &[Fault::Cut, Fault::AnswerLost, Fault::Refused, Fault::Garbage]));
}

#[test]
fn the_binary_logs_rotation_completes_or_is_as_before_wherever_the_vault_fails() {
    need!(rotate_with(ROTATE_BINLOG, &[Fault::AnswerLost]));
}

#[test]
#[ignore = "soak: the rotation of binary logs has dozens of calls"]
fn the_binary_logs_rotation_completes_or_is_as_before_however_the_vault_fails() {
    need!(rotate_with(ROTATE_BINLOG, &[Fault::Cut, Fault::Refused, Fault::Garbage]));
}

/// Kills the server while each call of the rotation waits for its answer, or every `step`-th.
fn kill_within(statement: &'static str, step: usize) -> Result<(), Unavailable> {
    let rig = Rig::new();
    let (front, options, _folder) = with_binary_log(&rig);
    let mut server = Server::start(options)?;
    encrypted_table(&mut server, "a");
    encrypted_table(&mut server, "b");
    let before = checksums(&mut server);
    for at in (0..).step_by(step) {
        assert!(at < CALLS_MAX, "{statement} asks the vault more than {CALLS_MAX} times");
        reset_binary_logs(&mut server);
        front.trouble(Some(Trouble::from(Fault::Hang, at)));
        let mut connection = server.connection("root").expect("a connection");
        let rotation = std::thread::spawn(move || connection.query_drop(statement));
        let seen =
            wait_until(Duration::from_secs(60), || (front.hangs() || rotation.is_finished()).then_some(()));
        assert!(seen.is_some(), "{statement} neither ends nor asks");
        let hung = front.hangs();
        server.kill9();
        front.trouble(None);
        let ended = rotation.join().expect("no panic");
        if let Err(error) = server.restart() {
            panic!("{statement}, killed at call {at}: {error}");
        }
        assert_eq!(checksums(&mut server), before, "{statement}, killed at call {at}");
        server.sql(statement);
        if !hung {
            ended.expect("it ended without another call");
            break;
        }
    }
    assert_eq!(checksums(&mut server), before);
    Ok(())
}

#[test]
fn a_server_killed_within_innodbs_rotation_has_rotated_or_not() {
    need!(kill_within(ROTATE, 1));
}

#[test]
fn a_server_killed_within_the_binary_logs_rotation_has_rotated_or_not() {
    need!(kill_within(ROTATE_BINLOG, 8));
}

#[test]
#[ignore = "soak: the rotation of binary logs has dozens of calls, and each costs a start"]
fn a_server_killed_anywhere_within_the_binary_logs_rotation_has_rotated_or_not() {
    need!(kill_within(ROTATE_BINLOG, 1));
}

#[test]
#[ignore = "soak: rotations over many tablespaces, killed at random"]
fn a_server_killed_at_any_moment_of_rotations_keeps_every_table() {
    const TABLES: u32 = 200;
    let rounds =
        std::env::var("STRONGROOM_SOAK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20);
    let rig = Rig::new();
    let mut server = need!(Server::start(rig.server_for("db1").arg("--innodb-redo-log-encrypt=ON")));
    server.sql("CREATE DATABASE t");
    for table in 0..TABLES {
        server.sql(&format!("CREATE TABLE t.t{table} (a INT) ENCRYPTION='Y'"));
        server.sql(&format!("INSERT INTO t.t{table} VALUES ({table})"));
    }
    let before = checksums(&mut server);
    for round in 0_u64..rounds {
        let mut connection = server.connection("root").expect("a connection");
        let rotations = std::thread::spawn(move || while connection.query_drop(ROTATE).is_ok() {});
        // From the first calls of a rotation to several rotations later.
        std::thread::sleep(Duration::from_micros(round * round * 997 % 400_000));
        server.kill9();
        rotations.join().expect("no panic");
        if let Err(error) = server.restart() {
            panic!("round {round}: {error}");
        }
        assert_eq!(checksums(&mut server), before, "round {round}");
    }
    server.sql(ROTATE);
}

#[test]
fn a_rotation_asks_the_vault_as_often_for_many_tablespaces_as_for_few() {
    let rig = Rig::new();
    let (front, options, _folder) = with_binary_log(&rig);
    let mut server = need!(Server::start(options));
    server.sql("CREATE DATABASE t");
    let asked = |server: &mut Server, tables: std::ops::Range<u32>| {
        for table in tables {
            server.sql(&format!("CREATE TABLE t.t{table} (a INT) ENCRYPTION='Y'"));
        }
        front.trouble(None);
        server.sql(ROTATE);
        front.requests()
    };
    let few = asked(&mut server, 0..2);
    let many = asked(&mut server, 2..60);
    assert!(few > 0 && many <= few, "{few} calls for 2 tablespaces, {many} for 60");
    // Between rotations the master key is in memory, and a table costs no call at all.
    front.trouble(None);
    server.sql("CREATE TABLE t.one_more (a INT) ENCRYPTION='Y'");
    server.sql("DROP TABLE t.one_more");
    assert_eq!(front.requests(), 0);
}

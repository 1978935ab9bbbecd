//! mariadb-backup: another program that loads the plugin, with the server's variables and connections of its own.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mysql::prelude::Queryable;
use strongroom_testkit::mariadb::Server;
use strongroom_testkit::process::{Launch, wait_until};
use strongroom_testkit::{need, skip};

use crate::cache::{Places, places};
use crate::rig::{BEHIND, FLUSH, Rig, eventually, rows};

/// `STRONGROOM_MARIADB_BACKUP`, or the one that is installed beside the server or on the machine.
fn program(server: &Server) -> Option<PathBuf> {
    let beside = server.installation().base.join("bin/mariadb-backup");
    let named = std::env::var_os("STRONGROOM_MARIADB_BACKUP").map(PathBuf::from);
    named.into_iter().chain([beside, "/usr/bin/mariadb-backup".into()]).find(|path| path.is_file())
}

fn run(program: &Path, libraries: Option<&str>, args: &[String]) -> String {
    let mut command = Command::new(program);
    if let Some(libraries) = libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    let output = command.args(args).output().expect("mariadb-backup runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}\n{said}");
    said
}

#[test]
fn a_backup_taken_across_a_rotation_is_prepared_and_restored() {
    let mut rig = need!(Rig::on_pykmip());
    let places = places!();
    let mut server = need!(Server::start(places.options(&rig, &places.seal_key())));
    let Some(program) = program(&server) else {
        skip!("mariadb-backup is not installed (Debian: apt-get install mariadb-backup)");
    };
    let libraries = server.installation().library_path();
    let run = |args: &[String]| run(&program, libraries.as_deref(), args);
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=InnoDB");
    server.sql("INSERT INTO t.i SELECT seq, REPEAT('x', 100) FROM t.seq_1_to_2000");
    assert_eq!(rig.rotate(1), 3);
    server.sql(FLUSH);
    server.sql("UPDATE t.i SET b = 'second version' WHERE a % 2 = 0");
    let before = rows(&mut server, "CHECKSUM TABLE t.i EXTENDED");

    let target = tempfile::tempdir().expect("a temporary folder");
    let dir = target.path().join("backup");
    let target_dir = format!("--target-dir={}", dir.display());
    let socket = format!("--socket={}", server.socket().display());
    let datadir = format!("--datadir={}", server.data().display());
    let no_defaults = String::from("--no-defaults");
    let cache = std::fs::metadata(places.cache()).expect("the server has a cache").ino();
    run(&[no_defaults, "--backup".into(), target_dir.clone(), datadir, socket, "--user=root".into()]);
    server.stop();
    // The variables of the plugin come from the backup's own configuration file, those of the cache too: from here on the key server is
    // away.
    rig.keys.kill();
    let defaults = format!("--defaults-file={}", dir.join("backup-my.cnf").display());
    run(&[defaults, "--prepare".into(), target_dir.clone()]);

    let after = std::fs::metadata(places.cache()).expect("the server's cache").ino();
    assert_eq!(after, cache, "only the server writes it: mariadb-backup may run under another account");

    let data = server.data();
    std::fs::remove_dir_all(&data).expect("the data directory is removed");
    let datadir = format!("--datadir={}", data.display());
    run(&["--no-defaults".into(), "--copy-back".into(), target_dir, datadir]);
    server.restart().expect("starts on the restored files");
    assert_eq!(rows(&mut server, "CHECKSUM TABLE t.i EXTENDED"), before);
}

/// A rotation that begins after mariadb-backup has loaded its keys, and ends before it has read its first page: every page has a version
/// that the backup has never heard of, and asks the key server for.
#[test]
fn a_key_that_is_rotated_while_the_backup_runs_is_looked_up_when_it_is_met() {
    let rig = need!(Rig::on_pykmip());
    // With the checksums of old, and told to, mariadb-backup decrypts every page that it copies. By default it does not.
    let mut server = need!(Server::start(rig.options().arg("--innodb-checksum-algorithm=crc32")));
    let Some(program) = program(&server) else {
        skip!("mariadb-backup is not installed (Debian: apt-get install mariadb-backup)");
    };
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=InnoDB");
    server.sql("INSERT INTO t.i SELECT seq, REPEAT('x', 100) FROM t.seq_1_to_2000");
    let before = rows(&mut server, "CHECKSUM TABLE t.i EXTENDED");

    let target = tempfile::tempdir().expect("a temporary folder");
    let dir = target.path().join("backup");
    let mut launch = Launch::new(&program, target.path().join("log"))
        .args(["--no-defaults", "--backup", "--user=root", "--extended-validation"])
        .arg(format!("--target-dir={}", dir.display()))
        .arg(format!("--socket={}", server.socket().display()))
        .arg(format!("--datadir={}", server.data().display()));
    let libraries = server.installation().library_path();
    if let Some(libraries) = &libraries {
        launch = launch.env("LD_LIBRARY_PATH", libraries);
    }
    // While somebody else is in the first stage of a backup, mariadb-backup waits before it reads pages, its keys loaded.
    let mut other = server.connection().expect("a second connection");
    Queryable::query_drop(&mut other, "BACKUP STAGE START").expect("nobody backs up yet");
    let mut backup = launch.start().expect("mariadb-backup runs");
    let limit = Duration::from_secs(60);
    let waits = wait_until(limit, || backup.log().contains("Acquiring BACKUP LOCKS").then_some(()));
    assert!(waits.is_some(), "{}", backup.log());
    assert!(backup.log().contains("serving 2 versions of 2 keys"), "{}", backup.log());
    assert_eq!(rig.rotate(1), 3);
    server.sql(FLUSH);
    eventually(&mut server, "every page of key 1 has version 3", |server| server.value(BEHIND) == "0");
    Queryable::query_drop(&mut other, "BACKUP STAGE END").expect("the stage ends");
    let ended = backup.wait(limit);
    assert!(ended.is_some_and(|status| status.success()), "{}", backup.log());
    assert!(backup.log().contains("kmip_key_management: key 1 has version 3 now"), "{}", backup.log());
    server.stop();

    let defaults = format!("--defaults-file={}", dir.join("backup-my.cnf").display());
    let target_dir = format!("--target-dir={}", dir.display());
    run(&program, libraries.as_deref(), &[defaults, "--prepare".into(), target_dir.clone()]);
    let data = server.data();
    std::fs::remove_dir_all(&data).expect("the data directory is removed");
    let datadir = format!("--datadir={}", data.display());
    run(&program, libraries.as_deref(), &["--no-defaults".into(), "--copy-back".into(), target_dir, datadir]);
    server.restart().expect("starts on the restored files");
    assert_eq!(rows(&mut server, "CHECKSUM TABLE t.i EXTENDED"), before);
}

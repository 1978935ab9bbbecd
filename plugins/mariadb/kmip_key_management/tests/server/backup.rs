//! mariadb-backup: another program that loads the plugin, with the server's variables and connections of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom_testkit::mariadb::Server;
use strongroom_testkit::{need, skip};

use crate::rig::{FLUSH, Rig, rows};

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
    let rig = need!(Rig::on_pykmip());
    let mut server = need!(Server::start(rig.options()));
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
    run(&[no_defaults, "--backup".into(), target_dir.clone(), datadir, socket, "--user=root".into()]);
    server.stop();
    // The variables of the plugin come from the backup's own configuration file.
    let defaults = format!("--defaults-file={}", dir.join("backup-my.cnf").display());
    run(&[defaults, "--prepare".into(), target_dir.clone()]);

    let data = server.data();
    std::fs::remove_dir_all(&data).expect("the data directory is removed");
    let datadir = format!("--datadir={}", data.display());
    run(&["--no-defaults".into(), "--copy-back".into(), target_dir, datadir]);
    server.restart().expect("starts on the restored files");
    assert_eq!(rows(&mut server, "CHECKSUM TABLE t.i EXTENDED"), before);
}

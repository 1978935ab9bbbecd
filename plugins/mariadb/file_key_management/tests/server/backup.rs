//! mariadb-backup: another program that loads the plugin, with the server's variables.

use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom_testkit::mariadb::Server;
use strongroom_testkit::{need, skip};

use crate::rig::{FLUSH, KEY_1_LATER, KEYS, Rig, Whose, checksums, fill};

/// `STRONGROOM_MARIADB_BACKUP`, or the one that is installed beside the server or on the machine.
fn program(server: &Server) -> Option<PathBuf> {
    let beside = server.installation().base.join("bin/mariadb-backup");
    let named = std::env::var_os("STRONGROOM_MARIADB_BACKUP").map(PathBuf::from);
    named.into_iter().chain([beside, "/usr/bin/mariadb-backup".into()]).find(|path| path.is_file())
}

fn run(program: &Path, args: &[String]) {
    let output = Command::new(program).args(args).output().expect("mariadb-backup runs");
    assert!(output.status.success(), "{args:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_backup_taken_across_a_rotation_is_prepared_and_restored() {
    let rig = need!(Rig::new(KEYS));
    let mut server = need!(Server::start(rig.encrypting(Whose::Ours, "aes_ctr")));
    let Some(program) = program(&server) else {
        skip!("mariadb-backup is not installed (Debian: apt-get install mariadb-backup)");
    };
    fill(&mut server, 1000);
    rig.set_keys(format!("{KEYS}{KEY_1_LATER}"));
    server.sql(FLUSH);
    server.sql("UPDATE t.i SET b = 'second version' WHERE a % 2 = 0");
    let before = checksums(&mut server);

    let target = tempfile::tempdir().expect("a temporary folder");
    let dir = target.path().join("backup");
    let target_dir = format!("--target-dir={}", dir.display());
    let socket = format!("--socket={}", server.socket().display());
    let datadir = format!("--datadir={}", server.data().display());
    let no_defaults = String::from("--no-defaults");
    run(
        &program,
        &[no_defaults, "--backup".into(), target_dir.clone(), datadir, socket, "--user=root".into()],
    );
    server.stop();
    // The variables of the plugin come from the backup's own configuration file.
    let defaults = format!("--defaults-file={}", dir.join("backup-my.cnf").display());
    run(&program, &[defaults, "--prepare".into(), target_dir.clone()]);

    let data = server.data();
    std::fs::remove_dir_all(&data).expect("the data directory is removed");
    let datadir = format!("--datadir={}", data.display());
    run(&program, &["--no-defaults".into(), "--copy-back".into(), target_dir, datadir]);
    server.restart().expect("starts on the restored files");
    assert_eq!(checksums(&mut server), before);
}

//! mariadb-backup: another program that loads the plugin, with the server's variables.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use strongroom_key_versions::key_file::{Derivation, sealed};
use strongroom_testkit::folder::holds_bytes;
use strongroom_testkit::mariadb::{Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{FLUSH, KEY_1_LATER, KEYS, Rig, WAKE, Whose, checksums, fill};

/// What opens the key file.
const FILE_KEY: &str = "a-secret-that-must-not-reach-a-backup";

every_series!(a_backup_taken_across_a_rotation_is_prepared_and_restored);

/// Runs a program of the server's packages, which must succeed.
fn run(mut program: Command, args: &[&str]) {
    let output = program.args(args).output().expect("it runs");
    assert!(output.status.success(), "{program:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The backup goes into a pipe that nobody empties at first: it has begun, with the keys of its start, and stands still
/// while the server gets a new version and re-encrypts its pages.
fn a_backup_taken_across_a_rotation_is_prepared_and_restored(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let set_keys = |keys: &str| {
        let sealed = sealed::seal(keys.as_bytes(), FILE_KEY.as_bytes(), Derivation::default());
        rig.set_keys(sealed.expect("sealed"));
    };
    set_keys(KEYS);
    fs::write(rig.path("secret"), FILE_KEY).expect("written");
    let file_key = format!("--file-key-management-filekey=FILE:{}", rig.path("secret").display());
    let mut server = need!(Server::start(rig.encrypting(Whose::Ours, "aes_ctr").arg(file_key)));
    let installation = server.installation().clone();
    let tool = |name| installation.tool(name).expect("it was there");
    need!(installation.tool("mariadb-backup"));
    fill(&mut server, 3000);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let stream = folder.path().join("stream");
    let mut backup = tool("mariadb-backup")
        .args(["--no-defaults", "--backup", "--stream=xbstream", "--user=root"])
        .arg(format!("--datadir={}", server.data().display()))
        .arg(format!("--socket={}", server.socket().display()))
        .arg(format!("--target-dir={}", folder.path().display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(folder.path().join("said")).expect("a file"))
        .spawn()
        .expect("it runs");
    let mut pipe = backup.stdout.take().expect("a pipe");
    let mut bytes = vec![0; 4096];
    // The first bytes of a file: everything is loaded by now, and far more than the pipe holds is left.
    pipe.read_exact(&mut bytes).unwrap_or_else(|error| panic!("{error}\n{}", said(folder.path())));
    set_keys(&format!("{KEYS}{KEY_1_LATER}"));
    server.sql(FLUSH);
    server.sql(WAKE);
    server.sql("UPDATE t.i SET b = 'second version' WHERE a % 2 = 0");
    server.sql("INSERT INTO t.m SELECT a + 100000, b FROM t.i");
    let before = checksums(&mut server);
    let mut file = fs::File::create(&stream).expect("a file");
    file.write_all(&bytes).expect("written");
    std::io::copy(&mut pipe, &mut file).expect("written");
    assert!(backup.wait().expect("it ends").success(), "{}", said(folder.path()));
    server.stop();

    let target = folder.path().join("restored");
    fs::create_dir(&target).expect("a folder");
    let mut extract = tool("mbstream");
    extract.stdin(fs::File::open(&stream).expect("the stream"));
    run(extract, &["-x", "-C", &target.display().to_string()]);
    // The variables of the plugin come from the backup's own configuration file.
    let defaults = format!("--defaults-file={}", target.join("backup-my.cnf").display());
    let target_dir = format!("--target-dir={}", target.display());
    run(tool("mariadb-backup"), &[&defaults, "--prepare", &target_dir]);
    let variables = fs::read_to_string(target.join("backup-my.cnf")).expect("the backup's configuration");
    assert!(variables.contains("file_key_management_filekey=FILE:"), "{variables}");
    for secret in secrets() {
        assert!(secret.len() > 15 && !holds_bytes(&target, &secret), "{}", secret.escape_ascii());
    }
    let data = server.data();
    fs::remove_dir_all(&data).expect("the data directory is removed");
    let datadir = format!("--datadir={}", data.display());
    run(tool("mariadb-backup"), &["--no-defaults", "--copy-back", &target_dir, &datadir]);
    server.restart().expect("starts on the restored files");
    assert_eq!(checksums(&mut server), before);
}

/// What opens the key file, and both versions of key 1, as they are and in digits.
fn secrets() -> Vec<Vec<u8>> {
    let mut secrets = vec![FILE_KEY.as_bytes().to_vec()];
    for line in [KEYS.lines().next().unwrap_or_default(), KEY_1_LATER.trim()] {
        let digits = line.rsplit(';').next().unwrap_or_default();
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
        secrets.push((0..digits.len()).step_by(2).map(byte).collect());
        secrets.push(digits.as_bytes().to_vec());
    }
    secrets
}

fn said(folder: &Path) -> String {
    fs::read_to_string(folder.join("said")).unwrap_or_default()
}

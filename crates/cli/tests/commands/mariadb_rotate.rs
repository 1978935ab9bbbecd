//! A key on a vault is rotated under a running server by one command.

use std::path::Path;
use std::time::Duration;

use strongroom_testkit::mariadb::{Options, Server};
use strongroom_testkit::need;
use strongroom_testkit::process::wait_until;
use strongroom_testkit::vault::Vault;

use crate::{Ran, args, run, strongroom};

const PLUGIN: &str = "strongroom_kmip_key_management";
const BEHIND: &str = "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
                      WHERE CURRENT_KEY_ID = 1 AND MIN_KEY_VERSION < 3";

fn rotate(server: &Server, conf: &Path, rest: &[&str]) -> Ran {
    let mut command =
        strongroom(args!["mariadb", "rotate", "--conf", conf, "--socket", server.socket(), "--key-id"]);
    Ran::of(command.args(rest)).unwrapped()
}

/// What was said in one line, steps and errors, by a run that ended with `code`; and its last line.
#[track_caller]
fn said(ran: &Ran, code: i32) -> (String, String) {
    assert_eq!(ran.code, code, "{ran:?}");
    let words = format!("{} {}", ran.stdout, ran.stderr);
    let last = ran.stdout.lines().last().unwrap_or_default().to_owned();
    (words.split_whitespace().collect::<Vec<_>>().join(" "), last)
}

#[test]
fn one_command_makes_a_version_loads_it_and_has_old_pages_re_encrypted() {
    let vault = Vault::start();
    let conf = vault.enrol("db1");
    for key in ["1", "2"] {
        run(args!["mariadb", "key", "add", "--conf", &conf, "--key-id", key, "--prefix", "shop"]).ok();
    }
    let plugins = strongroom_testkit::plugin(PLUGIN);
    let options = Options { plugin_dir: Some(plugins.path().to_path_buf()), ..Options::default() }
        .load(PLUGIN)
        .arg(format!("--kmip-key-management-conf-dir={}", conf.display()))
        .arg("--kmip-key-management-key-prefix=shop")
        .arg("--kmip-key-management-refresh-interval=0")
        .arg("--innodb-encrypt-tables=FORCE")
        .arg("--innodb-encryption-threads=2");
    let mut server = need!(Server::start(options));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.one (a INT)");
    server.sql("INSERT INTO t.one SELECT seq FROM t.seq_1_to_500");

    let (words, version) = said(&rotate(&server, &conf, &["1"]), 0);
    assert!(words.contains("the version rises by 2"), "{words}");
    assert_eq!(version, "3");
    let moved = wait_until(Duration::from_secs(60), || (server.value(BEHIND) == "0").then_some(()));
    assert!(moved.is_some(), "pages of key 1 keep their old version\n{}", server.log());

    // The distance follows the server's own setting, and what hinders it is said.
    server.sql("SET GLOBAL innodb_encryption_rotate_key_age = 4");
    let json: serde_json::Value =
        serde_json::from_str(&rotate(&server, &conf, &["2", "--json"]).ok()).expect("JSON");
    assert_eq!((&json["version"], &json["step"], &json["re_encrypts"]), (&6.into(), &5.into(), &true.into()));
    let (words, version) = said(&rotate(&server, &conf, &["2", "--step", "1"]), 0);
    assert!(words.contains("too close"), "{words}");
    assert_eq!(version, "7");

    // Another prefix is another key, which this server does not read.
    run(args!["mariadb", "key", "add", "--conf", &conf, "--key-id", "1"]).ok();
    let (words, _) = said(&rotate(&server, &conf, &["1", "--step", "7", "--prefix", "mariadb"]), 1);
    assert!(words.contains("another prefix"), "{words}");
    said(&rotate(&server, &conf, &["77"]), 3);
    server.stop();
    said(&rotate(&server, &conf, &["1"]), 4);
    assert_eq!(
        run(args!["mariadb", "key", "list", "--conf", &conf, "--prefix", "shop"]).ok().lines().count(),
        1 + 2 + 3,
        "a command that reached no server made nothing"
    );
}

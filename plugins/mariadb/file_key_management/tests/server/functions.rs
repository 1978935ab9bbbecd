//! Keys made and added in SQL, and who may do that.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use strongroom_key_versions::key_file::{Derivation, sealed};
use strongroom_testkit::mariadb::{Options, Series, Server};
use strongroom_testkit::{Unavailable, every_series, need, skip};

use crate::rig::{KEYS, PLUGIN, Rig, TABLE, Whose, refusal, rows};

every_series!(
    a_key_is_generated_saved_and_loaded_without_being_seen,
    generated_keys_differ_even_within_a_statement,
    an_encrypted_file_stays_encrypted,
    what_is_not_allowed_or_makes_no_sense_changes_nothing,
    only_whoever_has_super_may_call_them,
    a_folder_that_is_read_only_for_the_server_is_said_with_its_remedy,
);

const GENERATE: &str = "SELECT file_key_management_generate_key(256)";
const SAVE: &str = "SELECT file_key_management_save_key_version(1, 3, file_key_management_generate_key(256))";
const RELOAD: &str = "SELECT file_key_management_reload_keys()";

fn start(options: Options) -> Result<Server, Unavailable> {
    let mut server = Server::start(options)?;
    for (name, returns) in
        [("generate_key", "STRING"), ("save_key_version", "INTEGER"), ("reload_keys", "INTEGER")]
    {
        server.sql(&format!(
            "CREATE FUNCTION file_key_management_{name} RETURNS {returns} SONAME '{PLUGIN}.so'"
        ));
    }
    Ok(server)
}

fn writable(rig: &Rig) -> Options {
    rig.options(Whose::Ours).arg("--file-key-management-allow-key-writes=ON")
}

fn a_key_is_generated_saved_and_loaded_without_being_seen(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    fs::set_permissions(rig.key_file(), fs::Permissions::from_mode(0o640)).expect("a mode");
    let mut server = need!(start(writable(&rig)));
    assert_eq!(rows(&mut server, SAVE), ["1"]);
    assert_eq!(rows(&mut server, TABLE).len(), 3, "not before it is loaded");
    assert_eq!(rows(&mut server, RELOAD), ["1"]);
    assert_eq!(rows(&mut server, TABLE)[..2], ["1 1 0", "1 3 1"]);
    let text = fs::read_to_string(rig.key_file()).expect("the file");
    let line = text.strip_prefix(KEYS).expect("what was there is there");
    assert!(line.starts_with("1;3;") && line.len() == "1;3;".len() + 64 + 1, "{line}");
    assert_eq!(fs::metadata(rig.key_file()).expect("the file").permissions().mode() & 0o7777, 0o640);
    assert!(!server.log().contains(&line[4..68]));
}

fn generated_keys_differ_even_within_a_statement(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut server = need!(start(rig.options(Whose::Ours)));
    server.sql("CREATE DATABASE t");
    for (bits, digits) in [(128, 32), (192, 48), (256, 64)] {
        let keys =
            rows(&mut server, &format!("SELECT file_key_management_generate_key({bits}) FROM t.seq_1_to_3"));
        assert!(keys.iter().all(|key| key.len() == digits), "{keys:?}");
        assert!(keys[0] != keys[1] && keys[1] != keys[2], "{keys:?}");
    }
    for bits in ["0", "127", "512", "-1", "NULL"] {
        let said = refusal(&mut server, &format!("SELECT file_key_management_generate_key({bits})"));
        assert!(said.contains("128, 192 or 256 bits"), "{said}");
    }
}

fn an_encrypted_file_stays_encrypted(series: Series) {
    let rig = need!(Rig::new(series, ""));
    rig.set_keys(sealed::seal(KEYS.as_bytes(), b"open sesame", Derivation::default()).expect("sealed"));
    let mut server = need!(start(writable(&rig).arg("--file-key-management-filekey=open sesame")));
    assert_eq!(rows(&mut server, SAVE), ["1"]);
    assert_eq!(rows(&mut server, RELOAD), ["1"]);
    assert_eq!(rows(&mut server, TABLE).len(), 4);
    let bytes = fs::read(rig.key_file()).expect("the file");
    let text = sealed::open(&bytes, b"open sesame", Derivation::default()).expect("opens");
    assert!(text.starts_with(KEYS.as_bytes()) && text.len() > KEYS.len());
}

fn what_is_not_allowed_or_makes_no_sense_changes_nothing(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut server = need!(start(rig.options(Whose::Ours)));
    let said = refusal(&mut server, SAVE);
    assert!(said.contains("file_key_management_allow_key_writes is OFF"), "{said}");
    let said = refusal(&mut server, "SET GLOBAL file_key_management_allow_key_writes = ON");
    assert!(said.contains("read only"), "{said}");

    *server.options_mut() = writable(&rig);
    server.restart().expect("starts");
    let k = "00112233445566778899aabbccddeeff";
    for (arguments, reason) in [
        (format!("1, 1, '{k}'"), "key 1 has version 1 already"),
        (format!("0, 2, '{k}'"), "a key id is 1 to"),
        (format!("-1, 2, '{k}'"), "a key id is 1 to"),
        (format!("4294967296, 2, '{k}'"), "a key id is 1 to"),
        (format!("NULL, 2, '{k}'"), "a key id is 1 to"),
        (format!("1, 0, '{k}'"), "a version is 1 to"),
        (format!("1, 4294967295, '{k}'"), "a version is 1 to"),
        ("1, 2, 'zz'".into(), "hexadecimal digits"),
        ("1, 2, NULL".into(), "hexadecimal digits"),
        (format!("1, 2, '{k}00'"), "hexadecimal digits"),
        (format!("1, '{k}'"), "usage: "),
    ] {
        let said = refusal(&mut server, &format!("SELECT file_key_management_save_key_version({arguments})"));
        assert!(said.contains(reason) && !said.contains(k), "{said}");
    }
    assert_eq!(fs::read_to_string(rig.key_file()).expect("the file"), KEYS);
    rig.set_keys("nonsense");
    for statement in [RELOAD, SAVE] {
        let said = refusal(&mut server, statement);
        assert!(said.contains("Syntax error at") && said.contains("line 1, column 1"), "{said}");
    }
}

fn only_whoever_has_super_may_call_them(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut server = need!(start(writable(&rig)));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE USER curious@localhost IDENTIFIED BY ''");
    server.sql("GRANT ALL ON t.* TO curious@localhost");
    server.sql("GRANT PROCESS, RELOAD, FILE ON *.* TO curious@localhost");
    let options = mysql::OptsBuilder::new()
        .socket(Some(server.socket().to_string_lossy()))
        .user(Some("curious"))
        .prefer_socket(true);
    let mut connection = mysql::Conn::new(options).expect("connects");
    let mut error = |statement: &str| {
        let result = mysql::prelude::Queryable::query::<mysql::Row, _>(&mut connection, statement);
        result.expect_err(statement).to_string()
    };
    for statement in [GENERATE, SAVE, RELOAD] {
        let said = error(statement);
        assert!(said.contains("the SUPER privilege is needed"), "{said}");
    }
    // A view and a routine act with the rights of whom they belong to: his own.
    error("CREATE SQL SECURITY DEFINER VIEW t.v AS SELECT file_key_management_generate_key(256)");
    assert_eq!(fs::read_to_string(rig.key_file()).expect("the file"), KEYS);
}

/// As under Debian's unit, whose `ProtectSystem=full` makes `/etc` read-only for the server: a bind mount that only its own
/// namespace sees.
fn a_folder_that_is_read_only_for_the_server_is_said_with_its_remedy(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let folder = rig.path("etc");
    fs::create_dir(&folder).expect("a folder");
    let keys = folder.join("keys");
    fs::write(&keys, KEYS).expect("written");
    let folder = folder.display();
    let unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c"];
    let script =
        format!("mount --bind '{folder}' '{folder}' && mount -o remount,bind,ro '{folder}' && exec \"$@\"");
    if !Command::new(unshare[0])
        .args(&unshare[1..])
        .args([&script, "sh", "true"])
        .status()
        .is_ok_and(|it| it.success())
    {
        skip!("this machine gives a test no mounts of its own (unshare --map-root-user --mount)");
    }
    let mut options = writable(&rig).arg(format!("--file-key-management-filename={}", keys.display()));
    options.through = unshare.map(String::from).into_iter().chain([script.clone(), "sh".into()]).collect();
    let mut server = need!(start(options));
    let said = refusal(&mut server, SAVE);
    assert!(said.contains("Errcode: 30") && said.contains(&format!("ReadWritePaths={folder}")), "{said}");
    assert_eq!(fs::read_to_string(&keys).expect("the file"), KEYS);
    assert_eq!(rows(&mut server, RELOAD), ["1"]);
}

//! Names, defaults and help texts, under either file name.

use std::fs;
use std::process::Command;

use strongroom_testkit::mariadb::{Options, Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{FLUSH, KEYS, PLUGIN, Rig, TABLE, Whose, refusal, rows};

every_series!(
    the_variables_of_stock_are_the_same_here,
    the_two_variables_that_stock_has_since_12_open_what_openssl_encrypted,
    under_the_file_name_of_stock_it_is_the_same_plugin,
    off_on_force_and_permanent_do_what_they_do_with_stock,
    without_force_the_server_runs_without_the_plugin_and_a_later_install_works,
);

const VARIABLES: &str = "SELECT VARIABLE_NAME, DEFAULT_VALUE, VARIABLE_SCOPE, VARIABLE_TYPE, ENUM_VALUE_LIST, READ_ONLY, \
     COMMAND_LINE_ARGUMENT, VARIABLE_COMMENT FROM information_schema.SYSTEM_VARIABLES \
     WHERE VARIABLE_NAME LIKE 'file_key_management%' ORDER BY VARIABLE_NAME";

fn the_variables_of_stock_are_the_same_here(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let stock = rows(&mut need!(Server::start(rig.options(Whose::Stock))), VARIABLES);
    let ours = rows(&mut need!(Server::start(rig.options(Whose::Ours))), VARIABLES);
    assert_eq!(stock.len(), 3);
    for row in &stock {
        assert!(ours.contains(row), "{row}\n{ours:#?}");
    }
    assert_eq!(ours.len(), 7);
}

/// The words and limits are those of MariaDB 12, where the server's own plugin has them.
fn the_two_variables_that_stock_has_since_12_open_what_openssl_encrypted(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let mut server = need!(Server::start(rig.options(Whose::Ours)));
    let statement = "SELECT VARIABLE_NAME, GLOBAL_VALUE, DEFAULT_VALUE, VARIABLE_SCOPE, VARIABLE_TYPE, ENUM_VALUE_LIST, \
                     NUMERIC_MIN_VALUE, NUMERIC_MAX_VALUE, READ_ONLY, COMMAND_LINE_ARGUMENT \
                     FROM information_schema.SYSTEM_VARIABLES \
                     WHERE VARIABLE_NAME IN ('file_key_management_digest', 'file_key_management_use_pbkdf2') ORDER BY 1";
    assert_eq!(
        rows(&mut server, statement),
        [
            "FILE_KEY_MANAGEMENT_DIGEST sha1 sha1 GLOBAL ENUM sha1,sha224,sha256,sha384,sha512 YES REQUIRED",
            "FILE_KEY_MANAGEMENT_USE_PBKDF2 0 0 GLOBAL INT UNSIGNED 0 4294967295 YES REQUIRED",
        ]
    );
    for assignment in ["digest = 'sha256'", "use_pbkdf2 = 1"] {
        let said = refusal(&mut server, &format!("SET GLOBAL file_key_management_{assignment}"));
        assert!(said.contains("is a read only variable"), "{said}");
    }
    fs::write(rig.path("clear"), KEYS).expect("written");
    fs::write(rig.path("secret"), "open sesame\n").expect("written");
    let with = |derivation: &[String]| {
        let secret = format!("--file-key-management-filekey=FILE:{}", rig.path("secret").display());
        let mut options = rig.options(Whose::Ours).arg("--file-key-management=FORCE").arg(secret);
        options.args.extend_from_slice(derivation);
        options
    };
    // `openssl enc -pbkdf2` without `-iter` has 10000 rounds.
    for (digest, rounds, iter) in [
        ("sha1", "0", None),
        ("sha224", "1", Some("1")),
        ("sha256", "10000", None),
        ("sha384", "0", None),
        ("sha512", "20000", Some("20000")),
    ] {
        let mut openssl = Command::new("openssl");
        openssl.args(["enc", "-aes-256-cbc", "-md", digest]);
        if rounds != "0" {
            openssl.arg("-pbkdf2");
        }
        if let Some(iter) = iter {
            openssl.args(["-iter", iter]);
        }
        openssl.arg("-pass").arg(format!("file:{}", rig.path("secret").display()));
        openssl.arg("-in").arg(rig.path("clear")).arg("-out").arg(rig.key_file());
        let Ok(output) = openssl.output() else {
            strongroom_testkit::skip!("the openssl command is not installed");
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let derivation = [
            format!("--file-key-management-digest={digest}"),
            format!("--file-key-management-use-pbkdf2={rounds}"),
        ];
        server.stop();
        *server.options_mut() = with(&derivation);
        server.restart().unwrap_or_else(|error| panic!("{derivation:?}: {error}"));
        assert_eq!(rows(&mut server, TABLE).len(), 3, "{derivation:?}");
    }
    // What opened the last file is none of the words, or none of the numbers.
    server.stop();
    for (wrong, said) in [("digest=md5", "md5"), ("use-pbkdf2=0", "Cannot decrypt")] {
        *server.options_mut() = with(&[
            String::from("--file-key-management-digest=sha512"),
            format!("--file-key-management-{wrong}"),
        ]);
        let error = server.restart().expect_err("no start");
        // One wrong key in 256 leaves something that looks like text, which is no line of a key file then.
        assert!(error.log.contains(said) || error.log.contains("rror at"), "{}", error.log);
    }
}

fn under_the_file_name_of_stock_it_is_the_same_plugin(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let library = rig.plugin_dir(Whose::Ours).join(format!("{PLUGIN}.so"));
    fs::copy(library, rig.path("file_key_management.so")).expect("a copy");
    let options = Options { plugin_dir: Some(rig.path("")), ..rig.options(Whose::Stock) };
    let mut server = need!(Server::start(options.arg("--file-key-management=FORCE")));
    assert_eq!(rows(&mut server, TABLE).len(), 3);
    assert_eq!(
        rows(
            &mut server,
            "SELECT PLUGIN_STATUS FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'file_key_management'"
        ),
        ["ACTIVE"]
    );
}

/// Each value of the option that the server makes of the plugin's name, with a good file and with a bad one, held against
/// the server's own plugin.
fn off_on_force_and_permanent_do_what_they_do_with_stock(series: Series) {
    let rig = need!(Rig::new(series, KEYS));
    let outcome = |whose: Whose, value: &str| {
        let options = rig.options(whose).arg(format!("--file-key-management={value}"));
        let mut server = Server::prepare(options).expect("there was a server before");
        if server.restart().is_err() {
            return String::from("no start");
        }
        let state = |server: &mut Server| {
            let status = rows(
                server,
                "SELECT PLUGIN_STATUS, LOAD_OPTION FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'file_key_management'",
            );
            status.join(",")
        };
        let before = state(&mut server);
        let said = match server.try_sql("UNINSTALL PLUGIN file_key_management") {
            Ok(_) => rows(&mut server, "SHOW WARNINGS").join(","),
            Err(error) => error.to_string(),
        };
        format!("{before}; {said}; {}", state(&mut server))
    };
    for (content, starts) in
        [(KEYS, &["ACTIVE ON", "ACTIVE FORCE", "ACTIVE FORCE_PLUS_PERMANENT"][..]), ("nonsense", &[])]
    {
        rig.set_keys(content);
        let mut met = Vec::new();
        for value in ["OFF", "ON", "FORCE", "FORCE_PLUS_PERMANENT"] {
            let stock = outcome(Whose::Stock, value);
            assert_eq!(outcome(Whose::Ours, value), stock, "{value}");
            met.push(stock);
        }
        for state in starts {
            assert!(met.iter().any(|outcome| outcome.starts_with(&format!("{state};"))), "{state}: {met:#?}");
        }
        let refused = met.iter().filter(|outcome| *outcome == "no start").count();
        assert_eq!(refused, if starts.is_empty() { 2 } else { 0 }, "{met:#?}");
    }
}

fn without_force_the_server_runs_without_the_plugin_and_a_later_install_works(series: Series) {
    let rig = need!(Rig::new(series, "nonsense"));
    let mut server = need!(Server::start(rig.options(Whose::Ours)));
    assert!(server.log().contains("Syntax error at"), "{}", server.log());
    let said = refusal(&mut server, FLUSH);
    assert!(said.contains("no keys are being served"), "{said}");
    assert!(rows(&mut server, TABLE).is_empty());
    rig.set_keys(KEYS);
    server.sql(&format!("INSTALL SONAME '{PLUGIN}'"));
    assert_eq!(rows(&mut server, TABLE).len(), 3);

    rig.set_keys("nonsense");
    *server.options_mut() = rig.options(Whose::Ours).arg("--file-key-management=FORCE");
    server.restart().expect_err("no start");
}

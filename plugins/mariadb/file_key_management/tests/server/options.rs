//! Names, defaults and help texts, under either file name.

use std::fs;

use strongroom_testkit::mariadb::{Options, Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{FLUSH, KEYS, PLUGIN, Rig, TABLE, Whose, refusal, rows};

every_series!(
    the_variables_of_stock_are_the_same_here,
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

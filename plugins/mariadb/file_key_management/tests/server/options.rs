//! Names, defaults and help texts, under either file name.

use std::fs;

use strongroom_testkit::mariadb::{Options, Series, Server};
use strongroom_testkit::{every_series, need};

use crate::rig::{FLUSH, KEYS, PLUGIN, Rig, TABLE, Whose, refusal, rows};

every_series!(
    the_variables_of_stock_are_the_same_here,
    under_the_file_name_of_stock_it_is_the_same_plugin,
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

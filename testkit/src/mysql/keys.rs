//! What a server says about its keyring.

use super::Server;

/// One value of `performance_schema.keyring_component_status`.
///
/// # Panics
/// When the server refuses.
pub fn status(server: &mut Server, key: &str) -> String {
    server.value(&format!(
        "SELECT STATUS_VALUE FROM performance_schema.keyring_component_status WHERE STATUS_KEY = '{key}'"
    ))
}

/// The ids of all keys, with their owners where they have some, in order.
///
/// # Panics
/// When the server refuses.
pub fn keys(server: &mut Server) -> Vec<String> {
    let mut keys = server.rows("SELECT KEY_ID, KEY_OWNER FROM performance_schema.keyring_keys");
    keys.sort();
    keys.into_iter().map(|key| key.trim_end().to_owned()).collect()
}

/// The ids of InnoDB's first `count` master keys.
///
/// # Panics
/// When the server refuses.
pub fn master_keys(server: &mut Server, count: usize) -> Vec<String> {
    let uuid = server.uuid();
    (1..=count).map(|number| format!("INNODBKey-{uuid}-{number}")).collect()
}

/// The SQL functions of the plugin keyring_udf.
///
/// # Panics
/// When the server refuses.
pub fn create_functions(server: &mut Server) {
    server.sql("INSTALL PLUGIN keyring_udf SONAME 'keyring_udf.so'");
    for (name, returns) in [
        ("generate", "INTEGER"),
        ("fetch", "STRING"),
        ("length_fetch", "INTEGER"),
        ("type_fetch", "STRING"),
        ("store", "INTEGER"),
        ("remove", "INTEGER"),
    ] {
        server.sql(&format!("CREATE FUNCTION keyring_key_{name} RETURNS {returns} SONAME 'keyring_udf.so'"));
    }
}

//! Encrypted tables of the database `t`, and what is in them.

use super::Server;

/// Rows of text that must never be found in a file.
pub const SECRET: &str = "plaintext-that-must-not-reach-a-file";

/// An encrypted table `t.<name>` with a thousand rows.
///
/// # Panics
/// When the server refuses.
pub fn encrypted_table(server: &mut Server, name: &str) {
    server.sql("CREATE DATABASE IF NOT EXISTS t");
    server.sql(&format!("CREATE TABLE t.{name} (a INT PRIMARY KEY, b VARCHAR(200)) ENCRYPTION='Y'"));
    fill(server, name);
}

/// A thousand rows of [`SECRET`] in `t.<name>`.
///
/// # Panics
/// When the server refuses.
pub fn fill(server: &mut Server, name: &str) {
    server.sql(&format!(
        "INSERT INTO t.{name} (a, b) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
         SELECT i, CONCAT('{SECRET}-', i) FROM n"
    ));
}

/// Every row of every table of the database `t`, as a number for each table.
///
/// # Panics
/// When the server refuses.
pub fn checksums(server: &mut Server) -> Vec<String> {
    let tables = server.rows(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 't' ORDER BY TABLE_NAME",
    );
    assert!(!tables.is_empty(), "there is no table to look at");
    let tables: Vec<String> = tables.iter().map(|table| format!("t.`{table}`")).collect();
    server.rows(&format!("CHECKSUM TABLE {} EXTENDED", tables.join(", ")))
}

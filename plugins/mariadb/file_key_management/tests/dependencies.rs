//! What the library carries into the database.

use std::collections::BTreeSet;
use std::process::Command;

/// A plugin for keys in a file needs no network, so it carries neither KMIP nor TLS.
#[test]
fn the_library_carries_neither_kmip_nor_tls() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{lib}"])
        .args(["--package", env!("CARGO_PKG_NAME")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let libraries: BTreeSet<_> = text.split_whitespace().filter(|word| *word != "(*)").collect();
    let ours: Vec<_> = libraries.iter().filter(|name| name.starts_with("strongroom_")).copied().collect();
    assert_eq!(
        ours,
        [
            "strongroom_cipher",
            "strongroom_file_key_management",
            "strongroom_key_versions",
            "strongroom_mariadb_core",
            "strongroom_plugin_abi",
            "strongroom_secret",
        ]
    );
    for foreign in ["rustls", "webpki", "x509_parser", "pkcs8", "tokio", "serde_json"] {
        assert!(!libraries.contains(foreign), "{foreign}");
    }
    assert!(libraries.contains("aws_lc_rs"), "the list is one of libraries: {libraries:?}");
}

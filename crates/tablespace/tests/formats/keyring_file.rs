//! The data file of MySQL's `component_keyring_file`, as far as these tests need it.

use std::sync::Arc;

use strongroom_secret::KeyMaterial;
use strongroom_tablespace::{KeysInMemory, MasterKeySource};

/// The keys without an owner in the text of such a file.
pub(crate) fn keys(text: &[u8]) -> Arc<dyn MasterKeySource> {
    let json: serde_json::Value = serde_json::from_slice(text).expect("a keyring file");
    let elements = json["elements"].as_array().expect("elements");
    Arc::new(elements.iter().fold(KeysInMemory::new(), |keys, element| {
        let hex = element["data"].as_str().expect("data");
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
            .collect();
        keys.with_mysql_key(element["data_id"].as_str().expect("an id"), KeyMaterial::new(&bytes))
    }))
}

//! What the keyring says about itself: the rows of `performance_schema.keyring_component_status`.

use super::Service;
use crate::config::{EndpointSource, VerifyName};

/// What stands where there is no value, as in the server's own keyring.
const NONE: &str = "<NONE>";

/// A name and a value.
pub type Row = (&'static str, String);

impl Service {
    /// The rows, of which the server prescribes the first six.
    #[must_use]
    pub fn status(&self, component: &'static str) -> Vec<Row> {
        let mut rows = vec![
            ("Component_name", component.to_owned()),
            ("Author", "Strongroom".to_owned()),
            ("License", "MIT OR Apache-2.0".to_owned()),
            ("Implementation_name", component.to_owned()),
            ("Version", env!("CARGO_PKG_VERSION").to_owned()),
            ("Component_status", if self.is_usable() { "Active" } else { "Disabled" }.to_owned()),
        ];
        let Some(loaded) = self.loaded() else {
            return rows;
        };
        let yes_no = |yes| if yes { "Yes" } else { "No" }.to_owned();
        let configuration = loaded.configuration();
        let place = match &configuration.endpoint {
            EndpointSource::Directory { dir, .. } => dir,
            EndpointSource::Files { certificate, .. } => certificate,
        };
        rows.extend([
            ("Endpoint", place.display().to_string()),
            ("Servers", loaded.servers()),
            ("Object_group", loaded.group().unwrap_or_else(|| NONE.into())),
            ("Verify_server_name", yes_no(configuration.verify_name == VerifyName::Yes)),
            ("Cache_keys", yes_no(configuration.cache_keys)),
            ("Keys_in_memory", loaded.memory().kept().to_string()),
            ("Last_error", loaded.last_error().unwrap_or_else(|| NONE.into())),
        ]);
        rows
    }
}

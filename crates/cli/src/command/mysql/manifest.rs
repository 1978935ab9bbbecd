//! The manifest: which components a server loads before anything else.
//!
//! `{"read_local_manifest": true}` beside the program sends the server to the file of the same name in its data directory, and
//! `{"components": "file://a,file://b"}` is the list.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{COMPONENT, Fault};
use crate::error::Error;

/// What components' names begin with in the list.
const SCHEME: &str = "file://";
/// What the names of keyring components begin with, whoever makes them.
const KEYRING: &str = "component_keyring_";

/// A manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Whether the data directory's manifest counts instead.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) read_local_manifest: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    components: String,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Manifest {
    /// One that sends the server to its data directory.
    pub(super) fn local() -> Self {
        Self { read_local_manifest: true, components: String::new() }
    }

    /// Reads one; `None` where there is none, or none that says anything.
    ///
    /// # Errors
    /// [`Fault::Content`], [`Error::Read`].
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let text = match fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => return Ok(None),
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Read { path: path.into(), source }),
        };
        match serde_json::from_str(&text) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) => {
                let what = format!("{error}; the server does not start with it: correct or remove it");
                Err(Fault::Content { path: path.into(), what }.into())
            }
        }
    }

    /// The components' names, without the scheme.
    pub(super) fn components(&self) -> impl Iterator<Item = &str> {
        let words = self.components.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(|word| word.strip_prefix(SCHEME).unwrap_or(word))
    }

    /// Those of them that are keyrings.
    pub(super) fn keyrings(&self) -> impl Iterator<Item = &str> {
        // The name may follow a path.
        self.components().filter(|name| name.rsplit('/').next().is_some_and(|name| name.starts_with(KEYRING)))
    }

    /// The same with our component as its keyring; all others stay as they are.
    pub(super) fn with_ours(&self) -> Self {
        let others: Vec<&str> =
            self.components().filter(|name| !self.keyrings().any(|keyring| keyring == *name)).collect();
        let all = std::iter::once(COMPONENT).chain(others);
        let components = all.map(|name| format!("{SCHEME}{name}")).collect::<Vec<_>>().join(",");
        Self { read_local_manifest: false, components }
    }

    /// The file's text.
    pub(super) fn render(&self) -> String {
        let value = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{value}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn other_components_stay_and_other_keyrings_go() {
        let before = manifest(
            r#"{"components": "file://component_a, file://component_keyring_file,file://component_b"}"#,
        );
        assert_eq!(before.keyrings().collect::<Vec<_>>(), ["component_keyring_file"]);
        let after = before.with_ours();
        assert_eq!(after.components().collect::<Vec<_>>(), [COMPONENT, "component_a", "component_b"]);
        assert_eq!(after.with_ours(), after);
        assert_eq!(manifest(&after.render()), after);
        assert_eq!(Manifest::local().render(), "{\n  \"read_local_manifest\": true\n}\n");
        assert_eq!(manifest(r#"{"components": "file://keyring/component_keyring_x"}"#).keyrings().count(), 1);
    }

    #[test]
    fn a_manifest_that_says_nothing_is_none_and_one_that_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mysqld.my");
        assert_eq!(Manifest::read(&path).unwrap(), None);
        fs::write(&path, " \n").unwrap();
        assert_eq!(Manifest::read(&path).unwrap(), None);
        fs::write(&path, r#"{"component": "file://a"}"#).unwrap();
        assert!(Manifest::read(&path).unwrap_err().to_string().contains("mysqld.my"));
    }
}

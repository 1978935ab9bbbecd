//! `strongroom keyring …`

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyringCommand {
    /// Copy all keys of a keyring into another one, and read every one back
    Migrate(KeyringMigrateArgs),
    /// List the keys of a keyring, never their bytes
    List(KeyringListArgs),
}

/// A MySQL keyring: `okv:DIR`, `percona:DIR` or `json:FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyringPlace {
    /// A KMIP server, by its endpoint directory, with names that hold the owners.
    Okv(PathBuf),
    /// A KMIP server, by its endpoint directory, as Percona's component names keys: by the key id alone.
    Percona(PathBuf),
    /// The data file of `component_keyring_file`.
    Json(PathBuf),
}

impl FromStr for KeyringPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((_, "")) | None => Err("expected okv:DIR, percona:DIR or json:FILE".to_owned()),
            Some(("okv", dir)) => Ok(Self::Okv(dir.into())),
            Some(("percona", dir)) => Ok(Self::Percona(dir.into())),
            Some(("json", file)) => Ok(Self::Json(file.into())),
            Some((kind, _)) => Err(format!("{kind:?} is none of okv, percona and json")),
        }
    }
}

impl fmt::Display for KeyringPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Okv(dir) => write!(f, "okv:{}", dir.display()),
            Self::Percona(dir) => write!(f, "percona:{}", dir.display()),
            Self::Json(file) => write!(f, "json:{}", file.display()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct KeyringListArgs {
    /// okv:DIR (a vault, by its endpoint directory), percona:DIR (the same, without owners) or json:FILE (of component_keyring_file)
    #[arg(value_name = "KEYRING")]
    pub(crate) place: KeyringPlace,

    /// Object Group to which the vault's keys belong
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct KeyringMigrateArgs {
    /// Where the keys are: okv:DIR, percona:DIR or json:FILE; it is only read
    #[arg(long, value_name = "KEYRING")]
    pub(crate) from: KeyringPlace,

    /// Where they are to be as well; a json:FILE is made if there is none
    #[arg(long, value_name = "KEYRING")]
    pub(crate) to: KeyringPlace,

    /// Object Group of the keys in the vault they come from
    #[arg(long, value_name = "GROUP")]
    pub(crate) from_group: Option<String>,

    /// Object Group for the keys in the vault they go to
    #[arg(long, value_name = "GROUP")]
    pub(crate) to_group: Option<String>,

    /// Leave out keys that the new keyring cannot hold (RSA, DSA; with percona, keys that have an owner), which is refused otherwise
    #[arg(long)]
    pub(crate) leave_unsupported: bool,

    /// Compare only, and say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyring_is_named_by_its_kind_and_its_path() {
        for text in ["okv:/etc/strongroom", "percona:conf", "json:/a:b"] {
            assert_eq!(text.parse::<KeyringPlace>().unwrap().to_string(), text);
        }
        for text in ["", "okv", "okv:", "/etc/conf", "vault:/etc"] {
            assert!(text.parse::<KeyringPlace>().is_err(), "{text}");
        }
    }
}

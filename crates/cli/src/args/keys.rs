//! `strongroom key …` and `strongroom mariadb key …`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::{ConfArgs, MariadbRotateArgs, MariadbStatusArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a new key; the server draws its bytes
    Generate(KeyGenerateArgs),
    /// Write a key's bytes to a file, or to standard output with --raw
    Fetch(KeyFetchArgs),
    /// Remove a key for good: what it encrypted is lost
    Remove(KeyRemoveArgs),
    /// Show a key's type, length and dates, never its bytes
    Show(KeyNameArgs),
}

/// Names one key.
#[derive(Debug, Args)]
pub(crate) struct KeyNameArgs {
    /// Key id, as the database knows it
    pub(crate) id: String,

    /// Owner of the key: the MySQL account it belongs to, if any
    #[arg(long, value_name = "USER")]
    pub(crate) owner: Option<String>,

    #[command(flatten)]
    pub(crate) conf: ConfArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyType {
    /// An AES key
    Aes,
    /// Random secret data
    Secret,
}

#[derive(Debug, Args)]
pub(crate) struct KeyGenerateArgs {
    #[command(flatten)]
    pub(crate) key: KeyNameArgs,

    /// What kind of key
    #[arg(long = "type", value_name = "TYPE", default_value = "aes")]
    pub(crate) key_type: KeyType,

    /// Length in bits: 128, 192 or 256 for AES, a multiple of 8 for a secret
    #[arg(long, value_name = "BITS", default_value_t = 256)]
    pub(crate) bits: u32,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").required(true).multiple(false))]
pub(crate) struct KeyFetchArgs {
    #[command(flatten)]
    pub(crate) key: KeyNameArgs,

    /// New file for the bytes (0600); an existing file is never overwritten
    #[arg(long, value_name = "FILE", group = "where")]
    pub(crate) out: Option<PathBuf>,

    /// Write the bytes to standard output
    #[arg(long, group = "where")]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyRemoveArgs {
    #[command(flatten)]
    pub(crate) key: KeyNameArgs,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MariadbCommand {
    /// Keys and their versions
    #[command(subcommand)]
    Key(MariadbKeyCommand),
    /// Show which key versions a running server uses, and how re-encryption goes
    Status(MariadbStatusArgs),
    /// Make a new version of a key of kmip_key_management, and have a running server use it
    Rotate(MariadbRotateArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum MariadbKeyCommand {
    /// Make version 1 of a key that does not exist yet
    Add(MariadbKeyAddArgs),
    /// Make a new version of a key; older versions stay readable
    Rotate(MariadbKeyRotateArgs),
    /// List keys and versions
    List(MariadbKeyListArgs),
}

/// Where MariaDB's keys are.
#[derive(Debug, Args)]
pub(crate) struct MariadbKeyListArgs {
    #[command(flatten)]
    pub(crate) conf: ConfArgs,

    /// First part of the key names, as kmip_key_management_key_prefix sets it
    #[arg(long, value_name = "PREFIX", default_value = "mariadb")]
    pub(crate) prefix: String,
}

#[derive(Debug, Args)]
pub(crate) struct MariadbKeyAddArgs {
    #[command(flatten)]
    pub(crate) keys: MariadbKeyListArgs,

    /// Key id, as ENCRYPTION_KEY_ID names it
    #[arg(long, value_name = "N")]
    pub(crate) key_id: u32,

    /// Length in bits
    #[arg(long, value_name = "BITS", default_value_t = 256)]
    pub(crate) bits: u32,
}

#[derive(Debug, Args)]
pub(crate) struct MariadbKeyRotateArgs {
    #[command(flatten)]
    pub(crate) keys: MariadbKeyListArgs,

    /// Key id, as ENCRYPTION_KEY_ID names it
    #[arg(long, value_name = "N")]
    pub(crate) key_id: u32,

    /// How far the version number rises; MariaDB re-encrypts old pages from 2 on
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) step: u32,
}

//! `strongroom tablespace …`

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum TablespaceCommand {
    /// Say what each file is, which key it needs and how much of it is encrypted
    Inspect(TablespaceInspectArgs),
    /// Decrypt and check every page, and name each bad one
    Verify(TablespaceVerifyArgs),
    /// Write a file that a server imports without any key
    Decrypt(TablespaceDecryptArgs),
    /// Encrypt a file for a server that has the key
    Encrypt(TablespaceEncryptArgs),
    /// MySQL: put all tablespaces under a new master key, in one step that can be resumed
    Rotate(TablespaceRotateArgs),
    /// Encrypt all pages anew: under a new tablespace key (MySQL), or a newer version of the key (MariaDB)
    Rekey(TablespaceRekeyArgs),
    /// MySQL: make the transfer file (.cfp) with which another server imports an encrypted tablespace
    Export(TablespaceExportArgs),
    /// MySQL: put a tablespace that came with a transfer file under a master key of this keyring
    Import(TablespaceImportArgs),
    /// Decrypt redo log and binary log files
    Logs(TablespaceLogsArgs),
}

/// Where master keys are: `okv:DIR`, `keyfile:FILE[,filekey=FILE]`, `json:FILE` or `fd:N`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeysPlace {
    /// A KMIP server, by its endpoint directory.
    Okv(PathBuf),
    /// MariaDB's key file, and the file of the secret that opens it.
    KeyFile(PathBuf, Option<PathBuf>),
    /// The data file of `component_keyring_file`.
    Json(PathBuf),
    /// The text of either file, or one key in hexadecimal digits, from an open file descriptor.
    Fd(u32),
}

const KEYS_FORMS: &str = "okv:DIR, keyfile:FILE[,filekey=FILE], json:FILE or fd:N";

impl FromStr for KeysPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected {KEYS_FORMS}");
        match text.split_once(':') {
            Some((_, "")) | None => Err(expected()),
            Some(("okv", dir)) => Ok(Self::Okv(dir.into())),
            Some(("json", file)) => Ok(Self::Json(file.into())),
            Some(("fd", number)) => number.parse().map(Self::Fd).map_err(|_| expected()),
            Some(("keyfile", rest)) => Ok(match rest.split_once(",filekey=") {
                Some((_, "")) | Some(("", _)) => return Err(expected()),
                // As the server's variable has it.
                Some((file, secret)) => {
                    let secret = secret.strip_prefix("FILE:").unwrap_or(secret);
                    Self::KeyFile(file.into(), Some(secret.into()))
                }
                None => Self::KeyFile(rest.into(), None),
            }),
            Some((kind, _)) => Err(format!("{kind:?} is none of okv, keyfile, json and fd")),
        }
    }
}

impl fmt::Display for KeysPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Okv(dir) => write!(f, "okv:{}", dir.display()),
            Self::KeyFile(file, None) => write!(f, "keyfile:{}", file.display()),
            Self::KeyFile(file, Some(secret)) => {
                write!(f, "keyfile:{},filekey={}", file.display(), secret.display())
            }
            Self::Json(file) => write!(f, "json:{}", file.display()),
            Self::Fd(fd) => write!(f, "fd:{fd}"),
        }
    }
}

/// The keyring.
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    /// Where the master keys are: okv:DIR (a vault, by its endpoint directory), keyfile:FILE[,filekey=FILE] (MariaDB's key file),
    /// json:FILE (of component_keyring_file) or fd:N (either file's text, or one key in hexadecimal)
    #[arg(long, value_name = "SOURCE", env = "STRONGROOM_KEYS", hide_env_values = true)]
    pub(crate) keys: KeysPlace,

    #[command(flatten)]
    pub(crate) names: KeyNamesArgs,
}

/// What keys are called in a vault.
#[derive(Debug, Args)]
pub(crate) struct KeyNamesArgs {
    /// Object Group of MySQL's keys in the vault
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,

    /// First part of the names of MariaDB's keys in the vault
    #[arg(long, value_name = "PREFIX", default_value = "mariadb")]
    pub(crate) prefix: String,
}

/// The files, and how to go about them.
#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    /// Tablespace files, directories or a whole data directory
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Work on files that a server has open: they are a consistent copy, such as a snapshot that is mounted
    #[arg(long)]
    pub(crate) consistent_copy: bool,

    /// Threads
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
}

/// Where the result goes.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").required(true).multiple(false))]
pub(crate) struct TargetArgs {
    /// Write a new file; a directory where there are several. Nothing is overwritten
    #[arg(long, short, value_name = "OUT", group = "where")]
    pub(crate) out: Option<PathBuf>,

    /// Replace each file by the result, in one step
    #[arg(long, group = "where")]
    pub(crate) in_place: bool,
}

/// The same where an unfinished run may be resumed instead.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").required(true).multiple(false))]
pub(crate) struct ResumableTargetArgs {
    /// Write a new file; a directory where there are several. Nothing is overwritten
    #[arg(long, short, value_name = "OUT", group = "where")]
    pub(crate) out: Option<PathBuf>,

    /// Replace each file by the result, in one step
    #[arg(long, group = "where")]
    pub(crate) in_place: bool,

    /// Finish a run in place that was interrupted
    #[arg(long, group = "where")]
    pub(crate) resume: bool,
}

/// How MariaDB's server encrypts, as file_key_management_encryption_algorithm has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PageAlgorithm {
    /// CBC, the default
    #[value(name = "aes_cbc")]
    AesCbc,
    /// Counter mode
    #[value(name = "aes_ctr")]
    AesCtr,
}

/// Checksum algorithm that alone passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrictChecksum {
    /// CRC-32C
    Crc32,
    /// InnoDB's own
    Innodb,
    /// A constant
    None,
}

#[derive(Debug, Args)]
pub(crate) struct TablespaceInspectArgs {
    /// Where the master keys are, to find out whether they open the files; see `verify`
    #[arg(long, value_name = "SOURCE", env = "STRONGROOM_KEYS", hide_env_values = true)]
    pub(crate) keys: Option<KeysPlace>,

    #[command(flatten)]
    pub(crate) names: KeyNamesArgs,

    #[command(flatten)]
    pub(crate) files: FilesArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TablespaceVerifyArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    #[command(flatten)]
    pub(crate) files: FilesArgs,

    /// Accept no other checksums than these, as innodb_checksum_algorithm=strict_… does
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) strict: Option<StrictChecksum>,
}

#[derive(Debug, Args)]
pub(crate) struct TablespaceDecryptArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    #[command(flatten)]
    pub(crate) files: FilesArgs,

    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TablespaceEncryptArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    #[command(flatten)]
    pub(crate) files: FilesArgs,

    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// MariaDB: the key's id, as ENCRYPTION_KEY_ID names it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) key_id: Option<u32>,

    /// MariaDB: how the server encrypts, which no file tells
    #[arg(long, value_name = "ALGORITHM", default_value = "aes_cbc", requires = "key_id")]
    pub(crate) encryption_algorithm: PageAlgorithm,

    /// MySQL: the server whose latest master key is used, where the keyring has those of several
    #[arg(long, value_name = "UUID")]
    pub(crate) server_uuid: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TablespaceRotateArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    #[command(flatten)]
    pub(crate) files: FilesArgs,

    /// Finish a rotation that was interrupted
    #[arg(long)]
    pub(crate) resume: bool,

    /// The server whose master keys these are, where neither auto.cnf nor the files tell
    #[arg(long, value_name = "UUID")]
    pub(crate) server_uuid: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TablespaceRekeyArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    #[command(flatten)]
    pub(crate) files: FilesArgs,

    #[command(flatten)]
    pub(crate) target: ResumableTargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TablespaceExportArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    #[command(flatten)]
    pub(crate) files: FilesArgs,

    /// Write the transfer file here; a directory where there are several. Beside each tablespace when not given
    #[arg(long, short, value_name = "OUT")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TablespaceImportArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    #[command(flatten)]
    pub(crate) files: FilesArgs,

    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// The transfer file, where it is not beside the tablespace
    #[arg(long, value_name = "FILE")]
    pub(crate) transfer: Option<PathBuf>,

    /// The server whose latest master key is used, where the keyring has those of several
    #[arg(long, value_name = "UUID")]
    pub(crate) server_uuid: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TablespaceLogsArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    #[command(flatten)]
    pub(crate) files: FilesArgs,

    /// Write the decrypted file here; a directory where there are several. Nothing is overwritten
    #[arg(long, short, value_name = "OUT")]
    pub(crate) out: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_keys_is_named_by_its_kind() {
        for text in
            ["okv:/etc/strongroom", "json:/a:b", "keyfile:keys", "keyfile:keys,filekey=secret", "fd:3"]
        {
            assert_eq!(text.parse::<KeysPlace>().unwrap().to_string(), text);
        }
        let file_key = "keyfile:keys,filekey=FILE:/secret".parse::<KeysPlace>().unwrap();
        assert_eq!(file_key, KeysPlace::KeyFile("keys".into(), Some("/secret".into())));
        for text in ["", "okv", "okv:", "fd:x", "keyfile:,filekey=a", "keyfile:a,filekey=", "vault:/etc"] {
            assert!(text.parse::<KeysPlace>().is_err(), "{text}");
        }
    }
}

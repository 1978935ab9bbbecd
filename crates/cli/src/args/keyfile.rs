//! `strongroom keyfile …`

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyfileCommand {
    /// Make a new file (0600) with key 1; an existing file is never overwritten
    Create(KeyfileCreateArgs),
    /// Add a key that the file does not have yet
    Add(KeyfileAddArgs),
    /// Add a new version of a key; older versions stay readable
    Rotate(KeyfileRotateArgs),
    /// Say what the server would say of the file, with line and column, and what a running server uses of it
    Check(KeyfileCheckArgs),
    /// List keys, versions and lengths, never a key's bytes
    List(KeyfileReadArgs),
    /// Encrypt the file, as `openssl enc -aes-256-cbc` does
    Encrypt(KeyfileSealArgs),
    /// Decrypt the file
    Decrypt(KeyfileSealArgs),
}

/// The file, and the secret that opens it where it is encrypted.
#[derive(Debug, Args)]
pub(crate) struct KeyfileReadArgs {
    /// Key file, as file_key_management_filename names it
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) secret: KeyfileSecretArgs,
}

/// Where the secret of an encrypted file comes from; the terminal when nothing is said.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("secret").multiple(false))]
pub(crate) struct KeyfileSecretArgs {
    /// Read the secret from this file, as file_key_management_filekey=FILE:PATH does
    #[arg(long, value_name = "PATH", group = "secret")]
    pub(crate) filekey: Option<PathBuf>,

    /// Read the secret from this open file descriptor, up to the first line end
    #[arg(long, value_name = "N", group = "secret")]
    pub(crate) password_fd: Option<u32>,

    /// Digest that derives the key, as file_key_management_digest has it
    #[arg(long, value_name = "DIGEST", default_value = "sha1")]
    pub(crate) digest: KeyfileDigest,

    /// Rounds of PBKDF2, as file_key_management_use_pbkdf2 has them; 0 for none
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) use_pbkdf2: u32,
}

#[derive(Debug, Args)]
pub(crate) struct KeyfileCheckArgs {
    #[command(flatten)]
    pub(crate) file: KeyfileReadArgs,

    #[command(flatten)]
    pub(crate) server: KeyfileServerArgs,
}

/// A running server that has the file's keys.
#[derive(Debug, Args)]
pub(crate) struct KeyfileServerArgs {
    /// Also ask the running server at this socket which tablespaces may still use which version
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,

    /// Account, which needs PROCESS; its password, if any, comes from --user-password-fd
    #[arg(long, value_name = "USER", default_value = "root", requires = "socket")]
    pub(crate) user: String,

    /// Read the account's password from this open file descriptor, up to the first line end
    #[arg(long, value_name = "N", requires = "socket")]
    pub(crate) user_password_fd: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyfileDigest {
    /// SHA-1, the only one that MariaDB knows before 12.0
    Sha1,
    /// SHA-224
    Sha224,
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

impl KeyfileDigest {
    /// The name that MariaDB and openssl give it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct KeyfileCreateArgs {
    #[command(flatten)]
    pub(crate) file: KeyfileReadArgs,

    /// Encrypt it with a secret, asked for twice
    #[arg(long, group = "secret")]
    pub(crate) password: bool,

    /// Make key 2 as well, which MariaDB takes for temporary files and tables
    #[arg(long)]
    pub(crate) temporary: bool,

    /// Length of each key in bits
    #[arg(long, value_name = "BITS", default_value = "256", value_parser = bits())]
    pub(crate) bits: u64,
}

#[derive(Debug, Args)]
pub(crate) struct KeyfileAddArgs {
    #[command(flatten)]
    pub(crate) file: KeyfileReadArgs,

    /// Key id, as ENCRYPTION_KEY_ID names it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) key_id: u32,

    /// Length in bits
    #[arg(long, value_name = "BITS", default_value = "256", value_parser = bits())]
    pub(crate) bits: u64,
}

#[derive(Debug, Args)]
pub(crate) struct KeyfileRotateArgs {
    #[command(flatten)]
    pub(crate) file: KeyfileReadArgs,

    /// Key id, as ENCRYPTION_KEY_ID names it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) key_id: u32,

    /// How far the version number rises; MariaDB re-encrypts old pages from 2 on
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) step: u32,
}

#[derive(Debug, Args)]
pub(crate) struct KeyfileSealArgs {
    #[command(flatten)]
    pub(crate) file: KeyfileReadArgs,

    /// Leave the file as it is, and write a new one (0600); an existing file is never overwritten
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// The lengths of AES keys.
fn bits() -> impl TypedValueParser<Value = u64> {
    clap::builder::PossibleValuesParser::new(["128", "192", "256"]).map(|text| {
        if text == "128" {
            128
        } else if text == "192" {
            192
        } else {
            256
        }
    })
}

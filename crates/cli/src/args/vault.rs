//! `strongroom vault …`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Make a new vault: root key, certificate authority, server certificate, store
    Init(InitArgs),
    /// Serve KMIP and enrolment until SIGTERM
    Serve(ServeArgs),
    /// Open a vault that started sealed
    Unseal(UnsealArgs),
    /// Show whether a running vault is sealed, and where it listens
    Status(VaultDirArgs),
    /// Check the audit journal
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Walk the hash chain and name the first entry that does not fit
    Verify(VaultDirArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct VaultDirArgs {
    /// Directory of the vault
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// Where the passphrase comes from; the terminal when nothing is said.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("passphrase").multiple(false))]
pub(crate) struct PassphraseArgs {
    /// Read the passphrase from this open file descriptor, up to the first line end
    #[arg(long, value_name = "N", group = "passphrase")]
    pub(crate) passphrase_fd: Option<u32>,

    /// Read the passphrase from this systemd credential
    #[arg(long, value_name = "NAME", group = "passphrase")]
    pub(crate) passphrase_credential: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub(crate) dir: VaultDirArgs,

    /// Host name or address that the server certificate is valid for (repeatable)
    ///
    /// Without it: localhost, 127.0.0.1, ::1 and the host name.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,

    /// HOST or HOST:PORT of the KMIP port that tokens and endpoint directories carry, standbys too (repeatable)
    #[arg(long, value_name = "ADDR")]
    pub(crate) advertise: Vec<String>,

    /// Keep the root key under a new key in this file (0600) instead of a passphrase
    #[arg(long, value_name = "PATH", group = "passphrase")]
    pub(crate) file_slot: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) dir: VaultDirArgs,

    /// Configuration file (TOML); flags override it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Address and port for KMIP [default: 127.0.0.1:5696]
    #[arg(long, value_name = "ADDR")]
    pub(crate) kmip: Option<std::net::SocketAddr>,

    /// Address and port for enrolment and health [default: 127.0.0.1:5697]
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<std::net::SocketAddr>,

    /// HOST or HOST:PORT of the KMIP port that tokens and endpoint directories carry, standbys too (repeatable)
    #[arg(long, value_name = "ADDR")]
    pub(crate) advertise: Vec<String>,

    /// HOST or HOST:PORT of the enrolment port that tokens carry [default: the hosts of --advertise] (repeatable)
    #[arg(long, value_name = "ADDR")]
    pub(crate) advertise_admin: Vec<String>,

    /// Key file of the file slot
    #[arg(long, value_name = "PATH", group = "passphrase")]
    pub(crate) file_slot: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UnsealArgs {
    #[command(flatten)]
    pub(crate) dir: VaultDirArgs,

    /// Key file of the file slot, where the serving process can read it
    #[arg(long, value_name = "PATH", group = "passphrase")]
    pub(crate) file_slot: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

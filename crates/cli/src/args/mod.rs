//! What may be typed: one file per group of commands, described for clap.
//!
//! Nothing in here does anything. Secrets never have an argument of their own: a command line is visible to every user
//! of the machine and stays in shell histories.

mod endpoint;
mod enroll;
mod keyfile;
mod keyring;
mod keys;
mod mariadb_status;
mod mysql;
mod quickstart;
mod tablespace;
mod vault;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use endpoint::{EndpointAddArgs, EndpointCommand, EndpointNameArgs};
pub(crate) use enroll::EnrollArgs;
pub(crate) use keyfile::{
    KeyfileAddArgs, KeyfileCheckArgs, KeyfileCommand, KeyfileCreateArgs, KeyfileDigest, KeyfileReadArgs,
    KeyfileRotateArgs, KeyfileSealArgs, KeyfileSecretArgs, KeyfileServerArgs,
};
pub(crate) use keyring::{KeyringCommand, KeyringListArgs, KeyringMigrateArgs, KeyringPlace};
pub(crate) use keys::{
    KeyCommand, KeyFetchArgs, KeyGenerateArgs, KeyNameArgs, KeyRemoveArgs, KeyType, MariadbCommand,
    MariadbKeyAddArgs, MariadbKeyCommand, MariadbKeyListArgs, MariadbKeyRotateArgs,
};
pub(crate) use mariadb_status::{MariadbRotateArgs, MariadbStatusArgs};
pub(crate) use mysql::{
    MysqlAccountArgs, MysqlCheckArgs, MysqlCommand, MysqlInstallArgs, MysqlPlugin, MysqlRotateArgs,
    MysqlSiteArgs, MysqlStatusArgs, MysqlVaultArgs,
};
pub(crate) use quickstart::QuickstartArgs;
pub(crate) use tablespace::{
    FilesArgs, KeyNamesArgs, KeysPlace, PageAlgorithm, StrictChecksum, TablespaceCommand,
    TablespaceDecryptArgs, TablespaceEncryptArgs, TablespaceExportArgs, TablespaceImportArgs,
    TablespaceInspectArgs, TablespaceLogsArgs, TablespaceRekeyArgs, TablespaceRotateArgs,
    TablespaceVerifyArgs, TargetArgs,
};
pub(crate) use vault::{
    AuditCommand, InitArgs, PassphraseArgs, ServeArgs, UnsealArgs, VaultCommand, VaultDirArgs,
};

/// Keys for databases: a vault that serves them, and the tools around it.
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, propagate_version = true, max_term_width = 80)]
#[command(after_help = "Exit status: 0 done, 1 refused or failed here, 2 usage, 3 not found,\n\
    4 the other side could not be reached or refused, 5 integrity.\n\n\
    Start with `strongroom quickstart`.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command knows.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// Print results and errors as JSON
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,

    /// Print results and errors only, no explanations
    #[arg(long, short, global = true, display_order = 901)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it all work: a vault, an endpoint, keys and, if installed, MariaDB
    Quickstart(QuickstartArgs),

    /// Make, serve, unseal and inspect a vault
    #[command(subcommand)]
    Vault(VaultCommand),

    /// Register, list, show and revoke the endpoints of a running vault
    #[command(subcommand)]
    Endpoint(EndpointCommand),

    /// Enrol this host with a token from `strongroom endpoint add`
    Enroll(EnrollArgs),

    /// List the objects that this endpoint may see
    List(ConfArgs),

    /// Generate, fetch, show and remove keys
    #[command(subcommand)]
    Key(KeyCommand),

    /// Make, rotate, check and encrypt MariaDB's key file
    #[command(subcommand)]
    Keyfile(KeyfileCommand),

    /// Copy a MySQL server's keys from one keyring to another, and list them
    #[command(subcommand)]
    Keyring(KeyringCommand),

    /// InnoDB's files: inspect, verify, encrypt, decrypt, rotate, move
    #[command(subcommand)]
    Tablespace(TablespaceCommand),

    /// Test the connection to every server of the endpoint, step by step
    Ping(PingArgs),

    /// MariaDB's keys on a KMIP server, and what a running MariaDB uses
    #[command(subcommand)]
    Mariadb(MariadbCommand),

    /// A MySQL server's keyring: install, check and inspect it, rotate its master key
    #[command(subcommand)]
    Mysql(MysqlCommand),

    /// Print a completion script for a shell
    Completions {
        /// The shell to write for
        shell: clap_complete::Shell,
    },

    /// Print the manual, or write one page per command into a directory
    Man {
        /// Directory to write the pages into
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },

    /// Run a program that must not outlive this process (used by quickstart)
    #[command(name = "internal-tethered", hide = true)]
    Tethered {
        /// Process that the program is tied to
        #[arg(long)]
        parent: i32,
        /// Program and its arguments
        #[arg(last = true, required = true)]
        program: Vec<std::ffi::OsString>,
    },
}

/// Which endpoint this is.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfArgs {
    /// Endpoint directory, as `strongroom enroll` writes it
    #[arg(long, value_name = "DIR", env = "STRONGROOM_CONF", hide_env_values = true)]
    pub(crate) conf: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    #[command(flatten)]
    pub(crate) conf: ConfArgs,

    /// Be content if one server of the list answers
    #[arg(long)]
    pub(crate) any: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_description_is_consistent() {
        super::Cli::command().debug_assert();
    }
}

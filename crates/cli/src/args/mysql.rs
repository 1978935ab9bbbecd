//! `strongroom mysql …`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum MysqlCommand {
    /// Put the keyring's library, manifest and configuration where this server looks for them
    Install(MysqlInstallArgs),
    /// Check files, modes, owners, configuration and the way to the vault
    Check(MysqlCheckArgs),
    /// Show the keyring, the master keys and what is encrypted, and what a rotation would touch
    Status(MysqlStatusArgs),
    /// Give the server a new master key, and retire those that nothing needs any more
    Rotate(MysqlRotateArgs),
}

/// How to reach a running server.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("mysql-password").multiple(false))]
pub(crate) struct MysqlAccountArgs {
    /// Socket of the running server
    #[arg(long, value_name = "PATH", default_value = "/run/mysqld/mysqld.sock")]
    pub(crate) socket: PathBuf,

    /// Account of the server; its password comes from one of the options below
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// Read the account's password from this open file descriptor, up to the first line end
    #[arg(long, value_name = "N", group = "mysql-password")]
    pub(crate) password_fd: Option<u32>,

    /// Read the account's password from this file, up to the first line end
    #[arg(long, value_name = "FILE", group = "mysql-password")]
    pub(crate) password_file: Option<PathBuf>,

    /// Read user and password from the client group of this option file, such as ~/.my.cnf
    #[arg(long, value_name = "FILE", group = "mysql-password")]
    pub(crate) defaults_file: Option<PathBuf>,
}

/// Which server: a running one tells the rest.
#[derive(Debug, Args)]
pub(crate) struct MysqlSiteArgs {
    #[command(flatten)]
    pub(crate) account: MysqlAccountArgs,

    /// The server's program, beside which its manifest lies
    #[arg(long, value_name = "PATH")]
    pub(crate) mysqld: Option<PathBuf>,

    /// Data directory; with --mysqld and --plugin-dir, the server need not run
    #[arg(long, value_name = "DIR")]
    pub(crate) datadir: Option<PathBuf>,

    /// Folder of the server's plugins
    #[arg(long, value_name = "DIR")]
    pub(crate) plugin_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MysqlComponent {
    /// component_keyring_kmip, which a manifest loads
    Kmip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MysqlPlugin {
    /// keyring_okv, which an option file loads
    Okv,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("kind").multiple(false))]
pub(crate) struct MysqlInstallArgs {
    #[command(flatten)]
    pub(crate) site: MysqlSiteArgs,

    /// Endpoint directory, as `strongroom enroll` writes it
    #[arg(long, value_name = "DIR", env = "STRONGROOM_CONF", hide_env_values = true)]
    pub(crate) conf: PathBuf,

    /// Install a keyring component (the default)
    #[arg(long, value_name = "NAME", group = "kind")]
    pub(crate) component: Option<MysqlComponent>,

    /// Install a keyring plugin
    #[arg(long, value_name = "NAME", group = "kind")]
    pub(crate) plugin: Option<MysqlPlugin>,

    /// Object Group for the server's keys, for servers that share an endpoint; @server_uuid stands for the server's own uuid
    #[arg(long, value_name = "GROUP", conflicts_with = "plugin")]
    pub(crate) group: Option<String>,

    /// The library to install, instead of the one beside this program
    #[arg(long, value_name = "FILE")]
    pub(crate) library: Option<PathBuf>,

    /// For all servers of this program: manifest beside the program and configuration beside the library
    #[arg(long, conflicts_with = "plugin")]
    pub(crate) global: bool,

    /// Take another keyring component out of the manifest; copy its keys first (strongroom keyring migrate)
    #[arg(long, conflicts_with = "plugin")]
    pub(crate) replace_keyring: bool,

    /// Option file to write for a plugin
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/mysql/conf.d/strongroom.cnf",
        requires = "plugin"
    )]
    pub(crate) option_file: PathBuf,

    /// Where AppArmor's profiles are
    #[arg(long, value_name = "DIR", default_value = "/etc/apparmor.d", hide = true)]
    pub(crate) apparmor: PathBuf,

    /// Show what would be changed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MysqlCheckArgs {
    #[command(flatten)]
    pub(crate) site: MysqlSiteArgs,

    /// Where AppArmor's profiles are
    #[arg(long, value_name = "DIR", default_value = "/etc/apparmor.d", hide = true)]
    pub(crate) apparmor: PathBuf,
}

/// The vault, where the server's own configuration does not name it.
#[derive(Debug, Args)]
pub(crate) struct MysqlVaultArgs {
    /// Endpoint directory, instead of the one that the server's configuration names
    #[arg(long, value_name = "DIR", env = "STRONGROOM_CONF", hide_env_values = true)]
    pub(crate) conf: Option<PathBuf>,

    /// Object Group of the server's keys, instead of the one that the server's configuration names
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MysqlStatusArgs {
    #[command(flatten)]
    pub(crate) site: MysqlSiteArgs,

    #[command(flatten)]
    pub(crate) vault: MysqlVaultArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MysqlRotateArgs {
    #[command(flatten)]
    pub(crate) site: MysqlSiteArgs,

    #[command(flatten)]
    pub(crate) vault: MysqlVaultArgs,

    /// Rotate the binary log's master key as well
    #[arg(long)]
    pub(crate) binlog: bool,

    /// Then deactivate older master keys that no tablespace, redo log or named backup uses; they can still be fetched
    #[arg(long)]
    pub(crate) retire: bool,

    /// Do not rotate: only retire what earlier rotations have left
    #[arg(long, conflicts_with = "binlog")]
    pub(crate) retire_only: bool,

    /// A backup (unpacked) whose master keys stay in use; may be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) backup: Vec<PathBuf>,

    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

//! `strongroom mariadb status` and `strongroom mariadb rotate`

use std::path::PathBuf;

use clap::Args;

use super::ConfArgs;

#[derive(Debug, Args)]
pub(crate) struct MariadbRotateArgs {
    #[command(flatten)]
    pub(crate) conf: ConfArgs,

    #[command(flatten)]
    pub(crate) server: MariadbStatusArgs,

    /// First part of the key names, unless it is the server's kmip_key_management_key_prefix
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,

    /// Key id, as ENCRYPTION_KEY_ID names it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) key_id: u32,

    /// How far the version number rises; unless given, one more than the server's innodb_encryption_rotate_key_age, because
    /// InnoDB re-encrypts only what is further behind than that
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) step: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct MariadbStatusArgs {
    /// Socket of the running server
    #[arg(long, value_name = "PATH", default_value = "/run/mysqld/mysqld.sock")]
    pub(crate) socket: PathBuf,

    /// Account; status needs PROCESS, rotate RELOAD and SUPER. Its password, if any, comes from --password-fd
    #[arg(long, value_name = "USER", default_value = "root")]
    pub(crate) user: String,

    /// Read the account's password from this open file descriptor, up to the first line end
    #[arg(long, value_name = "N")]
    pub(crate) password_fd: Option<u32>,
}

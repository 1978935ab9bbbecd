//! `strongroom mariadb status`

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct MariadbStatusArgs {
    /// Socket of the running server
    #[arg(long, value_name = "PATH", default_value = "/run/mysqld/mysqld.sock")]
    pub(crate) socket: PathBuf,

    /// Account, which needs PROCESS; its password, if any, comes from --password-fd
    #[arg(long, value_name = "USER", default_value = "root")]
    pub(crate) user: String,

    /// Read the account's password from this open file descriptor, up to the first line end
    #[arg(long, value_name = "N")]
    pub(crate) password_fd: Option<u32>,
}

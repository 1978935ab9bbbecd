//! `strongroom quickstart`

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct QuickstartArgs {
    /// Where to keep the vault and the endpoint
    #[arg(long, value_name = "DIR", default_value = "strongroom-data")]
    pub(crate) dir: PathBuf,

    /// End after the last step instead of staying up
    #[arg(long)]
    pub(crate) once: bool,

    /// The mariadbd to try; without it PATH, /usr/sbin and /usr/libexec are searched
    #[arg(long, value_name = "PATH", env = "STRONGROOM_MARIADBD", hide_env_values = true)]
    pub(crate) mariadbd: Option<PathBuf>,
}

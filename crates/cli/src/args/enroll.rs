//! `strongroom enroll`

use std::path::PathBuf;

use clap::{ArgGroup, Args};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(false))]
pub(crate) struct EnrollArgs {
    /// One-time token from `strongroom endpoint add`; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN", group = "which", allow_hyphen_values = true)]
    pub(crate) token: Option<String>,

    /// Read the token from this file
    #[arg(long, value_name = "FILE", group = "which")]
    pub(crate) token_file: Option<PathBuf>,

    /// Endpoint directory to write
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Encrypt the private key with a password, asked for twice
    #[arg(long)]
    pub(crate) password: bool,

    /// Encrypt the private key with a password read from this file descriptor
    #[arg(long, value_name = "N", conflicts_with = "password")]
    pub(crate) password_fd: Option<u32>,
}

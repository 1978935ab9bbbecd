//! A data directory with the system tables only, made once for each server version and copied for each test.

use std::fs;
use std::path::{Path, PathBuf};

use super::Installation;
use super::install::WHAT;
use crate::process::run;
use crate::{Unavailable, folder};

/// The template for this installation. The user `root` needs no password, because nobody else can reach the socket; there is no
/// `auto.cnf`, so that every copy gets a server uuid of its own.
///
/// # Errors
/// When the server cannot make it.
pub(super) fn template(installation: &Installation) -> Result<PathBuf, Unavailable> {
    let name: String = installation
        .version
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    let home = folder::once("mysql-data", &name, |home| {
        let data = home.join("data");
        let mut command = installation.command(&installation.program);
        command
            .arg("--no-defaults")
            .args(base_args(installation, &data))
            .args(user_arg(None))
            .arg("--initialize-insecure")
            // Smaller files to copy; the settings hold for this start only.
            .args(["--innodb-redo-log-capacity=8M", "--innodb-buffer-pool-size=32M"]);
        let made = run(&mut command).map_err(|why| format!("its system tables cannot be made: {why}"));
        made.and_then(|_| fs::remove_file(data.join("auto.cnf")).map_err(|error| error.to_string()))
            .map_err(|why| Unavailable::new(WHAT, why))
    })?;
    Ok(home.join("data"))
}

/// Arguments that the initialisation and every start share.
pub(super) fn base_args(installation: &Installation, data: &Path) -> Vec<String> {
    vec![
        format!("--basedir={}", installation.base.display()),
        format!("--lc-messages-dir={}", installation.messages.display()),
        format!("--datadir={}", data.display()),
        "--secure-file-priv=NULL".to_owned(),
    ]
}

/// `--user`, without which the server refuses to run as root.
pub(super) fn user_arg(user: Option<u32>) -> Option<String> {
    let root = rustix::process::geteuid().is_root().then_some(0);
    user.or(root).map(|user| format!("--user={user}"))
}

//! `strongroom mysql …`: a MySQL server and its keyring.
//!
//! | module | what it does |
//! |---|---|
//! | [`account`] | a connection to a running server |
//! | [`site`] | where this server's files are |
//! | [`manifest`] | which components a server loads |
//! | [`configuration`] | the component's configuration file, in three dialects |
//! | [`plan`] | files to be written, shown or done in one go each |
//! | [`apparmor`] | what Debian's profile must allow |
//! | [`install`], [`check`], [`status`], [`rotate`] | the verbs |
//! | [`headers`] | which master keys the files on disk need |
//! | [`keys`] | master keys in the vault |
//! | [`fault`] | what can go wrong |

mod account;
mod apparmor;
mod check;
mod configuration;
mod fault;
mod headers;
mod install;
mod keys;
mod manifest;
mod plan;
mod rotate;
mod site;
mod status;

pub(crate) use fault::Fault;

use crate::args::MysqlCommand;
use crate::error::Error;
use crate::output::Output;

/// The component's name, which is that of its library and of its configuration file.
const COMPONENT: &str = "component_keyring_kmip";
/// The plugin's name, which is that of its library.
const PLUGIN: &str = "keyring_okv";

pub(crate) fn run(command: &MysqlCommand, output: Output) -> Result<(), Error> {
    match command {
        MysqlCommand::Install(args) => install::run(args, output),
        MysqlCommand::Check(args) => check::run(args, output),
        MysqlCommand::Status(args) => status::run(args, output),
        MysqlCommand::Rotate(args) => rotate::run(args, output),
    }
}

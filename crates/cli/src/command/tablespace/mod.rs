//! `strongroom tablespace …`: InnoDB's files with no server running.
//!
//! | module | what it does |
//! |---|---|
//! | [`keyring`] | opens the keyring that the command line names |
//! | [`files`] | finds the files, refuses those in use, says where results go |
//! | [`progress`] | the bar |
//! | [`inspect`] | what files are |
//! | [`verify`] | whether every page is good |
//! | [`convert`] | other files from them: `decrypt`, `encrypt`, `import`, and `export` beside |
//! | [`rotate`] | another master key |
//! | [`rekey`] | other tablespace keys |
//! | [`logs`] | redo and binary logs |
//! | [`fault`] | what can go wrong |

mod convert;
mod fault;
mod files;
mod inspect;
mod keyring;
mod logs;
mod progress;
mod rekey;
mod rotate;
mod verify;

pub(crate) use fault::Fault;

use aws_lc_rs::rand;
use strongroom_tablespace::file::convert::RandomFailed;

use crate::args::TablespaceCommand;
use crate::error::Error;
use crate::output::Output;

pub(crate) fn run(command: &TablespaceCommand, output: Output) -> Result<(), Error> {
    match command {
        TablespaceCommand::Inspect(args) => inspect::run(args, output),
        TablespaceCommand::Verify(args) => verify::run(args, output),
        TablespaceCommand::Decrypt(args) => convert::decrypt(args, output),
        TablespaceCommand::Encrypt(args) => convert::encrypt(args, output),
        TablespaceCommand::Rotate(args) => rotate::run(args, output),
        TablespaceCommand::Rekey(args) => rekey::run(args, output),
        TablespaceCommand::Export(args) => convert::export(args, output),
        TablespaceCommand::Import(args) => convert::import(args, output),
        TablespaceCommand::Logs(args) => logs::run(args, output),
    }
}

/// Where new tablespace keys come from.
fn random(bytes: &mut [u8]) -> Result<(), RandomFailed> {
    rand::fill(bytes).map_err(|_| RandomFailed)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

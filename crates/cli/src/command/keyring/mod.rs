//! `strongroom keyring …`: a MySQL server's keys as a whole, wherever they are kept.
//!
//! | module | what it does |
//! |---|---|
//! | [`place`] | opens the keyrings that the command line names |
//! | [`list`] | what is in one |
//! | [`migrate`] | a copy of one in another, compared and read back |
//! | [`fault`] | what can go wrong |

mod fault;
mod list;
mod migrate;
mod place;

pub(crate) use fault::Fault;

use crate::args::KeyringCommand;
use crate::error::Error;
use crate::output::Output;

pub(crate) fn run(command: &KeyringCommand, output: Output) -> Result<(), Error> {
    match command {
        KeyringCommand::List(args) => list::run(args, output),
        KeyringCommand::Migrate(args) => migrate::run(args, output),
    }
}

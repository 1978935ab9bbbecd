//! `strongroom keyfile …`: MariaDB's key file, made, changed and looked into.
//!
//! | module | what it does |
//! |---|---|
//! | [`create`] | a new file |
//! | [`grow`] | a key more, or a version more |
//! | [`in_use`] | which versions a running server still uses |
//! | [`inspect`] | what is in a file, and what is wrong with it |
//! | [`seal`] | a file encrypted and decrypted |
//! | [`change`] | the one way in which a file is changed: locked, and in one step |
//! | [`secret`] | the secret of an encrypted file |
//! | [`fault`] | what can go wrong |

mod change;
mod create;
mod fault;
mod grow;
mod in_use;
mod inspect;
mod seal;
mod secret;

pub(crate) use fault::Fault;

use crate::args::KeyfileCommand;
use crate::error::Error;
use crate::output::Output;

pub(crate) fn run(command: &KeyfileCommand, output: Output) -> Result<(), Error> {
    match command {
        KeyfileCommand::Create(args) => create::run(args, output),
        KeyfileCommand::Add(args) => grow::add(args, output),
        KeyfileCommand::Rotate(args) => grow::rotate(args, output),
        KeyfileCommand::Check(args) => inspect::check(args, output),
        KeyfileCommand::List(args) => inspect::list(args, output),
        KeyfileCommand::Encrypt(args) => seal::encrypt(args, output),
        KeyfileCommand::Decrypt(args) => seal::decrypt(args, output),
    }
}

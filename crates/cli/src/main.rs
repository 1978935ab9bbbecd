//! The `strongroom` command: parse, call a library, print.

mod args;
mod command;
mod enrolment;
mod error;
mod exit;
mod output;
mod quickstart;
mod terminal;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;
use error::Error;
use output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.global.json, cli.global.quiet);
    match run(cli.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.exit().code())
        }
    }
}

fn run(command: Command, output: Output) -> Result<(), Error> {
    match command {
        Command::Completions { shell } => command::shell::completions(shell, output),
        Command::Man { out } => command::shell::man(out.as_deref(), output),
        Command::Tethered { parent, program } => match command::tethered::run(parent, &program)? {},
        _ => Err(Error::Interrupted),
    }
}

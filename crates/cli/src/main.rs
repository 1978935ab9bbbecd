//! The `strongroom` command: parse, call a library, print.

mod args;
mod command;
mod enrolment;
mod error;
mod exit;
mod message;
mod output;
mod quickstart;
mod terminal;

use std::process::ExitCode;

use args::{AuditCommand, Cli, Command, MariadbCommand, VaultCommand};
use clap::Parser;
use error::Error;
use exit::Exit;
use output::Output;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|usage| {
        // Help and the version are answers, not errors.
        if usage.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
            Output::new(true, false).usage(&usage);
            std::process::exit(Exit::Usage.code().into());
        }
        usage.exit()
    });
    let output = Output::new(cli.global.json, cli.global.quiet);
    let exit = match run(cli.command, output) {
        Ok(()) => Exit::Done,
        Err(error) => {
            output.error(&error);
            error.exit()
        }
    };
    ExitCode::from(exit.code())
}

fn run(command: Command, output: Output) -> Result<(), Error> {
    match command {
        Command::Quickstart(args) => quickstart::run(&args, output),
        Command::Vault(VaultCommand::Init(args)) => command::vault::init(&args, output),
        Command::Vault(VaultCommand::Serve(args)) => command::serve::run(&args, output),
        Command::Vault(VaultCommand::Unseal(args)) => command::vault::unseal(&args, output),
        Command::Vault(VaultCommand::Status(args)) => command::vault::status(&args, output),
        Command::Vault(VaultCommand::Audit(AuditCommand::Verify(args))) => {
            command::vault::audit_verify(&args, output)
        }
        Command::Endpoint(command) => command::endpoint::run(&command, output),
        Command::Enroll(args) => command::enroll::run(&args, output),
        Command::List(args) => command::list::run(&args, output),
        Command::Key(command) => command::key::run(&command, output),
        Command::Keyfile(command) => command::keyfile::run(&command, output),
        Command::Keyring(command) => command::keyring::run(&command, output),
        Command::Tablespace(command) => command::tablespace::run(&command, output),
        Command::Ping(args) => command::ping::run(&args, output),
        Command::Mariadb(MariadbCommand::Key(command)) => command::mariadb::run(&command, output),
        Command::Mariadb(MariadbCommand::Status(args)) => command::mariadb_status::run(&args, output),
        Command::Mariadb(MariadbCommand::Rotate(args)) => command::mariadb_rotate::run(&args, output),
        Command::Mysql(command) => command::mysql::run(&command, output),
        Command::Completions { shell } => command::shell::completions(shell, output),
        Command::Man { out } => command::shell::man(out.as_deref(), output),
        Command::Tethered { parent, program } => match command::tethered::run(parent, &program)? {},
    }
}

//! `strongroom vault serve`

use std::io::IsTerminal;

use strongroom_vault::config::{Config, Unseal};
use strongroom_vault::control::SealState;
use strongroom_vault::layout::Layout;
use strongroom_vault::root_key::SlotSecret;
use strongroom_vault::server::{self, Listening, ServeError, ServeOptions};
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

use super::vault::vault_fault;
use crate::args::ServeArgs;
use crate::error::Error;
use crate::output::Output;
use crate::terminal;

/// The environment variable that says how much is logged, as `tracing` reads it: `debug`, `strongroom_vault=trace`.
const LOG_FILTER: &str = "STRONGROOM_LOG";

pub(crate) fn run(args: &ServeArgs, output: Output) -> Result<(), Error> {
    let mut config = configuration(args)?;
    // Read before the server makes this process undumpable: from then on `/dev/fd` belongs to root.
    let secret = match config.unseal.passphrase_fd.take() {
        // A key file comes first where the configuration names both.
        Some(fd) if config.unseal.file_slot.is_none() => {
            let passphrase = terminal::secret_from_fd(fd)?;
            Some(SlotSecret::Passphrase(Zeroizing::new(passphrase.as_bytes().to_vec())))
        }
        _ => None,
    };
    log_to_stderr();
    let options = ServeOptions { config, secret, ..ServeOptions::default() };
    server::serve(&args.dir.dir, options, |listening| announce(listening, args, output)).map_err(serve_fault)
}

/// What a server's error is to the command.
pub(crate) fn serve_fault(error: ServeError) -> Error {
    match error {
        ServeError::Vault(error) => vault_fault(error),
        error => Error::Serve(error),
    }
}

/// The file that was named, or the one in the vault's directory, under the flags.
fn configuration(args: &ServeArgs) -> Result<Config, Error> {
    let file = match &args.config {
        Some(path) => Config::read(path).map_err(Error::Config)?,
        None => {
            let path = Layout::new(&args.dir.dir).configuration();
            if path.exists() { Config::read(&path).map_err(Error::Config)? } else { Config::default() }
        }
    };
    let list = |given: &[String]| (!given.is_empty()).then(|| given.to_vec());
    Ok(file.overridden_by(Config {
        kmip: args.kmip.map(|address| address.to_string()),
        admin: args.admin.map(|address| address.to_string()),
        advertise: list(&args.advertise),
        advertise_admin: list(&args.advertise_admin),
        unseal: Unseal {
            file_slot: args.file_slot.clone(),
            passphrase_fd: args.passphrase.passphrase_fd,
            passphrase_credential: args.passphrase.passphrase_credential.clone(),
        },
        ..Config::default()
    }))
}

fn announce(listening: &Listening, args: &ServeArgs, output: Output) {
    let sealed = listening.state == SealState::Sealed;
    // Whoever closed standard output does not end a server by it.
    let _ = if output.is_json() {
        output.json(&serde_json::json!({
            "kmip": listening.kmip.to_string(),
            "admin": listening.admin.to_string(),
            "sealed": sealed,
        }))
    } else if sealed {
        output.result(format!(
            "The vault is sealed{}.\nHealth is answered on {}; KMIP opens on {} once unsealed:\n  \
             strongroom vault unseal --dir {}{}",
            listening.sealed_because.as_ref().map_or_else(String::new, |why| format!(": {why}")),
            listening.admin,
            listening.kmip,
            args.dir.dir.display(),
            if listening.takes_passphrase { "" } else { " --file-slot PATH" }
        ))
    } else {
        output.result(format!("KMIP on {}, enrolment and health on {}", listening.kmip, listening.admin))
    };
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env(LOG_FILTER).unwrap_or_else(|_| EnvFilter::new("info"));
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    // Fails only when somebody has set a subscriber already, and nobody has.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr)
        .try_init();
}

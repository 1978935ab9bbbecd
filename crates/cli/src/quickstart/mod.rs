//! `strongroom quickstart`: the main job in one command, on this machine, with nothing prepared.
//!
//! Under its directory it keeps
//!
//! ```text
//! DIR/vault/        a vault
//! DIR/root.key      the key of the vault's file slot
//! DIR/ports         where it listened last: the KMIP address, then the enrolment address
//! DIR/endpoint/     an endpoint directory, enrolled by a token like any other
//! ```
//!
//! A tick stands only before what has been checked, and what is checked goes through the real ports.

mod interrupt;
mod keys;
mod mariadb;
mod serving;

use std::path::Path;

use crate::args::QuickstartArgs;
use crate::error::Error;
use crate::output::{Output, STRONG, Steps, WIDTH, wrap};
use interrupt::Interrupt;

/// Runs every step; then stays up until a signal, unless `--once` was given.
///
/// # Errors
/// The first step that does not hold.
pub(crate) fn run(args: &QuickstartArgs, output: Output) -> Result<(), Error> {
    let installation = mariadb::Installation::find(args.mariadbd.as_deref())?;
    let interrupt = Interrupt::listen()?;
    let mut steps = Steps::silent(!output.speaks());
    let outcome = walk(&args.dir, installation.as_ref(), &interrupt, &mut steps);
    if output.is_json() {
        output.json(&steps.taken())?;
    }
    let serving = outcome?;
    if !args.once {
        invite(&args.dir, output)?;
        interrupt.wait();
        output.note("Stopping.");
    }
    serving.stop()
}

fn walk(
    dir: &Path,
    installation: Option<&mariadb::Installation>,
    interrupt: &Interrupt,
    steps: &mut Steps,
) -> Result<serving::Serving, Error> {
    let serving = serving::start(dir, steps)?;
    interrupt.check()?;
    let conf_dir = serving::enrol(&serving, dir, steps)?;
    interrupt.check()?;
    let mariadb_keys = keys::run(&conf_dir, steps)?;
    interrupt.check()?;
    match installation {
        Some(installation) => mariadb::run(steps, interrupt, installation, &conf_dir, &mariadb_keys)?,
        None => steps.skip(
            "MariaDB",
            "no mariadbd on this machine, so no table was encrypted; install one and run this again",
        )?,
    }
    serving::verify_audit(&serving, steps)?;
    Ok(serving)
}

/// Says what the vault can be used for now.
fn invite(dir: &Path, output: Output) -> Result<(), Error> {
    if !output.speaks() {
        return Ok(());
    }
    let vault = serving::vault_dir(dir);
    let stays = "The vault stays up until you press Ctrl-C. To enrol the next server, type in another shell:";
    output.result(format!(
        "\n{}\n\n  {STRONG}strongroom endpoint add NAME --dir {} > token{STRONG:#}\n  \
         {STRONG}strongroom enroll --token-file token --out CONF{STRONG:#}\n  \
         {STRONG}strongroom ping --conf CONF{STRONG:#}\n",
        wrap(stays, WIDTH, ""),
        vault.display()
    ))
}

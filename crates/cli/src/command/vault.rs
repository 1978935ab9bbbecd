//! `strongroom vault …` but `serve`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::json;
use strongroom_client::ServerAddress;
use strongroom_vault::Vault;
use strongroom_vault::ca::default_names;
use strongroom_vault::control::{Client, Request, Response, SealState, Status};
use strongroom_vault::layout::Layout;
use strongroom_vault::root_key::SlotSecret;
use strongroom_vault::vault::{CreateOptions, NewSlot};
use strongroom_vault::{SecretText, audit};
use zeroize::Zeroizing;

use crate::args::{InitArgs, PassphraseArgs, UnsealArgs, VaultDirArgs};
use crate::error::Error;
use crate::output::Output;
use crate::terminal;

pub(crate) fn init(args: &InitArgs, output: Output) -> Result<(), Error> {
    let dir = absolute(&args.dir.dir)?;
    if dir.join("vault.json").exists() {
        // Before anybody is asked for a passphrase.
        return Err(vault_fault(strongroom_vault::Error::Exists { dir }));
    }
    let slot = match &args.file_slot {
        Some(path) => NewSlot::CreateFile(absolute(path)?),
        None => NewSlot::Existing(SlotSecret::Passphrase(bytes(&passphrase(&args.passphrase, true)?))),
    };
    let options =
        CreateOptions { names: certificate_names(args)?, slots: vec![slot], ..CreateOptions::default() };
    let created = Vault::create(&dir, options).map_err(vault_fault)?;
    if !args.advertise.is_empty() {
        write_configuration(&Layout::new(&dir).configuration(), &args.advertise)?;
    }
    if output.is_json() {
        return output.json(&json!({
            "vault": created.id.0.to_string(),
            "dir": dir,
            "authority_sha256": created.authority.to_string(),
        }));
    }
    output.note(format!("Made a vault in {}.", args.dir.dir.display()));
    if let Some(path) = &args.file_slot {
        output.note(format!(
            "Whoever reads {} and the vault's directory has every key; keep them apart.",
            path.display()
        ));
    } else {
        output.note("Without the passphrase nobody can open it: keep a copy in a safe place.");
    }
    output.note(format!("Start it:  strongroom vault serve --dir {}", args.dir.dir.display()));
    Ok(())
}

pub(crate) fn unseal(args: &UnsealArgs, output: Output) -> Result<(), Error> {
    let mut client = Client::connect(&args.dir.dir).map_err(Error::Control)?;
    let before = status_of(client.call(&Request::Status).map_err(Error::Control)?)?;
    if before.state == SealState::Unsealed {
        output.note("The vault is unsealed already.");
        return Ok(());
    }
    let request = match &args.file_slot {
        Some(path) => Request::UnsealFile { path: absolute(path)? },
        None => {
            let passphrase = SecretText::new(passphrase(&args.passphrase, false)?);
            Request::Unseal { passphrase }
        }
    };
    let status = status_of(client.call(&request).map_err(Error::Control)?)?;
    output.note(format!("Unsealed; it serves KMIP on {}.", status.kmip));
    Ok(())
}

pub(crate) fn status(args: &VaultDirArgs, output: Output) -> Result<(), Error> {
    let mut client = Client::connect(&args.dir).map_err(Error::Control)?;
    let status = status_of(client.call(&Request::Status).map_err(Error::Control)?)?;
    let authority = status.authority.as_ref().map(ToString::to_string);
    if output.is_json() {
        return output.json(&json!({
            "vault": status.vault,
            "sealed": status.state == SealState::Sealed,
            "kmip": status.kmip,
            "admin": status.admin,
            "version": status.version,
            "authority_sha256": authority,
            "pid": status.pid,
        }));
    }
    let state = match status.state {
        SealState::Sealed => "sealed (strongroom vault unseal opens it)",
        SealState::Unsealed => "unsealed",
    };
    output.result(format!(
        "Vault      {}\nState      {state}\nKMIP       {}\nEnrolment  {}\nRelease    {}\nProcess    {}\n\
         Authority  {}",
        status.vault,
        status.kmip,
        status.admin,
        status.version,
        status.pid,
        authority.as_deref().unwrap_or("-")
    ))
}

/// Asks the running vault, which also knows where its journal must end; without one, walks the file.
pub(crate) fn audit_verify(args: &VaultDirArgs, output: Output) -> Result<(), Error> {
    let (entries, head, complete) = match Client::connect(&args.dir) {
        Ok(mut client) => match client.call(&Request::AuditVerify).map_err(Error::Control)? {
            Response::Audit(report) => (report.entries, report.head.to_string(), true),
            _ => return Err(Error::ControlAnswer),
        },
        Err(strongroom_vault::control::ControlError::NotRunning { dir }) => {
            let verified = audit::verify(&Layout::new(&dir).journal(), None).map_err(Error::Audit)?;
            let head = strongroom_vault::endpoint::Fingerprint(verified.position.hash);
            (verified.position.seq, head.to_string(), false)
        }
        Err(error) => return Err(Error::Control(error)),
    };
    if output.is_json() {
        return output.json(&json!({ "entries": entries, "head": head, "compared_with_store": complete }));
    }
    output.result(format!("{entries} entries, unbroken; the last is {head}"))?;
    if !complete {
        output.note("The vault does not run, so whether entries were cut off at the end cannot be told.");
    }
    Ok(())
}

/// What the vault says of an error of its own.
pub(crate) fn vault_fault(error: strongroom_vault::Error) -> Error {
    Error::Vault(error.into())
}

/// The passphrase from where the flags say, else from the terminal.
///
/// # Errors
/// As [`terminal::ask_secret`], [`terminal::secret_from_fd`] and [`terminal::secret_from_credential`].
fn passphrase(args: &PassphraseArgs, new: bool) -> Result<Zeroizing<String>, Error> {
    match (args.passphrase_fd, &args.passphrase_credential) {
        (Some(fd), _) => terminal::secret_from_fd(fd),
        (None, Some(name)) => terminal::secret_from_credential(name),
        (None, None) if new => terminal::ask_new_secret("New passphrase for the vault: "),
        (None, None) => terminal::ask_secret("Passphrase of the vault: "),
    }
}

fn bytes(text: &Zeroizing<String>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

/// What is advertised must be in the certificate, or clients will refuse the server.
fn certificate_names(args: &InitArgs) -> Result<Vec<String>, Error> {
    if args.advertise.is_empty() {
        return Ok(args.name.clone());
    }
    let mut names = if args.name.is_empty() { default_names() } else { args.name.clone() };
    for text in &args.advertise {
        let address: ServerAddress = text.parse().map_err(|fault| Error::Address {
            flag: "--advertise",
            text: text.clone(),
            fault,
        })?;
        let host = address.host().to_string();
        if !names.contains(&host) {
            names.push(host);
        }
    }
    Ok(names)
}

/// The configuration that `vault serve` finds in the vault's directory.
fn write_configuration(path: &Path, advertise: &[String]) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.into(), source };
    // The addresses have been parsed, so none holds a quotation mark.
    let list: Vec<String> = advertise.iter().map(|address| format!("\"{address}\"")).collect();
    let text = format!("# What tokens and endpoint directories carry.\nadvertise = [{}]\n", list.join(", "));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

fn status_of(response: Response) -> Result<Status, Error> {
    match response {
        Response::Status(status) => Ok(status),
        _ => Err(Error::ControlAnswer),
    }
}

/// Commands may run elsewhere later, so paths are kept whole.
fn absolute(path: &Path) -> Result<std::path::PathBuf, Error> {
    std::path::absolute(path).map_err(|source| Error::Write { path: path.into(), source })
}

//! The vault of a quickstart: made or reopened, served in this process, one endpoint enrolled.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use strongroom_client::endpoint_dir::{self, CA_PEM, CERT_PEM, Contents, Existing, KEY_PEM, SSL_DIR};
use strongroom_client::probe::probe;
use strongroom_client::{Endpoint, Options, ServerAddress};
use strongroom_vault::Vault;
use strongroom_vault::config::{Config, Unseal};
use strongroom_vault::control::{Request, Response, SealState};
use strongroom_vault::enrolment::Token;
use strongroom_vault::root_key::SlotSecret;
use strongroom_vault::server::{self, Running, ServeOptions};
use strongroom_vault::vault::{CreateOptions, NewSlot};
use zeroize::Zeroizing;

use crate::command::endpoint::call;
use crate::command::serve::serve_fault;
use crate::command::vault::vault_fault;
use crate::enrolment;
use crate::error::Error;
use crate::output::{Output, Steps};

/// The endpoint's name in the vault.
const ENDPOINT: &str = "quickstart";
/// Any free port of this machine.
const FREE: &str = "127.0.0.1:0";

/// A vault that is served in this process.
pub(super) struct Serving {
    running: Running,
    vault: PathBuf,
}

impl Serving {
    /// Ends it in good order.
    ///
    /// # Errors
    /// What the server says.
    pub(super) fn stop(self) -> Result<(), Error> {
        self.running.shutdown().map_err(serve_fault)
    }
}

/// Where the vault is, for other commands.
pub(super) fn vault_dir(dir: &Path) -> PathBuf {
    dir.join("vault")
}

/// Makes the vault, or opens the one that is there, and serves it.
///
/// # Errors
/// The step that does not hold.
pub(super) fn start(dir: &Path, steps: &mut Steps) -> Result<Serving, Error> {
    let dir = std::path::absolute(dir).map_err(|source| Error::Write { path: dir.into(), source })?;
    let (vault, slot) = (vault_dir(&dir), dir.join("root.key"));
    let known = vault.join("vault.json").exists();
    if !known {
        steps.run("Made a vault", || {
            make(&dir, &vault, &slot)?;
            let proof = format!(
                "root key, certificate authority and store in {}. Its key file {} lies beside it, which protects \
                 nothing from whoever has this disk: fine for a trial, nothing else.",
                vault.display(),
                slot.display()
            );
            Ok(((), proof))
        })?;
    }
    let title = if known { "Serving the vault of an earlier run" } else { "Serving it on this machine" };
    steps.run(title, || {
        let running = serve(&dir, &vault, &slot)?;
        let listening = running.listening().clone();
        if listening.state != SealState::Unsealed {
            let why = listening.sealed_because.unwrap_or_else(|| "no slot opens it".to_owned());
            return Err(Error::NotHeld { what: format!("the vault is sealed: {why}") });
        }
        let proof = format!("KMIP on {}, enrolment on {}", listening.kmip, listening.admin);
        Ok((Serving { running, vault: vault.clone() }, proof))
    })
}

fn make(dir: &Path, vault: &Path, slot: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(dir)
        .map_err(|source| Error::Write { path: dir.into(), source })?;
    // A key file without a vault is left of a run that was ended between the two.
    let slot = if slot.exists() {
        NewSlot::Existing(SlotSecret::File(slot.into()))
    } else {
        NewSlot::CreateFile(slot.into())
    };
    let options = CreateOptions { slots: vec![slot], ..CreateOptions::default() };
    Vault::create(vault, options).map(drop).map_err(vault_fault)
}

/// Serves on the ports of the last run where they are free, so that endpoint directories stay right.
fn serve(dir: &Path, vault: &Path, slot: &Path) -> Result<Running, Error> {
    let path = dir.join("ports");
    let [kmip, admin] = remembered(&path).unwrap_or_else(|| [FREE.to_owned(), FREE.to_owned()]);
    let config = Config {
        kmip: Some(kmip),
        admin: Some(admin),
        unseal: Unseal { file_slot: Some(slot.into()), ..Unseal::default() },
        ..Config::default()
    };
    let running =
        server::start(vault, ServeOptions { config, ..ServeOptions::default() }).map_err(serve_fault)?;
    let listening = running.listening();
    fs::write(&path, format!("{}\n{}\n", listening.kmip, listening.admin))
        .map_err(|source| Error::Write { path, source })?;
    Ok(running)
}

/// The addresses of the last run, if both are free.
fn remembered(path: &Path) -> Option<[String; 2]> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text.lines().map(str::parse::<SocketAddr>);
    let (kmip, admin) = (lines.next()?.ok()?, lines.next()?.ok()?);
    let free = |address: &SocketAddr| address.ip().is_loopback() && TcpListener::bind(address).is_ok();
    (free(&kmip) && free(&admin)).then(|| [kmip.to_string(), admin.to_string()])
}

/// An endpoint directory whose connection has been tested.
///
/// # Errors
/// The step that does not hold.
pub(super) fn enrol(serving: &Serving, dir: &Path, steps: &mut Steps) -> Result<PathBuf, Error> {
    let conf = std::path::absolute(dir.join("endpoint"))
        .map_err(|source| Error::Write { path: dir.join("endpoint"), source })?;
    let known = endpoint_dir::is_enrolled(&conf) && readdress(&conf, serving)?;
    if !known {
        steps.run("Enrolled an endpoint with a one-time token", || {
            let token = token(serving)?;
            let enrolled = enrolment::enrol(&token, &conf, None, Output::new(false, true))?;
            let proof = format!(
                "{:?} over HTTPS, with the vault's authority pinned; key and certificate in {}",
                enrolled.name,
                conf.display()
            );
            Ok(((), proof))
        })?;
    }
    let title =
        if known { "Connected as the endpoint of an earlier run" } else { "Connected as this endpoint" };
    steps.run(title, || {
        let endpoint = Endpoint::open(&conf).map_err(Error::EndpointDir)?;
        let reports = probe(&endpoint, &Options::default())
            .map_err(|fault| Error::Client(strongroom_client::Error::TlsConfig(fault)))?;
        for report in &reports {
            if let Some(Err(cause)) = report.steps.last().map(|step| step.result.clone()) {
                return Err(Error::NotHeld { what: format!("{}: {cause}", report.server) });
            }
        }
        let facts = reports.first().and_then(|report| report.tls.clone());
        let version = reports.first().and_then(|report| report.chosen);
        let proof = format!(
            "{}, both sides by certificate; KMIP {}",
            facts.map_or_else(|| "TLS".to_owned(), |facts| format!("{} {}", facts.protocol, facts.cipher)),
            version.map_or_else(|| "-".to_owned(), |version| version.to_string())
        );
        Ok(((), proof))
    })?;
    Ok(conf)
}

/// Writes the port of this run into the endpoint directory of an earlier one. `false`: it belongs to another vault.
fn readdress(conf: &Path, serving: &Serving) -> Result<bool, Error> {
    let endpoint = Endpoint::open(conf).map_err(Error::EndpointDir)?;
    let authority = fs::read(serving.vault.join("tls/ca.pem"))
        .map_err(|source| Error::Read { path: serving.vault.join("tls/ca.pem"), source })?;
    let ssl = conf.join(SSL_DIR);
    let read = |name: &str| {
        let path = ssl.join(name);
        fs::read_to_string(&path).map(Zeroizing::new).map_err(|source| Error::Read { path, source })
    };
    let own = CertificateDer::from_pem_slice(&authority).ok();
    if own.is_none_or(|own| !endpoint.authority.contains(&own)) {
        // Left from a vault that was deleted. What it holds opens nothing any more.
        fs::remove_dir_all(conf).map_err(|source| Error::Write { path: conf.into(), source })?;
        return Ok(false);
    }
    let kmip = serving.running.listening().kmip;
    let server: ServerAddress = ServerAddress::new(&kmip.ip().to_string(), kmip.port())
        .map_err(|fault| Error::NotHeld { what: fault.to_string() })?;
    if endpoint.servers != [server.clone()] {
        let (ca, cert, key) = (read(CA_PEM)?, read(CERT_PEM)?, read(KEY_PEM)?);
        let contents =
            Contents { servers: &[server], ca_pem: &ca, cert_pem: &cert, key_pem: &key, password: None };
        endpoint_dir::write(conf, contents, Existing::Replace).map_err(Error::WriteEndpoint)?;
    }
    Ok(true)
}

/// A token from the running vault, by the same socket that `strongroom endpoint add` uses.
fn token(serving: &Serving) -> Result<Token, Error> {
    let add = |reissue| Request::EndpointAdd { name: ENDPOINT.to_owned(), ttl_s: Some(600), reissue };
    let shown = call(&serving.vault, &Request::EndpointShow { name: ENDPOINT.to_owned() });
    let Response::Token(issued) = call(&serving.vault, &add(shown.is_ok()))? else {
        return Err(Error::ControlAnswer);
    };
    Token::parse(&issued.token).map_err(Error::Token)
}

/// Shows that every act so far is in the journal.
///
/// # Errors
/// The step, when it does not hold.
pub(super) fn verify_audit(serving: &Serving, steps: &mut Steps) -> Result<(), Error> {
    steps.run("Checked the audit journal", || match call(&serving.vault, &Request::AuditVerify)? {
        Response::Audit(report) => {
            Ok(((), format!("{} entries in an unbroken chain of hashes", report.entries)))
        }
        _ => Err(Error::ControlAnswer),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_the_last_run_are_used_when_both_are_free() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("ports");
        assert_eq!(remembered(&path), None);
        let (one, two) = (TcpListener::bind(FREE)?, TcpListener::bind(FREE)?);
        let lines = [one.local_addr()?.to_string(), two.local_addr()?.to_string()];
        fs::write(&path, lines.join("\n"))?;
        assert_eq!(remembered(&path), None);
        drop(one);
        assert_eq!(remembered(&path), None);
        drop(two);
        assert_eq!(remembered(&path), Some(lines));
        fs::write(&path, "nonsense")?;
        assert_eq!(remembered(&path), None);
        Ok(())
    }
}

//! `strongroom endpoint …`, through the control socket of a running vault.

use std::path::Path;

use serde_json::{Value, json};
use strongroom_vault::control::{Client, EndpointInfo, Request, Response};
use strongroom_vault::endpoint::EndpointState;

use crate::args::{EndpointAddArgs, EndpointCommand, EndpointNameArgs, VaultDirArgs};
use crate::error::Error;
use crate::output::{Output, STRONG, Table, utc};

pub(crate) fn run(command: &EndpointCommand, output: Output) -> Result<(), Error> {
    match command {
        EndpointCommand::Add(args) => add(args, output),
        EndpointCommand::List(args) => list(args, output),
        EndpointCommand::Show(args) => show(args, output),
        EndpointCommand::Revoke(args) => revoke(args, output),
    }
}

/// Alone on standard output when that is piped; with what to do next for a person.
fn add(args: &EndpointAddArgs, output: Output) -> Result<(), Error> {
    let request = Request::EndpointAdd {
        name: args.name.clone(),
        ttl_s: args.ttl.map(|ttl| u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX)),
        reissue: args.reissue,
    };
    let Response::Token(issued) = call(&args.dir.dir, &request)? else { return Err(Error::ControlAnswer) };
    let expires = utc(issued.expires.as_second());
    if output.is_json() {
        return output.json(&json!({
            "endpoint": document(&issued.endpoint),
            "token": &*issued.token,
            "expires": expires,
            "admin": issued.admin,
            "kmip": issued.kmip,
        }));
    }
    output.note(format!(
        "Registered {}. Its token works once, until {expires}:{}",
        issued.endpoint.name,
        if output.is_terminal() { "\n" } else { "" }
    ));
    output.result(&*issued.token)?;
    output.note(format!(
        "{}On the database's host, type {STRONG}strongroom enroll --token - --out DIR{STRONG:#},\n\
         paste the token, press Enter and Ctrl-D. On a command line others could see it.",
        if output.is_terminal() { "\n" } else { "" }
    ));
    Ok(())
}

fn list(args: &VaultDirArgs, output: Output) -> Result<(), Error> {
    let Response::Endpoints(endpoints) = call(&args.dir, &Request::EndpointList)? else {
        return Err(Error::ControlAnswer);
    };
    if output.is_json() {
        return output.json(&endpoints.iter().map(document).collect::<Vec<_>>());
    }
    if endpoints.is_empty() {
        return output.result("no endpoints found");
    }
    let mut table = Table::new(&["Name", "State", "Added", "Certificate until"]);
    for endpoint in &endpoints {
        table.row([
            endpoint.name.clone(),
            state(endpoint.state).to_owned(),
            utc(endpoint.created.as_second()),
            endpoint
                .certificates
                .last()
                .map_or_else(|| "-".to_owned(), |certificate| utc(certificate.not_after.as_second())),
        ]);
    }
    output.result(table)
}

fn show(args: &EndpointNameArgs, output: Output) -> Result<(), Error> {
    print(&args.dir.dir, &Request::EndpointShow { name: args.name.clone() }, output)
}

fn revoke(args: &EndpointNameArgs, output: Output) -> Result<(), Error> {
    print(&args.dir.dir, &Request::EndpointRevoke { name: args.name.clone() }, output)?;
    output.note("Its certificates are refused from now on, and its open connections end.");
    Ok(())
}

fn print(dir: &Path, request: &Request, output: Output) -> Result<(), Error> {
    let Response::Endpoint(endpoint) = call(dir, request)? else { return Err(Error::ControlAnswer) };
    if output.is_json() {
        return output.json(&document(&endpoint));
    }
    let mut lines = vec![
        ("Name", endpoint.name.clone()),
        ("State", state(endpoint.state).to_owned()),
        ("Id", endpoint.id.clone()),
        ("Wallet", endpoint.wallet.clone()),
        ("Added", utc(endpoint.created.as_second())),
    ];
    if let Some(expires) = endpoint.token_expires {
        lines.push(("Token until", utc(expires.as_second())));
    }
    for certificate in &endpoint.certificates {
        lines.push(("Certificate", certificate.fingerprint.to_string()));
        lines.push(("  until", utc(certificate.not_after.as_second())));
    }
    let lines: Vec<String> = lines.into_iter().map(|(label, value)| format!("{label:<12} {value}")).collect();
    output.result(lines.join("\n"))
}

fn document(endpoint: &EndpointInfo) -> Value {
    json!({
        "id": endpoint.id,
        "name": endpoint.name,
        "state": state(endpoint.state),
        "wallet": endpoint.wallet,
        "created": utc(endpoint.created.as_second()),
        "token_expires": endpoint.token_expires.map(|time| utc(time.as_second())),
        "certificates": endpoint.certificates.iter().map(|certificate| json!({
            "sha256": certificate.fingerprint.to_string(),
            "issued": utc(certificate.issued.as_second()),
            "not_after": utc(certificate.not_after.as_second()),
        })).collect::<Vec<_>>(),
    })
}

/// Oracle Key Vault's words, which people know.
fn state(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Registered => "Registered",
        EndpointState::Enrolled => "Enrolled",
        EndpointState::Revoked => "Revoked",
    }
}

/// Asks the vault that runs in `dir`.
///
/// # Errors
/// [`Error::Control`]
pub(crate) fn call(dir: &Path, request: &Request) -> Result<Response, Error> {
    Client::connect(dir).and_then(|mut client| client.call(request)).map_err(Error::Control)
}

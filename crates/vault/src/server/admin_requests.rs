//! Answers to the control socket.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::ServeError;
use super::state::{Shared, blocking};
use crate::Vault;
use crate::audit::{Actor, Event};
use crate::control::{EndpointInfo, IssuedToken, Refusal, RefusalKind, Request, Response};
use crate::root_key::SlotSecret;
use crate::{Error, SecretText};

/// The answer to one line.
pub(super) async fn answer(stream: &UnixStream, line: &[u8], shared: &Arc<Shared>) -> Response {
    match carry_out(stream, line, shared).await {
        Ok(response) => response,
        Err(refusal) => Response::Refused(refusal),
    }
}

async fn carry_out(stream: &UnixStream, line: &[u8], shared: &Arc<Shared>) -> Result<Response, Refusal> {
    let actor = authenticate(stream)?;
    let request: Request = serde_json::from_slice(line).map_err(|_| {
        // Its text may quote the request, and with it a passphrase.
        Refusal::new(
            RefusalKind::BadRequest,
            "the request cannot be understood; use the release that serves the vault",
        )
    })?;
    match request {
        Request::Status => Ok(Response::Status(shared.status())),
        Request::Unseal { passphrase } => {
            let secret = SlotSecret::passphrase(Zeroizing::new(passphrase.as_bytes().to_vec()));
            unseal(shared, secret).await
        }
        Request::UnsealFile { path } => unseal(shared, SlotSecret::File(path)).await,
        Request::Stop => {
            if let Some(vault) = shared.unsealed() {
                journal(&vault, &actor, "vault stop")?;
            }
            shared.stop();
            Ok(Response::Status(shared.status()))
        }
        Request::EndpointAdd { name, ttl_s, reissue } => {
            let vault = unsealed(shared)?;
            let ttl = ttl_s
                .map_or_else(|| shared.config().token_ttl(), |ttl_s| SignedDuration::from_secs(ttl_s.into()));
            let addresses = shared.addresses();
            let (endpoint, token) = vault.add_endpoint(&name, ttl, reissue, addresses, &actor).await?;
            let endpoint = EndpointInfo::from(&endpoint);
            Ok(Response::Token(IssuedToken {
                expires: endpoint.token_expires.unwrap_or(endpoint.created),
                endpoint,
                token: SecretText::new(token.encode()),
                admin: addresses.admin.clone(),
                kmip: addresses.kmip.clone(),
            }))
        }
        Request::EndpointList => {
            let endpoints = unsealed(shared)?.list_endpoints()?;
            Ok(Response::Endpoints(endpoints.iter().map(EndpointInfo::from).collect()))
        }
        Request::EndpointShow { name } => {
            let endpoint = unsealed(shared)?.show_endpoint(&name)?;
            Ok(Response::Endpoint(EndpointInfo::from(&endpoint)))
        }
        Request::EndpointRevoke { name } => {
            let endpoint = unsealed(shared)?.revoke_endpoint(&name, &actor).await?;
            tracing::warn!(endpoint = endpoint.name, "revoked");
            Ok(Response::Endpoint(EndpointInfo::from(&endpoint)))
        }
        Request::AuditVerify => {
            let vault = unsealed(shared)?;
            let verifying = Arc::clone(&vault);
            let verified = blocking(move || verifying.verify_journal())
                .await
                .map_err(|_| Refusal::from(Error::Closed))??;
            journal(&vault, &actor, "audit verify")?;
            Ok(Response::Audit(verified.into()))
        }
    }
}

async fn unseal(shared: &Shared, secret: SlotSecret) -> Result<Response, Refusal> {
    shared.unseal(secret).await.map_err(|fault| match fault {
        ServeError::Vault(error) => Refusal::from(error),
        fault => Refusal::new(RefusalKind::Failed, fault.to_string()),
    })?;
    Ok(Response::Status(shared.status()))
}

/// The peer must be the server's own user, or root.
fn authenticate(stream: &UnixStream) -> Result<Actor, Refusal> {
    let uid = stream.peer_cred().map(|peer| peer.uid());
    let own = rustix::process::geteuid().as_raw();
    match uid {
        Ok(uid) if uid == own || uid == 0 => Ok(Actor::Administrator { uid }),
        _ => {
            Err(Refusal::new(RefusalKind::Forbidden, "only the vault's own user and root may use its socket"))
        }
    }
}

fn unsealed(shared: &Shared) -> Result<Arc<Vault>, Refusal> {
    shared.unsealed().ok_or_else(|| {
        Refusal::new(RefusalKind::Sealed, "the vault is sealed; open it with: strongroom vault unseal")
    })
}

fn journal(vault: &Vault, actor: &Actor, act: &'static str) -> Result<(), Refusal> {
    let event = Event::new(vault.clock().now(), actor.clone(), act);
    vault.journal().record(&event).map_err(|error| Refusal::from(Error::from(error)))
}

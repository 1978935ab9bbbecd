//! One client's session: who it is, and the way of each message from bytes to reply.
//!
//! A message is decoded under limits, checked as a whole, performed, and answered in the version it came in. A message that
//! cannot be decoded is answered all the same, in its own version where that could be read. This module decides nothing about
//! access (that is `policy`) and nothing about connections (that is `listener`).
//!
//! Invariant: the endpoint is looked up anew for every message and every item of a batch, so that nothing is done after a
//! revocation.

#[cfg(test)]
pub(crate) mod harness;
mod refusal;
mod reply;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::message::{RequestHeader, RequestMessage, ResponseItem};
use strongroom_kmip::ttlv::{DateTime, DecodeError, Limits, Tag, message_length};

use crate::Vault;
use crate::audit::{Actor, Event};
use crate::endpoint::{Fingerprint, Identity};
use crate::listener::connection::{HEADER_BYTES, Reply, Responder};
use crate::operations::{Context, Fault, VERSIONS, batch};
use crate::policy::Policy;

pub(crate) use refusal::{not_enrolled_reply, report_turned_away};

/// Clocks differ. A Time Stamp that is further off than this is worth a line in the log, and no more (seconds).
const CLOCK_SKEW_SECONDS: u64 = 300;

/// One client's session.
pub(crate) struct Session {
    vault: Arc<Vault>,
    pub(crate) certificate: Fingerprint,
    identity: Identity,
    peer: SocketAddr,
    limits: Limits,
    /// Whether the client's clock was remarked upon: once is enough.
    skew_reported: bool,
}

impl Session {
    /// A session for the endpoint that `certificate` belongs to; nothing when there is none, it was revoked or the
    /// certificate has expired.
    pub(crate) fn open(
        vault: Arc<Vault>,
        certificate: Fingerprint,
        peer: SocketAddr,
        limits: Limits,
    ) -> Option<Self> {
        let identity = vault.identities().identify_at(&certificate, vault.clock().now())?;
        Some(Self { vault, certificate, identity, peer, limits, skew_reported: false })
    }

    /// The endpoint, for the log.
    pub(crate) fn endpoint_name(&self) -> &str {
        &self.identity.name
    }

    async fn answer(&mut self, request: RequestMessage, request_bytes: usize) -> Reply {
        let now = self.vault.clock().now();
        let time = DateTime(now.as_second());
        let RequestMessage { header, items } = request;
        if let Some(fault) = self.check_header(&header, time) {
            return self.refuse_whole(&header, time, &fault);
        }
        if let Err(fault) = batch::check(&header, &items, request_bytes) {
            return self.refuse_whole(&header, time, &fault);
        }
        let policy = Policy::new(&self.vault, &self.identity, &self.certificate, self.peer, now);
        let mut context = Context { policy: &policy, version: header.version, placeholder: None };
        let paged = reply::asks_for_pages(&items);
        let items = batch::run(&mut context, header.batch_error_continuation, items).await;
        Reply { bytes: reply::encode(&header, time, items, paged), keep_open: true }
    }

    /// What is wrong with a header, if anything is.
    fn check_header(&mut self, header: &RequestHeader, now: DateTime) -> Option<Fault> {
        if !VERSIONS.contains(&header.version) {
            return Some(Fault::VersionUnsupported(header.version));
        }
        // The certificate has said who it is; a password beside it must be right too, and there are no users yet.
        if let Some(credential) = header.authentication.first() {
            tracing::info!(endpoint = self.endpoint_name(), kind = %credential.kind(), "refused a credential");
            return Some(Fault::NotAuthenticated(
                "this vault knows endpoints by their certificates and has no users; leave the credential out",
            ));
        }
        if let Some(stamp) = header.time_stamp
            && stamp.0.abs_diff(now.0) > CLOCK_SKEW_SECONDS
            && !self.skew_reported
        {
            self.skew_reported = true;
            let seconds = stamp.0.abs_diff(now.0);
            tracing::warn!(
                endpoint = self.endpoint_name(),
                seconds,
                "the client's clock differs from the vault's"
            );
        }
        None
    }

    /// Answers a request that is refused as a whole: a batch item without an operation (KMIP 1.4 §11.1).
    fn refuse_whole(&self, header: &RequestHeader, time: DateTime, fault: &Fault) -> Reply {
        self.journal_refusal(fault);
        let items = vec![ResponseItem::failure(None, None, batch::failure(fault))];
        Reply { bytes: reply::encode(header, time, items, false), keep_open: true }
    }

    /// Answers what is no message.
    fn refuse_bytes(&self, error: &DecodeError, keep_open: bool) -> Reply {
        let fault = Fault::Undecodable(error.to_string());
        self.journal_refusal(&fault);
        let time = DateTime(self.vault.clock().now().as_second());
        let header = RequestHeader::new(error.version.unwrap_or(ProtocolVersion::V1_0));
        let (operation, batch_id) =
            error.item.as_ref().map_or((None, None), |broken| (broken.operation, broken.batch_id.clone()));
        let items = vec![ResponseItem::failure(operation, batch_id, batch::failure(&fault))];
        Reply { bytes: reply::encode(&header, time, items, false), keep_open }
    }

    fn journal_refusal(&self, fault: &Fault) {
        let actor = Actor::Endpoint { id: self.identity.endpoint, name: self.identity.name.clone() };
        let event = Event::new(self.vault.clock().now(), actor, "request refused")
            .from_peer(self.peer)
            .failed(format!("{}: {fault}", fault.reason()));
        if let Err(error) = self.vault.journal().record(&event) {
            // The journal has said so itself.
            tracing::debug!(%error, "a refused request could not be journaled");
        }
    }
}

impl Responder for Session {
    fn message_length(&mut self, header: &[u8; HEADER_BYTES]) -> Result<usize, Reply> {
        // Where the next message would begin is not known then, so the connection cannot go on.
        message_length(header, Tag::RequestMessage, &self.limits)
            .map_err(|error| self.refuse_bytes(&error, false))
    }

    async fn respond(&mut self, message: &[u8]) -> Reply {
        match self.vault.identities().identify_at(&self.certificate, self.vault.clock().now()) {
            // The wallet may have changed since the last message.
            Some(identity) => self.identity = identity,
            None => return Reply { bytes: not_enrolled_reply(&self.vault), keep_open: false },
        }
        match RequestMessage::decode(message, &self.limits) {
            Ok(request) => self.answer(request, message.len()).await,
            // The frame was whole, so the next message begins after it.
            Err(error) => self.refuse_bytes(&error, true),
        }
    }
}

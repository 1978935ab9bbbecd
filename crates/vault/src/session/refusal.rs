//! Peers that get no session.

use std::net::SocketAddr;
use std::time::Instant;

use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::message::{Failure, ResponseItem, ResponseMessage};
use strongroom_kmip::ttlv::{DateTime, MessageBytes};
use strongroom_kmip::types::ResultReason;

use crate::Vault;
use crate::audit::{Actor, Event};

/// What a peer whose certificate belongs to no enrolled endpoint is told, before it has said anything. Every client can read
/// a 1.0 response.
pub(crate) fn not_enrolled_reply(vault: &Vault) -> MessageBytes {
    let failure = Failure::new(
        ResultReason::AuthenticationNotSuccessful,
        "this certificate belongs to no enrolled endpoint, or its endpoint was revoked, or it has expired; enroll this host \
         again",
    );
    let time = DateTime(vault.clock().now().as_second());
    let item = ResponseItem::failure(None, None, failure);
    ResponseMessage::single(ProtocolVersion::V1_0, time, item).encode().unwrap_or_default()
}

/// Journals a peer that was turned away, and says so in the log, as far as [`FloodGate`](crate::audit::FloodGate) lets.
pub(crate) fn report_turned_away(vault: &Vault, peer: SocketAddr, why: &str) {
    let event =
        Event::new(vault.clock().now(), Actor::Unknown, "connect").from_peer(peer).failed(why.to_owned());
    match vault.strangers().connections.report(vault.journal(), Instant::now(), &event) {
        Ok(true) => tracing::warn!(%peer, why, "turned a peer away from the KMIP port"),
        Ok(false) => {}
        // The journal has said so itself.
        Err(error) => tracing::debug!(%error, "a peer that was turned away could not be journaled"),
    }
}

//! Peers that get no session.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
        "this certificate belongs to no enrolled endpoint, or its endpoint was revoked; enroll this host again",
    );
    let time = DateTime(vault.clock().now().as_second());
    let item = ResponseItem::failure(None, None, failure);
    ResponseMessage::single(ProtocolVersion::V1_0, time, item).encode().unwrap_or_default()
}

/// Journals peers that were turned away, but not more than so many: whoever can open a connection must not be able to fill
/// the disk.
#[derive(Debug, Default)]
pub(crate) struct Rejections {
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    journaled: u32,
    left_out: u64,
}

impl Rejections {
    /// How many are journaled in one [`Self::WINDOW`].
    const JOURNALED_MAX: u32 = 20;
    const WINDOW: Duration = Duration::from_secs(10);

    /// Reports one.
    pub(crate) fn report(&self, vault: &Vault, peer: SocketAddr, why: &str) {
        let Some(left_out) = self.admit(Instant::now()) else {
            return;
        };
        tracing::warn!(%peer, why, left_out, "turned a peer away from the KMIP port");
        let mut event =
            Event::new(vault.clock().now(), Actor::Unknown, "connect").from_peer(peer).failed(why.to_owned());
        if left_out > 0 {
            event = event.detail("turned away before and not listed", left_out.to_string());
        }
        if let Err(error) = vault.journal().record(&event) {
            tracing::error!(%error, "a peer that was turned away could not be journaled");
        }
    }

    /// Whether this one is reported; then, how many before it were not.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.since.is_none_or(|since| now.duration_since(since) >= Self::WINDOW) {
            window.since = Some(now);
            window.journaled = 0;
        }
        if window.journaled == Self::JOURNALED_MAX {
            window.left_out += 1;
            return None;
        }
        window.journaled += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_strangers_is_counted_and_not_journaled_line_by_line() {
        let rejections = Rejections::default();
        let start = Instant::now();
        let reported = (0..1000).filter(|_| rejections.admit(start).is_some()).count();
        assert_eq!(reported, Rejections::JOURNALED_MAX as usize);
        let later = start + Rejections::WINDOW;
        assert_eq!(rejections.admit(later), Some(1000 - u64::from(Rejections::JOURNALED_MAX)));
        assert_eq!(rejections.admit(later), Some(0));
    }
}

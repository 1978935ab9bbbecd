//! How many handshakes one peer may have open.
//!
//! Before the handshake a peer has shown nothing, and it may stay silent until the deadline. Without a bound for each,
//! one stranger could hold every place of the port.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts handshakes by peer.
pub(super) struct Handshakes {
    limit: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A handshake that is counted as long as this lives.
pub(super) struct Counted {
    handshakes: Arc<Handshakes>,
    peer: IpAddr,
}

impl Handshakes {
    /// Allows each peer `limit` at a time.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, open: Mutex::default() })
    }

    /// Begins one, unless the peer has as many as it may.
    pub(super) fn begin(self: &Arc<Self>, peer: IpAddr) -> Option<Counted> {
        let peer = network(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(peer).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Counted { handshakes: Arc::clone(self), peer })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.handshakes.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Whom an address counts for: itself, and in IPv6 its /64, of which every host may have any address (RFC 4291 §2.5.4).
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_has_all_it_may_waits_for_one_to_end_and_others_do_not() {
        let handshakes = Handshakes::new(2);
        let (peer, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = handshakes.begin(peer).unwrap();
        let _second = handshakes.begin(peer).unwrap();
        assert!(handshakes.begin(peer).is_none());
        assert!(handshakes.begin(other).is_some());
        drop(first);
        assert!(handshakes.begin(peer).is_some());
        assert_eq!(handshakes.open.lock().unwrap().len(), 1, "who has none is forgotten");
    }

    #[test]
    fn a_network_of_addresses_is_one_peer() {
        let handshakes = Handshakes::new(1);
        let begin = |peer: &str| handshakes.begin(peer.parse().unwrap());
        let _held = begin("2001:db8::1").unwrap();
        assert!(begin("2001:db8::ffff:2").is_none());
        assert!(begin("2001:db8:0:1::1").is_some());
        let _mapped = begin("::ffff:192.0.2.1").unwrap();
        assert!(begin("192.0.2.1").is_none());
    }
}

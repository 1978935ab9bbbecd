//! How a session goes about it.

use std::time::Duration;

use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::ttlv::Limits;

use crate::connect::{Resolution, ServerTrust};

/// How a session goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The time that one server is given, from its name to its answer. 20 s, as MySQL documents for `keyring_okv`.
    pub per_server: Duration,
    /// The time that a call is given over the whole list. 60 s: a database may hold a lock meanwhile.
    pub total: Duration,
    /// How host names are resolved.
    pub resolution: Resolution,
    /// What a server must show to be trusted.
    pub trust: ServerTrust,
    /// The newest protocol version to speak.
    pub newest_version: ProtocolVersion,
    /// How much of an answer is believed.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            per_server: Duration::from_secs(20),
            total: Duration::from_secs(60),
            resolution: Resolution::default(),
            trust: ServerTrust::default(),
            newest_version: ProtocolVersion::V1_4,
            limits: Limits::RESPONSE,
        }
    }
}

/// What a server is given at least where a long list shares the time.
const LEAST_SHARE: Duration = Duration::from_secs(2);

/// Which part of a server's time must be left for a change that is made together with other calls.
const CHANGE_SHARE: u32 = 4;

impl Options {
    /// The time that must be left for a change to be begun.
    pub(super) fn least_for_a_change(&self) -> Duration {
        self.per_server.min(self.total) / CHANGE_SHARE
    }

    /// The time for the next of `servers_left` servers, of the `left` for all of them.
    pub(super) fn share(&self, left: Duration, servers_left: usize) -> Duration {
        let fair = left / u32::try_from(servers_left.max(1)).unwrap_or(u32::MAX);
        fair.max(LEAST_SHARE).min(self.per_server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_list_gives_each_server_its_full_time_and_a_long_one_shares() {
        let options = Options::default();
        let share = |left: u64, servers| options.share(Duration::from_secs(left), servers).as_secs();
        assert_eq!(share(60, 1), 20);
        assert_eq!(share(60, 3), 20);
        assert_eq!(share(60, 6), 10);
        assert_eq!(share(60, 65), 2);
    }
}

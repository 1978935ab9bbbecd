//! The vault as the rest of the server sees it.

use crate::audit::Journal;
use crate::barrier::Records;
use crate::clock::Clock;
use crate::endpoint::IdentityMap;
use std::sync::Arc;

/// An unsealed vault.
pub struct Vault {
    records: Records,
    journal: Arc<Journal>,
    identities: Arc<IdentityMap>,
    clock: Clock,
}

impl Vault {
    /// Its records.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Its audit journal.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Who may connect.
    pub fn identities(&self) -> &Arc<IdentityMap> {
        &self.identities
    }

    /// The time of day.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

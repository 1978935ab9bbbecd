//! Which certificate is which endpoint, in memory and in step with the store.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest;
use tokio::sync::watch;

use crate::store::{RecordId, WalletId};

/// SHA-256 of a certificate's DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate.
    pub fn of(der: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
        Self(bytes)
    }
}

/// An endpoint that has shown one of its certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The endpoint.
    pub endpoint: RecordId,
    /// Its name.
    pub name: Arc<str>,
    /// Where its new objects go, and where it looks.
    pub wallet: WalletId,
}

/// The certificates of all enrolled endpoints.
#[derive(Debug)]
pub struct IdentityMap {
    known: RwLock<HashMap<Fingerprint, Identity>>,
    generation: watch::Sender<u64>,
}

impl Default for IdentityMap {
    fn default() -> Self {
        Self { known: RwLock::default(), generation: watch::Sender::new(0) }
    }
}

impl IdentityMap {
    /// The endpoint that a certificate belongs to; nothing when it is unknown or the endpoint was revoked.
    pub fn identify(&self, certificate: &Fingerprint) -> Option<Identity> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(certificate).cloned()
    }

    /// Changes whenever a certificate stops being valid. A session that sees it change identifies its peer again, and
    /// ends when there is nobody.
    pub fn revocations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Makes a certificate known.
    pub(crate) fn admit(&self, certificate: Fingerprint, identity: Identity) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(certificate, identity);
    }

    /// Forgets every certificate of an endpoint, and tells the open sessions.
    pub(crate) fn expel(&self, endpoint: RecordId) {
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, identity| identity.endpoint != endpoint);
        self.generation.send_modify(|generation| *generation += 1);
    }
}

//! Which certificate is which endpoint, in memory and in step with the store.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Endpoint, EndpointState};
use crate::Error;
use crate::barrier::Records;
use crate::store::{RecordId, WalletId};

/// SHA-256 of a certificate's DER. Printed as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAFingerprint;

impl fmt::Display for NotAFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fingerprint has 64 hexadecimal digits")
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let text: &[u8; 64] = text.as_bytes().try_into().map_err(|_| NotAFingerprint)?;
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |at: usize| char::from(digits[at]).to_digit(16).ok_or(NotAFingerprint);
            *byte = (digit(0)? << 4 | digit(1)?) as u8;
        }
        Ok(Self(bytes))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NotAFingerprint;

    fn try_from(text: String) -> Result<Self, NotAFingerprint> {
        text.parse()
    }
}

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
    /// The last second of the certificate that it has shown.
    pub not_after: Timestamp,
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
    /// The certificates of all endpoints that are not revoked.
    pub(crate) fn load(records: &Records) -> Result<Self, Error> {
        let map = Self::default();
        for endpoint in super::registry::all(records)? {
            map.admit_all(&endpoint);
        }
        Ok(map)
    }

    /// The endpoint that a certificate belongs to; nothing when it is unknown or the endpoint was revoked.
    pub fn identify(&self, certificate: &Fingerprint) -> Option<Identity> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(certificate).cloned()
    }

    /// The same at a moment: nothing either when the certificate has expired. TLS looks at that once, when a connection
    /// begins, and not even then when an earlier one is resumed.
    pub fn identify_at(&self, certificate: &Fingerprint, now: Timestamp) -> Option<Identity> {
        self.identify(certificate).filter(|identity| now <= identity.not_after)
    }

    /// Changes whenever a certificate stops being valid. A session that sees it change identifies its peer again, and
    /// ends when there is nobody.
    pub fn revocations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Makes the certificates of an enrolled endpoint known.
    pub(crate) fn admit_all(&self, endpoint: &Endpoint) {
        if endpoint.state != EndpointState::Enrolled {
            return;
        }
        let name: Arc<str> = endpoint.name.as_str().into();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for certificate in &endpoint.certificates {
            let identity = Identity {
                endpoint: endpoint.id,
                name: Arc::clone(&name),
                wallet: endpoint.wallet,
                not_after: certificate.not_after,
            };
            known.insert(certificate.fingerprint, identity);
        }
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

//! An endpoint as the store keeps it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Fingerprint;
use crate::barrier::Opened;
use crate::store::{RecordId, WalletId};

/// The format of an endpoint's record: JSON with these members.
const FORMAT: u32 = 1;

/// How far an endpoint has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// It has a token and no certificate yet.
    Registered,
    /// It has a certificate.
    Enrolled,
    /// Its certificates are refused.
    Revoked,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id, which it keeps whatever happens to its certificates.
    pub id: RecordId,
    /// Its name, unique in the vault.
    pub name: String,
    /// Where its objects live.
    pub wallet: WalletId,
    /// How far it has come.
    pub state: EndpointState,
    /// When it was added.
    pub created: Timestamp,
    /// Its certificates, oldest first.
    pub certificates: Vec<IssuedCertificate>,
    /// A token that has not been used.
    pub invitation: Option<Invitation>,
    /// The last token that was used, to answer a retry.
    pub enrolled_by: Option<Enrolment>,
}

/// A certificate of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedCertificate {
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
    /// When it was signed.
    pub issued: Timestamp,
    /// Its last second.
    pub not_after: Timestamp,
}

/// A token that may be used once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// SHA-256 of the token's secret: the vault keeps nothing that could be used to enrol.
    pub secret_hash: Fingerprint,
    /// The token's last second.
    pub expires: Timestamp,
}

/// A token that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// SHA-256 of the token's secret.
    pub secret_hash: Fingerprint,
    /// SHA-256 of the certificate request.
    pub request_hash: Fingerprint,
    /// The certificate that answered it, DER.
    #[serde(with = "crate::root_key::base64_bytes")]
    pub certificate: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    name: String,
    state: EndpointState,
    created: Timestamp,
    certificates: Vec<IssuedCertificate>,
    invitation: Option<Invitation>,
    enrolled_by: Option<Enrolment>,
    wallet: String,
}

/// The record is not an endpoint of a format that this release knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEndpointRecord {
    /// What is wrong.
    pub detail: String,
}

impl Endpoint {
    /// The content of the record.
    pub(crate) fn encode(&self) -> Opened {
        let stored = Stored {
            format: FORMAT,
            name: self.name.clone(),
            wallet: self.wallet.0.to_string(),
            state: self.state,
            created: self.created,
            certificates: self.certificates.clone(),
            invitation: self.invitation.clone(),
            enrolled_by: self.enrolled_by.clone(),
        };
        // Strings, numbers and lists always serialise.
        Opened::new(Zeroizing::new(serde_json::to_vec(&stored).unwrap_or_default()))
    }

    /// The reverse of [`Endpoint::encode`].
    pub(crate) fn decode(id: RecordId, opened: &Opened) -> Result<Self, BadEndpointRecord> {
        let stored: Stored = serde_json::from_slice(opened.as_bytes())
            .map_err(|error| BadEndpointRecord { detail: error.to_string() })?;
        if stored.format != FORMAT {
            return Err(BadEndpointRecord { detail: format!("its format is {}", stored.format) });
        }
        let Ok(wallet) = stored.wallet.parse() else {
            return Err(BadEndpointRecord { detail: "its wallet is not a UUID".to_owned() });
        };
        let Stored { name, state, created, certificates, invitation, enrolled_by, .. } = stored;
        Ok(Self { id, name, wallet: WalletId(wallet), state, created, certificates, invitation, enrolled_by })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_survives_its_record() {
        let hash = Fingerprint([5; 32]);
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let endpoint = Endpoint {
            id: RecordId([1; 16]),
            name: "db1".to_owned(),
            wallet: WalletId(RecordId([2; 16])),
            state: EndpointState::Enrolled,
            created: now,
            certificates: vec![IssuedCertificate { fingerprint: hash, issued: now, not_after: now }],
            invitation: Some(Invitation { secret_hash: hash, expires: now }),
            enrolled_by: Some(Enrolment { secret_hash: hash, request_hash: hash, certificate: vec![1, 2] }),
        };
        assert_eq!(Endpoint::decode(endpoint.id, &endpoint.encode()), Ok(endpoint));
    }
}

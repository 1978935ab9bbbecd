//! The exchange of a token and a certificate request for a certificate.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::TokenSecret;
use crate::audit::{Actor, Event};
use crate::barrier::CommitError;
use crate::ca::{CaError, pem, request_der};
use crate::endpoint::{EndpointState, Enrolment, Fingerprint, IssuedCertificate};
use crate::store::{AfterCommit, RecordId};
use crate::{Error, SecretText, Vault};

/// Bytes of an enrolment request's body at most.
pub const REQUEST_BYTES_MAX: usize = 32 * 1024;

/// Body of `POST /v1/enroll`, JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The token's endpoint.
    pub endpoint: String,
    /// The token's secret, as [`TokenSecret::to_text`] gives it.
    pub secret: SecretText,
    /// A PKCS#10 certificate request, PEM.
    pub request: String,
}

impl fmt::Debug for EnrolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnrolRequest({})", self.endpoint)
    }
}

/// Body of the answer when it is 200.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolReply {
    /// The endpoint's id.
    pub endpoint: String,
    /// The endpoint's name.
    pub name: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// The certificate authority's certificate, PEM.
    pub authority: String,
}

/// Body of any other answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRefusal {
    /// A word for programs: `token-unknown`, `token-used`, `token-expired`, `bad-request`, `sealed`, `busy`, `failed`.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// Why there is no certificate.
#[derive(Debug)]
pub enum EnrolError {
    /// No endpoint has such a token; nor does it say whether the endpoint exists.
    TokenUnknown,
    /// The token was used, with another certificate request.
    TokenUsed,
    /// The token is too old.
    TokenExpired,
    /// The certificate request is no good.
    BadRequest(CaError),
    /// The vault could not do it.
    Failed(Error),
}

impl EnrolError {
    /// The word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TokenUnknown => "token-unknown",
            Self::TokenUsed => "token-used",
            Self::TokenExpired => "token-expired",
            Self::BadRequest(_) => "bad-request",
            Self::Failed(_) => "failed",
        }
    }
}

impl fmt::Display for EnrolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenUnknown => {
                write!(f, "the vault does not know this token; make a new one with: strongroom endpoint add")
            }
            Self::TokenUsed => write!(
                f,
                "the token was used already; if that was not you, revoke the endpoint, then issue a new token"
            ),
            Self::TokenExpired => write!(f, "the token has expired; issue a new one"),
            Self::BadRequest(error) => error.fmt(f),
            // What is wrong inside the vault is for its log, not for a stranger.
            Self::Failed(_) => write!(f, "the vault cannot enrol now; its log says why"),
        }
    }
}

impl std::error::Error for EnrolError {}

impl Vault {
    /// Exchanges a token and a certificate request for a certificate. Of any number of uses of one token, in parallel or
    /// not, one succeeds; a repetition of that one gets the same answer.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub async fn enrol(
        &self,
        request: &EnrolRequest,
        validity: SignedDuration,
        peer: Option<SocketAddr>,
    ) -> Result<EnrolReply, EnrolError> {
        let result = self.exchange(request, validity, peer).await;
        if let Err(error) = &result {
            let mut event = Event::new(self.clock().now(), Actor::Unknown, "enrol").failed(error.reason());
            event.peer = peer;
            event.object = request.endpoint.parse().ok();
            let listed = self.strangers().enrolments.report(self.journal(), Instant::now(), &event);
            match listed {
                Ok(true) => tracing::warn!(?peer, reason = error.reason(), "an enrolment was refused"),
                Ok(false) => {}
                Err(error) => return Err(EnrolError::Failed(error.into())),
            }
        }
        result
    }

    async fn exchange(
        &self,
        request: &EnrolRequest,
        validity: SignedDuration,
        peer: Option<SocketAddr>,
    ) -> Result<EnrolReply, EnrolError> {
        let id: RecordId = request.endpoint.parse().map_err(|_| EnrolError::TokenUnknown)?;
        let secret = TokenSecret::from_text(&request.secret).ok_or(EnrolError::TokenUnknown)?;
        let der = request_der(request.request.as_bytes()).map_err(EnrolError::BadRequest)?;
        let request_hash = Fingerprint::of(&der);
        loop {
            let now = self.clock().now();
            let found = self.endpoint_by_id(id).map_err(EnrolError::Failed)?;
            let (mut endpoint, expected) = found.ok_or(EnrolError::TokenUnknown)?;
            if endpoint.state == EndpointState::Revoked {
                return Err(EnrolError::TokenUnknown);
            }
            if let Some(used) = endpoint.enrolled_by.as_ref().filter(|used| secret.matches(&used.secret_hash))
            {
                if used.request_hash != request_hash {
                    return Err(EnrolError::TokenUsed);
                }
                return Ok(self.reply(id, &endpoint.name, &used.certificate));
            }
            let invitation = endpoint.invitation.as_ref().filter(|open| secret.matches(&open.secret_hash));
            let invitation = invitation.ok_or(EnrolError::TokenUnknown)?;
            if now > invitation.expires {
                return Err(EnrolError::TokenExpired);
            }
            let certificate =
                self.authority().sign_endpoint(&der, &endpoint.name, validity, now).map_err(|error| {
                    match error {
                        CaError::Signing { .. } | CaError::Damaged { .. } => EnrolError::Failed(error.into()),
                        _ => EnrolError::BadRequest(error),
                    }
                })?;
            endpoint.enrolled_by = Some(Enrolment {
                secret_hash: invitation.secret_hash,
                request_hash,
                certificate: certificate.der.clone(),
            });
            endpoint.invitation = None;
            endpoint.state = EndpointState::Enrolled;
            endpoint.certificates.push(IssuedCertificate {
                fingerprint: certificate.fingerprint,
                issued: now,
                not_after: certificate.not_after,
            });
            let actor = Actor::Endpoint { id, name: endpoint.name.as_str().into() };
            let mut event = Event::new(now, actor, "enrol")
                .on(id)
                .detail("certificate", certificate.fingerprint.to_string());
            event.peer = peer;
            let (identities, admitted) = (Arc::clone(self.identities()), endpoint.clone());
            let admit: AfterCommit = Box::new(move |_| identities.admit_all(&admitted));
            match self.write_endpoint(&endpoint, expected, event, Some(admit)).await {
                Ok(()) => return Ok(self.reply(id, &endpoint.name, &certificate.der)),
                // Another use of the token was committed first, and the next look will show it.
                Err(CommitError::Conflict { .. } | CommitError::NotUnique { .. }) => {}
                Err(CommitError::Failed(error)) => return Err(EnrolError::Failed(error)),
            }
        }
    }

    fn reply(&self, id: RecordId, name: &str, certificate: &[u8]) -> EnrolReply {
        EnrolReply {
            endpoint: id.to_string(),
            name: name.to_owned(),
            certificate: pem("CERTIFICATE", certificate),
            authority: pem("CERTIFICATE", self.authority().certificate()),
        }
    }
}

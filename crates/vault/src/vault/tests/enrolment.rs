//! Tokens, certificates, revocation.

use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::pem::PemObject as _;

use super::*;
use crate::SecretText;
use crate::endpoint::{EndpointError, EndpointState};
use crate::enrolment::{EnrolError, EnrolReply, EnrolRequest, Token};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const ROOT: Actor = Actor::Administrator { uid: 0 };

fn certificate_request() -> String {
    let key = KeyPair::generate().unwrap();
    CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap()
}

fn request(token: &Token, request: &str) -> EnrolRequest {
    let (endpoint, secret) = (token.endpoint().to_string(), token.secret().to_text());
    EnrolRequest { endpoint, secret, request: request.to_owned() }
}

async fn add(vault: &Vault, name: &str) -> Token {
    vault.add_endpoint(name, DAY, false, &addresses(), &ROOT).await.unwrap().1
}

async fn enrol(vault: &Vault, token: &Token, csr: &str) -> Result<EnrolReply, EnrolError> {
    vault.enrol(&request(token, csr), DAY, None).await
}

fn fingerprint(reply: &EnrolReply) -> Fingerprint {
    Fingerprint::of(&CertificateDer::from_pem_slice(reply.certificate.as_bytes()).unwrap())
}

#[test]
fn of_two_hundred_parallel_uses_of_a_token_one_wins() {
    let rig = Rig::new();
    let vault = Arc::new(rig.unseal());
    runtime().block_on(async {
        let token = Arc::new(add(&vault, "db1").await);
        let uses: Vec<_> = (0..200)
            .map(|_| {
                let (vault, token) = (Arc::clone(&vault), Arc::clone(&token));
                tokio::spawn(async move { enrol(&vault, &token, &certificate_request()).await })
            })
            .collect();
        let mut winners = Vec::new();
        for one in uses {
            match one.await.unwrap() {
                Ok(reply) => winners.push(reply),
                Err(EnrolError::TokenUsed) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(winners.len(), 1);
        assert!(vault.identities().identify(&fingerprint(&winners[0])).is_some());
        let endpoint = vault.show_endpoint("db1").unwrap();
        assert_eq!((endpoint.state, endpoint.certificates.len()), (EndpointState::Enrolled, 1));
    });
}

#[test]
fn a_retry_with_the_same_request_gets_the_same_certificate() {
    let rig = Rig::new();
    let vault = rig.unseal();
    runtime().block_on(async {
        let token = add(&vault, "db1").await;
        let csr = certificate_request();
        let first = enrol(&vault, &token, &csr).await.unwrap();
        // Even when the token's time is over by now.
        rig.seconds.fetch_add(2 * 24 * 60 * 60, Ordering::SeqCst);
        assert_eq!(enrol(&vault, &token, &csr).await.unwrap(), first);
        assert!(matches!(enrol(&vault, &token, &certificate_request()).await, Err(EnrolError::TokenUsed)));
    });
}

#[test]
fn an_expired_a_foreign_and_a_replaced_token_are_refused() {
    let rig = Rig::new();
    let vault = rig.unseal();
    let csr = certificate_request();
    runtime().block_on(async {
        let (one, two) = (add(&vault, "db1").await, add(&vault, "db2").await);
        let crossed = EnrolRequest { secret: two.secret().to_text(), ..request(&one, &csr) };
        assert!(matches!(vault.enrol(&crossed, DAY, None).await, Err(EnrolError::TokenUnknown)));
        let garbage = EnrolRequest { secret: SecretText::new("x".to_owned().into()), ..request(&one, &csr) };
        assert!(matches!(vault.enrol(&garbage, DAY, None).await, Err(EnrolError::TokenUnknown)));
        let (_, newer) = vault.add_endpoint("db2", DAY, true, &addresses(), &ROOT).await.unwrap();
        assert!(matches!(enrol(&vault, &two, &csr).await, Err(EnrolError::TokenUnknown)));
        rig.seconds.fetch_add(25 * 60 * 60, Ordering::SeqCst);
        assert!(matches!(enrol(&vault, &one, &csr).await, Err(EnrolError::TokenExpired)));
        assert!(matches!(enrol(&vault, &newer, &csr).await, Err(EnrolError::TokenExpired)));
    });
    let failures = journal_text(&rig).lines().filter(|line| line.contains("\"failure\"")).count();
    assert_eq!(failures, 5, "each refusal is in the journal");
}

#[test]
fn a_bad_certificate_request_does_not_use_the_token_up() {
    let rig = Rig::new();
    let vault = rig.unseal();
    runtime().block_on(async {
        let token = add(&vault, "db1").await;
        let csr = certificate_request();
        let middle = csr.len() / 2;
        let changed = if csr.as_bytes()[middle] == b'A' { "B" } else { "A" };
        let broken = format!("{}{changed}{}", &csr[..middle], &csr[middle + 1..]);
        for bad in ["", "not a request", &broken] {
            assert!(matches!(enrol(&vault, &token, bad).await, Err(EnrolError::BadRequest(_))), "{bad}");
        }
        assert!(enrol(&vault, &token, &csr).await.is_ok());
    });
}

#[test]
fn a_revoked_endpoint_is_unknown_at_once_and_after_a_restart() {
    let rig = Rig::new();
    let vault = rig.unseal();
    let known = runtime().block_on(async {
        let token = add(&vault, "db1").await;
        let csr = certificate_request();
        let reply = enrol(&vault, &token, &csr).await.unwrap();
        let known = fingerprint(&reply);
        let identity = vault.identities().identify(&known).unwrap();
        assert_eq!((&*identity.name, identity.endpoint.to_string()), ("db1", reply.endpoint));
        let mut revocations = vault.identities().revocations();
        revocations.mark_unchanged();
        vault.revoke_endpoint("db1", &ROOT).await.unwrap();
        assert!(revocations.has_changed().unwrap());
        assert_eq!(vault.identities().identify(&known), None);
        // A retry no longer brings the certificate back.
        assert!(matches!(enrol(&vault, &token, &csr).await, Err(EnrolError::TokenUnknown)));
        known
    });
    drop(vault);
    let vault = rig.unseal();
    assert_eq!(vault.identities().identify(&known), None);
    assert_eq!(vault.show_endpoint("db1").unwrap().state, EndpointState::Revoked);
}

#[test]
fn an_endpoint_that_enrols_anew_keeps_its_id_and_wallet() {
    let rig = Rig::new();
    let vault = rig.unseal();
    runtime().block_on(async {
        let token = add(&vault, "db1").await;
        let first = fingerprint(&enrol(&vault, &token, &certificate_request()).await.unwrap());
        let before = vault.show_endpoint("db1").unwrap();
        let again = vault.add_endpoint("db1", DAY, false, &addresses(), &ROOT).await;
        assert!(matches!(again, Err(EndpointError::Exists { .. })));
        let (_, renewed) = vault.add_endpoint("db1", DAY, true, &addresses(), &ROOT).await.unwrap();
        let second = fingerprint(&enrol(&vault, &renewed, &certificate_request()).await.unwrap());
        let after = vault.show_endpoint(&before.id.to_string()).unwrap();
        assert_eq!((after.id, after.wallet), (before.id, before.wallet));
        assert!(vault.identities().identify(&first).is_some(), "the old certificate keeps working");
        assert!(vault.identities().identify(&second).is_some());
    });
}

#[test]
fn endpoints_are_listed_newest_first_and_found_by_name() {
    let rig = Rig::new();
    let vault = rig.unseal();
    runtime().block_on(async {
        for name in ["a", "b", "c"] {
            add(&vault, name).await;
        }
        for bad in ["", " a", "a\n", &"x".repeat(65)] {
            let refused = vault.add_endpoint(bad, DAY, false, &addresses(), &ROOT).await;
            assert!(matches!(refused, Err(EndpointError::BadName { .. })), "{bad:?}");
        }
    });
    let names: Vec<_> = vault.list_endpoints().unwrap().into_iter().map(|endpoint| endpoint.name).collect();
    assert_eq!(names, ["c", "b", "a"]);
    assert!(matches!(vault.show_endpoint("d"), Err(EndpointError::NotFound { .. })));
}

#[test]
fn a_tokens_secret_is_nowhere_in_the_vaults_files() {
    let rig = Rig::new();
    let vault = rig.unseal();
    let token = runtime().block_on(add(&vault, "db1"));
    vault.close().unwrap();
    let text = token.secret().to_text();
    for file in files_under(&rig.dir) {
        let content = std::fs::read(&file).unwrap();
        let found = content.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found, "{}", file.display());
    }
}

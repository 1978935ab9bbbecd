//! Activate, Revoke, Destroy and the dates.

use strongroom_kmip::ResponsePayload;
use strongroom_kmip::attribute::{Attribute, AttributeKind, RevocationReason};
use strongroom_kmip::operation::{activate, destroy, get, modify_attribute, revoke};
use strongroom_kmip::ttlv::DateTime;
use strongroom_kmip::types::{ResultReason, RevocationReasonCode, State};

use crate::session::harness::{Bench, Client, START, active, name};

async fn state(client: &mut Client, id: &str) -> State {
    client.attributes(id, &[AttributeKind::State.into()]).await.state().unwrap()
}

fn revoke(id: &str, code: RevocationReasonCode) -> revoke::Request {
    let reason = RevocationReason { code, message: Some("why".to_owned()) };
    revoke::Request { unique_identifier: Some(id.to_owned()), reason, compromise_occurrence_date: None }
}

fn destroy(id: &str) -> destroy::Request {
    destroy::Request { unique_identifier: Some(id.to_owned()) }
}

fn activate(id: &str) -> activate::Request {
    activate::Request { unique_identifier: Some(id.to_owned()) }
}

async fn can_get(client: &mut Client, id: &str) -> bool {
    let request = get::Request { unique_identifier: Some(id.to_owned()), ..Default::default() };
    matches!(client.ask(request).await, Ok(ResponsePayload::Get(_)))
}

#[tokio::test]
async fn a_key_lives_from_creation_to_destruction() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([name("k")]).await;
    assert_eq!(state(&mut client, &id).await, State::PreActive);
    assert!(can_get(&mut client, &id).await, "pg_tde never activates");
    client.ask(activate(&id)).await.unwrap();
    assert_eq!(state(&mut client, &id).await, State::Active);
    assert_eq!(client.ask(activate(&id)).await.unwrap_err().reason, ResultReason::PermissionDenied);
    let refused = client.ask(destroy(&id)).await.unwrap_err();
    assert_eq!(refused.reason, ResultReason::PermissionDenied);
    assert!(refused.message.unwrap().contains("revoke it first"));
    client.ask(revoke(&id, RevocationReasonCode::Superseded)).await.unwrap();
    assert_eq!(state(&mut client, &id).await, State::Deactivated);
    assert!(can_get(&mut client, &id).await, "old data must stay readable");
    client.ask(destroy(&id)).await.unwrap();
    assert_eq!(state(&mut client, &id).await, State::Destroyed);
    assert!(!can_get(&mut client, &id).await);
    assert_eq!(client.ask(destroy(&id)).await.unwrap_err().reason, ResultReason::PermissionDenied);
    client.ask(revoke(&id, RevocationReasonCode::KeyCompromise)).await.unwrap();
    assert_eq!(state(&mut client, &id).await, State::DestroyedCompromised);
}

#[tokio::test]
async fn a_compromise_is_reported_from_pre_active_with_its_dates() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    bench.advance(100);
    client.ask(revoke(&id, RevocationReasonCode::KeyCompromise)).await.unwrap();
    assert_eq!(state(&mut client, &id).await, State::Compromised);
    let attributes = client.attributes(&id, &[]).await;
    assert_eq!(
        attributes.get(AttributeKind::CompromiseDate),
        Some(&Attribute::CompromiseDate(DateTime(START + 100)))
    );
    assert_eq!(
        attributes.get(AttributeKind::CompromiseOccurrenceDate),
        Some(&Attribute::CompromiseOccurrenceDate(DateTime(START)))
    );
    assert!(matches!(
        attributes.get(AttributeKind::RevocationReason),
        Some(Attribute::RevocationReason(reason)) if reason.code == RevocationReasonCode::KeyCompromise
    ));
    assert!(can_get(&mut client, &id).await);
}

#[tokio::test]
async fn revocation_asks_for_a_known_reason_and_dates_only_for_compromises() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([active()]).await;
    let failure = client.ask(revoke(&id, RevocationReasonCode(99))).await.unwrap_err();
    assert_eq!(failure.reason, ResultReason::InvalidField);
    let mut dated = revoke(&id, RevocationReasonCode::Superseded);
    dated.compromise_occurrence_date = Some(DateTime(START));
    assert_eq!(client.ask(dated).await.unwrap_err().reason, ResultReason::InvalidField);
    assert_eq!(state(&mut client, &id).await, State::Active);
}

#[tokio::test]
async fn dates_take_effect_by_themselves() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let dates =
        [Attribute::ActivationDate(DateTime(START + 10)), Attribute::DeactivationDate(DateTime(START + 20))];
    let id = client.create(dates).await;
    for (after, expected) in [(0, State::PreActive), (10, State::Active), (10, State::Deactivated)] {
        bench.advance(after);
        assert_eq!(state(&mut client, &id).await, expected);
    }
}

#[tokio::test]
async fn a_date_in_the_past_activates_at_once_and_cannot_be_changed_then() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([active()]).await;
    assert_eq!(state(&mut client, &id).await, State::Active);
    let modify = |attribute: Attribute| modify_attribute::Request {
        unique_identifier: Some(id.clone()),
        attribute: attribute.into(),
    };
    let late = modify(Attribute::ActivationDate(DateTime(START + 1000)));
    assert_eq!(client.ask(late).await.unwrap_err().reason, ResultReason::PermissionDenied);
    assert_eq!(state(&mut client, &id).await, State::Active);
}

#[tokio::test]
async fn a_destroyed_keys_name_is_free_again() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let first = client.create([name("master")]).await;
    let taken = client.ask(crate::session::harness::create_request([name("master")])).await.unwrap_err();
    assert_eq!(taken.reason, ResultReason::InvalidField);
    client.ask(destroy(&first)).await.unwrap();
    let second = client.create([name("master")]).await;
    assert_eq!(client.locate([name("master")]).await, [second]);
}

#[tokio::test]
async fn of_many_who_destroy_at_once_one_does() {
    let bench = Bench::new();
    let mut client = bench.endpoint("db1").await;
    let id = client.create([]).await;
    let mut others = Vec::new();
    for index in 0..8 {
        others.push(bench.endpoint(&format!("other{index}")).await);
    }
    // All of one endpoint: sessions share its identity.
    let mut tasks = tokio::task::JoinSet::new();
    for mut other in others {
        other.session.certificate = client.session.certificate;
        let request = destroy(&id);
        tasks.spawn(async move { other.ask(request).await.is_ok() });
    }
    let done = tasks.join_all().await.into_iter().filter(|done| *done).count();
    assert_eq!(done, 1);
}

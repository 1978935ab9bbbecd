//! Agreement on a version, and answers in another one.

use std::sync::{Arc, Mutex};

use strongroom_client::error::Cause;
use strongroom_client::session::AnswerFault;
use strongroom_client::{Error, Options};
use strongroom_kmip::attribute::Attributes;
use strongroom_kmip::message::RequestPayload;
use strongroom_kmip::operation::discover_versions;
use strongroom_kmip::types::ResultReason;
use strongroom_kmip::{Failure, ProtocolVersion};

use crate::server::{World, accept, good, receive, respond, send, serve, unscripted};

/// The version of the Locate that follows when the server answers Discover Versions like this.
fn spoken(
    answer: impl Fn() -> Result<Vec<ProtocolVersion>, Failure> + Send + Sync + 'static,
    options: Options,
) -> Result<ProtocolVersion, Error> {
    let world = World::new();
    let config = world.tls();
    let seen = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&seen);
    let server = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        while let Some(request) = receive(&mut tls) {
            *noted.lock().unwrap() = Some(request.header.version);
            let response = respond(&request, |item| match item.payload {
                RequestPayload::DiscoverVersions(_) => {
                    answer().map(|versions| discover_versions::Response { versions }.into())
                }
                _ => good(item),
            });
            send(&mut tls, &response);
        }
    });
    world.session(&[server.address], options).locate(&Attributes::new())?;
    let version = *seen.lock().unwrap();
    Ok(version.unwrap())
}

#[test]
fn the_newest_common_version_is_spoken() {
    use ProtocolVersion as V;
    let to = Options::default();
    assert_eq!(spoken(|| Ok(vec![V::V1_1, V::V1_3, V::V2_1]), to).unwrap(), V::V1_3);
    assert_eq!(spoken(|| Ok(vec![V::V1_4, V::V1_0]), to).unwrap(), V::V1_4);
    let up_to_1_1 = Options { newest_version: V::V1_1, ..to };
    assert_eq!(spoken(|| Ok(vec![V::V1_4, V::V1_1, V::V1_0]), up_to_1_1).unwrap(), V::V1_1);
}

#[test]
fn a_server_that_does_not_know_the_question_is_one_of_1_0() {
    let refused = |reason| move || Err(Failure::new(reason, "what?"));
    for reason in [ResultReason::OperationNotSupported, ResultReason::InvalidMessage] {
        assert_eq!(spoken(refused(reason), Options::default()).unwrap(), ProtocolVersion::V1_0);
    }
}

#[test]
fn a_server_without_a_common_version_is_named_with_its_versions() {
    let error =
        spoken(|| Ok(vec![ProtocolVersion::V2_0, ProtocolVersion::V2_1]), Options::default()).unwrap_err();
    let Error::NoServer { failures } = error else { panic!("{error}") };
    assert_eq!(
        failures[0].cause,
        Cause::NoCommonVersion { offered: vec![ProtocolVersion::V2_0, ProtocolVersion::V2_1] }
    );
}

#[test]
fn a_server_that_does_not_know_us_is_told_from_one_that_is_old() {
    let unknown = || Err(Failure::new(ResultReason::AuthenticationNotSuccessful, "who?"));
    let error = spoken(unknown, Options::default()).unwrap_err();
    let Error::NoServer { failures } = error else { panic!("{error}") };
    assert!(matches!(failures[0].cause, Cause::IdentityRefused(_)), "{}", failures[0]);
}

#[test]
fn an_answer_in_another_version_is_not_believed() {
    let world = World::new();
    let config = world.tls();
    let server = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        while let Some(request) = receive(&mut tls) {
            let mut response = respond(&request, good);
            if !matches!(request.items[0].payload, RequestPayload::DiscoverVersions(_)) {
                response.header.version = ProtocolVersion::V1_2;
            }
            send(&mut tls, &response);
        }
    });
    let error = world.session(&[server.address], Options::default()).locate(&Attributes::new()).unwrap_err();
    let Error::NoServer { failures } = error else { panic!("{error}") };
    let fault = AnswerFault::Version { asked: ProtocolVersion::V1_4, got: ProtocolVersion::V1_2 };
    assert_eq!(failures[0].cause, Cause::Answer(Box::new(fault)));
}

#[test]
fn an_answer_to_another_operation_is_not_believed() {
    let world = World::new();
    let config = world.tls();
    let server = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        let Some(discover) = receive(&mut tls) else { return };
        let answer = respond(&discover, |_| unscripted());
        send(&mut tls, &answer);
        while receive(&mut tls).is_some() {
            let mut answer = respond(&discover, |_| unscripted());
            answer.header.version = ProtocolVersion::V1_4;
            send(&mut tls, &answer);
        }
    });
    let error = world.session(&[server.address], Options::default()).locate(&Attributes::new()).unwrap_err();
    let Error::NoServer { failures } = error else { panic!("{error}") };
    assert!(
        matches!(&failures[0].cause, Cause::Answer(fault) if matches!(**fault, AnswerFault::Operation(_))),
        "{}",
        failures[0]
    );
}

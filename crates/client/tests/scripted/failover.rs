//! The list of servers: who is tried, in which order, and what is never repeated.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use strongroom_client::error::{Cause, Step};
use strongroom_client::session::AnswerFault;
use strongroom_client::{Error, Options};
use strongroom_kmip::Operation;
use strongroom_kmip::attribute::Attributes;
use strongroom_kmip::message::RequestPayload;
use strongroom_testkit::port::Port;

use crate::server::{Scripted, World, accept, good, receive, respond, send, serve};

/// Answers Discover Versions, and lets `fault` do something about the next request.
fn faulty(world: &World, fault: impl Fn(&mut crate::server::Tls) + Send + Sync + 'static) -> Scripted {
    let config = world.tls();
    serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        let Some(discover) = receive(&mut tls) else { return };
        send(&mut tls, &respond(&discover, good));
        if receive(&mut tls).is_some() {
            fault(&mut tls);
        }
    })
}

/// Sixteen bytes of something else.
fn garbage(tls: &mut crate::server::Tls) {
    let _ = tls.write_all(b"this is not KMIP").and_then(|()| tls.flush());
    let _ = receive_nothing(tls);
}

fn receive_nothing(tls: &mut crate::server::Tls) -> std::io::Result<u64> {
    std::io::copy(tls, &mut std::io::sink())
}

#[test]
fn a_read_goes_on_to_the_next_server_and_remembers_it() {
    let world = World::new();
    let (away, dead) = (Port::reserve(), faulty(&world, |_| {}));
    let (babbling, fine) = (faulty(&world, garbage), world.kmip(good));
    let servers = [away.address(), dead.address, babbling.address, fine.address];
    let session = world.session(&servers, Options::default());
    assert!(session.locate(&Attributes::new()).unwrap().is_empty());
    assert_eq!(session.server().unwrap().to_string(), fine.address.to_string());
    for _ in 0..3 {
        session.locate(&Attributes::new()).unwrap();
    }
    assert_eq!((dead.connections(), babbling.connections(), fine.connections()), (1, 1, 1));
}

#[test]
fn a_change_whose_answer_is_lost_or_garbled_is_not_repeated() {
    let world = World::new();
    let standby = world.kmip(good);
    for server in [faulty(&world, |_| {}), faulty(&world, garbage)] {
        let session = world.session(&[server.address, standby.address], Options::default());
        match session.create(&Attributes::new()).unwrap_err() {
            Error::OutcomeUnknown { operation: Operation::Create, failure } => {
                assert_eq!(failure.server.to_string(), server.address.to_string());
                assert_eq!(failure.step, Step::Kmip);
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(standby.connections(), 0);
}

#[test]
fn a_change_goes_to_the_standby_while_nothing_has_been_sent() {
    let world = World::new();
    let (away, fine) = (Port::reserve(), world.kmip(good));
    let session = world.session(&[away.address(), fine.address], Options::default());
    assert_eq!(session.create(&Attributes::new()).unwrap(), "made");
}

/// The server ends each connection once it has answered, as after an idle time. A change must not be lost in such a connection.
#[test]
fn a_connection_that_the_server_has_ended_is_not_used_again() {
    let world = World::new();
    let config = world.tls();
    let polite = Arc::new(AtomicBool::new(true));
    let (politely, ended) = (Arc::clone(&polite), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&ended);
    let server = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        while let Some(request) = receive(&mut tls) {
            send(&mut tls, &respond(&request, good));
            if matches!(request.items[0].payload, RequestPayload::Create(_)) {
                if politely.load(Ordering::SeqCst) {
                    tls.conn.send_close_notify();
                    let _ = tls.flush();
                }
                break;
            }
        }
        drop(tls);
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let session = world.session(&[server.address], Options::default());
    for round in 1..=6 {
        polite.store(round % 2 == 0, Ordering::SeqCst);
        assert_eq!(session.create(&Attributes::new()).unwrap(), "made");
        while ended.load(Ordering::SeqCst) < round {
            std::thread::yield_now();
        }
    }
    assert_eq!(server.connections(), 6);
}

#[test]
fn an_endpoint_without_servers_is_an_error_and_no_panic() {
    let world = World::new();
    let mut endpoint = world.endpoint(&[Port::reserve().address()]);
    endpoint.servers.clear();
    let session = strongroom_client::Session::new(&endpoint, Options::default()).unwrap();
    assert!(session.server().is_none());
    assert!(
        matches!(session.locate(&Attributes::new()), Err(Error::NoServer { failures }) if failures.is_empty())
    );
}

#[test]
fn what_was_wrong_with_every_server_is_told() {
    let world = World::new();
    let (away, babbling) = (Port::reserve(), faulty(&world, garbage));
    let session = world.session(&[away.address(), babbling.address], Options::default());
    let error = session.locate(&Attributes::new()).unwrap_err();
    let text = error.to_string();
    let Error::NoServer { failures } = error else { panic!("{error}") };
    assert_eq!(failures.len(), 2);
    assert_eq!((failures[0].step, &failures[0].cause), (Step::Tcp, &Cause::Refused));
    assert!(
        matches!(&failures[1].cause, Cause::Answer(fault) if matches!(**fault, AnswerFault::Malformed(_)))
    );
    assert!(text.contains(&away.address().to_string()) && text.contains("connection refused"), "{text}");
}

#[test]
fn threads_share_a_session_without_waiting_for_one_another() {
    let world = World::new();
    let together = Arc::new(std::sync::Barrier::new(3));
    let server = world.kmip(move |item| {
        if matches!(item.payload, RequestPayload::Locate(_)) {
            // Passes only when three requests are in the server's hands at the same moment.
            together.wait();
        }
        good(item)
    });
    let session = world.session(&[server.address], Options::default());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| session.locate(&Attributes::new()).unwrap());
        }
    });
    assert_eq!(server.connections(), 3);
}

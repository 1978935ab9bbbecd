//! Servers that are slow on purpose: refused, silent, dripping. Each within the time that was given.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use strongroom_client::error::{Cause, Step};
use strongroom_client::{Error, Options, ServerFailure};
use strongroom_kmip::Operation;
use strongroom_kmip::attribute::Attributes;
use strongroom_kmip::message::RequestPayload;
use strongroom_testkit::port::Port;

use crate::server::{World, accept, encode, good, located, not_found, receive, respond, serve, unscripted};

/// A second for each server, two for all.
fn hasty() -> Options {
    Options { per_server: Duration::from_secs(1), total: Duration::from_secs(2), ..Options::default() }
}

fn failures(error: Error) -> Vec<(Step, Cause)> {
    match error {
        Error::NoServer { failures } => {
            failures.into_iter().map(|ServerFailure { step, cause, .. }| (step, cause)).collect()
        }
        other => panic!("{other}"),
    }
}

/// The failures of a Locate, which must come within the time that `hasty` allows, give or take a slow machine.
fn locate_fails(world: &World, servers: &[std::net::SocketAddr]) -> Vec<(Step, Cause)> {
    let session = world.session(servers, hasty());
    let began = Instant::now();
    let failures = failures(session.locate(&Attributes::new()).unwrap_err());
    assert!(began.elapsed() < Duration::from_millis(3_500), "took {:?}", began.elapsed());
    failures
}

fn timed_out(step: Step, failures: &[(Step, Cause)]) -> bool {
    matches!(failures, [(at, Cause::TimedOut(_))] if *at == step)
}

#[test]
fn nobody_listens() {
    let port = Port::reserve();
    assert_eq!(locate_fails(&World::new(), &[port.address()]), [(Step::Tcp, Cause::Refused)]);
}

#[test]
fn a_server_that_never_shakes_hands() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let failures = locate_fails(&World::new(), &[listener.local_addr().unwrap()]);
    assert!(timed_out(Step::Tls, &failures), "{failures:?}");
}

#[test]
fn a_server_that_never_answers() {
    let world = World::new();
    let config = world.tls();
    let server = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        while receive(&mut tls).is_some() {}
    });
    let failures = locate_fails(&world, &[server.address]);
    assert!(timed_out(Step::Kmip, &failures), "{failures:?}");
}

/// One byte in a tenth of a second keeps every single read short of its time-out.
#[test]
fn a_server_that_drips_its_handshake() {
    let server = serve(|mut tcp| {
        // The head of a handshake record of 16 KiB, and then its bytes one by one.
        let head = [0x16, 0x03, 0x03, 0x40, 0x00, 0x02, 0x00, 0x3f, 0xfc];
        for byte in head.into_iter().chain(std::iter::repeat(0)) {
            if tcp.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let failures = locate_fails(&World::new(), &[server.address]);
    assert!(timed_out(Step::Tls, &failures), "{failures:?}");
}

#[test]
fn a_server_that_drips_its_answer() {
    let world = World::new();
    let config = world.tls();
    let server = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        let Some(request) = receive(&mut tls) else { return };
        for byte in encode(&respond(&request, good)) {
            if tls.write_all(&[byte]).and_then(|()| tls.flush()).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let failures = locate_fails(&world, &[server.address]);
    assert!(timed_out(Step::Kmip, &failures), "{failures:?}");
}

/// A list that never ends, a page every tenth of a second: each answer is in time, and all together are not.
#[test]
fn a_server_that_drips_its_pages() {
    let pages = AtomicUsize::new(0);
    let world = World::new();
    let server = world.kmip(move |item| match item.payload {
        RequestPayload::Locate(_) => {
            std::thread::sleep(Duration::from_millis(100));
            Ok(located(&[&pages.fetch_add(1, Ordering::SeqCst).to_string()]))
        }
        _ => unscripted(),
    });
    let failures = locate_fails(&world, &[server.address]);
    assert!(matches!(failures[..], [(_, Cause::TimedOut(_) | Cause::NotTried)]), "{failures:?}");
}

/// The same with batches of answers.
#[test]
fn a_server_that_drips_its_batches() {
    let world = World::new();
    let server = world.kmip(|item| match item.payload {
        RequestPayload::Get(_) => {
            std::thread::sleep(Duration::from_millis(10));
            not_found()
        }
        _ => unscripted(),
    });
    let session = world.session(&[server.address], hasty());
    let ids: Vec<String> = (0..1_000).map(|id: i32| id.to_string()).collect();
    let began = Instant::now();
    let failures = failures(session.get_many(&ids).unwrap_err());
    assert!(began.elapsed() < Duration::from_millis(3_500), "took {:?}", began.elapsed());
    assert!(matches!(failures[..], [(_, Cause::TimedOut(_) | Cause::NotTried)]), "{failures:?}");
}

#[test]
fn calls_made_together_have_the_time_of_one_and_the_next_has_its_own() {
    let world = World::new();
    let server = world.kmip(|item| match item.payload {
        RequestPayload::Get(_) => {
            std::thread::sleep(Duration::from_millis(100));
            not_found()
        }
        _ => unscripted(),
    });
    let session = world.session(&[server.address], hasty());
    let began = Instant::now();
    let error = session.together(|session| {
        loop {
            if let Err(error) = session.get("absent") {
                return error;
            }
        }
    });
    assert!(began.elapsed() < Duration::from_millis(3_500), "took {:?}", began.elapsed());
    assert_eq!(failures(error).len(), 1);
    assert!(session.get("absent").unwrap().is_none());
}

#[test]
fn a_change_is_not_begun_when_the_calls_before_it_have_used_up_the_time() {
    let world = World::new();
    let changes = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&changes);
    let server = world.kmip(move |item| match item.payload {
        RequestPayload::Get(_) => {
            std::thread::sleep(Duration::from_millis(100));
            not_found()
        }
        RequestPayload::Create(_) => {
            seen.fetch_add(1, Ordering::SeqCst);
            good(item)
        }
        _ => unscripted(),
    });
    let options =
        Options { per_server: Duration::from_secs(2), total: Duration::from_secs(2), ..Options::default() };
    let session = world.session(&[server.address], options);
    session.together(|session| {
        // Some time is left, but on a slow machine: less than the quarter of a server's that a change needs.
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(1_600) && session.get("absent").is_ok() {}
        let refused = failures(session.create(&Attributes::new()).unwrap_err());
        assert_eq!(refused, [(Step::Name, Cause::NotTried)]);
        assert_eq!(changes.load(Ordering::SeqCst), 0);
        // What must not stay as it is has its own time.
        session.apart(|session| session.create(&Attributes::new())).unwrap();
        assert_eq!(changes.load(Ordering::SeqCst), 1);
    });
    session.create(&Attributes::new()).unwrap();
    assert_eq!(changes.load(Ordering::SeqCst), 2);
}

#[test]
fn a_list_of_silent_servers_takes_no_longer_than_the_list_may() {
    let listeners: Vec<_> = (0..5).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let servers: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let failures = locate_fails(&World::new(), &servers);
    assert_eq!(failures.len(), 5);
    assert!(matches!(failures[0], (Step::Tls, Cause::TimedOut(_))), "{failures:?}");
    assert_eq!(failures[4], (Step::Name, Cause::NotTried));
}

#[test]
fn a_change_whose_answer_does_not_come_in_time_has_an_unknown_outcome() {
    let world = World::new();
    let config = world.tls();
    let silent = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        let Some(discover) = receive(&mut tls) else { return };
        crate::server::send(&mut tls, &respond(&discover, good));
        while receive(&mut tls).is_some() {}
    });
    let standby = world.kmip(good);
    let session = world.session(&[silent.address, standby.address], hasty());
    match session.create(&Attributes::new()).unwrap_err() {
        Error::OutcomeUnknown { operation: Operation::Create, failure } => {
            assert!(matches!(failure.cause, Cause::TimedOut(_)), "{failure}");
        }
        other => panic!("{other}"),
    }
    assert_eq!(standby.connections(), 0);
}

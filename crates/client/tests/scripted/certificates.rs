//! Both certificates, and what is said about them.

use std::io::Write;

use strongroom_client::connect::{ServerTrust, TlsConfigError};
use strongroom_client::error::{Cause, CertificateFault, Step};
use strongroom_client::probe::{ProbeStep, probe};
use strongroom_client::{Error, Options, Session};
use strongroom_kmip::attribute::Attributes;
use strongroom_testkit::certificates::{Authority, Issued, Validity};

use crate::server::{World, accept, endpoint, good, receive, respond, send, serve, tls};

/// What becomes of a Locate when the server shows this certificate and the client this one.
fn outcome(world: &World, server: &Issued, client: &Issued, options: Options) -> Result<(), (Step, Cause)> {
    let config = tls(server, &world.authority);
    let server = serve(move |tcp| {
        let Some(mut tls) = accept(&config, tcp) else { return };
        while let Some(request) = receive(&mut tls) {
            send(&mut tls, &respond(&request, good));
        }
    });
    let endpoint = endpoint(&[server.address], &world.authority.certificate(), client);
    match Session::new(&endpoint, options).unwrap().locate(&Attributes::new()) {
        Ok(_) => Ok(()),
        Err(Error::NoServer { mut failures }) => {
            let failure = failures.pop().unwrap();
            Err((failure.step, failure.cause))
        }
        Err(other) => panic!("{other}"),
    }
}

fn server_fault(world: &World, server: &Issued) -> CertificateFault {
    match outcome(world, server, &world.client, Options::default()) {
        Err((Step::Tls, Cause::ServerCertificate(fault))) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_fault_of_the_servers_certificate_has_its_name() {
    let world = World::new();
    let names = ["127.0.0.1"];
    assert_eq!(outcome(&world, &world.server, &world.client, Options::default()), Ok(()));
    let expired = world.authority.server(&names, Validity::Expired);
    assert!(matches!(server_fault(&world, &expired), CertificateFault::Expired { not_after: Some(_) }));
    let future = world.authority.server(&names, Validity::NotYet);
    assert!(matches!(server_fault(&world, &future), CertificateFault::NotYetValid { not_before: Some(_) }));
    let foreign = Authority::new("another").server(&names, Validity::Now);
    assert_eq!(server_fault(&world, &foreign), CertificateFault::UnknownIssuer);
    // The same name is no help: the signature counts.
    let forged = Authority::new("scripted").server(&names, Validity::Now);
    assert_eq!(server_fault(&world, &forged), CertificateFault::UnknownIssuer);
    let other = world.authority.server(&["vault.example", "10.1.1.1"], Validity::Now);
    assert!(
        matches!(server_fault(&world, &other), CertificateFault::WrongName { presented } if presented.len() == 2)
    );
    let nameless = world.authority.server(&[], Validity::Now);
    assert_eq!(server_fault(&world, &nameless), CertificateFault::WrongName { presented: vec![] });
    let client = world.authority.client("not a server", Validity::Now);
    assert_eq!(server_fault(&world, &client), CertificateFault::WrongPurpose);
}

#[test]
fn trust_in_the_authority_alone_takes_a_certificate_without_a_name_and_nothing_else() {
    let world = World::new();
    let options = Options { trust: ServerTrust::AuthorityAlone, ..Options::default() };
    let with = |server: &Issued| outcome(&world, server, &world.client, options);
    assert_eq!(with(&world.authority.server(&[], Validity::Now)), Ok(()));
    assert_eq!(with(&world.authority.server(&["vault.example"], Validity::Now)), Ok(()));
    let fault = |server| match with(&server) {
        Err((Step::Tls, Cause::ServerCertificate(fault))) => fault,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        fault(world.authority.server(&[], Validity::Expired)),
        CertificateFault::Expired { .. }
    ));
    assert_eq!(fault(Authority::new("another").server(&[], Validity::Now)), CertificateFault::UnknownIssuer);
    assert_eq!(fault(world.authority.client("client", Validity::Now)), CertificateFault::WrongPurpose);
}

#[test]
fn a_server_that_refuses_our_certificate_is_told_from_one_that_is_away() {
    let world = World::new();
    for client in [
        world.authority.client("expired", Validity::Expired),
        Authority::new("another").client("foreign", Validity::Now),
    ] {
        match outcome(&world, &world.server, &client, Options::default()) {
            Err((Step::Tls, Cause::OurCertificateRefused(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_key_that_is_not_the_certificates_is_found_before_anything_is_sent() {
    let world = World::new();
    let other = world.authority.client("other", Validity::Now);
    let mixed = Issued { certificate: world.client.certificate.clone(), key: other.key };
    let endpoint = endpoint(&["127.0.0.1:1".parse().unwrap()], &world.authority.certificate(), &mixed);
    assert_eq!(Session::new(&endpoint, Options::default()).err(), Some(TlsConfigError::KeyMismatch));
}

#[test]
fn something_that_is_not_tls_is_named_so() {
    let server = serve(|mut tcp| {
        let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        // Until the client is gone, so that what was written is not lost in a reset.
        let _ = std::io::copy(&mut tcp, &mut std::io::sink());
    });
    let world = World::new();
    let error = world.session(&[server.address], Options::default()).locate(&Attributes::new()).unwrap_err();
    let Error::NoServer { failures } = error else { panic!("{error}") };
    assert_eq!((failures[0].step, &failures[0].cause), (Step::Tls, &Cause::NotTls));
}

#[test]
fn the_connection_test_judges_every_step_of_every_server() {
    let world = World::new();
    let fine = world.kmip(good);
    let expired = world.authority.server(&["127.0.0.1"], Validity::Expired);
    let config = tls(&expired, &world.authority);
    let stale = serve(move |tcp| {
        let _ = accept(&config, tcp);
    });
    let away = strongroom_testkit::port::Port::reserve();
    let endpoint = world.endpoint(&[fine.address, stale.address, away.address()]);
    let reports = probe(&endpoint, &Options::default()).unwrap();
    let steps = |i: usize| -> Vec<_> {
        reports[i].steps.iter().map(|step| (step.step, step.result.is_ok())).collect()
    };
    use ProbeStep::{Identity, Name, Tcp, Tls, Versions};
    assert_eq!(steps(0), [(Name, true), (Tcp, true), (Tls, true), (Versions, true), (Identity, true)]);
    assert!(reports[0].passed());
    let facts = reports[0].tls.as_ref().unwrap();
    assert_eq!((facts.protocol.as_str(), facts.subject.as_str()), ("TLSv1.3", "CN=server"));
    assert_eq!(facts.names, ["localhost", "127.0.0.1"]);
    assert!(facts.not_after > 4_000_000_000, "{}", facts.not_after);
    assert_eq!(reports[0].versions.len(), 4);
    assert_eq!(steps(1), [(Name, true), (Tcp, true), (Tls, false)]);
    assert_eq!(steps(2), [(Name, true), (Tcp, false)]);
    assert!(!reports[1].passed() && !reports[2].passed());

    // A certificate that the server does not take shows with the first answer.
    let unknown = Authority::new("another").client("unknown", Validity::Now);
    let endpoint = crate::server::endpoint(&[fine.address], &world.authority.certificate(), &unknown);
    let report = probe(&endpoint, &Options::default()).unwrap().remove(0);
    let last = report.steps.last().unwrap();
    assert_eq!(last.step, Versions);
    assert!(matches!(last.result, Err(Cause::OurCertificateRefused(_))), "{last:?}");
}

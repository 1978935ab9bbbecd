//! The connection test behind `strongroom ping`: each server of the list, step by step, timed and judged.

use std::time::{Duration, Instant};

use strongroom_kmip::ProtocolVersion;
use strongroom_kmip::message::RequestMessage;
use strongroom_kmip::operation::locate;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::address::ServerAddress;
use crate::connect::{self, Deadline, Stream, TlsConfigError};
use crate::endpoint_dir::Endpoint;
use crate::error::Cause;
use crate::session::{Options, discover, exchange};

/// What is tested, in this order. A step that fails ends the test of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeStep {
    /// The host name has an address.
    Name,
    /// The address takes a TCP connection.
    Tcp,
    /// The server's certificate is good, and TLS is agreed on.
    Tls,
    /// The server accepts our certificate and answers KMIP.
    Versions,
    /// The server lets us look for our objects.
    Identity,
}

/// One step's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepReport {
    /// The step.
    pub step: ProbeStep,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub result: Result<(), Cause>,
}

/// What a handshake showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The TLS version, such as `TLSv1.3`.
    pub protocol: String,
    /// The cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The server certificate's subject.
    pub subject: String,
    /// The names and addresses in its Subject Alternative Name.
    pub names: Vec<String>,
    /// When it expires, in seconds since the epoch.
    pub not_after: i64,
}

/// One server's test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReport {
    /// The server.
    pub server: ServerAddress,
    /// The steps that were made, in order; only the last can have failed.
    pub steps: Vec<StepReport>,
    /// The addresses of its name.
    pub addresses: Vec<std::net::SocketAddr>,
    /// What the handshake showed, where it came to one.
    pub tls: Option<TlsFacts>,
    /// The KMIP versions that the server named; empty where it does not know Discover Versions.
    pub versions: Vec<ProtocolVersion>,
    /// The version that a session would speak.
    pub chosen: Option<ProtocolVersion>,
}

impl ServerReport {
    /// Whether every step was made and held.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.steps.last().is_some_and(|last| last.step == ProbeStep::Identity && last.result.is_ok())
    }
}

/// Tests every server of the endpoint, one after the other. Each has [`Options::per_server`] for all of its steps.
///
/// # Errors
/// [`TlsConfigError`] when the endpoint's certificates and key do not go together; nothing is tested then.
pub fn probe(endpoint: &Endpoint, options: &Options) -> Result<Vec<ServerReport>, TlsConfigError> {
    let tls = connect::configure(endpoint, options.trust)?;
    Ok(endpoint
        .servers
        .iter()
        .map(|server| {
            let mut report = ServerReport {
                server: server.clone(),
                steps: vec![],
                addresses: vec![],
                tls: None,
                versions: vec![],
                chosen: None,
            };
            // What failed is in the report.
            let _ = steps(&mut report, &tls, options);
            report
        })
        .collect())
}

fn steps(
    report: &mut ServerReport,
    tls: &std::sync::Arc<rustls::ClientConfig>,
    options: &Options,
) -> Result<(), StepFailed> {
    let deadline = Deadline::after(options.per_server);
    let server = report.server.clone();
    let mut timed = Timed { report, since: Instant::now() };
    let addresses = timed.step(ProbeStep::Name, connect::resolve(&server, options.resolution, deadline))?;
    timed.report.addresses.clone_from(&addresses);
    let tcp = timed.step(ProbeStep::Tcp, connect::open_tcp(&addresses, deadline))?;
    let mut stream = timed.step(ProbeStep::Tls, Stream::handshake(tcp, tls, &server, deadline))?;
    timed.report.tls = facts(&stream);
    let verdict = discover(&mut stream, options.newest_version, &options.limits, deadline);
    let verdict = timed.step(ProbeStep::Versions, verdict.map_err(|(_, cause)| cause))?;
    timed.report.versions = verdict.offered;
    timed.report.chosen = Some(verdict.chosen);
    let one = locate::Request { maximum_items: Some(1), ..locate::Request::default() };
    let request = RequestMessage::single(verdict.chosen, one);
    let answer = exchange(&mut stream, &request, &options.limits, deadline).map_err(|(_, cause)| cause);
    let answer =
        answer.and_then(|response| match response.items.into_iter().next().map(|item| item.result) {
            Some(Err(failure)) => Err(Cause::IdentityRefused(failure)),
            _ => Ok(()),
        });
    timed.step(ProbeStep::Identity, answer)
}

/// A step failed; the report says how.
struct StepFailed;

struct Timed<'a> {
    report: &'a mut ServerReport,
    since: Instant,
}

impl Timed<'_> {
    fn step<T>(&mut self, step: ProbeStep, result: Result<T, Cause>) -> Result<T, StepFailed> {
        let took = self.since.elapsed();
        self.since = Instant::now();
        let (result, value) = match result {
            Ok(value) => (Ok(()), Ok(value)),
            Err(cause) => (Err(cause), Err(StepFailed)),
        };
        self.report.steps.push(StepReport { step, took, result });
        value
    }
}

fn facts(stream: &Stream) -> Option<TlsFacts> {
    let (protocol, cipher) = stream.parameters();
    let (_, certificate) = X509Certificate::from_der(stream.peer_certificate()?).ok()?;
    Some(TlsFacts {
        protocol,
        cipher,
        subject: certificate.subject().to_string(),
        names: names(&certificate),
        not_after: certificate.validity().not_after.timestamp(),
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return vec![] };
    extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes)
                    .ok()
                    .map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
                _ => <[u8; 16]>::try_from(*bytes)
                    .ok()
                    .map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
            },
            _ => None,
        })
        .collect()
}

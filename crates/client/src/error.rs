//! Why a call failed: which server, which step, what happened and what to do.

use std::fmt;
use std::io;
use std::time::Duration;

use strongroom_kmip::{EncodeError, Failure, Operation, ProtocolVersion};

use crate::address::ServerAddress;
use crate::connect::TlsConfigError;
use crate::session::AnswerFault;

/// Why a call gave no result. "There is no such object" is not among these: it is an answer, and calls return it as a value.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No server of the list could be used. What became of each, in the order they were tried.
    NoServer {
        /// One entry for each server of the list.
        failures: Vec<ServerFailure>,
    },
    /// The server answered, and refused.
    Refused {
        /// The server.
        server: ServerAddress,
        /// What was asked of it.
        operation: Operation,
        /// Why, in its words.
        failure: Failure,
    },
    /// A change was sent and its answer was lost: it may have been made. Look before doing anything about it.
    OutcomeUnknown {
        /// The change.
        operation: Operation,
        /// How the answer was lost.
        failure: ServerFailure,
    },
    /// The answer does not fit the question.
    Answer {
        /// The server.
        server: ServerAddress,
        /// What was asked of it.
        operation: Operation,
        /// What is wrong with the answer.
        fault: AnswerFault,
    },
    /// The request cannot be written in the version that the server speaks.
    Request {
        /// What was to be asked.
        operation: Operation,
        /// What that version lacks.
        fault: EncodeError,
    },
    /// The endpoint's certificates and key make no TLS configuration.
    TlsConfig(TlsConfigError),
}

impl Error {
    /// Whether nobody answered at all: every server of the list is away. A server that ends the connection, that is not trusted, that
    /// does not trust us or that says anything has answered.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::NoServer { failures } => {
                !failures.is_empty() && failures.iter().all(ServerFailure::is_silence)
            }
            _ => false,
        }
    }
}

/// What became of one server of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFailure {
    /// The server.
    pub server: ServerAddress,
    /// How far the attempt came.
    pub step: Step,
    /// What happened there.
    pub cause: Cause,
}

impl ServerFailure {
    /// Whether the server gave no sign of life.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match &self.cause {
            Cause::TimedOut(_)
            | Cause::NotTried
            | Cause::NameNotFound
            | Cause::NameFailed(_)
            | Cause::NameNeedsResolver
            | Cause::Refused
            | Cause::Unreachable => true,
            // Once there is a connection, somebody has ended it.
            Cause::Closed | Cause::Io(_) => self.step <= Step::Tcp,
            _ => false,
        }
    }
}

/// The steps of reaching a server, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Finding the addresses of a host name.
    Name,
    /// Opening a TCP connection.
    Tcp,
    /// The TLS handshake, and with it both certificates.
    Tls,
    /// Exchanging KMIP messages.
    Kmip,
}

/// What happened at a [`Step`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The time for the attempt ran out. Holds the time that was allowed.
    TimedOut(Duration),
    /// The list's time was used up before, by other servers or by the calls made together with this one, so it was not tried.
    NotTried,
    /// No address belongs to the host name.
    NameNotFound,
    /// The resolver failed, in its words.
    NameFailed(String),
    /// The host name is not in the hosts file, and this process may ask no other resolver
    /// (see [`Resolution`](crate::connect::Resolution)).
    NameNeedsResolver,
    /// Nobody listens at the address.
    Refused,
    /// The network has no way to the address.
    Unreachable,
    /// The other side ended the connection.
    Closed,
    /// Another error of the operating system.
    Io(IoFault),
    /// What answers there does not speak TLS.
    NotTls,
    /// The two sides share no TLS version, cipher suite or signature scheme.
    NoCommonTls(String),
    /// The server's certificate is not good enough.
    ServerCertificate(CertificateFault),
    /// The server does not accept our certificate. Holds the alert's name (RFC 8446 §6).
    OurCertificateRefused(String),
    /// Another fault of the TLS session.
    Tls(String),
    /// The two sides share no KMIP version. Holds those that the server named.
    NoCommonVersion {
        /// The server's versions.
        offered: Vec<ProtocolVersion>,
    },
    /// The server took our certificate, and says that we are nobody it knows, or may not look at anything.
    IdentityRefused(Failure),
    /// The answer is no KMIP, or not to the question.
    Answer(Box<AnswerFault>),
    /// The request cannot be written in the version that the server speaks.
    Request(EncodeError),
}

/// What is wrong with the server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// Its time is over. Seconds since the epoch at which it ended, where known.
    Expired {
        /// Not After, in seconds since the epoch.
        not_after: Option<u64>,
    },
    /// Its time has not begun. Seconds since the epoch at which it will, where known.
    NotYetValid {
        /// Not Before, in seconds since the epoch.
        not_before: Option<u64>,
    },
    /// It was not issued by the certificate authority in `CA.pem`.
    UnknownIssuer,
    /// It was issued for other names. Those it carries: none at all in certificates without a SAN.
    WrongName {
        /// The names and addresses in its Subject Alternative Name.
        presented: Vec<String>,
    },
    /// It is not meant for servers (Extended Key Usage).
    WrongPurpose,
    /// Anything else, in the words of the TLS library.
    Unacceptable(String),
}

/// An error of the operating system, kept as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoFault {
    /// What kind of error it is.
    pub kind: io::ErrorKind,
    /// `errno`, where the error came from a system call.
    pub errno: Option<i32>,
}

impl From<&io::Error> for IoFault {
    fn from(error: &io::Error) -> Self {
        Self { kind: error.kind(), errno: error.raw_os_error() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer { failures } if failures.is_empty() => {
                f.write_str("the endpoint names no server; write SERVER=host:port into okvclient.ora")
            }
            Self::NoServer { failures } => {
                for (i, failure) in failures.iter().enumerate() {
                    if i > 0 {
                        f.write_str("; ")?;
                    }
                    failure.fmt(f)?;
                }
                Ok(())
            }
            Self::Refused { server, operation, failure } => {
                write!(f, "{server}: {operation} was refused: {failure}")
            }
            Self::OutcomeUnknown { operation, failure } => write!(
                f,
                "{operation} was sent and its answer was lost, so it may or may not have been done ({failure})"
            ),
            Self::Answer { server, operation, fault } => write!(f, "{server}: {operation}: {fault}"),
            Self::Request { operation, fault } => {
                write!(f, "{operation} cannot be asked of this server: {fault}")
            }
            Self::TlsConfig(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused { failure, .. } => Some(failure),
            Self::OutcomeUnknown { failure, .. } => Some(failure),
            Self::Request { fault, .. } => Some(fault),
            Self::TlsConfig(fault) => Some(fault),
            Self::NoServer { .. } | Self::Answer { .. } => None,
        }
    }
}

impl fmt::Display for ServerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.server, self.step, self.cause)
    }
}

impl std::error::Error for ServerFailure {}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Kmip => "KMIP",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(allowed) => write!(
                f,
                "no answer within {:.1} s; check that the server is up and that no firewall drops the packets",
                allowed.as_secs_f64()
            ),
            Self::NotTried => f.write_str(
                "not tried, because the time for the whole list was used up before; raise the time or shorten the list",
            ),
            Self::NameNotFound => {
                f.write_str("the host name has no address; check its spelling and the resolver (getent hosts NAME)")
            }
            Self::NameFailed(detail) => {
                write!(f, "{detail}; check the host name's spelling and the resolver (getent hosts NAME)")
            }
            Self::NameNeedsResolver => f.write_str(
                "the host name is not in /etc/hosts, and a resolver cannot be asked from here; write the address, or add the name to /etc/hosts",
            ),
            Self::Refused => f.write_str(
                "connection refused: nobody listens there; check the port, and that the server runs and is unsealed",
            ),
            Self::Unreachable => f.write_str("the network has no route to it; check the address and the routing"),
            Self::Closed => f.write_str("the server ended the connection; its log says why"),
            Self::Io(fault) => fault.fmt(f),
            Self::NotTls => f.write_str("what answers there does not speak TLS; check the port"),
            Self::NoCommonTls(detail) => write!(
                f,
                "no TLS version or cipher suite in common ({detail}); TLS 1.2 with ECDHE and AES-GCM is the least that is spoken here"
            ),
            Self::ServerCertificate(fault) => fault.fmt(f),
            Self::OurCertificateRefused(alert) => write!(
                f,
                "the server refused our certificate ({alert}); check that ssl/cert.pem is not expired or revoked, or enrol this host again"
            ),
            Self::Tls(detail) => write!(f, "TLS failed: {detail}"),
            Self::NoCommonVersion { offered } => {
                f.write_str("no KMIP version in common (1.0 to 1.4 are spoken here, the server names")?;
                for version in offered {
                    write!(f, " {version}")?;
                }
                f.write_str(")")
            }
            Self::IdentityRefused(failure) => write!(
                f,
                "the server does not let this endpoint in ({failure}); check on the server that it is enrolled and not revoked"
            ),
            Self::Answer(fault) => fault.fmt(f),
            Self::Request(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { not_after: Some(at) } => {
                write!(f, "the server's certificate expired on {}; renew it on the server", utc_date(*at))
            }
            Self::Expired { not_after: None } => {
                f.write_str("the server's certificate expired; renew it on the server")
            }
            Self::NotYetValid { not_before: Some(at) } => write!(
                f,
                "the server's certificate is valid only from {}; check the clocks of both hosts",
                utc_date(*at)
            ),
            Self::NotYetValid { not_before: None } => {
                f.write_str("the server's certificate is not valid yet; check the clocks of both hosts")
            }
            Self::UnknownIssuer => f.write_str(
                "the server's certificate was not issued by the authority in ssl/CA.pem; check that this is the right server and the right CA.pem",
            ),
            Self::WrongName { presented } if presented.is_empty() => f.write_str(
                "the server's certificate carries no name (no SAN); reissue it with one, or trust any certificate of this CA explicitly",
            ),
            Self::WrongName { presented } => write!(
                f,
                "the server's certificate is for {}; connect by one of these names, or reissue it",
                presented.join(", ")
            ),
            Self::WrongPurpose => {
                f.write_str("the server's certificate is not for servers (Extended Key Usage); reissue it")
            }
            Self::Unacceptable(detail) => write!(f, "the server's certificate is not acceptable: {detail}"),
        }
    }
}

impl fmt::Display for IoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            Some(errno) => io::Error::from_raw_os_error(errno).fmt(f),
            None => io::Error::from(self.kind).fmt(f),
        }
    }
}

/// `2026-11-21`, from seconds since the epoch (proleptic Gregorian calendar, UTC).
fn utc_date(seconds: u64) -> String {
    // Days since 0000-03-01, so that the leap day is the last of its year.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_795_219_200, "2026-11-21"),
        ] {
            assert_eq!(utc_date(seconds), date);
        }
    }

    #[test]
    fn only_a_server_that_gives_no_sign_of_life_is_away() {
        let failure =
            |step, cause| ServerFailure { server: "vault.example:5696".parse().unwrap(), step, cause };
        let silent = [
            failure(Step::Name, Cause::NameNotFound),
            failure(Step::Tcp, Cause::Refused),
            failure(Step::Tcp, Cause::TimedOut(Duration::from_secs(1))),
            failure(Step::Kmip, Cause::TimedOut(Duration::from_secs(1))),
        ];
        let error = |failures: &[ServerFailure]| Error::NoServer { failures: failures.to_vec() };
        assert!(error(&silent).is_silence());
        assert!(!error(&[]).is_silence());
        for alive in [
            failure(Step::Tls, Cause::Closed),
            failure(Step::Tls, Cause::OurCertificateRefused("certificate_revoked".into())),
            failure(Step::Tls, Cause::ServerCertificate(CertificateFault::UnknownIssuer)),
            failure(
                Step::Kmip,
                Cause::IdentityRefused(Failure::new(
                    strongroom_kmip::types::ResultReason::NotAuthorised,
                    "no",
                )),
            ),
        ] {
            assert!(!error(std::slice::from_ref(&alive)).is_silence(), "{alive}");
            assert!(!error(&[silent[1].clone(), alive]).is_silence(), "one of two answers");
        }
    }

    #[test]
    fn a_failure_names_the_server_the_step_and_the_remedy() {
        let failure = ServerFailure {
            server: "vault.example:5696".parse().unwrap(),
            step: Step::Tls,
            cause: Cause::ServerCertificate(CertificateFault::Expired { not_after: Some(951_782_400) }),
        };
        assert_eq!(
            failure.to_string(),
            "vault.example:5696: TLS: the server's certificate expired on 2000-02-29; renew it on the server"
        );
    }
}

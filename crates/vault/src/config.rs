//! The configuration file: TOML, every field optional, unknown fields refused. Flags of the command override it.
//!
//! ```toml
//! kmip = "0.0.0.0:5696"
//! admin = "0.0.0.0:5697"
//! # What tokens and endpoint directories carry: this vault first, then its standbys.
//! advertise = ["vault1.example:5696", "vault2.example:5696"]
//! advertise_admin = ["vault1.example:5697"]
//!
//! [unseal]
//! passphrase_credential = "strongroom-passphrase"
//!
//! [enrolment]
//! token_ttl_s = 86400
//! certificate_days = 365
//!
//! [limits]
//! connections = 10000
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

use crate::listener::{Deadlines, ListenerLimits};

/// Where KMIP is served unless said otherwise: the port that IANA gave KMIP, on this machine only.
pub const KMIP_DEFAULT: &str = "127.0.0.1:5696";
/// Where enrolment and health are served unless said otherwise.
pub const ADMIN_DEFAULT: &str = "127.0.0.1:5697";
const TOKEN_TTL_DEFAULT_S: u32 = 24 * 60 * 60;
const CERTIFICATE_DAYS_DEFAULT: u32 = 365;
/// As long as the authority.
const CERTIFICATE_DAYS_MAX: u64 = 20 * 365;
/// More than any machine has file descriptors for.
const CONNECTIONS_MAX: u64 = 10_000_000;
/// From an ordinary request to what a record may hold.
const MESSAGE_BYTES: std::ops::RangeInclusive<u64> = 4096..=64 << 20;

/// The configuration file, or the flags of the command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port for KMIP.
    pub kmip: Option<String>,
    /// Address and port for enrolment and health.
    pub admin: Option<String>,
    /// KMIP addresses that tokens carry, `host` or `host:port`.
    pub advertise: Option<Vec<String>>,
    /// Enrolment addresses that tokens carry; the hosts of `advertise` with the admin port unless given.
    pub advertise_admin: Option<Vec<String>>,
    /// Threads that serve connections.
    pub workers: Option<usize>,
    /// Where the root key comes from at start.
    pub unseal: Unseal,
    /// Tokens and endpoint certificates.
    pub enrolment: EnrolmentConfig,
    /// What a peer may cost.
    pub limits: LimitsConfig,
}

/// Where the root key comes from at start. The first that is set is used; with none, a file slot that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unseal {
    /// The key file of a file slot.
    pub file_slot: Option<PathBuf>,
    /// An open file descriptor to read a passphrase from.
    pub passphrase_fd: Option<u32>,
    /// The name of a systemd credential that holds a passphrase (`LoadCredential=`, `$CREDENTIALS_DIRECTORY`).
    pub passphrase_credential: Option<String>,
}

/// Tokens and endpoint certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnrolmentConfig {
    /// Seconds that a token may be used for; a day unless given.
    pub token_ttl_s: Option<u32>,
    /// Days that an endpoint's certificate is valid; a year unless given.
    pub certificate_days: Option<u32>,
}

/// What a peer may cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// KMIP connections at a time.
    pub connections: Option<usize>,
    /// TLS handshakes at a time from one address (IPv6: one /64).
    pub handshakes_per_peer: Option<usize>,
    /// Bytes of a KMIP request.
    pub message_bytes: Option<usize>,
    /// From the connection to the end of the TLS handshake.
    pub handshake_timeout_ms: Option<u64>,
    /// Between two messages.
    pub idle_timeout_ms: Option<u64>,
    /// From the first byte of a message to the end of its header.
    pub header_timeout_ms: Option<u64>,
    /// From there to its end.
    pub body_timeout_ms: Option<u64>,
    /// For the peer to take a reply.
    pub reply_timeout_ms: Option<u64>,
}

/// The configuration file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, with the line where there is one.
    pub detail: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration file {} cannot be used: {}", self.path.display(), self.detail.trim_end())
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |detail: String| ConfigError { path: path.to_owned(), detail };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let config: Self = toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
        config.check().map_err(failed)?;
        Ok(config)
    }

    /// Values with which the vault would start and then serve nobody, or panic.
    fn check(&self) -> Result<(), String> {
        let within = |name: &str, given: Option<u64>, allowed: std::ops::RangeInclusive<u64>| match given {
            Some(given) if !allowed.contains(&given) => {
                Err(format!("{name} must be between {} and {}, not {given}", allowed.start(), allowed.end()))
            }
            _ => Ok(()),
        };
        let Self { enrolment, limits, .. } = self;
        let days = enrolment.certificate_days.map(u64::from);
        within("enrolment.certificate_days", days, 1..=CERTIFICATE_DAYS_MAX)?;
        let connections = limits.connections.map(|count| count as u64);
        within("limits.connections", connections, 1..=CONNECTIONS_MAX)?;
        let handshakes = limits.handshakes_per_peer.map(|count| count as u64);
        within("limits.handshakes_per_peer", handshakes, 1..=CONNECTIONS_MAX)?;
        let bytes = limits.message_bytes.map(|bytes| bytes as u64);
        within("limits.message_bytes", bytes, MESSAGE_BYTES)
    }

    /// This configuration, with what `flags` say where they say something.
    #[must_use]
    pub fn overridden_by(self, flags: Self) -> Self {
        // A way to unseal on the command line replaces the file's, whichever that is.
        let unseal = if flags.unseal == Unseal::default() { self.unseal } else { flags.unseal };
        Self {
            kmip: flags.kmip.or(self.kmip),
            admin: flags.admin.or(self.admin),
            advertise: flags.advertise.or(self.advertise),
            advertise_admin: flags.advertise_admin.or(self.advertise_admin),
            workers: flags.workers.or(self.workers),
            unseal,
            enrolment: EnrolmentConfig {
                token_ttl_s: flags.enrolment.token_ttl_s.or(self.enrolment.token_ttl_s),
                certificate_days: flags.enrolment.certificate_days.or(self.enrolment.certificate_days),
            },
            limits: LimitsConfig {
                connections: flags.limits.connections.or(self.limits.connections),
                handshakes_per_peer: flags.limits.handshakes_per_peer.or(self.limits.handshakes_per_peer),
                message_bytes: flags.limits.message_bytes.or(self.limits.message_bytes),
                handshake_timeout_ms: flags.limits.handshake_timeout_ms.or(self.limits.handshake_timeout_ms),
                idle_timeout_ms: flags.limits.idle_timeout_ms.or(self.limits.idle_timeout_ms),
                header_timeout_ms: flags.limits.header_timeout_ms.or(self.limits.header_timeout_ms),
                body_timeout_ms: flags.limits.body_timeout_ms.or(self.limits.body_timeout_ms),
                reply_timeout_ms: flags.limits.reply_timeout_ms.or(self.limits.reply_timeout_ms),
            },
        }
    }

    /// Address and port for KMIP.
    pub fn kmip(&self) -> &str {
        self.kmip.as_deref().unwrap_or(KMIP_DEFAULT)
    }

    /// Address and port for enrolment and health.
    pub fn admin(&self) -> &str {
        self.admin.as_deref().unwrap_or(ADMIN_DEFAULT)
    }

    /// How long a token may be used.
    pub fn token_ttl(&self) -> SignedDuration {
        SignedDuration::from_secs(self.enrolment.token_ttl_s.unwrap_or(TOKEN_TTL_DEFAULT_S).into())
    }

    /// How long an endpoint's certificate is valid.
    pub fn certificate_validity(&self) -> SignedDuration {
        let days = self.enrolment.certificate_days.unwrap_or(CERTIFICATE_DAYS_DEFAULT);
        SignedDuration::from_hours(i64::from(days) * 24)
    }

    /// What a peer of the KMIP port may cost.
    pub fn listener_limits(&self) -> ListenerLimits {
        let mut limits = ListenerLimits::default();
        if let Some(workers) = self.workers {
            limits.workers = workers;
        }
        let given = &self.limits;
        if let Some(connections) = given.connections {
            limits.connections = connections;
        }
        if let Some(handshakes) = given.handshakes_per_peer {
            limits.handshakes_per_peer = handshakes;
        }
        if let Some(bytes) = given.message_bytes {
            limits.messages.message_bytes = bytes;
        }
        let Deadlines { handshake, idle, header, body, reply } = &mut limits.deadlines;
        for (deadline, given_ms) in [
            (handshake, given.handshake_timeout_ms),
            (idle, given.idle_timeout_ms),
            (header, given.header_timeout_ms),
            (body, given.body_timeout_ms),
            (reply, given.reply_timeout_ms),
        ] {
            if let Some(given_ms) = given_ms {
                *deadline = Duration::from_millis(given_ms);
            }
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_override_the_file_field_by_field() {
        let file: Config = toml::from_str(
            "kmip = '0.0.0.0:1'\nadmin = '0.0.0.0:2'\n[unseal]\nfile_slot = '/a'\n[limits]\nconnections = 5\n",
        )
        .unwrap();
        let flags = Config {
            admin: Some("0.0.0.0:3".to_owned()),
            unseal: Unseal { passphrase_fd: Some(7), ..Unseal::default() },
            ..Config::default()
        };
        let merged = file.overridden_by(flags);
        assert_eq!((merged.kmip(), merged.admin()), ("0.0.0.0:1", "0.0.0.0:3"));
        assert_eq!(merged.unseal, Unseal { passphrase_fd: Some(7), ..Unseal::default() });
        assert_eq!(merged.listener_limits().connections, 5);
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vault.toml");
        std::fs::write(&path, "[limits]\nconections = 5\n").unwrap();
        let refused = Config::read(&path).unwrap_err().to_string();
        assert!(refused.contains("conections") && refused.contains("vault.toml"), "{refused}");
    }

    #[test]
    fn a_value_that_cannot_work_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vault.toml");
        for (text, named) in [
            ("[enrolment]\ncertificate_days = 0", "certificate_days"),
            // More than a date can hold: signing would panic.
            ("[enrolment]\ncertificate_days = 4294967295", "certificate_days"),
            ("[limits]\nconnections = 9223372036854775807", "connections"),
            ("[limits]\nmessage_bytes = 0", "message_bytes"),
            ("[limits]\nmessage_bytes = 1000000000", "message_bytes"),
        ] {
            std::fs::write(&path, text).unwrap();
            let refused = Config::read(&path).unwrap_err().to_string();
            assert!(refused.contains(named), "{refused}");
        }
    }

    #[test]
    fn the_example_in_the_documentation_is_valid() {
        let example: String = include_str!("config.rs")
            .lines()
            .skip_while(|line| !line.starts_with("//! ```toml"))
            .skip(1)
            .take_while(|line| !line.starts_with("//! ```"))
            .map(|line| format!("{}\n", line.trim_start_matches("//!").trim_start()))
            .collect();
        let config: Config = toml::from_str(&example).unwrap();
        assert_eq!(config.kmip(), "0.0.0.0:5696");
    }
}

//! Where a server is: a host and a port.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// KMIP's registered port (KMIP Profiles 1.0 §3.2).
pub const DEFAULT_PORT: u16 = 5696;

/// A server of the list: a host name or a literal address, and a port.
///
/// Printed as it is written: `vault.example:5696`, `192.0.2.1:5696`, `[2001:db8::1]:5696`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    host: Host,
    port: u16,
}

/// The host part of a [`ServerAddress`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A literal IPv4 or IPv6 address, which needs no resolution.
    Address(IpAddr),
    /// A host name, as it was written.
    Name(String),
}

/// Why a text is no server address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// There is no host.
    EmptyHost,
    /// The host is neither a literal address nor a host name (RFC 1123 §2.1).
    BadHost(String),
    /// The port is not a number from 1 to 65535.
    BadPort(String),
    /// An IPv6 address needs brackets: `[2001:db8::1]:5696`.
    UnbracketedIpv6(String),
    /// `[` without `]`, or something other than `:port` after it.
    BadBrackets(String),
}

impl ServerAddress {
    /// The host and port. A literal address in `host` is recognised as one.
    ///
    /// # Errors
    /// [`AddressError`] when `host` is neither a literal address nor a host name, or `port` is 0.
    pub fn new(host: &str, port: u16) -> Result<Self, AddressError> {
        if port == 0 {
            return Err(AddressError::BadPort("0".into()));
        }
        Ok(Self { host: parse_host(host)?, port })
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`. The port is [`DEFAULT_PORT`] where none is written.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, after) =
                rest.split_once(']').ok_or_else(|| AddressError::BadBrackets(text.into()))?;
            let address = inside.parse().map_err(|_| AddressError::BadHost(inside.into()))?;
            let port = match after.strip_prefix(':') {
                Some(port) => parse_port(port)?,
                None if after.is_empty() => DEFAULT_PORT,
                None => return Err(AddressError::BadBrackets(text.into())),
            };
            return Ok(Self { host: Host::Address(IpAddr::V6(address)), port });
        }
        match text.split_once(':') {
            Some((_, rest)) if rest.contains(':') => Err(AddressError::UnbracketedIpv6(text.into())),
            Some((host, port)) => Ok(Self { host: parse_host(host)?, port: parse_port(port)? }),
            None => Ok(Self { host: parse_host(text)?, port: DEFAULT_PORT }),
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Host::Address(address) => write!(f, "{address}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyHost => f.write_str("the host is missing; write host:port"),
            Self::BadHost(host) => write!(f, "{host:?} is neither an address nor a host name"),
            Self::BadPort(port) => write!(f, "port {port:?} is not a number from 1 to 65535"),
            Self::UnbracketedIpv6(text) => {
                write!(f, "an IPv6 address needs brackets: write [{text}] or [{text}]:{DEFAULT_PORT}")
            }
            Self::BadBrackets(text) => write!(f, "{text:?} is not of the form [address]:port"),
        }
    }
}

impl std::error::Error for AddressError {}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    // `u16::from_str` takes a leading plus sign, which no port has.
    match text.parse() {
        Ok(port) if port != 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(AddressError::BadPort(text.into())),
    }
}

fn parse_host(text: &str) -> Result<Host, AddressError> {
    if text.is_empty() {
        return Err(AddressError::EmptyHost);
    }
    if let Ok(address) = text.parse() {
        return Ok(Host::Address(address));
    }
    // Underscores are in no host name of RFC 1123, yet container networks are full of them.
    let plausible = text.len() <= 253
        && text
            .strip_suffix('.')
            .unwrap_or(text)
            .split('.')
            .all(|label| matches!(label.len(), 1..=63) && label.bytes().all(is_host_byte));
    if plausible { Ok(Host::Name(text.into())) } else { Err(AddressError::BadHost(text.into())) }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_and_prints_it_back() {
        for (text, printed) in [
            ("vault.example:5697", "vault.example:5697"),
            ("vault.example", "vault.example:5696"),
            ("key_vault", "key_vault:5696"),
            ("192.0.2.1:1", "192.0.2.1:1"),
            ("[2001:db8::1]:65535", "[2001:db8::1]:65535"),
            ("[::1]", "[::1]:5696"),
        ] {
            let address: ServerAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), printed);
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        assert_eq!(ServerAddress::new("::1", 7).unwrap().to_string(), "[::1]:7");
    }

    #[test]
    fn literal_addresses_are_told_from_names() {
        assert!(matches!("10.0.0.1".parse::<ServerAddress>().unwrap().host(), Host::Address(_)));
        assert!(matches!("10.0.0.example".parse::<ServerAddress>().unwrap().host(), Host::Name(_)));
    }

    #[test]
    fn garbage_is_refused_with_its_reason() {
        let fault = |text: &str| text.parse::<ServerAddress>().unwrap_err();
        assert_eq!(fault(""), AddressError::EmptyHost);
        assert_eq!(fault(":5696"), AddressError::EmptyHost);
        assert_eq!(fault("host:0"), AddressError::BadPort("0".into()));
        assert_eq!(fault("host:+1"), AddressError::BadPort("+1".into()));
        assert_eq!(fault("host:65536"), AddressError::BadPort("65536".into()));
        assert_eq!(fault("host:"), AddressError::BadPort(String::new()));
        assert_eq!(fault("::1"), AddressError::UnbracketedIpv6("::1".into()));
        assert_eq!(fault("[::1"), AddressError::BadBrackets("[::1".into()));
        assert_eq!(fault("[::1]5696"), AddressError::BadBrackets("[::1]5696".into()));
        assert_eq!(fault("[host]:1"), AddressError::BadHost("host".into()));
        assert_eq!(fault("two words"), AddressError::BadHost("two words".into()));
        assert_eq!(fault("a..b"), AddressError::BadHost("a..b".into()));
        assert_eq!(ServerAddress::new("host", 0), Err(AddressError::BadPort("0".into())));
    }
}

//! `okvclient.ora`: `KEY=VALUE` lines, of which two are ours.

use std::fmt;

use crate::address::{AddressError, ServerAddress};

/// How many standby servers there may be, as in MySQL 8.0.29 and later.
pub const MAX_STANDBY_SERVERS: usize = 64;
/// How many servers there may be in all.
pub const MAX_SERVERS: usize = MAX_STANDBY_SERVERS + 1;

/// Why the list of servers is not usable. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OkvClientError {
    /// There is no `SERVER` line.
    NoServer,
    /// `SERVER` is given twice, and it is not known which is meant.
    Twice {
        /// The second one's line.
        line: usize,
        /// The first one's line.
        first: usize,
    },
    /// An address is not usable.
    Address {
        /// Its line.
        line: usize,
        /// What is wrong with it.
        fault: AddressError,
    },
    /// There are more than [`MAX_SERVERS`] servers.
    TooMany {
        /// How many there are.
        servers: usize,
    },
    /// The line is not of the form `KEY=VALUE`.
    NotKeyValue {
        /// The line.
        line: usize,
    },
    /// The line is not UTF-8 text.
    NotText {
        /// The line.
        line: usize,
    },
}

/// The servers of an `okvclient.ora`: those of `SERVER`, then those of `STANDBY_SERVER`, each named once.
///
/// Keys are read without regard to case. Keys other than the two are passed over, because the tools of several vendors add
/// their own. Blank lines and lines that begin with `#` are comments.
///
/// # Errors
/// [`OkvClientError`] with the line.
pub fn parse_servers(text: &[u8]) -> Result<Vec<ServerAddress>, OkvClientError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let (mut servers, mut standby) = (Vec::new(), Vec::new());
    let mut server_line = None;
    for (number, line) in text.split(|&b| b == b'\n').enumerate() {
        let number = number + 1;
        let line = std::str::from_utf8(line).map_err(|_| OkvClientError::NotText { line: number })?.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(OkvClientError::NotKeyValue { line: number })?;
        let key = key.trim();
        if !is_key(key) {
            return Err(OkvClientError::NotKeyValue { line: number });
        }
        if key.eq_ignore_ascii_case("SERVER") {
            if let Some(first) = server_line.replace(number) {
                return Err(OkvClientError::Twice { line: number, first });
            }
            addresses(value, number, &mut servers)?;
        } else if key.eq_ignore_ascii_case("STANDBY_SERVER") {
            addresses(value, number, &mut standby)?;
        }
    }
    if servers.is_empty() {
        return Err(OkvClientError::NoServer);
    }
    for server in standby {
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    if servers.len() > MAX_SERVERS {
        return Err(OkvClientError::TooMany { servers: servers.len() });
    }
    Ok(servers)
}

/// The text that [`parse_servers`] reads as these servers, the first of them as `SERVER`.
pub(super) fn render(servers: &[ServerAddress]) -> String {
    let mut text = String::new();
    if let Some((first, standby)) = servers.split_first() {
        text = format!("SERVER={first}\n");
        if !standby.is_empty() {
            let standby: Vec<_> = standby.iter().map(ToString::to_string).collect();
            text += &format!("STANDBY_SERVER={}\n", standby.join(","));
        }
    }
    text
}

fn addresses(value: &str, line: usize, into: &mut Vec<ServerAddress>) -> Result<(), OkvClientError> {
    if value.trim().is_empty() {
        return Ok(());
    }
    for address in value.split(',') {
        let address: ServerAddress =
            address.trim().parse().map_err(|fault| OkvClientError::Address { line, fault })?;
        if !into.contains(&address) {
            into.push(address);
        }
    }
    Ok(())
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

impl fmt::Display for OkvClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer => f.write_str("no server is named; write SERVER=host:port"),
            Self::Twice { line, first } => write!(
                f,
                "line {line}: SERVER is given again (first in line {first}); name further servers in STANDBY_SERVER"
            ),
            Self::Address { line, fault } => write!(f, "line {line}: {fault}"),
            Self::TooMany { servers } => {
                write!(f, "{servers} servers are named, and {MAX_SERVERS} are the most there can be")
            }
            Self::NotKeyValue { line } => write!(f, "line {line} is not of the form KEY=VALUE"),
            Self::NotText { line } => write!(f, "line {line} is not text"),
        }
    }
}

impl std::error::Error for OkvClientError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Vec<String> {
        parse_servers(text.as_bytes()).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn servers_come_in_order_and_once_each() {
        assert_eq!(
            servers(
                "# Oracle Key Vault\r\n\r\n SERVER = one:1 \r\nSSL_DIR=/somewhere/ssl\nstandby_server=two:2, [::1] ,one:1,three"
            ),
            ["one:1", "two:2", "[::1]:5696", "three:5696"]
        );
        assert_eq!(
            servers("STANDBY_SERVER=b\nSERVER=a,c\nSTANDBY_SERVER=d\n"),
            ["a:5696", "c:5696", "b:5696", "d:5696"]
        );
        assert_eq!(servers("SERVER=a\nSTANDBY_SERVER=\n"), ["a:5696"]);
    }

    #[test]
    fn what_is_rendered_is_read_back() {
        for text in ["SERVER=a:1\n", "SERVER=a:1\nSTANDBY_SERVER=b:2,[::1]:3\n"] {
            assert_eq!(render(&parse_servers(text.as_bytes()).unwrap()), text);
        }
    }

    #[test]
    fn garbage_is_named_by_its_line() {
        let fault = |text: &[u8]| parse_servers(text).unwrap_err();
        assert_eq!(fault(b""), OkvClientError::NoServer);
        assert_eq!(fault(b"SERVER=\n"), OkvClientError::NoServer);
        assert_eq!(fault(b"STANDBY_SERVER=a\n"), OkvClientError::NoServer);
        assert_eq!(fault(b"SERVER=a\n\nSERVER=b\n"), OkvClientError::Twice { line: 3, first: 1 });
        assert_eq!(fault(b"#\nhello\n"), OkvClientError::NotKeyValue { line: 2 });
        assert_eq!(fault(b"what is this = 1\n"), OkvClientError::NotKeyValue { line: 1 });
        assert_eq!(fault(b"SERVER=a\n\xff\xfe=1\n"), OkvClientError::NotText { line: 2 });
        assert_eq!(
            fault(b"SERVER=a\nSTANDBY_SERVER=b,,c\n"),
            OkvClientError::Address { line: 2, fault: AddressError::EmptyHost }
        );
        assert_eq!(fault(b"SERVER=a:b\n").to_string(), "line 1: port \"b\" is not a number from 1 to 65535");
    }

    #[test]
    fn there_are_at_most_64_standby_servers() {
        let list = |n: usize| {
            let standby: Vec<_> = (0..n).map(|i| format!("s{i}")).collect();
            format!("SERVER=first\nSTANDBY_SERVER={}\n", standby.join(","))
        };
        assert_eq!(servers(&list(64)).len(), 65);
        assert_eq!(parse_servers(list(65).as_bytes()), Err(OkvClientError::TooMany { servers: 66 }));
    }
}
